"""Limits: who is asked to leave how early, and what ends at the limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from spotlaunch.core import rules
from spotlaunch.core.limits import LEAVE_AHEAD_S
from spotlaunch.core.spec import CheckpointSpec, Limits
from tests.core.worlds import (
    NOW,
    After,
    a_job,
    a_machine,
    a_new_job,
    a_spec,
    an_attempt,
    an_offer,
    leaves,
    look,
    says,
)

GRACE_S = 10.0
AHEAD_S = GRACE_S + LEAVE_AHEAD_S


def limited(limits: Limits, **changes: Any) -> Any:
    return a_job(spec=a_spec(limits=limits, checkpoint=CheckpointSpec(grace_s=GRACE_S)), **changes)


def running_for(seconds: float, limits: Limits, **changes: Any) -> After:
    """A job whose one machine has been up for so long, at $3.60 an hour: a tenth of a cent a second."""
    machine = a_machine(up_at=NOW - seconds, price_usd_hour=Decimal("3.60"))
    return look(limited(limits), [an_attempt()], [machine], says=[says()], **changes)


COST = Limits(cost_usd=Decimal("1.00"))  # 1000 s
RUNTIME = Limits(runtime_s=1000.0)


@pytest.mark.parametrize("limits", [COST, RUNTIME])
def test_far_from_a_limit_nothing_is_asked_and_the_next_look_is_in_time(limits: Limits) -> None:
    after = running_for(1000 - AHEAD_S - 20, limits)
    assert (after.asks, after.attempts[1].leave_asked_at) == (set(), None)
    assert after.plan.wake_at == pytest.approx(NOW + 20)


@pytest.mark.parametrize(("limits", "word"), [(COST, "limits.cost_usd ($1.00)"), (RUNTIME, "limits.runtime (1000 s")])
def test_shortly_before_a_limit_the_agent_is_asked_to_leave(limits: Limits, word: str) -> None:
    after = running_for(1000 - AHEAD_S + 1, limits)
    assert after.asks == {(1, "leave")}
    assert (after.job.state, after.attempts[1].leave_asked_at, after.ended) == ("running", NOW, [])
    assert word in after.attempts[1].leave_reason


@pytest.mark.parametrize(("limits", "word"), [(COST, "limits.cost_usd"), (RUNTIME, "limits.runtime")])
def test_at_a_limit_the_job_fails_and_its_machine_is_ended(limits: Limits, word: str) -> None:
    after = running_for(1000, limits)
    assert (after.job.state, after.ended) == ("failed", ["i-1"])
    assert after.job.reason.startswith(word)


@pytest.mark.parametrize("limits", [COST, RUNTIME])
def test_what_earlier_machines_took_counts_too(limits: Limits) -> None:
    assert running_for(400, limits, spent_usd="0.60", ran_s=600.0).job.state == "failed"
    assert running_for(400, limits, spent_usd="0.40", ran_s=400.0).job.state == "running"


def test_two_machines_reach_a_limit_in_half_the_time() -> None:
    machines = [a_machine(n, up_at=NOW - 400, price_usd_hour=Decimal("3.60")) for n in (1, 2)]
    attempts = [an_attempt(1, noticed_at=NOW - 30), an_attempt(2, predecessor=1, phase="restoring")]
    for limits in (COST, RUNTIME):
        after = look(limited(limits, last_attempt=2), attempts, machines, says=[says(1), says(2, "restoring")])
        assert after.asks == set()
        assert after.plan.wake_at == pytest.approx(NOW + 100 - AHEAD_S)


def test_a_short_runtime_is_not_all_leaving() -> None:
    assert running_for(29, Limits(runtime_s=40.0)).asks == set()
    assert running_for(31, Limits(runtime_s=40.0)).asks == {(1, "leave")}


def test_a_job_that_was_asked_to_leave_at_a_limit_fails_when_it_has() -> None:
    reason = "limits.cost_usd ($1.00) is reached"
    attempt = an_attempt(leave_asked_at=NOW - 5, leave_reason=reason)
    after = look(limited(COST), [attempt], [a_machine(up_at=NOW - 9)], says=[leaves(why="asked")])
    assert (after.job.state, after.job.reason, after.ended) == ("failed", reason, ["i-1"])


def test_a_program_that_ends_well_while_it_is_asked_to_leave_has_finished_its_job() -> None:
    attempt = an_attempt(leave_asked_at=NOW - 5, leave_reason="limits.cost_usd ($1.00) is reached")
    after = look(limited(COST), [attempt], [a_machine(up_at=NOW - 9)], says=[leaves(code=0)])
    assert after.job.state == "finished"


# -- what may not be started ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "changes", "word"),
    [
        (Limits(attempts=3), {}, "limits.attempts (3) is reached"),
        (Limits(runtime_s=100.0), {"ran_s": 100.0}, "limits.runtime (100 s"),
        (Limits(cost_usd=Decimal("2")), {"spent_usd": "2.00"}, "limits.cost_usd ($2) is reached"),
    ],
)
def test_no_attempt_is_begun_beyond_a_limit(limits: Limits, changes: dict[str, Any], word: str) -> None:
    job = a_new_job(spec=a_spec(limits=limits), attempts_ran=3)
    after = look(job, offers=[an_offer()], **changes)
    assert (after.job.state, after.launches) == ("failed", [])
    assert word in after.job.reason


def test_the_last_attempt_that_is_allowed_runs_to_its_end() -> None:
    job = a_job(spec=a_spec(limits=Limits(attempts=1)))
    after = look(job, [an_attempt()], [a_machine()], says=[says(notice_at=NOW)], offers=[an_offer()])
    assert (after.job.state, after.attempts[1].live, after.launches) == ("running", True, [])


def test_money_that_would_not_outlast_a_start_is_not_spent() -> None:
    job = a_new_job(spec=a_spec(limits=Limits(cost_usd=Decimal("0.05"))))
    after = look(job, offers=[an_offer("1.00")])
    assert (after.job.state, after.launches) == ("failed", [])
    assert after.job.reason == "limits.cost_usd ($0.05) leaves too little for a start"


# -- leaving too slowly ---------------------------------------------------------------------------------


def leaver(*, asked_s_ago: float, heard_s_ago: float, phase: str = "running", **changes: Any) -> After:
    attempt = an_attempt(
        leave_asked_at=NOW - asked_s_ago,
        leave_reason="because",
        heard_at=NOW - heard_s_ago,
        heard_status_at=NOW - heard_s_ago,
        phase=phase,
    )
    said = says(phase=phase, at=NOW - heard_s_ago)
    return look(limited(Limits(), **changes), [attempt], [a_machine()], says=[said])


def test_an_ask_is_repeated_until_the_agent_is_seen_leaving() -> None:
    assert leaver(asked_s_ago=5, heard_s_ago=5).asks == {(1, "leave")}
    assert leaver(asked_s_ago=5, heard_s_ago=5, phase="leaving").asks == set()


def test_an_agent_that_is_silent_when_asked_to_leave_is_ended_after_a_while() -> None:
    patience_s = GRACE_S + rules.LEAVE_SILENT_S
    assert leaver(asked_s_ago=patience_s - 1, heard_s_ago=500).ended == []
    after = leaver(asked_s_ago=patience_s, heard_s_ago=500)
    assert (after.ended, after.attempts[1].outcome) == (["i-1"], "replaced")
    assert after.attempts[1].reason == "because; it did not leave in time"


def test_an_agent_that_is_heard_gets_long_to_upload_but_not_for_ever() -> None:
    most_s = GRACE_S + rules.LEAVE_HEARD_S
    assert leaver(asked_s_ago=most_s - 1, heard_s_ago=1, phase="leaving").ended == []
    assert leaver(asked_s_ago=most_s, heard_s_ago=1, phase="leaving").ended == ["i-1"]


def test_a_job_at_its_limit_fails_also_when_its_agent_does_not_leave() -> None:
    attempt = an_attempt(leave_asked_at=NOW - 9000, leave_reason="limits.cost_usd ($9) is reached", heard_at=NOW - 9000)
    after = look(limited(Limits()), [attempt], [a_machine()], mail=False)
    assert (after.job.state, after.ended) == ("failed", ["i-1"])
