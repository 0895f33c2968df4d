"""Why and how to leave: reasons, in the order of what matters most, and how much time each gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from spotlaunch.agent.notice import Notice, Notices
from spotlaunch.core.wire import Ask, OrderDoc, Status

# How long to go on trying to deliver the last checkpoint and the last word when the store is away. A limit ends
# it sooner: docs/decisions/0011-the-budget-ends-delivery.md.
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

# So long before a limit is reached, on top of its grace, an agent leaves: as the watchdog would ask it to
# (`core.limits.LEAVE_AHEAD_S`), and for the same reason. A minute's limit must not be all leaving.
LEAVE_AHEAD_S, AHEAD_MOST = 30.0, 0.25

# What the last word gets in any case, also past a limit: without it nobody knows why, and it costs next to nothing.
LAST_WORD_S = 5.0


class Leave(Exception):
    """The attempt ends here. ``why`` is one of `core.wire.LEFT_WHY`. ``silent``: without a word to the store."""

    def __init__(self, why: str, *, error: str = "", exit_code: int | None = None, silent: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.error = error
        self.exit_code = exit_code
        self.silent = silent


@dataclass(frozen=True)
class Limit:
    """A limit of the order in seconds of some clock: when to begin leaving, and when to be gone."""

    leave_at: float
    end_at: float
    why: str


def first_limit(order: OrderDoc, began_at: float) -> Limit | None:
    """The limit that an attempt reaches first, if it has any."""
    limits = []
    for left_s, why in ((order.runtime_left_s, "runtime"), (order.budget_left_s, "budget")):
        if left_s > 0:
            ahead_s = min(order.grace_s + LEAVE_AHEAD_S, left_s * AHEAD_MOST)
            limits.append(Limit(began_at + left_s - ahead_s, began_at + left_s, why))
    return min(limits, key=lambda limit: limit.end_at, default=None)


def lived_s(before: Status | None, *, now: float, up_s: float) -> float:
    """How long an attempt whose machine was started again has lived before.

    ``up_s`` is how long this computer is up: at least so much is sure, should its clock have been set right
    since the attempt began.
    """
    if before is None or before.started_at <= 0:
        return 0.0
    return min(max(0.0, now - before.started_at), up_s)


class Reasons:
    """Notices, asks, limits, and the word that we are a ghost."""

    def __init__(self, notices: Notices, *, mono: Callable[[], float] = time.monotonic) -> None:
        self.superseded = threading.Event()
        self.ask: Ask | None = None
        self._notices = notices
        self._mono = mono
        self._began_at = mono()
        self._limit: Limit | None = None

    def obey(self, order: OrderDoc, *, lived_s: float = 0.0) -> None:
        """Take the limits of an order, counted from our own start, or from that of our life before."""
        self._limit = first_limit(order, min(self._began_at, self._mono() - lived_s))

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
        if self._limit is not None and self._mono() >= self._limit.leave_at:
            return Leave(self._limit.why)
        return None

    def next_limit_s(self) -> float:
        """Seconds until a limit asks us to leave (infinite: there is none, or it has asked)."""
        left_s = self._limit.leave_at - self._mono() if self._limit is not None else 0.0
        return left_s if left_s > 0 else float("inf")

    def end_by(self, at: float) -> float:
        """``at``, or when a limit is reached if that is sooner."""
        return min(at, self._limit.end_at) if self._limit is not None else at

    def spent(self) -> str:
        """Which limit is reached, to the end; an empty text: none."""
        return self._limit.why if self._limit is not None and self._mono() >= self._limit.end_at else ""

    def deadline(self) -> float | None:
        """When this machine ends, taken away or at a limit, as far as it is known; on our clock that never jumps."""
        notice = self.notice()
        known = [notice.deadline] if notice is not None and notice.deadline is not None else []
        if self._limit is not None:
            known.append(self._limit.end_at)
        return min(known, default=None)


def grace_left_s(grace_s: float, began_at: float, deadline: float | None, sync_s: float) -> float:
    """How long a program that was asked to end may still take. Under a deadline, time is kept for a last sync.

    ``sync_s`` is what the last sync took; half of the time is left to the program in any case.
    """
    now = time.monotonic()
    left_s = began_at + grace_s - now
    if deadline is not None:
        whole_s = max(0.0, deadline - began_at)
        kept_s = min(max(SYNC_LEAST_S, SYNC_FACTOR * sync_s), whole_s / 2)
        left_s = min(left_s, deadline - kept_s - now)
    return left_s


def wrote_to_the_end(code: int, *, asked: bool) -> bool:
    """Whether a program that ended with this code surely ended outside of writing a checkpoint.

    Signals end it anywhere; so does an error that nobody caught (1, by custom). ``asked``: it was asked to
    end and did, so that 1 is its answer.
    """
    return code == 0 or (code < 128 and (asked or code != 1))
