"""When to use spot, when to pay, when to wait, when to move: pure functions of a `Situation`, chosen by name.

A policy is given the situation and the memory that it returned last time (empty at first), and returns what to do
until the next look, and the memory for that. It holds for any time between two looks. Ages, waits and memory are in
seconds; a look more or less changes nothing.

With a deadline, those of `PROMISE_DEADLINES` hold it in the worst case (spot is gone at the next look and never comes
back), if at the first look ``left_s >= work_left_s + start_s`` held, each next look came within ``tick_s``, and an
on-demand start took ``start_s`` at most. `situation.guarded` sees to it.

Without one (``left_s`` is infinite) `on-demand` and `spot` do as always, and the others are one rule, `patient`: spot
when it is up, on-demand after ``patience_s`` of waiting, back to spot where the move pays. It asks for ``waiting_s``,
and takes a situation without pools for one where spot is out of the question.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from spotlaunch.core.policy_patient import patient
from spotlaunch.core.policy_slack import slack
from spotlaunch.core.policy_uniform import uniform_progress
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Memory, Situation, guarded

__all__ = ["DEFAULT", "POLICIES", "PROMISE_DEADLINES", "Memory", "Policy"]

Policy = Callable[[Situation, Memory], tuple[Action, Memory]]


def on_demand(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """On-demand at once, to the end."""
    return ON_DEMAND, memory


def spot(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """The cheapest spot there is, and waiting where there is none; ignores the deadline."""
    return _cheapest(s), memory


def greedy(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """As `spot`, until one more tick of it would put the deadline at risk; then on-demand to the end."""
    if math.isinf(s.left_s):
        return patient(s), memory
    if s.running == ON_DEMAND:
        return ON_DEMAND, memory
    return guarded(s, _cheapest(s)), memory


def _cheapest(s: Situation) -> Action:
    """The pool that runs, if one does, else the cheapest that is up."""
    if isinstance(s.running, int):
        return s.running
    prices = [(p.price_usd_hour, i) for i, p in enumerate(s.pools) if p.up]
    return min(prices)[1] if prices else IDLE


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "on-demand": on_demand,
        "spot": spot,
        "greedy": greedy,
        "uniform-progress": uniform_progress,
        "slack": slack,
    }
)

# Ours: what a job with a deadline gets that names none.
DEFAULT = "slack"

# What holds the deadline where spot never comes back.
PROMISE_DEADLINES = frozenset({"on-demand", "greedy", "uniform-progress", "slack"})
