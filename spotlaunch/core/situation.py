"""What a policy decides from: one job at one moment, in plain numbers, the same in a replay and in the watchdog.

Times are seconds, money is dollars as floats: nothing here is ever billed, only weighed.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

# What a job does until the next look: nothing, on-demand, or the spot pool of that index in `Situation.pools`.
Action = int | Literal["idle", "on_demand"]

IDLE: Literal["idle"] = "idle"
ON_DEMAND: Literal["on_demand"] = "on_demand"

# What a policy wants to know again at the next look. Empty at first; times in it are seconds.
Memory = tuple[float, ...]

# Seconds are sums of floats: what is missing by less than this is not missing.
HAIR_S = 1e-6

# The guard is stricter, so that what it lets through is not late by a hair either.
_GUARD_HAIR_S = HAIR_S / 10


class SpotPool(NamedTuple):
    """A spot pool as it is seen at this moment.

    ``up``: a machine can be had there now, or the one that runs there runs on. ``up_for_s``: since when without a
    break, as far as anybody has looked (0 when it is down). ``interruptions`` of spells that have ended there, as far
    as seen, and ``expected`` of them by what is known of all pools (`hazard.interruptions_expected`, summed over the
    spells lived). ``start_s``: from a start there to useful work. ``move_usd``: egress to bring the checkpoint there
    from where it lies.
    """

    up: bool
    price_usd_hour: float
    up_for_s: float = 0.0
    interruptions: float = 0.0
    expected: float = 0.0
    start_s: float = 0.0
    move_usd: float = 0.0


class Situation(NamedTuple):
    """One job at one moment. Nothing in it is of a later moment.

    ``left_s``: until the deadline (infinite: there is none), of ``deadline_s`` from the submission. ``work_left_s`` of
    ``work_s`` is what is still to be computed (both infinite where nobody knows; only without a deadline).
    ``running`` is what runs now (a pool that was just lost does not), and ``pending_s`` what its start still takes
    before it computes. ``start_s`` is what an on-demand start takes, ``tick_s`` how long until the next look at the
    latest. ``waiting_s``: how long nothing has run (0 while something does, and at the first look after a loss);
    without a deadline, on-demand is for whom spot has kept waiting for ``patience_s``. No ``pools`` at all: spot is
    out of the question, not only now.
    """

    left_s: float
    deadline_s: float
    work_left_s: float
    work_s: float
    running: Action
    pending_s: float
    start_s: float
    tick_s: float
    on_demand_usd_hour: float
    pools: tuple[SpotPool, ...]
    waiting_s: float = 0.0
    patience_s: float = 1200.0


def slack_s(s: Situation) -> float:
    """Time that may be spent on anything but work, if what runs now runs on."""
    return s.left_s - s.work_left_s - s.pending_s


def can_wait(s: Situation, action: Action) -> bool:
    """Whether after one tick of ``action`` an on-demand start would still end the job in time, with all spot gone.

    On-demand that runs, or starts now, is the safe side itself. (Rule 4 of the replay: the guard.) Where even
    on-demand from now on would be late, ``action`` may go on if it makes the worst case no later: so a spot machine
    that computes is kept, as it may yet be in time.
    """
    if action == ON_DEMAND or math.isinf(s.left_s):
        return True
    done_s = 0.0
    if isinstance(action, int):
        pending_s = s.pending_s if action == s.running else s.pools[action].start_s
        if pending_s + s.work_left_s <= min(s.tick_s, s.left_s) + _GUARD_HAIR_S:
            # It ends within this tick, before anything can be taken.
            return True
        done_s = max(0.0, s.tick_s - pending_s)
    now_s = s.work_left_s + (s.pending_s if s.running == ON_DEMAND else s.start_s)
    then_s = s.tick_s + s.work_left_s - done_s + s.start_s
    return then_s <= max(s.left_s, now_s) + _GUARD_HAIR_S


def guarded(s: Situation, action: Action) -> Action:
    """``action``, or on-demand where ``action`` would put the deadline at risk."""
    return action if can_wait(s, action) else ON_DEMAND
