"""The omniscient optimum: equal to trying everything, never beaten, and the same however many starts are asked for."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.policy import POLICIES, PROMISE_DEADLINES
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action
from spotlaunch.simulate.optimum import optimum_usd
from spotlaunch.simulate.replay import Task, replay

Traces = tuple[tuple[int, ...], ...]


def tried_out(task: Task, traces: Traces, start: int) -> float:
    """The least cost of all that can be done, tick by tick, by the rules of the replay and nothing cleverer."""
    tick, deadline = Fraction(task.tick_s), Fraction(task.deadline_s)
    overhead = Fraction(task.overhead_s)
    prices: dict[Action, Fraction] = {ON_DEMAND: Fraction(task.on_demand_usd_hour), IDLE: Fraction(0)}
    prices |= {i: Fraction(p) for i, p in enumerate(task.spot_usd_hour)}

    @cache
    def least(t: int, running: Action, pending: Fraction, left: Fraction) -> Fraction | float:
        if t * tick >= deadline:
            return math.inf
        up = [i for i, trace in enumerate(traces) if start + t < len(trace) and trace[start + t]]
        if isinstance(running, int) and running not in up:
            running, pending = IDLE, Fraction(0)
        best: Fraction | float = math.inf
        for action in (IDLE, ON_DEMAND, *up):
            burn = Fraction(0) if action == IDLE else pending if action == running else overhead
            if action == IDLE:
                best = min(best, least(t + 1, IDLE, Fraction(0), left))
                continue
            spent = min(tick, burn + left)
            rest = left - max(Fraction(0), spent - burn)
            cost = prices[action] * spent / 3600
            if rest > 0:
                best = min(best, cost + least(t + 1, action, max(Fraction(0), burn - spent), rest))
            elif t * tick + spent <= deadline:
                best = min(best, cost)
        return best

    return float(least(0, IDLE, Fraction(0), Fraction(task.work_s)))


@st.composite
def tasks(draw: st.DrawFn, ticks: int, most_pools: int = 3) -> tuple[Task, Traces]:
    """A job that can be done in about so many ticks, over traces that last as long."""
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
    )
    length = math.ceil(task.deadline_s / tick_s) + 1
    spell = st.tuples(st.integers(0, 1), st.integers(1, max(2, length // 2)))
    traces = []
    for _ in range(pools):
        spells = draw(st.lists(spell, min_size=1, max_size=length))
        long = [up for up, n in spells for _ in range(n)]
        traces.append(tuple((long * length)[:length]))
    return task, tuple(traces)


@settings(max_examples=150, deadline=None)
@given(tasks(ticks=6))
def test_the_optimum_is_what_trying_everything_finds(case: tuple[Task, Traces]) -> None:
    task, traces = case
    (found,) = optimum_usd(task, traces, [0])
    assert found == pytest.approx(tried_out(task, traces, 0), rel=1e-9, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(tasks(ticks=40, most_pools=4))
def test_no_policy_that_is_in_time_is_cheaper(case: tuple[Task, Traces]) -> None:
    task, traces = case
    (least,) = optimum_usd(task, traces, [0])
    for name, policy in POLICIES.items():
        run = replay(task, traces, 0, policy)
        assert run.late or run.cost_usd >= least * (1 - 1e-9), name
        assert not (run.late and name in PROMISE_DEADLINES), name
