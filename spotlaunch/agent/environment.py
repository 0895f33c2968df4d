"""What the user's program finds in its environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from spotlaunch.agent.settings import OWN_NAMES, Settings
from spotlaunch.core.wire import OrderDoc


def program_env(
    settings: Settings, order: OrderDoc, *, folder: Path, resume: str, ours: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Our own environment (with the secrets) without what is only for us, then the job's, then our promises.

    ``folder`` is the checkpoint folder, ``resume`` the path of the restored checkpoint or nothing.
    """
    env = {name: value for name, value in ours.items() if name not in OWN_NAMES}
    # Behind a pipe Python would keep its output back until a buffer is full: no logs for an hour.
    env.setdefault("PYTHONUNBUFFERED", "1")
    env |= {name: str(value) for name, value in order.env.items()}
    env |= {
        "SPOTLAUNCH_JOB": order.job,
        "SPOTLAUNCH_ATTEMPT": str(order.attempt),
        "SPOTLAUNCH_CHECKPOINT_DIR": str(folder),
        "SPOTLAUNCH_RESUME": resume,
        "SPOTLAUNCH_PROGRESS_FILE": str(settings.progress),
        "SPOTLAUNCH_CHECKPOINT_EVERY_S": f"{order.checkpoint_every_s:g}",
        "SPOTLAUNCH_GRACE_S": f"{order.grace_s:g}",
        "SPOTLAUNCH_GPU": order.gpu,
        "SPOTLAUNCH_GPUS": str(order.gpu_count),
    }
    return env


# Named in no order, but on the machine, and in what `env` prints: the keys to the store.
STORE_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_CLIENT_SECRET",
)
REAL_SECRET_LETTERS = 8


def secret_values(names: Iterable[str], value_of: Callable[[str], str | None]) -> list[str]:
    """What must not leave the machine: the job's secrets, and the store's."""
    of_job = [value_of(name) or "" for name in names]
    of_store = [value_of(name) or "" for name in STORE_SECRETS]
    return of_job + [value for value in of_store if len(value) >= REAL_SECRET_LETTERS]
