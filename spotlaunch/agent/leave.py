"""Why and how to leave: reasons, in the order of what matters most, and how much time each gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from spotlaunch.agent.notice import Notice, Notices
from spotlaunch.core.wire import Ask, OrderDoc

# How long to go on trying to deliver the last checkpoint and the last word when the store is away.
PATIENCE_S = {
    "exited": 3600.0,  # the result of the whole job may hang on it
    "notice": 120.0,  # without a known deadline; the machine ends it sooner
    "asked": 1500.0,  # a little less than the watchdog gives to one that it hears (`policy.LEAVE_HEARD_S`)
    "superseded": 15.0,  # another has the job; this only tidies up
    "runtime": 300.0,
    "budget": 300.0,
    "error": 300.0,
}

# Kept of the time before a machine is taken: for the last sync, at least so long, or as its forerunner took.
SYNC_LEAST_S, SYNC_FACTOR = 1.0, 1.5


class Leave(Exception):
    """The attempt ends here. ``why`` is one of `core.wire.LEFT_WHY`. ``silent``: without a word to the store."""

    def __init__(self, why: str, *, error: str = "", exit_code: int | None = None, silent: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.error = error
        self.exit_code = exit_code
        self.silent = silent


class Reasons:
    """Notices, asks, limits, and the word that we are a ghost."""

    def __init__(self, notices: Notices, *, mono: Callable[[], float] = time.monotonic) -> None:
        self.superseded = threading.Event()
        self.ask: Ask | None = None
        self._notices = notices
        self._mono = mono
        self._began_at = mono()
        self._limits: list[tuple[float, str]] = []

    def obey(self, order: OrderDoc) -> None:
        """Take the limits of an order, counted from our own start."""
        limits = [(order.runtime_left_s, "runtime"), (order.budget_left_s, "budget")]
        self._limits = sorted((self._began_at + left_s, why) for left_s, why in limits if left_s > 0)

    def notice(self) -> Notice | None:
        """The machine will be taken: since when it is known, and when."""
        return self._notices.look()

    def look(self) -> Leave | None:
        """The weightiest reason to leave, if there is one."""
        if self.superseded.is_set():
            return Leave("superseded")
        if self.notice() is not None:
            return Leave("notice")
        if self.ask is not None and self.ask.kind == "leave":
            return Leave("asked")
        if self._limits and self._mono() >= self._limits[0][0]:
            return Leave(self._limits[0][1])
        return None

    def next_limit_s(self) -> float:
        """Seconds until the next limit is reached (infinite: there is none that is not reached)."""
        now = self._mono()
        return min((at - now for at, _ in self._limits if at > now), default=float("inf"))


def grace_left_s(grace_s: float, began_at: float, notice: Notice | None, sync_s: float) -> float:
    """How long a program that was asked to end may still take. Under a deadline, time is kept for a last sync.

    ``sync_s`` is what the last sync took; half of the time is left to the program in any case.
    """
    now = time.monotonic()
    left_s = began_at + grace_s - now
    if notice is not None and notice.deadline is not None:
        whole_s = max(0.0, notice.deadline - began_at)
        kept_s = min(max(SYNC_LEAST_S, SYNC_FACTOR * sync_s), whole_s / 2)
        left_s = min(left_s, notice.deadline - kept_s - now)
    return left_s


def wrote_to_the_end(code: int, *, asked: bool) -> bool:
    """Whether a program that ended with this code surely ended outside of writing a checkpoint.

    Signals end it anywhere; so does an error that nobody caught (1, by custom). ``asked``: it was asked to
    end and did, so that 1 is its answer.
    """
    return code == 0 or (code < 128 and (asked or code != 1))
