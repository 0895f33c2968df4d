"""When to use spot, when to pay, when to wait, when to move: pure functions of a `Situation`, chosen by name.

A policy is given the situation and the memory that it returned last time (empty at first), and returns what to do
until the next look, and the memory for that. Those that promise the deadline go through `situation.guarded`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Situation, guarded

Memory = tuple[float, ...]
Policy = Callable[[Situation, Memory], tuple[Action, Memory]]


def on_demand(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """On-demand at once, to the end."""
    return ON_DEMAND, memory


def spot(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """The cheapest spot there is, and waiting where there is none; ignores the deadline."""
    return _cheapest(s), memory


def greedy(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """As `spot`, until one more tick of it would put the deadline at risk; then on-demand to the end."""
    if s.running == ON_DEMAND:
        return ON_DEMAND, memory
    return guarded(s, _cheapest(s)), memory


def _cheapest(s: Situation) -> Action:
    """The pool that runs, if one does, else the cheapest that is up."""
    if isinstance(s.running, int):
        return s.running
    prices = [(p.price_usd_hour, i) for i, p in enumerate(s.pools) if p.up]
    return min(prices)[1] if prices else IDLE


POLICIES: Mapping[str, Policy] = MappingProxyType({"on-demand": on_demand, "spot": spot, "greedy": greedy})

# What holds the deadline where spot never comes back.
PROMISE_DEADLINES = frozenset({"on-demand", "greedy"})
