"""Work that is stored, and what is left of it."""

from __future__ import annotations

from typing import Any

import pytest

from spotlaunch.core.book import Job
from spotlaunch.core.worked import OVERDRAWN, work_left_s
from tests.core.worlds import NOW, After, a_job, a_machine, a_spec, an_attempt, look, says

HOUR_S = 3600.0


def working(work: float | None = 40 * HOUR_S, **changes: Any) -> Job:
    return a_job(spec=a_spec(work_s=work), deadline_at=NOW + 60 * HOUR_S, **changes)


def stored(seconds: float, *, clock_s: float = 0.0, **changes: Any) -> Any:
    """A status of a program that ran for so long when it stored its newest checkpoint, by a clock that is wrong."""
    began_at = NOW - 9000 + clock_s
    told = {"commits": 2, "resumed_step": 0, "committed_at": began_at + seconds, **changes}
    return says(phases={"running": began_at}, **told)


def heard(status: Any, *, job: Job | None = None, **attempt: Any) -> After:
    return look(job or working(), [an_attempt(**{"commits": 1, **attempt})], [a_machine()], says=[status])


@pytest.mark.parametrize("clock_s", [0.0, -86400.0, 5e6])
def test_what_is_stored_is_measured_by_the_machines_own_clock(clock_s: float) -> None:
    after = heard(stored(1800.0, clock_s=clock_s))
    assert (after.job.done_s, after.attempts[1].worked_s) == (1800.0, 1800.0)
    assert work_left_s(after.job) == 40 * HOUR_S - 1800


def test_what_is_not_stored_does_not_count() -> None:
    status = stored(0.0, commits=0, committed_at=None)
    assert heard(status, commits=0).job.done_s == 0.0


def test_an_attempt_goes_on_from_what_was_stored_and_from_less_where_its_checkpoint_is_older() -> None:
    job = working(done_s=7200.0, done_step=100)
    assert heard(stored(600.0, resumed_step=100, step=110), job=job).job.done_s == 7800.0
    assert heard(stored(600.0, resumed_step=50, step=60), job=job).job.done_s == 4200.0


def test_without_the_agents_word_machine_time_without_a_start_counts() -> None:
    after = heard(says(commits=2, resumed_step=0))
    assert after.job.done_s == 3600.0 - 300.0


def test_a_farewell_that_is_read_late_counts_for_the_successor_too() -> None:
    attempts = [
        an_attempt(1, base_s=0.0, worked_s=1000.0, resumed_step=0, commits=1),
        an_attempt(2, base_s=1000.0, worked_s=50.0, resumed_step=10, commits=1),
    ]
    late = stored(1300.0, commits=2)
    after = look(working(done_s=1050.0), attempts, [a_machine(1), a_machine(2)], says=[late])
    assert (after.job.done_s, after.attempts[2].base_s) == (1350.0, 1300.0)


def test_progress_corrects_what_was_said_at_once_where_it_is_longer() -> None:
    job = working(total_steps=1000, done_step=100, step_s=180.0, done_s=18000.0)
    assert work_left_s(job) == pytest.approx(900 * 180.0)
    quick = working(total_steps=1000, done_step=100, step_s=72.0, done_s=7200.0)
    assert work_left_s(quick) == pytest.approx(0.9 * (0.9 * 40 * HOUR_S + 0.1 * 72_000))


def test_without_work_in_the_job_file_progress_tells_it_once_enough_is_seen() -> None:
    job = working(None, total_steps=10_000)
    assert work_left_s(job) is None
    little = heard(stored(100.0, step=50), job=job)
    assert work_left_s(little.job) is None
    enough = heard(stored(200.0, step=100), job=job)
    assert work_left_s(enough.job) == pytest.approx(9900 * 2.0)


def test_a_job_that_has_done_all_that_was_said_has_some_before_it_still() -> None:
    assert work_left_s(working(done_s=40 * HOUR_S)) == OVERDRAWN * 40 * HOUR_S
    assert work_left_s(working(done_s=50 * HOUR_S)) == 10 * HOUR_S
