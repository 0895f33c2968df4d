"""Why and how to leave: reasons, in the order of what matters most, and how much time each gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spotlaunch.agent.notice import Notice, Notices
from spotlaunch.core.wire import Ask, OrderDoc, Status
from spotlaunch.errors import Superseded
from spotlaunch.storage.register import Twin

# How long to go on trying to deliver the last checkpoint and the last word when the store is away. A limit ends
# it sooner: docs/decisions/0011-the-budget-ends-delivery.md.
PATIENCE_S = {
    "exited": 3600.0,  # the result of the whole job may hang on it
    "notice": 120.0,  # without a known deadline; the machine ends it sooner
    "asked": 1500.0,  # a little less than the watchdog gives to one that it hears (`policy.LEAVE_HEARD_S`)
    "superseded": 15.0,  # another has the job; this only tidies up
    "runtime": 300.0,
    "budget": 300.0,
    "ttl": 300.0,
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
    """A limit in seconds of some clock: when to begin leaving, and when to be gone."""

    leave_at: float
    end_at: float
    why: str


def limits_of(order: OrderDoc) -> dict[str, float]:
    """By why an agent leaves at it: what is left of each limit in seconds, 0 where there is none."""
    return {"runtime": order.runtime_left_s, "budget": order.budget_left_s, "ttl": order.ttl_left_s}


def first_limit(left_s: Mapping[str, float], began_at: Mapping[str, float], grace_s: float) -> Limit | None:
    """The limit that an attempt reaches first, if it has any. ``began_at``: since when each is counted."""
    limits = []
    for why, seconds in left_s.items():
        if seconds > 0:
            ahead_s = min(grace_s + LEAVE_AHEAD_S, seconds * AHEAD_MOST)
            end_at = began_at[why] + seconds
            limits.append(Limit(end_at - ahead_s, end_at, why))
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

    def __init__(
        self,
        notices: Notices,
        *,
        limits: Mapping[str, float] | None = None,
        machine_lived_s: float = 0.0,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        """``limits`` hold until there is an order. ``machine_lived_s``: what the machine's time to live has lost."""
        self.superseded = threading.Event()
        self.ask: Ask | None = None
        self._notices = notices
        self._mono = mono
        self._began_at = mono()
        self._machine_began_at = self._began_at - machine_lived_s
        self._known = dict(limits or {})
        self._limit = self._first(self._known, self._began_at, OrderDoc.grace_s)

    def obey(self, order: OrderDoc, *, lived_s: float = 0.0) -> None:
        """Take the limits of an order, counted from our own start, or from that of our life before."""
        limits = limits_of(order)
        # The guard ends the machine at the letter's time to live, whatever the order says.
        limits["ttl"] = min(filter(None, (limits["ttl"], self._known.get("ttl", 0.0))), default=0.0)
        self._limit = self._first(limits, min(self._began_at, self._mono() - lived_s), order.grace_s)

    def _first(self, limits: Mapping[str, float], began_at: float, grace_s: float) -> Limit | None:
        since = {why: self._machine_began_at if why == "ttl" else began_at for why in limits}
        return first_limit(limits, since, grace_s)

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


def last_report(leave: Leave) -> dict[str, Any]:
    """What the last report says, as fields of `Status`."""
    return {"phase": "left", "left_why": leave.why, "exit_code": leave.exit_code, "error": leave.error}


def leave_for(error: BaseException) -> Leave:
    """Why to leave after an error that cannot be helped."""
    if isinstance(error, Superseded):
        return Leave("superseded", silent=isinstance(error, Twin))
    message = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    return Leave("error", error=message)
