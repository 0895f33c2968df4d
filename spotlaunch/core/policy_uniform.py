"""Uniform Progress ("Can't Be Late", NSDI'24), with its start for loose deadlines."""

from __future__ import annotations

import math

from spotlaunch.core.policy_patient import patient
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Memory, Situation, guarded

# With a loose deadline the line starts when work left / time left first reaches this; before, spot is waited for.
LINE_AT = 0.7


def uniform_progress(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """Keep to the straight line from where it starts to the deadline.

    Spot when there is any, and never leave a live one. No spot: on-demand behind the line, else wait. From on-demand
    back to spot only when ahead of the line by two starts' worth of work.

    Memory: time left and work left where the line starts.
    """
    if math.isinf(s.left_s):
        return patient(s), memory
    if not memory and s.work_left_s >= LINE_AT * s.left_s > 0:
        memory = (s.left_s, s.work_left_s)
    return guarded(s, _along(s, memory)), memory


def plain_uniform_progress(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """The same with the line from the very start. For comparison."""
    return uniform_progress(s, memory or (s.deadline_s, s.work_s))


def _along(s: Situation, line: Memory) -> Action:
    if isinstance(s.running, int):
        return s.running
    prices = [(p.price_usd_hour, i) for i, p in enumerate(s.pools) if p.up]
    ahead_s = math.inf
    if line:
        line_left_s, line_work_s = line
        ahead_s = line_work_s * s.left_s / line_left_s - s.work_left_s
    if s.running == ON_DEMAND:
        # Two starts' worth: the one to spot, and the one back.
        return min(prices)[1] if prices and ahead_s >= 2 * s.start_s else ON_DEMAND
    if prices:
        return min(prices)[1]
    return IDLE if ahead_s >= 0 else ON_DEMAND
