"""Ours: spend slack on changeovers, not on waiting."""

from __future__ import annotations

import math

from spotlaunch.core.policy_patient import patient
from spotlaunch.core.policy_pools import best_pool
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Memory, Situation, guarded, slack_s


def slack(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """To be tuned: wait while there is much slack, hop to spot that has stayed up."""
    if math.isinf(s.left_s):
        return patient(s), memory
    return guarded(s, _slack(s)), memory


def _slack(s: Situation) -> Action:
    if isinstance(s.running, int):
        return s.running
    slack = slack_s(s)
    rho = slack / s.left_s if s.left_s > 0 else 0.0
    start_hours = s.start_s / 3600
    pool = best_pool(s, s.on_demand_usd_hour)
    bound = 0.33 * math.sqrt(start_hours)
    if s.running == ON_DEMAND:
        ratio = rho / start_hours if start_hours else math.inf
        stays_s = next((h * 3600 for r, h in _HOP if ratio >= r), math.inf)
        if pool is not None and s.pools[pool].up_for_s >= stays_s:
            return pool
        return IDLE if rho > 2.6 * bound else ON_DEMAND
    if pool is not None and (slack >= 3.5 * s.start_s or rho > bound or s.pools[pool].up_for_s >= 3600):
        return pool
    return IDLE if rho > bound else ON_DEMAND


_HOP = ((0.65, 0.0), (0.50, 0.25), (0.35, 0.5), (0.25, 1.0), (0.15, 2.0), (0.10, 8.0))
