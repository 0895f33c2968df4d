from __future__ import annotations

import pytest

from tests.core.worlds import (
    NOW,
    a_job,
    a_machine,
    a_new_job,
    an_attempt,
    an_offer,
    key_of,
    launching,
    leaves,
    look,
    says,
    seen,
)


@pytest.mark.parametrize("wanted", ["cancel", "cancel-now"])
def test_a_job_without_a_machine_is_cancelled_at_once(wanted: str) -> None:
    after = look(a_new_job(wanted=wanted, waiting_since=NOW - 9), offers=[an_offer()])
    assert (after.job.state, after.job.over_at, after.job.waiting_since) == ("cancelled", NOW, None)
    assert after.launches == []


def test_a_cancelled_job_saves_a_last_checkpoint_first() -> None:
    after = look(a_job(wanted="cancel"), [an_attempt()], [a_machine()], says=[says()])
    assert (after.asks, after.ended) == ({(1, "leave")}, [])
    assert (after.job.state, after.attempts[1].leave_reason) == ("running", "the job was cancelled")


def test_a_cancelled_job_is_over_when_its_agent_has_left() -> None:
    attempt = an_attempt(leave_asked_at=NOW - 5, leave_reason="the job was cancelled")
    after = look(a_job(wanted="cancel"), [attempt], [a_machine()], says=[leaves(why="asked")])
    assert (after.job.state, after.attempts[1].outcome, after.ended) == ("cancelled", "cancelled", ["i-1"])


def test_a_program_that_ends_well_after_the_cancel_has_finished_its_job() -> None:
    attempt = an_attempt(leave_asked_at=NOW - 5, leave_reason="the job was cancelled")
    assert look(a_job(wanted="cancel"), [attempt], [a_machine()], says=[leaves(code=0)]).job.state == "finished"


def test_a_cancel_with_now_ends_the_machine_without_asking() -> None:
    after = look(a_job(wanted="cancel-now"), [an_attempt()], [a_machine()], says=[says()])
    assert (after.job.state, after.asks, after.ended) == ("cancelled", set(), ["i-1"])


def test_now_may_follow_a_patient_cancel() -> None:
    attempt = an_attempt(leave_asked_at=NOW - 5, leave_reason="the job was cancelled")
    after = look(a_job(wanted="cancel-now"), [attempt], [a_machine()], says=[says(phase="leaving")])
    assert (after.job.state, after.ended) == ("cancelled", ["i-1"])


def test_a_machine_that_never_spoke_has_nothing_to_save() -> None:
    after = look(a_job(wanted="cancel"), [an_attempt(heard_at=None)], [a_machine()])
    assert (after.job.state, after.ended) == ("cancelled", ["i-1"])


def test_a_launch_whose_answer_is_not_known_is_kept_in_mind_until_the_cloud_says() -> None:
    machine = launching(tried_s_ago=5)
    after = look(a_job(wanted="cancel"), [an_attempt(heard_at=None)], [machine], listed=[])
    assert (after.job.state, after.machine().state) == ("cancelled", "ending")
    shown = [seen(machine, instance_id="i-late")]
    later = look(after.job, [], after.machines.values(), listed=shown)
    assert later.ended == ["i-late"]


@pytest.mark.parametrize("wanted", ["cancel", "cancel-now"])
def test_a_launch_that_was_not_yet_begun_never_will_be(wanted: str) -> None:
    """As `ending` it would be waited for for ever: no listing can tell of what was never tried."""
    intended = a_machine(state="intended", instance_id="", tried_at=None, up_at=None)
    after = look(a_job(wanted=wanted), [an_attempt(heard_at=None)], [intended], in_flight=[key_of()])
    assert (after.job.state, after.machine().state, after.ended) == ("cancelled", "ended", [])


def test_both_attempts_of_a_handover_are_asked_and_both_are_ended() -> None:
    attempts = [an_attempt(1), an_attempt(2, predecessor=1, phase="waiting")]
    machines = [a_machine(1), a_machine(2)]
    said = [says(1), says(2, "waiting")]
    gentle = look(a_job(wanted="cancel", last_attempt=2), attempts, machines, says=said)
    assert {(1, "leave"), (2, "leave")} <= gentle.asks
    rough = look(a_job(wanted="cancel-now", last_attempt=2), attempts, machines, says=said)
    assert (rough.job.state, rough.ended) == ("cancelled", ["i-1", "i-2"])


def test_machines_of_a_job_that_is_over_are_ended_whoever_left_them() -> None:
    over = a_job(state="finished", over_at=NOW - 9)
    after = look(over, [an_attempt(outcome="finished", ended_at=NOW - 9)], [a_machine()])
    assert (after.machine().state, after.machine().reason, after.ended) == ("ending", "the job is finished", ["i-1"])


def test_a_cancel_wins_over_a_notice() -> None:
    after = look(
        a_job(wanted="cancel"), [an_attempt(noticed_at=NOW - 5)], [a_machine()], says=[says()], offers=[an_offer()]
    )
    assert (after.launches, after.asks) == ([], {(1, "leave")})
