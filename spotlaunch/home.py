"""Where everything of this user's lives: `SPOTLAUNCH_HOME`, by default ``~/.spotlaunch``. Files are 0600."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from spotlaunch.errors import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Home:
    """The folder and the paths in it. Making one touches nothing on disk; `prepare` does."""

    path: Path

    @staticmethod
    def find() -> Home:
        """From ``SPOTLAUNCH_HOME``, else the user's home."""
        return Home(Path(os.environ.get("SPOTLAUNCH_HOME") or "~/.spotlaunch").expanduser().absolute())

    def prepare(self) -> Home:
        """Make the folder, for its owner only. Raises `StoreUnavailable` if that cannot be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as e:
            raise StoreUnavailable(
                f"cannot make the folder {self.path}: {e.strerror or e}",
                hint="set SPOTLAUNCH_HOME to a folder that you can write to",
            ) from e
        return self

    @property
    def database(self) -> Path:
        """The book."""
        return self.path / "book.db"

    @property
    def market(self) -> Path:
        """Answers of the market and the history of prices; a file of its own, so that it never slows the book."""
        return self.path / "market.db"

    @property
    def config(self) -> Path:
        """What a person told the providers; read by `spotlaunch.config`, never written by us."""
        return self.path / "config.yaml"

    @property
    def blobs(self) -> Path:
        """The store of jobs that name none: a folder, good for machines on this computer only."""
        return self.path / "blobs"

    @property
    def watchdog_log(self) -> Path:
        """What the background watchdog printed."""
        return self.path / "watchdog.log"

    @property
    def wake(self) -> Path:
        """A pipe: a byte written here wakes the watchdog."""
        return self.path / "wake"

    def secrets(self, job: str) -> Path:
        """Values of a job's secrets (JSON, 0600), kept until the job is over."""
        return self.path / "secrets" / f"{job}.json"

    def passes(self, job: str) -> Path:
        """What renews the passes of a job's live attempts (JSON, 0600), kept until they are over."""
        return self.path / "passes" / f"{job}.json"

    def ssh_key(self, job: str) -> Path:
        """The private key of a job's shell (0600; the public one beside it, ``.pub``), kept until the job is over."""
        return self.path / "ssh" / job

    def known_hosts(self, job: str) -> Path:
        """The host keys that a job's shells have met."""
        return self.path / "ssh" / f"{job}.hosts"

    @property
    def unusable(self) -> Path:
        """Which providers could not be used when they were last connected, and why (JSON)."""
        return self.path / "unusable.json"

    def provider(self, name: str) -> Path:
        """A provider's own folder (caches; for `local`, its machines)."""
        return self.path / "providers" / name
