from __future__ import annotations

from decimal import Decimal
from typing import Any

from spotlaunch.cli.summary import Chapter, chapters, text
from spotlaunch.core.book import Attempt, Machine
from spotlaunch.core.wire import Status
from tests.storage.samples import a_job, a_machine, an_attempt

HOUR = 3600.0


def an_hour_up(attempt: int) -> Machine:
    return a_machine(attempt=attempt, state="ended", up_at=0.0, ended_at=HOUR)


def story(*attempts: Attempt, said: dict[int, Any] | None = None) -> list[Chapter]:
    statuses = {n: Status(attempt=n, at=1.0, phase="left", progress={"step": s}) for n, s in (said or {}).items()}
    return chapters(attempts, [an_hour_up(a.number) for a in attempts], statuses, HOUR)


def preempted(number: int, *, resumed_at: int, stored: int) -> Attempt:
    return an_attempt(number=number, outcome="preempted", resumed_step=resumed_at, step=stored)


def finished(number: int, *, resumed_at: int, stored: int) -> Attempt:
    return an_attempt(number=number, outcome="finished", resumed_step=resumed_at, step=stored)


def test_what_was_done_and_not_stored_is_lost() -> None:
    (one, two) = story(preempted(1, resumed_at=0, stored=8), finished(2, resumed_at=8, stored=20), said={1: 10, 2: 20})
    assert (one.from_step, one.to_step, one.lost_steps) == (0, 10, 2)
    assert (two.from_step, two.to_step, two.lost_steps) == (8, 20, 0)


def test_a_damaged_checkpoint_loses_what_came_after_the_one_before_it() -> None:
    (one, _) = story(preempted(1, resumed_at=0, stored=8), finished(2, resumed_at=4, stored=20), said={1: 10, 2: 20})
    assert one.lost_steps == 6


def test_an_attempt_that_never_restored_anything_tells_nothing_about_the_one_before() -> None:
    stillborn = an_attempt(number=2, outcome="lost")
    (one, two, _) = story(
        preempted(1, resumed_at=0, stored=8), stillborn, finished(3, resumed_at=8, stored=9), said={1: 8}
    )
    assert (one.lost_steps, two.lost_steps) == (0, None)


def test_without_the_programs_word_what_was_lost_is_not_known() -> None:
    silent = story(preempted(1, resumed_at=0, stored=8))
    odd = story(preempted(1, resumed_at=0, stored=8), said={1: "many"})
    assert [c.lost_steps for c in silent + odd] == [None, None]
    assert [c.to_step for c in silent + odd] == [8, 8]


def test_an_attempt_that_still_runs_or_finished_has_lost_nothing() -> None:
    running = an_attempt(number=1, phase="running", step=3)
    assert [c.lost_steps for c in story(running, said={1: 5})] == [0]
    assert [c.lost_steps for c in story(finished(1, resumed_at=0, stored=3), said={1: 5})] == [0]


def test_attempts_that_were_refused_a_machine_are_counted_but_have_no_chapter() -> None:
    refused = an_attempt(number=1, outcome="refused")
    told = story(refused, preempted(2, resumed_at=0, stored=5), finished(3, resumed_at=5, stored=9), said={2: 6})
    assert [c.number for c in told] == [2, 3]
    job = a_job(state="finished", last_attempt=3, step=9, total_steps=9)
    attempts, totals = (part.splitlines() for part in text(job, told).split("\n\n"))
    assert attempts[1].split()[:7] == ["2", "aws:us-west-2a/p3.2xlarge/spot", "preempted", "0", "6", "1", "1h00m"]
    assert totals[0].split("  ")[0] == "job"
    cells = [c for c in totals[1].split("  ") if c]
    assert [c.strip() for c in cells] == [
        "digits",
        "finished",
        "2",
        "1",
        "1",
        "9/9",
        "1 step",
        "1.8360",
        "6.1200",
        "4.2840 (70%)",
    ]


def test_a_job_that_cost_nothing_saved_no_share_of_it() -> None:
    told = chapters([an_attempt(number=1, outcome="lost")], [a_machine()], {}, HOUR)
    assert told[0].bill.spent_usd == Decimal(0)
    (row,) = text(a_job(state="failed", last_attempt=1), told).splitlines()[-1:]
    assert row.split() == ["digits", "failed", "1", "1", "0", "-", "-", "0.0000", "0.0000", "0.0000"]
