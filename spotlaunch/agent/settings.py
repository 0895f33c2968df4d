"""What the agent is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spotlaunch.errors import UsageError

# Not for the eyes of the user's program: how to reach our store, and what the machine's host tells us.
OWN_NAMES = (
    "SPOTLAUNCH_STORE_URL",
    "SPOTLAUNCH_STORE_ENDPOINT",
    "SPOTLAUNCH_STORE_REGION",
    "SPOTLAUNCH_NOTICE_FILE",
    "SPOTLAUNCH_STILL_S",
    "SPOTLAUNCH_ROOT",
    "SPOTLAUNCH_SCRATCH",
    "SPOTLAUNCH_LIBRARY",
    "SPOTLAUNCH_LIVED_S",
    "SPOTLAUNCH_IMAGE",
    "SPOTLAUNCH_NOTICE_SOURCE",
    "SPOTLAUNCH_NOTICE_S",
    "SPOTLAUNCH_RUNTIME_LEFT_S",
    "SPOTLAUNCH_BUDGET_LEFT_S",
    "SPOTLAUNCH_TTL_LEFT_S",
    "SPOTLAUNCH_PASS_NAMES",
    "SPOTLAUNCH_PASS_KEY",
    "SPOTLAUNCH_PASS_EXPIRES_AT",
    "SPOTLAUNCH_PASS_FILE",
)
# On a machine the job's secrets come under these names, so that they and the store's keys keep out of each other's way.
SECRET_PREFIX = "SPOTLAUNCH_SECRET_"
LIMITS = ("runtime", "budget", "ttl")
STILL_S = 1.0
# How long before a machine is taken its cloud tells, where that is not told with the notice.
NOTICE_S = 30.0


@dataclass(frozen=True)
class Settings:
    """``scratch`` is the machine's folder for everything of this attempt.

    ``notice_file`` (None: there is none) appears when the machine is about to be taken. ``still_s``: a
    checkpoint folder that nobody has touched for so long is taken to be complete. ``letter``: a letter in the store
    brought this agent here, and is to be deleted. ``notice_source``: see `agent.watchers`; ``notice_s``: how long
    before a machine is taken its cloud tells. ``image``: the container for the job's commands (empty: none).
    ``lived_s``: how long the machine had lived when the agent was started. ``limits``: what is left of them by the
    word of the letter, by why we would leave; they hold until the order is read. ``pass_names``: the variables that
    open the store.
    """

    store_url: str
    store_endpoint: str
    store_region: str
    job: str
    attempt: int
    scratch: Path
    notice_file: Path | None = None
    still_s: float = STILL_S
    letter: bool = False
    notice_source: str = ""
    notice_s: float = NOTICE_S
    image: str = ""
    lived_s: float = 0.0
    limits: Mapping[str, float] = field(default_factory=dict)
    pass_names: tuple[str, ...] = ()

    @property
    def reached(self) -> Path:
        """Touched whenever the store answers; the guard looks at it."""
        return self.scratch / "reached"

    @property
    def work(self) -> Path:
        """The user's working directory."""
        return self.scratch / "work"

    @property
    def progress(self) -> Path:
        """Where the program says how far it is. Outside its working directory, so that no checkpoint holds it."""
        return self.scratch / "progress.json"

    @property
    def every(self) -> Path:
        """Where the program reads how often to save."""
        return self.scratch / "checkpoint-every"


def read_settings(env: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment. Raises `UsageError` when something is missing."""
    try:
        return Settings(
            store_url=env["SPOTLAUNCH_STORE_URL"],
            store_endpoint=env.get("SPOTLAUNCH_STORE_ENDPOINT", ""),
            store_region=env.get("SPOTLAUNCH_STORE_REGION", ""),
            job=env["SPOTLAUNCH_JOB"],
            attempt=int(env["SPOTLAUNCH_ATTEMPT"]),
            scratch=Path(env.get("SPOTLAUNCH_SCRATCH") or Path.cwd()),
            notice_file=Path(env["SPOTLAUNCH_NOTICE_FILE"]) if env.get("SPOTLAUNCH_NOTICE_FILE") else None,
            still_s=float(env.get("SPOTLAUNCH_STILL_S") or STILL_S),
            letter="SPOTLAUNCH_PASS_NAMES" in env,
            notice_source=env.get("SPOTLAUNCH_NOTICE_SOURCE", ""),
            notice_s=float(env.get("SPOTLAUNCH_NOTICE_S") or NOTICE_S),
            image=env.get("SPOTLAUNCH_IMAGE", ""),
            lived_s=float(env.get("SPOTLAUNCH_LIVED_S") or 0),
            limits={why: float(env.get(f"SPOTLAUNCH_{why.upper()}_LEFT_S") or 0) for why in LIMITS},
            pass_names=tuple(filter(None, env.get("SPOTLAUNCH_PASS_NAMES", "").split(","))),
        )
    except KeyError as e:
        raise UsageError(f"{e.args[0]} is not set", hint="the agent is started by a provider, not by hand") from e
    except ValueError as e:
        raise UsageError(f"SPOTLAUNCH_ATTEMPT and all variables of ours in _S must be numbers: {e}") from e
