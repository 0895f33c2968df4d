"""The keys that live attempts open their next passes with, kept so that a new watchdog can renew them."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock

from spotlaunch.errors import StoreUnavailable
from spotlaunch.home import Home


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """``key`` in base64; when the attempt's last pass was made, and until when it opens (0: for ever)."""

    key: str = field(repr=False)
    made_at: float
    expires_at: float


class PassKeys:
    """By job and attempt; in memory, and in one file a job (0600) under the home. Safe to use from several threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = Lock()
        self._kept: dict[tuple[str, int], Kept] = {}
        for path in home.passes("x").parent.glob("*.json"):
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            found = json.loads(path.read_bytes())
            kept = {(path.stem, int(n)): Kept(**values) for n, values in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            # Not renewed, and gone: attempts without a pass end themselves, and others go on.
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return
        self._kept |= kept

    def all(self) -> dict[tuple[str, int], Kept]:
        """What is kept now, by job and number of the attempt."""
        with self._lock:
            return dict(self._kept)

    def keep(self, job: str, attempt: int, kept: Kept) -> None:
        """From now on that attempt's passes are renewed. Raises `StoreUnavailable` when it cannot be written."""
        with self._lock:
            self._kept[job, attempt] = kept
            self._write(job)

    def renewed(self, job: str, attempt: int, kept: Kept) -> None:
        """As `keep`, unless the attempt was forgotten meanwhile."""
        with self._lock:
            if (job, attempt) in self._kept:
                self._kept[job, attempt] = kept
                self._write(job)

    def forget(self, job: str, attempt: int) -> None:
        """The attempt is over. Raises `StoreUnavailable` when its key cannot be removed."""
        with self._lock:
            if self._kept.pop((job, attempt), None) is not None:
                self._write(job)

    def _write(self, job: str) -> None:
        path = self._home.passes(job)
        values = {str(n): asdict(kept) for (name, n), kept in self._kept.items() if name == job}
        try:
            if not values:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "w") as f:
                json.dump(values, f)
            new.replace(path)
        except OSError as e:
            raise StoreUnavailable(
                f"cannot write {path}: {e.strerror or e}", hint="is the disk full or read-only?"
            ) from e
