"""Being told that the machine will be taken: by a file, a signal to the agent, or a watcher (`agent.watchers`)."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Notice:
    """``at`` and ``deadline_at``: wall clock; ``deadline`` is the same on the clock that never jumps.

    Without a deadline it is not known how much time is left.
    """

    at: float
    deadline_at: float | None
    deadline: float | None


class Notices:
    """Looks for a notice. Signal handlers only leave a mark: acting is the main loop's work."""

    def __init__(
        self,
        file: Path | None,
        *,
        now: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._now = now
        self._mono = mono
        self._signalled = False
        self._told: tuple[float | None] | None = None
        self._found: Notice | None = None

    def on_signals(self) -> None:
        """Take SIGTERM, SIGINT and SIGHUP for a notice. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._mark)

    def tell(self, deadline_at: float | None) -> None:
        """The machine will be taken at ``deadline_at`` (wall clock; None: nobody knows). From any thread; may be
        repeated, and a deadline that is told later counts when none was known."""
        if self._told is None or self._told[0] is None:
            self._told = (deadline_at,)

    def look(self) -> Notice | None:
        """The notice, once there is one. A deadline that becomes known later is added."""
        if self._found is not None and self._found.deadline is not None:
            return self._found
        there, deadline_at = self._read_file()
        told = self._told
        if told is not None:
            there, deadline_at = True, deadline_at if deadline_at is not None else told[0]
        if self._found is None and (there or self._signalled):
            self._found = Notice(at=self._now(), deadline_at=None, deadline=None)
        if self._found is not None and deadline_at is not None:
            deadline = self._mono() + max(0.0, deadline_at - self._now())
            self._found = Notice(at=self._found.at, deadline_at=deadline_at, deadline=deadline)
        return self._found

    def _mark(self, *_: object) -> None:
        self._signalled = True

    def _read_file(self) -> tuple[bool, float | None]:
        """Whether the file is there, and the deadline in it if it can be read."""
        if self._file is None:
            return False, None
        try:
            said = json.loads(self._file.read_bytes())
            return True, float(said["deadline_at"])
        except FileNotFoundError:
            return False, None
        except (OSError, ValueError, KeyError, TypeError):
            return True, None
