"""Which spot pool: what a useful hour costs there, and whether a move pays."""

from __future__ import annotations

import math

from spotlaunch.core.hazard import expected_lease_s
from spotlaunch.core.situation import ON_DEMAND, Action, Situation

# Who moves from one spot pool to another may have to move again: the saving repays both.
MOVES_REPAID = 2


def useful_s(s: Situation, i: int) -> float:
    """Work that a start in pool ``i`` can be expected to get done: over its lease, or to the end of the job."""
    pool = s.pools[i]
    return min(expected_lease_s(pool) - pool.start_s, s.work_left_s)


def best_pool(s: Situation, cap_usd_hour: float) -> int | None:
    """The pool to start in: the cheapest useful hour of those that are up, priced at ``cap_usd_hour`` at most.

    None where there is none, or where on-demand would do the same work for less (egress, or a start, can eat up what
    a short lease saves). What runs already is no answer, nor is one that is not cheaper than a spot machine that runs.
    """
    best, best_usd_hour = None, math.inf
    below_usd_hour = s.pools[s.running].price_usd_hour if isinstance(s.running, int) else math.inf
    for i, pool in enumerate(s.pools):
        if not pool.up or pool.price_usd_hour > cap_usd_hour or pool.price_usd_hour >= below_usd_hour:
            continue
        useful = useful_s(s, i)
        if useful <= 0:
            continue
        # Dollars, times the seconds of an hour.
        cost = pool.price_usd_hour * (useful + pool.start_s) + pool.move_usd * 3600
        if cost < best_usd_hour * useful and cost < s.on_demand_usd_hour * (useful + s.start_s):
            best, best_usd_hour = i, cost / useful
    return best


def repays_move(s: Situation, to: int) -> bool:
    """Whether leaving what runs for pool ``to`` saves more, over the expected lease, than the move costs.

    Both machines are counted while the new one starts, and the checkpoint may have to be brought along.
    """
    new = s.pools[to]
    running_usd_hour = price_usd_hour(s, s.running)
    saved = (running_usd_hour - new.price_usd_hour) * useful_s(s, to)
    cost = (running_usd_hour + new.price_usd_hour) * new.start_s + new.move_usd * 3600
    return saved > cost * (1 if s.running == ON_DEMAND else MOVES_REPAID)


def price_usd_hour(s: Situation, action: Action) -> float:
    """What an hour of ``action`` costs."""
    if action == "idle":
        return 0.0
    return s.on_demand_usd_hour if action == "on_demand" else s.pools[action].price_usd_hour
