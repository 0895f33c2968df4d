"""The replay: rules that can be told by hand, the same price from outside, and no look ahead."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.policy import POLICIES, Memory, Policy
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Situation
from spotlaunch.simulate.replay import Run, Seen, Task, replay
from tests.simulate.cases import Traces, a_task, jobs, priced, scripted, spells

O, I = ON_DEMAND, IDLE  # noqa: E741


def does(*actions: Action) -> Policy:
    """These, one a tick, and the last of them ever after."""

    def policy(s: Situation, memory: Memory) -> tuple[Action, Memory]:
        return actions[min(len(memory), len(actions) - 1)], (*memory, 0.0)

    return policy


def ran(actions: Sequence[Action], *traces: str, **changed: object) -> Run:
    return replay(a_task(**changed), [bytes(map(int, t)) for t in traces], 0, does(*actions))


def test_on_demand_costs_the_work_and_one_start_to_the_second() -> None:
    run = ran([O], "0" * 24)
    assert run.cost_usd == pytest.approx(3 * 2.1) == a_task().on_demand_usd
    assert (run.finished_s, run.done, run.late, run.starts, run.preemptions) == (7560.0, True, False, 1, 0)
    assert run.decisions == (O,) * 13  # ends within the thirteenth tick, of which it pays 6 minutes


def test_a_pool_that_is_down_at_the_start_of_a_tick_takes_its_machine_there() -> None:
    run = ran([0, 0, I, 0], "1101" + "1" * 20)
    assert run.preemptions == 1
    assert run.starts == 2
    # Two ticks to 14 minutes of work; nothing is lost but the start.
    assert run.cost_usd == pytest.approx(2.2)
    assert run.finished_s == pytest.approx(2.2 * 3600 + 600)


def test_a_start_that_is_cut_short_is_paid_and_lost() -> None:
    whole = ran([0], "1" * 30, overhead_s=900.0)
    cut = ran([0, I, 0], "101" + "1" * 30, overhead_s=900.0)
    assert whole.cost_usd == pytest.approx(2.25)
    assert cut.cost_usd == pytest.approx(2.25 + 1 / 6)
    assert cut.finished_s == whole.finished_s + 1200


def test_a_start_that_is_left_for_something_else_is_lost_too() -> None:
    assert ran([0, O], "1" * 30, overhead_s=900.0).cost_usd == pytest.approx(1 / 6 + 3 * 2.25)
    assert ran([0, 1], "1" * 30, "1" * 30, overhead_s=900.0, spot_usd_hour=(1.0, 2.0)).cost_usd == pytest.approx(
        1 / 6 + 2 * 2.25
    )


def test_a_start_goes_on_over_ticks_in_which_its_machine_stays() -> None:
    run = ran([0], "1" * 30, overhead_s=1500.0)
    assert (run.starts, run.finished_s) == (1, 7200.0 + 1500.0)


def test_without_overhead_every_second_counts() -> None:
    assert ran([0, O, 0], "1" * 30, overhead_s=0.0).cost_usd == pytest.approx(11 / 6 + 3 / 6)


def test_a_trace_does_not_begin_again_at_its_end() -> None:
    assert ran([0], "1" * 8, work_s=4000.0).done
    spot = POLICIES["spot"]
    run = replay(a_task(), [b"\1" * 8], 0, spot)
    assert run.decisions == (0,) * 8 + (I,) * 16  # down from there on, until the deadline
    assert (run.done, run.late, run.preemptions) == (False, True, 1)


def test_a_late_job_goes_on_as_long_as_the_traces_tell() -> None:
    late = replay(a_task(), [b"\0" * 20 + b"\1" * 30], 0, POLICIES["spot"])
    assert (late.done, late.late, late.finished_s) == (True, True, 12000.0 + 7560.0)
    never = replay(a_task(), [b"\0" * 20 + b"\1" * 10], 0, POLICIES["spot"])
    assert (never.done, never.late, len(never.decisions)) == (False, True, 30)


def test_a_job_begins_at_its_tick() -> None:
    trace = b"\0" * 7 + b"\1" * 30
    assert replay(a_task(), [trace], 7, POLICIES["spot"]).decisions == (0,) * 13


def test_a_policy_hears_how_long_nothing_has_run() -> None:
    heard = []

    def policy(s: Situation, memory: Memory) -> tuple[Action, Memory]:
        heard.append(s.waiting_s)
        return (0 if s.pools[0].up else IDLE), memory

    replay(a_task(work_s=1800.0), [bytes(map(int, "0011000" + "1" * 20))], 0, policy)
    assert heard[:9] == [0, 600, 1200, 0, 0, 600, 1200, 1800, 0]


@pytest.mark.parametrize(("trace", "actions"), [("10" + "1" * 30, [0, I, 0]), ("1" * 30, [0, I, 0])])
def test_of_a_start_that_is_lost_or_left_nothing_is_pending(trace: str, actions: list[Action]) -> None:
    heard = []

    def policy(s: Situation, memory: Memory) -> tuple[Action, Memory]:
        heard.append((s.running, s.pending_s))
        return does(*actions)(s, memory)

    replay(a_task(overhead_s=900.0), [bytes(map(int, trace))], 0, policy)
    assert heard[:5] == [(I, 0), (I if trace[1] == "0" else 0, 0 if trace[1] == "0" else 300), (I, 0), (0, 300), (0, 0)]


def test_a_pool_is_as_old_as_it_was_seen_and_its_losses_are_counted_beside_those_expected() -> None:
    seen = [pools[0] for pools, _ in zip(Seen(a_task(), [bytes(map(int, "11101100"))], 1), range(8), strict=False)]
    assert [p.up_for_s for p in seen] == [0, 600, 0, 0, 600, 0, 0, 0]
    assert [p.interruptions for p in seen] == [0, 0, 1, 1, 1, 2, 2, 2]
    expected = [p.expected for p in seen]
    assert expected == sorted(expected)
    assert expected[0] == 0
    assert expected[1] == expected[2] == expected[3] == pytest.approx(expected[4] / 2)


def test_egress_is_paid_for_a_spot_machine_elsewhere_than_the_last_one() -> None:
    up = "1" * 40
    moves = {(0,): 0, (0, I, 0): 0, (0, 1): 1, (0, 1, 0, 1): 3, (O, 0): 0, (0, O): 0, (0, O, 1): 1, (0, I, O, 0): 0}
    for actions, count in moves.items():
        free, paid = (ran(actions, up, up, spot_usd_hour=(1.0, 1.0), move_usd=usd).cost_usd for usd in (0.0, 0.25))
        assert paid - free == pytest.approx(count * 0.25), actions


def test_a_policy_is_told_what_a_move_costs_from_where_the_checkpoint_lies() -> None:
    heard = []

    def policy(s: Situation, memory: Memory) -> tuple[Action, Memory]:
        heard.append([p.move_usd for p in s.pools])
        return does(I, 1, I, O)(s, memory)

    replay(a_task(spot_usd_hour=(1.0, 1.0), move_usd=0.25), [b"\1" * 40] * 2, 0, policy)
    assert heard[:5] == [[0, 0], [0, 0], [0.25, 0], [0.25, 0], [0.25, 0]]


def test_what_is_seen_can_be_shared() -> None:
    task, traces = a_task(), [b"\1\0\1" * 20]
    seen = Seen(task, traces, 2)
    for policy in POLICIES.values():
        assert replay(task, traces, 2, policy, seen) == replay(task, traces, 2, policy)


@settings(deadline=None)
@given(jobs(ticks=30, most_pools=3), st.sampled_from(sorted(POLICIES)), st.lists(st.integers(0, 4), max_size=20))
def test_somebody_outside_gets_the_same_price(job: tuple[Task, Traces], name: str, script: list[int]) -> None:
    task, traces = job
    run = replay(task, traces, 0, scripted(script) if script else POLICIES[name])
    cost, finished_s, done = priced(task, traces, 0, run.decisions)
    assert (cost, finished_s) == (pytest.approx(run.cost_usd), pytest.approx(run.finished_s))
    assert done == run.done
    assert run.late == (not done or finished_s > task.deadline_s + 1e-5)


@settings(deadline=None)
@given(jobs(ticks=30, most_pools=3), st.integers(0, 40), st.data())
def test_no_decision_depends_on_what_comes_later(job: tuple[Task, Traces], tick: int, data: st.DataObject) -> None:
    task, traces = job
    tick %= len(traces[0])
    changed = data.draw(st.integers(0, len(traces) - 1))
    turned = [
        t if n != changed else t[: tick + 1] + bytes(1 - up for up in t[tick + 1 :]) for n, t in enumerate(traces)
    ]
    longer = [t + data.draw(spells(9)) for t in turned]
    shorter = [t[: tick + 1] for t in turned]
    for name, policy in POLICIES.items():
        decided = replay(task, traces, 0, policy).decisions[: tick + 1]
        for other in (turned, longer, shorter):
            assert replay(task, other, 0, policy).decisions[: tick + 1] == decided, name


def test_without_a_deadline_nothing_is_late_but_what_is_never_done() -> None:
    task = a_task(deadline_s=math.inf)
    assert not replay(task, [b"\0" * 300 + b"\1" * 30], 0, POLICIES["spot"]).late
    assert replay(task, [b"\0" * 300], 0, POLICIES["spot"]).late
