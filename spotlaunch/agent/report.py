"""What the agent says of itself: one status, changed from several threads, sent by the mail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from spotlaunch.core.wire import Entry, Status

MOST_NOTES = 500
MOST_GUESSED = 20
MOST_ERROR_LETTERS = 2000


class Report:
    """The status to be sent next. ``changed`` is called when something happened that should be told at once."""

    def __init__(self, attempt: int, *, now: Callable[[], float] = time.time) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._now = now
        self._lock = threading.Lock()
        began_at = now()
        self._status = Status(
            attempt=attempt, at=began_at, phase="starting", started_at=began_at, phases={"starting": began_at}
        )

    def go_on_from(self, before: Status) -> None:
        """This machine was started again in the middle of the attempt: what was told stays told."""
        with self._lock:
            self._status = replace(
                self._status,
                started_at=before.started_at,
                step=before.step,
                committed_at=before.committed_at,
                commits=before.commits,
                notes=list(before.notes),
                phases=dict(before.phases),
                first_progress=dict(before.first_progress),
                first_progress_at=before.first_progress_at,
                guessed=list(before.guessed),
                uploaded_bytes=before.uploaded_bytes,
                restored_bytes=before.restored_bytes,
                write_s=before.write_s,
            )

    def set(self, **changes: Any) -> None:
        """Change fields of the status."""
        if "error" in changes:
            changes["error"] = str(changes["error"])[:MOST_ERROR_LETTERS]
        with self._lock:
            if "phase" in changes:
                changes["phases"] = {changes["phase"]: self._now(), **self._status.phases}
            self._status = replace(self._status, **changes)
        self.changed()

    def note(self, kind: str, text: str, **data: Any) -> None:
        """Add a sentence to the story."""
        with self._lock:
            if len(self._status.notes) >= MOST_NOTES:
                return
            notes = [*self._status.notes, {"at": self._now(), "kind": kind, "text": text, **data}]
            self._status = replace(self._status, notes=notes)
        self.changed()

    def progress(self, said: Mapping[str, Any], *, first: Mapping[str, Any] | None = None) -> None:
        """What the program said last, and first of all; told with the next report."""
        with self._lock:
            self._status = replace(self._status, progress=dict(said))
            if self._status.first_progress_at is None:
                told = dict(said if first is None else first)
                self._status = replace(self._status, first_progress=told, first_progress_at=self._now())

    def committed(self, entry: Entry, *, guessed: Iterable[str] = (), uploaded_bytes: int = 0) -> None:
        """A checkpoint is in the store, for which so much was sent. ``guessed``: see `Status`."""
        with self._lock:
            self._status = replace(
                self._status,
                step=entry.step,
                committed_at=self._now(),
                commits=self._status.commits + 1,
                guessed=sorted(guessed)[:MOST_GUESSED],
                uploaded_bytes=self._status.uploaded_bytes + uploaded_bytes,
            )
        self.changed()

    def logged(self, chunks: int) -> None:
        """So many chunks of output are in the store."""
        with self._lock:
            self._status = replace(self._status, log_chunks=chunks)

    @property
    def status(self) -> Status:
        """As it is now."""
        with self._lock:
            return replace(self._status, at=self._now())
