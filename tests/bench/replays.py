"""How long simulated jobs take: 48 hours of work in ticks of ten minutes under our policy, with their optima."""

from __future__ import annotations

import random
import time

from spotlaunch.core.policy import DEFAULT
from spotlaunch.simulate.compare import compare
from spotlaunch.simulate.replay import Task

TASK = Task(
    work_s=48 * 3600.0,
    deadline_s=60 * 3600.0,
    overhead_s=720.0,
    tick_s=600.0,
    on_demand_usd_hour=3.06,
    spot_usd_hour=(0.9731,),
)


def a_trace(ticks: int, seed: int = 1) -> bytes:
    """A pool that is up about two thirds of the time, in spells from minutes to days."""
    chance = random.Random(seed)
    up: list[bytes] = []
    while sum(map(len, up)) < ticks:
        up.append(b"\1" * min(300, int(chance.paretovariate(0.7))) + b"\0" * min(150, int(chance.paretovariate(0.8))))
    return b"".join(up)[:ticks]


def replayed_s(count: int) -> float:
    """Seconds for so many jobs, no two of them the same, on all cores."""
    trace = a_trace(count + TASK.ticks)
    began = time.perf_counter()
    compare(TASK, [trace], range(count), [DEFAULT])
    return time.perf_counter() - began
