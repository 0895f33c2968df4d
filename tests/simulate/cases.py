"""Jobs and traces to try things with, and somebody outside who prices decisions by the rules alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import strategies as st

from spotlaunch.core.policy import Policy
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Memory, Situation
from spotlaunch.simulate.replay import Task

Traces = tuple[bytes, ...]


def a_task(**changed: object) -> Task:
    """Two hours of work within four, a start of 0.1 h, ticks of 10 minutes; on-demand costs three times spot."""
    usual: dict[str, object] = {
        "work_s": 7200.0,
        "deadline_s": 14400.0,
        "overhead_s": 360.0,
        "tick_s": 600.0,
        "on_demand_usd_hour": 3.0,
        "spot_usd_hour": (1.0,),
    }
    return Task(**{**usual, **changed})  # type: ignore[arg-type]


@st.composite
def jobs(draw: st.DrawFn, ticks: int, most_pools: int) -> tuple[Task, Traces]:
    """A job that can just be done, or has some slack, or twice the time; over traces that last as long.

    Starts that burn no time, part of a tick, or several; spot dearer and cheaper than on-demand.
    """
    tick_s = draw(st.sampled_from([60, 195, 600]))
    overhead_s = draw(st.sampled_from([0, 30, 72, 195, 300, 600, 900, 1500]).filter(lambda s: s <= 3 * tick_s))
    work_s = draw(st.integers(1, ticks * tick_s)) if draw(st.booleans()) else draw(st.integers(1, ticks)) * tick_s
    spare_s = draw(st.sampled_from([0, 1, tick_s // 2, tick_s, 2 * tick_s + 7, ticks * tick_s]))
    pools = draw(st.integers(1, most_pools))
    prices = draw(st.lists(st.sampled_from([0.25, 0.5, 1.0, 1.5, 4.0]), min_size=pools, max_size=pools))
    task = Task(
        work_s=float(work_s),
        deadline_s=float(work_s + overhead_s + spare_s),
        overhead_s=float(overhead_s),
        tick_s=float(tick_s),
        on_demand_usd_hour=draw(st.sampled_from([0.5, 1.0, 3.125])),
        spot_usd_hour=tuple(prices),
        move_usd=draw(st.sampled_from([0.0, 0.0, 0.01, 0.2])) if pools > 1 else 0.0,
    )
    length = math.ceil(task.deadline_s / tick_s) + 1
    return task, tuple(draw(spells(length)) for _ in range(pools))


@st.composite
def spells(draw: st.DrawFn, length: int) -> bytes:
    """So many ticks of a pool that comes and goes."""
    spell = st.tuples(st.integers(0, 1), st.integers(1, max(2, length // 2)))
    drawn = draw(st.lists(spell, min_size=1, max_size=length))
    return bytes(([up for up, n in drawn for _ in range(n)] * length)[:length])


def scripted(script: Sequence[int]) -> Policy:
    """Does one after the other what a list says, over and over: 0 idles, 1 is on-demand, others are pools, if up."""

    def policy(s: Situation, memory: Memory) -> tuple[Action, Memory]:
        said = script[len(memory) % len(script)]
        up: list[Action] = [i for i, pool in enumerate(s.pools) if pool.up]
        choice: list[Action] = [IDLE, ON_DEMAND, *up]
        return choice[said % len(choice)], (*memory, 0.0)

    return policy


def priced(task: Task, traces: Traces, start: int, decisions: Sequence[Action]) -> tuple[float, float, bool]:
    """What decisions cost in dollars, when the job ended, and whether it did; by the rules as they are written down."""
    running: Action = IDLE
    home: Action | None = None
    burn = cost = at = 0.0
    left = task.work_s
    for n, action in enumerate(decisions):
        assert left > 0, "decisions after the job was done"
        if isinstance(action, int):
            assert start + n < len(traces[action])
            assert traces[action][start + n], "a pool that was down was chosen"
        lost = isinstance(running, int) and not (start + n < len(traces[running]) and traces[running][start + n])
        if action == IDLE:
            burn = 0.0
        elif action != running or lost:
            burn = task.overhead_s
            if isinstance(action, int):
                cost += task.move_usd if home not in (None, action) else 0.0
                home = action
        running = action
        if action == IDLE:
            at += task.tick_s
            continue
        spent = min(task.tick_s, burn + left)
        cost += spent / 3600 * (task.on_demand_usd_hour if action == ON_DEMAND else task.spot_usd_hour[int(action)])
        left -= max(0.0, spent - burn)
        left = 0.0 if left < 1e-6 else left
        burn = max(0.0, burn - spent)
        at += spent
    return cost, at, left == 0
