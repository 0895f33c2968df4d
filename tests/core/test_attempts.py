"""Attempts: what agents say, how each attempt ends, and what that makes of its job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spotlaunch.core.facts import Scope
from spotlaunch.core.plan import SetAttempt
from spotlaunch.core.rules import ERRORS_IN_ROW
from spotlaunch.core.wire import Status
from tests.core.worlds import (
    CLOUD,
    NOW,
    PAID,
    After,
    a_job,
    a_machine,
    a_spec,
    a_world,
    an_attempt,
    an_offer,
    key_of,
    launching,
    leaves,
    look,
    played,
    says,
    seen,
)


def heard(status: Status, **changes: Any) -> After:
    """A running attempt, and what its agent says."""
    return look(a_job(**changes), [an_attempt()], [a_machine()], says=[status])


# -- what agents say ------------------------------------------------------------------------------------


def test_what_an_agent_says_is_written_down() -> None:
    status = says(phase="running", step=40, commits=4, resumed_step=12, progress={"step": 44, "total": 60})
    after = heard(status)
    found = after.attempts[1]
    assert (found.phase, found.step, found.commits, found.resumed_step) == ("running", 40, 4, 12)
    assert (found.heard_at, found.heard_status_at, found.progressed_at) == (NOW, status.at, NOW)
    assert (after.job.step, after.job.total_steps, after.job.progress_at) == (44, 60, NOW)


def test_an_old_status_is_not_taken_for_a_sign_of_life() -> None:
    assert heard(says(at=NOW - 10)).attempts[1].heard_at == NOW - 10


def test_a_machine_with_a_wrong_clock_is_heard_all_the_same() -> None:
    attempt = an_attempt(heard_at=NOW - 10, heard_status_at=5.0)
    after = look(a_job(), [attempt], [a_machine()], says=[says(at=6.0)])
    assert after.attempts[1].heard_at == NOW


def test_it_is_written_down_when_the_program_first_ran_and_when_its_newest_checkpoint_was_stored() -> None:
    began = an_attempt(commits=0, progressed_at=None, phase="starting")
    said = says(phases={"starting": NOW - 900, "running": NOW - 600}, committed_at=NOW - 40, started_at=NOW - 900)
    said = replace(said, uploaded_bytes=70, restored_bytes=30)
    found = look(a_job(), [began], [a_machine()], says=[said]).attempts[1]
    assert (found.running_at, found.committed_at) == (NOW - 600, NOW - 40)
    assert (found.uploaded_bytes, found.restored_bytes) == (70, 30)


def test_a_clock_that_is_ahead_or_behind_is_put_right_by_as_much_as_shows() -> None:
    began = an_attempt(commits=0, progressed_at=None, started_at=NOW - 1000)
    for wrong_s in (-50_000.0, 50_000.0):
        at = NOW + wrong_s
        said = says(at=at, phases={"running": at - 600}, committed_at=at - 40, started_at=at - 900)
        found = look(a_job(), [began], [a_machine()], says=[said]).attempts[1]
        assert found.running_at is not None and found.committed_at is not None
        assert abs(found.running_at - (NOW - 600)) <= 100
        assert abs(found.committed_at - (NOW - 40)) <= 100


def test_progress_of_a_job_never_goes_back() -> None:
    after = heard(says(step=3), step=50, progress_at=NOW - 100)
    assert (after.job.step, after.job.progress_at, after.attempts[1].step) == (50, NOW - 100, 10)


def test_a_programs_odd_progress_does_no_harm() -> None:
    after = heard(says(step=10, progress={"step": "many", "total": True}), step=10)
    assert (after.job.step, after.job.total_steps) == (10, None)


def test_an_agents_notes_are_told_once_each_and_in_order() -> None:
    notes = [{"at": 1.0, "kind": "resumed", "text": f"n{i}", "step": i} for i in range(3)]
    attempt = replace(an_attempt(), notes_told=1)
    after = look(a_job(), [attempt], [a_machine()], says=[says(notes=notes)])
    assert [(e.kind, e.text, e.data["step"]) for e in after.told] == [
        ("resumed", "attempt 1: n1", 1),
        ("resumed", "attempt 1: n2", 2),
    ]
    again = look(after.job, after.attempts.values(), after.machines.values(), says=[says(notes=notes)])
    assert again.told == []


def test_a_look_at_which_nothing_is_new_writes_nothing() -> None:
    world = a_world(a_job(step=10), [an_attempt()], [a_machine()], says=[says(at=NOW - 10)])
    assert played(world).plan.writes == ()


# -- farewells ------------------------------------------------------------------------------------------


def test_a_farewell_with_exit_code_0_finishes_the_job_and_ends_its_machine() -> None:
    after = heard(leaves(code=0))
    assert (after.job.state, after.job.exit_code, after.job.over_at) == ("finished", 0, NOW)
    assert (after.attempts[1].outcome, after.attempts[1].exit_code) == ("finished", 0)
    assert (after.machine().state, after.machine().outcome, after.ended) == ("ending", "finished", ["i-1"])


def test_a_farewell_with_another_exit_code_fails_the_job() -> None:
    after = heard(leaves(code=3))
    assert (after.job.state, after.job.exit_code) == ("failed", 3)
    assert after.job.reason == "the program ended with exit code 3"
    assert (after.attempts[1].outcome, after.ended) == ("failed", ["i-1"])


def test_an_exit_code_of_restart_on_exit_starts_again_at_once() -> None:
    job = a_job(spec=a_spec(restart_on_exit=(75,)), errors_in_row=2)
    after = look(job, [an_attempt()], [a_machine()], says=[leaves(code=75)], offers=[an_offer()])
    assert (after.job.state, after.job.errors_in_row, after.attempts[1].outcome) == ("running", 0, "failed")
    assert [c.order.launch_key for c in after.launches] == [key_of(2)]
    assert "restart" in after.kinds


@pytest.mark.parametrize("why", ["runtime", "budget"])
def test_an_agent_that_leaves_at_a_limit_fails_its_job(why: str) -> None:
    after = heard(leaves(why=why))
    assert (after.job.state, after.attempts[1].outcome) == ("failed", "failed")
    assert "limits." in after.job.reason


def test_an_agent_that_leaves_on_a_notice_was_preempted_and_its_pool_rests() -> None:
    after = heard(leaves(why="notice"))
    assert (after.job.state, after.attempts[1].outcome) == ("running", "preempted")
    assert [(r.scope, r.error) for r in after.refusals] == [(Scope.of(a_machine().pool), "Preempted")]


def test_an_agent_that_a_newer_one_superseded_is_replaced_and_no_pool_rests() -> None:
    after = heard(leaves(why="superseded"))
    assert (after.job.state, after.attempts[1].outcome, after.refusals) == ("running", "replaced", [])


def test_a_farewell_counts_also_when_the_machine_is_gone_already() -> None:
    after = look(a_job(), [an_attempt()], [a_machine()], says=[leaves(code=0)], listed=[])
    assert (after.job.state, after.machine().state, after.machine().outcome) == ("finished", "ended", "finished")
    assert after.refusals == []


def test_an_unknown_farewell_of_a_newer_agent_is_a_failed_attempt_and_no_crash() -> None:
    after = heard(leaves(why="something-new"))
    assert (after.attempts[1].outcome, after.attempts[1].reason, after.job.state) == (
        "failed",
        "something-new",
        "running",
    )


def test_an_agents_own_trouble_is_tried_again_but_not_for_ever() -> None:
    trouble = leaves(why="error", error="no disk")
    after = heard(trouble)
    assert (after.job.state, after.job.errors_in_row) == ("running", 1)
    assert after.attempts[1].reason == "the agent could not go on: no disk"
    last = heard(trouble, errors_in_row=ERRORS_IN_ROW - 1)
    assert last.job.state == "failed"
    assert "5 times in a row" in last.job.reason


def test_an_attempt_that_went_well_forgets_the_errors_before_it() -> None:
    assert heard(leaves(why="notice"), errors_in_row=4).job.errors_in_row == 0


def test_a_job_that_ends_takes_its_second_attempt_along_exactly_once() -> None:
    old, new = an_attempt(1, noticed_at=NOW - 9), an_attempt(2, predecessor=1, phase="waiting")
    after = look(
        a_job(last_attempt=2), [old, new], [a_machine(1), a_machine(2)], says=[leaves(1, code=0), says(2, "waiting")]
    )
    closing = [
        w.number for w in after.plan.writes if isinstance(w, SetAttempt) and w.changes.get("outcome") is not None
    ]
    assert closing == [1, 2]
    assert (after.job.state, after.attempts[1].outcome, after.attempts[2].outcome) == (
        "finished",
        "finished",
        "replaced",
    )
    assert after.ended == ["i-1", "i-2"]


# -- without a farewell ---------------------------------------------------------------------------------


def gone(**attempt: Any) -> After:
    return look(a_job(), [an_attempt(**attempt)], [a_machine()], says=[says()], listed=[])


def test_a_spot_machine_that_is_gone_without_a_notice_was_preempted() -> None:
    after = gone()
    assert (after.attempts[1].outcome, after.attempts[1].reason) == ("preempted", "gone without a notice")
    assert (after.machine().outcome, len(after.refusals)) == ("preempted", 1)


def test_a_machine_that_is_gone_after_a_notice_was_preempted() -> None:
    assert gone(noticed_at=NOW - 60).attempts[1].reason == "taken away after a notice"


def test_an_on_demand_machine_that_is_gone_is_lost() -> None:
    machine = a_machine(pool=PAID)
    after = look(a_job(), [an_attempt(market="on-demand")], [machine], says=[says()], listed=[])
    assert (after.attempts[1].outcome, after.refusals[0].error) == ("lost", "Lost")


def test_a_machine_that_is_gone_after_it_was_asked_to_leave_was_not_taken() -> None:
    after = gone(leave_asked_at=NOW - 60, leave_reason="because")
    assert (after.attempts[1].outcome, after.attempts[1].reason, after.refusals) == ("replaced", "because", [])


def test_a_launch_that_made_no_machine_ends_its_attempt_as_refused() -> None:
    after = look(a_job(), [an_attempt(heard_at=None)], [launching(tried_s_ago=900)], listed=[])
    assert (after.attempts[1].outcome, after.refusals) == ("refused", [])


def test_nothing_is_concluded_while_the_mail_cannot_be_read() -> None:
    """The machine is gone, but its agent may have said farewell with exit code 0."""
    after = look(a_job(), [an_attempt()], [a_machine()], mail=False, listed=[])
    assert (after.machine().state, after.attempts[1].live, after.refusals) == ("ended", True, [])
    later = look(after.job, after.attempts.values(), after.machines.values(), says=[leaves(code=0)])
    assert (later.job.state, later.machine().outcome) == ("finished", "finished")


def test_silence_and_boot_are_not_judged_while_the_mail_cannot_be_read() -> None:
    for attempt in (an_attempt(heard_at=None), an_attempt(heard_at=NOW - 90_000, progressed_at=None)):
        assert look(a_job(), [attempt], [a_machine()], mail=False).attempts[1].live


def test_an_agent_that_never_speaks_loses_its_machine_after_the_boot_timeout() -> None:
    attempt = an_attempt(heard_at=None, heard_status_at=None, phase="")
    patient = look(a_job(), [attempt], [a_machine(tried_at=NOW - CLOUD.boot_timeout_s + 5)])
    assert (patient.attempts[1].live, patient.plan.wake_at) == (True, NOW + 5)
    after = look(a_job(), [attempt], [a_machine(tried_at=NOW - CLOUD.boot_timeout_s)])
    assert (after.attempts[1].outcome, after.machine().state, after.ended) == ("lost", "ending", ["i-1"])
    assert len(after.refusals) == 1


def test_machines_that_never_speak_are_not_bought_for_ever() -> None:
    attempt = an_attempt(heard_at=None, heard_status_at=None, phase="")
    job = a_job(errors_in_row=ERRORS_IN_ROW - 1)
    after = look(job, [attempt], [a_machine(tried_at=NOW - CLOUD.boot_timeout_s)])
    assert after.job.state == "failed"
    assert "never spoke" in after.job.reason


def test_a_new_checkpoint_forgets_the_errors_before_it() -> None:
    assert heard(says(commits=4), errors_in_row=4).job.errors_in_row == 0


def test_a_silent_machine_that_is_still_listed_is_replaced_only_beyond_a_generous_limit() -> None:
    old = says(at=NOW - 9000)
    for silent_s, outcome in ((CLOUD.silence_s - 5, None), (CLOUD.silence_s, "lost")):
        attempt = an_attempt(heard_at=NOW - silent_s, heard_status_at=NOW - 9000, progressed_at=None)
        after = look(a_job(), [attempt], [a_machine()], says=[old], listed=[seen(a_machine())])
        assert after.attempts[1].outcome == outcome
        assert ("silence" in after.kinds) == (outcome is not None)


def test_silence_counts_only_while_the_mail_can_be_read() -> None:
    """After a store's outage of hours, agents need a moment to be heard again; none is lost for that."""
    attempt = an_attempt(heard_at=NOW - 90_000, heard_status_at=NOW - 90_000, progressed_at=None)
    deaf = look(a_job(), [attempt], [a_machine()], mail=False)
    after = look(deaf.job, deaf.attempts.values(), [a_machine()], says=[says(at=NOW - 90_000)])
    assert after.attempts[1].live


