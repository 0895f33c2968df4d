"""The policy that the simulator replays decides in the real watchdog, and costs the same, to the cent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from spotlaunch.core.policy import POLICIES
from spotlaunch.simulate.replay import Run, Task, replay
from tests.sim.traced import run

pytestmark = pytest.mark.sim

HOUR_S = 3600.0
PUBLISHED = (
    Path(__file__).resolve().parents[3] / "shared/traces/availability/1-node/aws-10-26-2022/us-west-2a_v100_8.json"
)


def a_task(pools: int = 3, **changes: float) -> Task:
    hours = {"work": 12.0, "deadline": 16.0, "overhead": 0.05, **changes}
    return Task(
        work_s=hours["work"] * HOUR_S,
        deadline_s=hours["deadline"] * HOUR_S,
        overhead_s=hours["overhead"] * HOUR_S,
        tick_s=600.0,
        on_demand_usd_hour=3.06,
        spot_usd_hour=(0.9731, 1.0412, 1.1137)[:pools],
    )


def a_trace(seed: int, n: int = 400) -> list[int]:
    """Up and down by turns, for about two hours each."""
    random, up, trace = Random(seed), 1, list[int]()
    while len(trace) < n:
        trace += [up] * (1 + int(random.expovariate(1 / 12)))
        up = 1 - up
    return trace[:n]


def same(task: Task, traces: Sequence[Sequence[int]], start: int, policy: str) -> Run:
    """What the replay says, after the watchdog has done the same for the same money."""
    told = replay(task, traces, start, POLICIES[policy])
    seen = run(task, traces, start, policy)
    assert (seen.state, round(seen.finished_s, 3)) == ("finished", round(told.finished_s, 3))
    assert abs(float(seen.cost_usd) - told.cost_usd) < 0.0001
    assert seen.machines == told.starts
    return told


@pytest.mark.parametrize("policy", POLICIES)
def test_the_watchdog_costs_what_the_replay_says(policy: str) -> None:
    told = same(a_task(), [a_trace(i) for i in range(3)], 0, policy)
    assert (told.late, told.done) == (False, True)


def test_starts_longer_than_a_tick_and_a_deadline_that_leaves_no_time_are_the_same_as_well() -> None:
    told = same(a_task(1, deadline=12.9, overhead=0.2), [a_trace(7)], 0, "slack")
    assert not told.late


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published traces are not here")
def test_over_a_published_trace_it_costs_the_same() -> None:
    trace = json.loads(PUBLISHED.read_text())
    task = replace(a_task(1, deadline=15.0), tick_s=float(trace["metadata"]["gap_seconds"]))
    assert same(task, [trace["data"]], 1000, "slack").done
