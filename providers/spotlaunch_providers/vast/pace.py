"""Not too often: Vast.ai counts the time between two calls of a kind, and punishes who comes too soon.

The one place of this adapter that waits: some seconds between two calls of one kind, inside the caller's deadline.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from spotlaunch.errors import Throttled
from spotlaunch_providers.shared.deadline import Deadline


class Pace:
    """Turns for one kind of call, at least ``interval_s`` apart, whichever thread takes them."""

    def __init__(
        self,
        interval_s: float,
        *,
        mono: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.interval_s = interval_s
        self._mono, self._sleep = mono, sleep
        self._free_at = float("-inf")
        self._lock = threading.Lock()

    def wait(self, deadline: Deadline) -> None:
        """Return when it is the caller's turn. Raises `Throttled` at once where that is past ``deadline``."""
        with self._lock:
            now = self._mono()
            at = max(now, self._free_at)
            if at - now > deadline.left_s():
                raise Throttled("too many calls at a time", retry_after_s=at - now)
            self._free_at = at + self.interval_s
        if at > now:
            self._sleep(at - now)

    def rest(self, seconds: float) -> None:
        """No turn for so long: it was said that we came too soon."""
        with self._lock:
            self._free_at = max(self._free_at, self._mono() + seconds)