def test_a_new_checkpoint_is_a_sign_of_life() -> None:
    attempt = an_attempt(heard_at=NOW - 9000, heard_status_at=NOW - 9000, commits=1)
    after = look(a_job(), [attempt], [a_machine()], says=[says(at=NOW - 9000, commits=2)])
    assert after.attempts[1].live


# -- notices --------------------------------------------------------------------------------------------


def test_a_notice_starts_a_replacement_while_the_old_machine_still_lives() -> None:
    status = says(phase="leaving", notice_at=NOW - 1, notice_deadline_at=NOW + 100)
    after = look(a_job(), [an_attempt()], [a_machine()], says=[status], offers=[an_offer()])
    assert (after.attempts[1].live, after.attempts[1].noticed_at, after.ended) == (True, NOW, [])
    [launch] = after.launches
    assert (launch.order.attempt, launch.doc.predecessor) == (2, 1)
    assert launch.doc.predecessor_wait_s == pytest.approx(105.0)
    assert after.attempts[2].predecessor == 1


def test_a_notice_is_told_once() -> None:
    status = says(phase="leaving", notice_at=NOW - 1, notice_deadline_at=NOW + 100)
    first = look(a_job(), [an_attempt()], [a_machine()], says=[status])
    assert first.kinds.count("notice") == 1
    again = look(first.job, first.attempts.values(), first.machines.values(), says=[status])
    assert "notice" not in again.kinds


def test_a_notice_wakes_the_loop_at_once_so_that_the_market_is_asked() -> None:
    after = heard(says(notice_at=NOW - 1))
    assert (after.plan.wake_at, after.launches) == (NOW, [])


def test_the_providers_own_word_is_a_notice_too() -> None:
    taking = seen(a_machine(), phase="ending", ending_reason="preempted")
    after = look(a_job(), [an_attempt()], [a_machine()], says=[says()], listed=[taking], offers=[an_offer()])
    assert (after.attempts[1].live, after.attempts[1].noticed_at, len(after.launches)) == (True, NOW, 1)


def test_one_replacement_is_enough() -> None:
    old, new = an_attempt(1, noticed_at=NOW - 9), an_attempt(2, heard_at=None, phase="", predecessor=1)
    job, machines = a_job(last_attempt=2), [a_machine(1), a_machine(2, tried_at=NOW - 5)]
    after = look(job, [old, new], machines, says=[says(1, "leaving")], offers=[an_offer()])
    assert after.launches == []
