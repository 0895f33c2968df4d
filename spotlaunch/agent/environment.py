"""What the user's program finds in its environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from spotlaunch.agent.settings import OWN_NAMES, SECRET_PREFIX, Settings
from spotlaunch.core.wire import OrderDoc


def program_env(
    settings: Settings,
    order: OrderDoc,
    *,
    folder: Path,
    resume: str,
    every_s: float = 0.0,
    ours: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Our own environment without what is only for us, then the job's secrets and variables, then our promises.

    ``folder`` is the checkpoint folder, ``resume`` the path of the restored checkpoint or nothing, ``every_s`` the
    interval between two checkpoints to begin with.
    """
    hidden = {*OWN_NAMES, *settings.pass_names}
    env = {n: value for n, value in ours.items() if n not in hidden and not n.startswith(SECRET_PREFIX)}
    env |= {n[len(SECRET_PREFIX) :]: value for n, value in ours.items() if n.startswith(SECRET_PREFIX)}
    # Behind a pipe Python would keep its output back until a buffer is full: no logs for an hour.
    env.setdefault("PYTHONUNBUFFERED", "1")
    env |= {name: str(value) for name, value in order.env.items()}
    return env | promises(settings, order, folder=folder, resume=resume, every_s=every_s)


def promises(settings: Settings, order: OrderDoc, *, folder: Path, resume: str, every_s: float = 0.0) -> dict[str, str]:
    """What every program is told, wherever it runs (docs/writing-jobs.md)."""
    return {
        "SPOTLAUNCH_JOB": order.job,
        "SPOTLAUNCH_ATTEMPT": str(order.attempt),
        "SPOTLAUNCH_CHECKPOINT_DIR": str(folder),
        "SPOTLAUNCH_RESUME": resume,
        "SPOTLAUNCH_PROGRESS_FILE": str(settings.progress),
        "SPOTLAUNCH_CHECKPOINT_EVERY_S": f"{every_s:g}",
        "SPOTLAUNCH_CHECKPOINT_EVERY_FILE": str(settings.every),
        "SPOTLAUNCH_GRACE_S": f"{order.grace_s:g}",
        "SPOTLAUNCH_GPU": order.gpu,
        "SPOTLAUNCH_GPUS": str(order.gpu_count),
    }


def container_names(settings: Settings, order: OrderDoc, ours: Mapping[str, str] = os.environ) -> list[str]:
    """The variables that go into a container: the job's and our promises, and not those of the machine around it."""
    told = promises(settings, order, folder=Path(), resume="")
    secrets = [name[len(SECRET_PREFIX) :] for name in ours if name.startswith(SECRET_PREFIX)]
    return sorted({*order.env, *order.secrets, *secrets, *told, "PYTHONUNBUFFERED"})


def secret_of(name: str, ours: Mapping[str, str] = os.environ) -> str | None:
    """The value of one of the job's secrets."""
    return ours.get(SECRET_PREFIX + name, ours.get(name))


# Named in no order, but on the machine, and in what `env` prints: the keys to the store, and in a container the one to
# its own cloud. They have such names.
_KEY_NAMES = ("_API_KEY", "_ACCESS_KEY", "_ACCOUNT_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
REAL_SECRET_LETTERS = 8


def secret_values(
    names: Iterable[str],
    value_of: Callable[[str], str | None],
    *,
    more: Iterable[str] = (),
    ours: Mapping[str, str] = os.environ,
) -> list[str]:
    """What must not leave this machine: the job's, the store's (``more``: also under these names), its cloud's."""
    of_job = [value_of(name) or "" for name in names]
    of_machine = [name for name in ours if name.endswith(_KEY_NAMES)]
    others = [ours.get(name, "") for name in {*more, *of_machine}]
    return of_job + [value for value in others if len(value) >= REAL_SECRET_LETTERS]
