"""Which spot pool: what a useful hour costs there, and whether a move pays."""

from __future__ import annotations

import math

from spotlaunch.core.hazard import expected_lease_s
from spotlaunch.core.situation import ON_DEMAND, Situation, SpotPool


def useful_usd_hour(s: Situation, i: int) -> float:
    """Dollars per useful hour in pool ``i`` over its expected lease, or over the rest of the job if that is shorter."""
    pool = s.pools[i]
    runs_here = i == s.running
    start_s = s.pending_s if runs_here else pool.start_s
    lease_s = min(expected_lease_s(pool), start_s + s.work_left_s)
    useful_s = lease_s - start_s
    if useful_s <= 0:
        return math.inf
    move_usd = 0.0 if runs_here else pool.move_usd
    return (pool.price_usd_hour * lease_s + move_usd * 3600) / useful_s


def best_pool(s: Situation, cap_usd_hour: float) -> int | None:
    """The pool that is up with the cheapest useful hour; its own price is no more than ``cap_usd_hour``."""
    best = [
        (useful_usd_hour(s, i), i)
        for i, pool in enumerate(s.pools)
        if pool.up and (pool.price_usd_hour <= cap_usd_hour or i == s.running)
    ]
    cost, i = min(best, default=(math.inf, -1))
    return None if math.isinf(cost) else i


def repays_move(s: Situation, to: int) -> bool:
    """Whether leaving what runs for pool ``to`` saves more, over the expected lease, than the move costs.

    Both machines are paid while the new one starts; the checkpoint may have to be moved.
    """
    new: SpotPool = s.pools[to]
    running_usd_hour = s.on_demand_usd_hour if s.running == ON_DEMAND else s.pools[int(s.running)].price_usd_hour
    useful_s = min(expected_lease_s(new) - new.start_s, s.work_left_s)
    saved = (running_usd_hour - new.price_usd_hour) * useful_s
    return saved > (running_usd_hour + new.price_usd_hour) * new.start_s + new.move_usd * 3600
