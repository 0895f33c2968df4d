"""Succession: the place that one of our machines leaves goes to a job of ours that waits for the like."""

from __future__ import annotations

from typing import Any

import pytest

from spotlaunch.core.book import Job
from spotlaunch.core.facts import Scope
from spotlaunch.core.spec import Resources, Where
from tests.core.worlds import NOW, After, a_job, a_machine, a_pool, a_refusal, a_spec, an_attempt, key_of, look

GONE = a_machine(state="ending", ending_at=NOW - 9, asked_at=NOW - 9, outcome="finished")


def waiting(name: str, *, since_s: float = 600, **changes: Any) -> Job:
    usual = {"state": "queued", "waiting_since": NOW - since_s, "rounds": 5, "next_try_at": NOW + 900, "name": name}
    return a_job(**{**usual, **changes})


def after_the_end_of(machine: Any, *jobs: Job, refusals: Any = ()) -> After:
    """Its job is over; the listing of this look lacks the machine."""
    over = a_job(state="finished", over_at=NOW - 10)
    done = an_attempt(outcome="finished", ended_at=NOW - 10)
    return look([over, *jobs], [done], [machine], listed=[], listed_at=NOW - 1, refusals=refusals)


def test_who_has_waited_longest_for_the_same_may_try_at_once_and_only_they() -> None:
    after = after_the_end_of(GONE, waiting("late", since_s=60), waiting("early"), waiting("also-late", since_s=300))
    assert after.machine().state == "ended"
    assert {n: j.next_try_at for n, j in after.jobs.items() if n != GONE.job} == {
        "early": NOW,
        "late": NOW + 900,
        "also-late": NOW + 900,
    }
    assert after.plan.wake_at == NOW


@pytest.mark.parametrize("error", ["NoCapacity", "QuotaExceeded"])
def test_what_was_full_with_our_own_machine_is_so_no_longer(error: str) -> None:
    full = a_refusal(Scope(provider="cloud"), error=error, until=NOW + 5000, count=3)
    [lifted] = after_the_end_of(GONE, waiting("heir"), refusals=[full]).refusals
    assert (lifted.until, lifted.count) == (NOW, 3)


@pytest.mark.parametrize(
    "refusal",
    [
        a_refusal(Scope(provider="cloud"), error="OutOfFunds", until=NOW + 5000),
        a_refusal(Scope.of(a_pool(zone="elsewhere")), error="NoCapacity", until=NOW + 5000),
    ],
)
def test_what_an_end_does_not_mend_rests_on(refusal: Any) -> None:
    assert after_the_end_of(GONE, waiting("heir"), refusals=[refusal]).refusals == [refusal]


@pytest.mark.parametrize("outcome", ["preempted", "lost", "refused"])
def test_a_machine_that_was_taken_away_leaves_nothing_to_us(outcome: str) -> None:
    taken = a_machine(state="ending", ending_at=NOW - 9, asked_at=NOW - 9, outcome=outcome)
    full = a_refusal(until=NOW + 5000)
    after = after_the_end_of(taken, waiting("heir"), refusals=[full])
    assert after.jobs["heir"].next_try_at == NOW + 900 and after.refusals == [full]


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": a_spec(resources=Resources(gpus=(("H100", 8),)))},
        {"spec": a_spec(where=Where(providers=("other",)))},
        {"wanted": "cancel"},
    ],
)
def test_a_job_that_asks_for_something_else_or_nothing_is_not_woken(changes: Any) -> None:
    assert after_the_end_of(GONE, waiting("other", **changes)).jobs["other"].next_try_at == NOW + 900


def test_each_of_two_places_has_its_own_heir() -> None:
    second = a_machine(
        2, job="twin", launch_key=key_of(2, job="twin"), state="ending", ending_at=NOW - 9, outcome="failed"
    )
    over = [a_job(state="finished", over_at=NOW - 10), a_job(name="twin", state="failed", over_at=NOW - 10)]
    done = [an_attempt(outcome="finished"), an_attempt(2, job="twin", outcome="failed")]
    jobs = [waiting(f"w{n}", since_s=600 - n) for n in range(3)]
    after = look([*over, *jobs], done, [GONE, second], listed=[], listed_at=NOW - 1)
    assert [after.jobs[f"w{n}"].next_try_at for n in range(3)] == [NOW, NOW, NOW + 900]
