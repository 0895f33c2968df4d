"""Ours, for jobs with a deadline: spend slack on changeovers, not on waiting. docs/policies.md tells it in words."""

from __future__ import annotations

import math

from spotlaunch.core.policy_patient import patient
from spotlaunch.core.policy_pools import best_pool, repays_move, useful_s
from spotlaunch.core.situation import HAIR_S, IDLE, ON_DEMAND, Action, Memory, Situation, guarded, slack_s

# The four numbers that were fitted, on sets of traces that are not those measured on (docs/policies.md).

# On-demand is left for spot where the slack that goes with the lease is worth this share of the two starts it takes:
# the one there, and the one back.
HOP = 0.4

# Spot is waited for while slack / time left is at least WAIT * start ** START_POWER * (hour + down) ** DOWN_POWER, in
# hours. The longer all is down, the longer it will be.
WAIT = 0.185
START_POWER = 1 / 4
DOWN_POWER = 1 / 3

# A pool dearer than this many times the cheapest is taken only when slack runs short.
DEAR = 1.25


def slack(s: Situation, memory: Memory) -> tuple[Action, Memory]:
    """Spot where its lease is worth the changeover, waiting while slack is plenty, else on-demand; safe throughout.

    Memory: what was left until the deadline when the last cheap pool went down (empty while one is up).
    """
    if math.isinf(s.left_s):
        return patient(s), memory
    if len(s.pools) == 1 and s.running == 0:
        return guarded(s, 0), ()
    cheap_usd_hour = DEAR * min([p.price_usd_hour for p in s.pools], default=math.inf)
    if any(p.up and p.price_usd_hour <= cheap_usd_hour for p in s.pools):
        memory = ()
    elif not memory:
        memory = (s.left_s,)
    # A deadline may have been put off since then.
    down_s = max(0.0, memory[0] - s.left_s) if memory else 0.0
    return guarded(s, _choice(s, cheap_usd_hour, down_s)), memory


def _choice(s: Situation, cheap_usd_hour: float, down_s: float) -> Action:
    # Who idles will have to start something in any case.
    spare_s = slack_s(s) - (s.start_s if s.running == IDLE else 0.0)
    share = spare_s / s.left_s if spare_s > 0 else 0.0
    least = WAIT * (s.start_s / 3600) ** START_POWER * (1 + down_s / 3600) ** DOWN_POWER
    pool = best_pool(s, _cap_usd_hour(s, cheap_usd_hour, share, least))
    if pool is not None and _affordable(s, pool, share):
        return pool
    if s.running != IDLE:
        return s.running
    return IDLE if share >= least else ON_DEMAND


def _cap_usd_hour(s: Situation, cheap_usd_hour: float, share: float, least: float) -> float:
    """The dearest pool to take: `cheap_usd_hour` while slack is plenty, on-demand's price where waiting would end."""
    if share <= least:
        return s.on_demand_usd_hour
    room_usd_hour = max(0.0, s.on_demand_usd_hour - cheap_usd_hour)
    return min(s.on_demand_usd_hour, cheap_usd_hour + room_usd_hour * (least / share) ** 2)


def _affordable(s: Situation, pool: int, share: float) -> bool:
    """Whether slack, and what runs now, allow a start in the pool."""
    starts_s = s.pools[pool].start_s + s.start_s
    if slack_s(s) + HAIR_S < starts_s:
        # The guard would cut it short before it computes.
        return False
    return s.running == IDLE or (share * useful_s(s, pool) >= HOP * starts_s and repays_move(s, pool))
