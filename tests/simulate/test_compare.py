"""Policies side by side: the same jobs for each, equal starts computed once, and as many processes as help."""

from __future__ import annotations

import os
from functools import partial

import pytest

from spotlaunch.core.policy import POLICIES
from spotlaunch.simulate import compare as module
from spotlaunch.simulate.compare import compare, draw_starts, mean, percentile
from spotlaunch.simulate.optimum import optimum_usd
from spotlaunch.simulate.replay import replay
from tests.simulate.cases import a_task

TASK = a_task()
TRACE = bytes((n // 5 + n // 13) % 3 > 0 for n in range(200))


def test_each_job_is_as_replayed_alone() -> None:
    starts = [5, 60, 5, 100]
    found = compare(TASK, [TRACE], starts, ["greedy", "spot"])
    assert found.starts == tuple(starts)
    for name, jobs in found.jobs.items():
        for start, job in zip(starts, jobs, strict=True):
            alone = replay(TASK, [TRACE], start, POLICIES[name])
            assert job.share == pytest.approx(alone.cost_usd / 6.3)
            assert (job.late, job.done, job.starts, job.preemptions, job.finished_s) == (
                alone.late,
                alone.done,
                alone.starts,
                alone.preemptions,
                alone.finished_s,
            )
            assert job.decisions == ()
    assert found.optimum == pytest.approx([usd / 6.3 for usd in optimum_usd(TASK, [TRACE], starts)])


def test_of_a_single_job_the_decisions_are_kept() -> None:
    found = compare(TASK, [TRACE], [7], ["greedy"])
    assert found.jobs["greedy"][0].decisions == replay(TASK, [TRACE], 7, POLICIES["greedy"]).decisions


def test_equal_starts_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    replayed = []

    def counted(task: object, traces: object, start: int, *rest: object) -> object:
        replayed.append(start)
        return replay(task, traces, start, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "replay", counted)
    found = compare(TASK, [TRACE], [3, 9, 3] * 50, ["spot"])
    assert sorted(replayed) == [3, 9]
    assert len(found.jobs["spot"]) == 150


def test_processes_find_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_SHARING", 1)
    starts, told = list(range(40)), []
    shared = compare(TASK, [TRACE], starts, ["greedy", "spot"], cores=2, progress=told.append)
    assert shared == compare(TASK, [TRACE], starts, ["greedy", "spot"], cores=1)
    assert told == [n / 8 for n in range(1, 9)]


def test_where_processes_die_the_work_is_done_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_SHARING", 1)
    monkeypatch.setattr(module, "_begin", partial(os._exit, 1))
    starts = list(range(70))
    assert compare(TASK, [TRACE], starts, ["spot"], cores=2) == compare(TASK, [TRACE], starts, ["spot"], cores=1)


def test_little_work_is_not_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ProcessPoolExecutor", None)
    compare(TASK, [TRACE], list(range(40)), ["spot"], cores=2)


def test_starts_are_drawn_where_the_deadline_is_in_the_traces_and_one_is_the_first_tick() -> None:
    drawn = draw_starts(TASK, 200, 500, seed=1)
    assert (min(drawn), max(drawn)) == (0, 200 - 24)
    assert drawn == draw_starts(TASK, 200, 500, seed=1) != draw_starts(TASK, 200, 500, seed=2)
    assert draw_starts(TASK, 200, 1, seed=3) == [0]
    assert draw_starts(TASK, 24, 3, seed=1) == draw_starts(TASK, 7, 3, seed=1) == [0, 0, 0]


def test_mean_and_percentile() -> None:
    values = [float(n) for n in range(20, 0, -1)]
    assert (mean(values), percentile(values, 95), percentile(values, 100)) == (10.5, 19.0, 20.0)
    assert percentile([7.0], 95) == 7.0
