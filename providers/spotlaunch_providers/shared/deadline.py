"""A moment after which an answer is worth nothing to the caller."""

from __future__ import annotations

import time
from collections.abc import Callable

from spotlaunch.errors import ProviderError, Transient

# A person waits for prices, and the market room gives up a little later than this. A whole question to one
# provider, with all its regions and pages, must be answered in it.
ASK_S = 15.0


class Deadline:
    """Counts down from ``seconds``. ``mono`` gives seconds that never jump."""

    def __init__(self, seconds: float = ASK_S, *, mono: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._mono = mono
        self._at = mono() + seconds

    def left_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._at - self._mono())

    def check(self, what: str, error: type[ProviderError] = Transient) -> None:
        """Raise ``error`` when time is up. ``what`` was being done."""
        if self.left_s() <= 0:
            raise error(f"{what} took longer than {self.seconds:.3g} s", hint="try again")
