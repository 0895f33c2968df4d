"""Without a deadline: cost first, with patience. What all policies do then that use both markets."""

from __future__ import annotations

from spotlaunch.core.policy_pools import best_pool, repays_move
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Situation


def patient(s: Situation) -> Action:
    """Spot when it is up, on-demand after ``patience_s`` of waiting for it, and elsewhere where the move pays.

    A spot pool that costs more than on-demand is none. Where there are no pools at all: on-demand at once.
    """
    pool = best_pool(s, s.on_demand_usd_hour)
    if s.running != IDLE:
        return pool if pool is not None and repays_move(s, pool) else s.running
    if pool is not None:
        return pool
    return ON_DEMAND if not s.pools or s.waiting_s >= s.patience_s else IDLE
