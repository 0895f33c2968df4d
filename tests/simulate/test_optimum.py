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
from spotlaunch.simulate import optimum
from spotlaunch.simulate.optimum import grid_of, optimum_usd
from spotlaunch.simulate.replay import Task, replay
from tests.simulate.cases import Traces, a_task, jobs, scripted, spells

HAIR = 1e-9


def tried_out(task: Task, traces: Traces) -> float:
    """The least cost of all that can be done, tick by tick, by the rules of the replay and nothing cleverer."""
    tick, deadline, overhead = Fraction(task.tick_s), Fraction(task.deadline_s), Fraction(task.overhead_s)
    prices: dict[Action, Fraction] = {i: Fraction(p) for i, p in enumerate(task.spot_usd_hour)}
    prices[ON_DEMAND] = Fraction(task.on_demand_usd_hour)

    @cache
    def least(t: int, running: Action, home: int | None, pending: Fraction, left: Fraction) -> Fraction | float:
        if t * tick >= deadline:
            return math.inf
        up = [i for i, trace in enumerate(traces) if t < len(trace) and trace[t]]
        if isinstance(running, int) and running not in up:
            running, pending = IDLE, Fraction(0)
        best: Fraction | float = least(t + 1, IDLE, home, Fraction(0), left)
        for action in (ON_DEMAND, *up):
            burn = pending if action == running else overhead
            spent = min(tick, burn + left)
            rest = left - max(Fraction(0), spent - burn)
            cost = prices[action] * spent / 3600
            there = action if isinstance(action, int) else home
            if action != running and home not in (None, there):
                cost += Fraction(task.move_usd)
            if rest > 0:
                best = min(best, cost + least(t + 1, action, there, max(Fraction(0), burn - spent), rest))
            elif t * tick + spent <= deadline:
                best = min(best, cost)
        return best

    return float(least(0, IDLE, None, Fraction(0), Fraction(task.work_s)))


@settings(deadline=None)
@given(jobs(ticks=6, most_pools=3))
def test_the_optimum_is_what_trying_everything_finds(job: tuple[Task, Traces]) -> None:
    task, traces = job
    assert grid_of(task).exact
    assert optimum_usd(task, traces, [0]) == [pytest.approx(tried_out(task, traces), rel=HAIR, abs=1e-12)]


@settings(deadline=None)
@given(jobs(ticks=40, most_pools=4))
def test_no_policy_that_is_in_time_is_cheaper_and_none_that_promises_is_late(job: tuple[Task, Traces]) -> None:
    task, traces = job
    (least,) = optimum_usd(task, traces, [0])
    for name, policy in POLICIES.items():
        run = replay(task, traces, 0, policy)
        assert run.late or run.cost_usd >= least * (1 - HAIR), name
        assert not (run.late and name in PROMISE_DEADLINES), name


@settings(deadline=None)
@given(jobs(ticks=12, most_pools=3), st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_nothing_else_that_is_in_time_is_cheaper(job: tuple[Task, Traces], script: list[int]) -> None:
    task, traces = job
    run = replay(task, traces, 0, scripted(script))
    assert run.late or run.cost_usd >= optimum_usd(task, traces, [0])[0] * (1 - HAIR)


@settings(deadline=None)
@given(jobs(ticks=10, most_pools=2), st.data())
def test_many_starts_at_once_are_as_each_alone(job: tuple[Task, Traces], data: st.DataObject) -> None:
    task, traces = job
    longer = tuple(trace + data.draw(spells(20)) for trace in traces)
    starts = list(range(15))
    alone = [optimum_usd(task, longer, [start])[0] for start in starts]
    assert optimum_usd(task, longer, starts) == pytest.approx(alone, rel=HAIR)
    assert optimum_usd(task, [trace[7:] for trace in longer], [3]) == pytest.approx(alone[10:11], rel=HAIR)


@settings(deadline=None)
@given(jobs(ticks=20, most_pools=2))
def test_on_a_grid_too_coarse_to_be_exact_it_is_a_bound_and_near(job: tuple[Task, Traces]) -> None:
    task, traces = job
    (exact,) = optimum_usd(task, traces, [0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimum, "MOST_STATES", 200)
        grid = grid_of(task)
        (bound,) = optimum_usd(task, traces, [0])
    assert bound <= exact * (1 + HAIR)
    if grid.exact:
        assert bound == pytest.approx(exact, rel=HAIR)
    shorter_s = task.overhead_s - float(grid.overhead * grid.quantum_s)
    assert 0 <= shorter_s <= float(grid.quantum_s)


def test_numbers_without_a_common_measure_are_rounded_so_that_starts_are_shorter() -> None:
    task = a_task(overhead_s=123.456789, deadline_s=40 * 3600.0)
    grid = grid_of(task)
    assert (grid.exact, grid.states <= optimum.MOST_STATES) == (False, True)
    assert 0 <= 123.456789 - float(grid.overhead * grid.quantum_s) < 38 * 3600 / 59_000


def test_hours_of_few_digits_are_exact() -> None:
    for overhead_h in (0.02, 0.05, 0.1, 0.2, 0.25):
        for deadline_h in (52, 92):
            task = a_task(
                work_s=48 * 3600.0, deadline_s=deadline_h * 3600.0, overhead_s=overhead_h * 3600, tick_s=195.0
            )
            assert grid_of(task).exact


def test_a_deadline_that_on_demand_cannot_meet_has_no_optimum() -> None:
    assert optimum_usd(a_task(deadline_s=7559.0), [b"\1" * 99], [0]) == [math.inf]
    assert optimum_usd(a_task(deadline_s=7100.0), [b"\1" * 99], [0]) == [math.inf]


@pytest.mark.parametrize(
    ("deadline_h", "trace", "cost_usd"),
    [
        (4.0, "1" * 24, 2.1),  # one start on spot
        (4.0, "0" * 24, 3 * 2.1),  # all on on-demand
        (4.0, "0" * 11 + "1" * 13, 2.1),  # spot that comes at the last moment is waited for
        (4.0, "1" * 6 + "0" + "1" * 17, 2.1),  # what comes later for longer is better than two starts
        (2.5, "1" * 6 + "0" + "1" * 8, 2.2),  # here both are needed
        (2.2, "1" * 12 + "0" * 2, 2.0 + 3 * 12 / 60),  # six minutes are left, after another start
        (2.1, "0" * 1 + "1" * 12, 3 * 2.1),  # no slack for a single change
    ],
)
def test_what_it_costs_can_be_told_by_hand(deadline_h: float, trace: str, cost_usd: float) -> None:
    task = a_task(deadline_s=deadline_h * 3600)
    assert optimum_usd(task, [bytes(map(int, trace))], [0]) == [pytest.approx(cost_usd)]


def test_beyond_the_end_of_the_traces_there_is_no_spot() -> None:
    assert optimum_usd(a_task(), [b"\1" * 5], [0]) == optimum_usd(a_task(), [b"\1" * 5 + b"\0" * 30], [0])
