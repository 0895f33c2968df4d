"""What the agent is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spotlaunch.errors import UsageError

# Not for the eyes of the user's program: how to reach our store, and what the machine's host tells us.
OWN_NAMES = (
    "SPOTLAUNCH_STORE_URL",
    "SPOTLAUNCH_STORE_ENDPOINT",
    "SPOTLAUNCH_STORE_REGION",
    "SPOTLAUNCH_NOTICE_FILE",
    "SPOTLAUNCH_STILL_S",
)
STILL_S = 1.0


@dataclass(frozen=True)
class Settings:
    """``scratch`` is the machine's folder for everything of this attempt.

    ``notice_file`` (None: there is none) appears when the machine is about to be taken. ``still_s``: a
    checkpoint folder that nobody has touched for so long is taken to be complete.
    """

    store_url: str
    store_endpoint: str
    store_region: str
    job: str
    attempt: int
    scratch: Path
    notice_file: Path | None = None
    still_s: float = STILL_S

    @property
    def work(self) -> Path:
        """The user's working directory."""
        return self.scratch / "work"

    @property
    def progress(self) -> Path:
        """Where the program says how far it is. Outside its working directory, so that no checkpoint holds it."""
        return self.scratch / "progress.json"


def read_settings(env: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment. Raises `UsageError` when something is missing."""
    try:
        return Settings(
            store_url=env["SPOTLAUNCH_STORE_URL"],
            store_endpoint=env.get("SPOTLAUNCH_STORE_ENDPOINT", ""),
            store_region=env.get("SPOTLAUNCH_STORE_REGION", ""),
            job=env["SPOTLAUNCH_JOB"],
            attempt=int(env["SPOTLAUNCH_ATTEMPT"]),
            scratch=Path.cwd(),
            notice_file=Path(env["SPOTLAUNCH_NOTICE_FILE"]) if env.get("SPOTLAUNCH_NOTICE_FILE") else None,
            still_s=float(env.get("SPOTLAUNCH_STILL_S") or STILL_S),
        )
    except KeyError as e:
        raise UsageError(f"{e.args[0]} is not set", hint="the agent is started by a provider, not by hand") from e
    except ValueError as e:
        raise UsageError(f"SPOTLAUNCH_ATTEMPT and SPOTLAUNCH_STILL_S must be numbers: {e}") from e
