"""Pools as they may be known, and jobs to estimate, in few words."""

from __future__ import annotations

import math
from typing import Any

from spotlaunch.core.rates import Belief
from spotlaunch.core.situation import SpotPool
from spotlaunch.simulate.estimate import Question
from spotlaunch.simulate.futures import Prospect
from tests.core.worlds import a_pool


def a_prospect(
    name: str = "a", *, rate: float = 0.1, hours: float = 12.0, price: float = 1.0, **changes: Any
) -> Prospect:
    """A pool that is up, and takes a machine in ten hours, as far as anybody knows."""
    usual: dict[str, Any] = {
        "pool": a_pool(zone=name),
        "view": SpotPool(True, price, start_s=300.0),
        "belief": Belief(rate * hours, hours),
        "chance": 0.9,
        "return_chance": 0.9,
    }
    return Prospect(**{**usual, **changes})


def a_question(*prospects: Prospect, **changes: Any) -> Question:
    """Eight hours of work within twelve, at three times the price of spot on on-demand."""
    pools = prospects or (a_prospect(),)
    usual: dict[str, Any] = {
        "work_s": 8 * 3600.0,
        "deadline_s": 12 * 3600.0,
        "start_s": 400.0,
        "tick_s": 300.0,
        "patience_s": 1200.0,
        "on_demand_usd_hour": 3.0,
        "on_demand": None,
        "on_demand_egress_usd": 0.0,
        "prospects": pools,
        "pools": len(pools),
    }
    return Question(**{**usual, **changes})


FOR_EVER = math.inf
