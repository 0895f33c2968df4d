"""Why machines end, as their provider tells: what becomes of attempt, machine, pool and bill."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.worlds import (
    CLOUD,
    NOW,
    a_job,
    a_machine,
    a_pool,
    a_world,
    an_attempt,
    key_of,
    launching,
    look,
    played,
    says,
    seen,
)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("preempted", "preempted"),
        ("by-hand", "cancelled"),
        ("asked", "cancelled"),
        ("failed", "failed"),
        ("itself", "failed"),
        ("host-lost", "lost"),
        ("ttl", "replaced"),
        ("out-of-funds", "refused"),
    ],
)
@pytest.mark.parametrize("phase", ["gone", "stopped"])
def test_the_provider_s_word_on_the_end_of_a_machine_becomes_the_outcome(phase: str, reason: str, outcome: str) -> None:
    machine = a_machine()
    last = seen(machine, phase=phase, ending_reason=reason, detail="its own words")
    after = look(a_job(), [an_attempt()], [machine], listed=[last])
    assert after.attempts[1].outcome == outcome
    assert "its own words" in after.attempts[1].reason
    assert after.machine().outcome == outcome
    assert after.job.state == "running"


def test_a_machine_that_is_gone_is_billed_until_the_provider_says_it_ended() -> None:
    machine = a_machine()
    last = seen(machine, phase="gone", ending_reason="preempted", ended_at=NOW - 17)
    after = look(a_job(), [an_attempt()], [machine], listed=[last])
    assert (after.machine().state, after.machine().ended_at) == ("ended", NOW - 17)
    assert after.ended == []


def test_no_machine_ends_before_it_began_or_after_now() -> None:
    machine = a_machine()
    for said in (0.0, NOW + 900):
        last = seen(machine, phase="gone", ending_reason="preempted", ended_at=said)
        ended_at = look(a_job(), [an_attempt()], [machine], listed=[last]).machine().ended_at
        assert ended_at is not None and machine.up_at is not None and machine.up_at <= ended_at <= NOW


def test_a_machine_that_stopped_is_ended_as_it_bills_on_or_may_be_woken_up() -> None:
    machine = a_machine()
    after = look(a_job(), [an_attempt()], [machine], listed=[seen(machine, phase="stopped", ending_reason="preempted")])
    assert after.ended == [machine.instance_id]
    assert after.machine().state == "ending"


def test_an_agent_s_farewell_counts_more_than_what_the_provider_tells() -> None:
    machine = a_machine()
    farewell = says(phase="left", left_why="exited", exit_code=0)
    last = seen(machine, phase="stopped", ending_reason="itself")
    after = look(a_job(), [an_attempt()], [machine], says=[farewell], listed=[last])
    assert after.job.state == "finished"


def test_what_was_made_and_ended_before_its_launch_was_answered_is_billed_and_told() -> None:
    machine = launching(tried_s_ago=20)
    last = seen(machine, phase="gone", ending_reason="preempted", started_at=NOW - 18, ended_at=NOW - 3)
    after = look(a_job(), [an_attempt(heard_at=None)], [machine], listed=[last])
    assert (after.machine().state, after.machine().up_at, after.machine().ended_at) == ("ended", NOW - 18, NOW - 3)
    assert after.attempts[1].outcome == "preempted"


def test_a_machine_once_listed_is_gone_as_soon_as_a_listing_lacks_it() -> None:
    just = {"tried_at": NOW - 5, "up_at": NOW - 5}
    assert CLOUD.settle_s > 5
    unseen, known = a_machine(**just), a_machine(**just, seen_at=NOW - 3)
    assert look(a_job(), [an_attempt()], [unseen], listed=[]).machine().state == "up"
    assert look(a_job(), [an_attempt()], [known], listed=[]).machine().state == "ended"


def test_an_empty_account_rests_as_a_whole_and_tells_of_it() -> None:
    machine = a_machine()
    last = seen(machine, phase="stopped", ending_reason="out-of-funds")
    (refusal,) = look(a_job(), [an_attempt()], [machine], listed=[last]).refusals
    assert (refusal.error, refusal.scope.provider, refusal.scope.instance_type) == ("OutOfFunds", "cloud", "")


def test_a_pool_whose_machine_never_came_up_rests_and_counts_against_the_job_s_image() -> None:
    machine = a_machine()
    last = seen(machine, phase="stopped", ending_reason="failed")
    after = look(a_job(), [an_attempt()], [machine], listed=[last])
    assert [r.scope.covers(a_pool()) for r in after.refusals] == [True]
    assert after.job.errors_in_row == 1


def test_a_disk_that_outlived_its_machine_is_ended_also_while_the_next_one_runs() -> None:
    old, new = a_machine(1, state="ended", ended_at=NOW - 60), a_machine(2)
    left = seen(old, instance_id="disk-1", phase="stopped")
    attempts = [an_attempt(1, outcome="preempted", ended_at=NOW - 60), an_attempt(2)]
    after = look(a_job(last_attempt=2), attempts, [old, new], listed=[left, seen(new)])
    assert after.ended == ["disk-1"]
    assert after.machine(2).state == "up"


def test_what_is_gone_is_never_asked_to_end() -> None:
    stranger = seen(a_machine(7), phase="gone", launch_key=key_of(7))
    assert look(a_job(), [an_attempt()], [a_machine()], listed=[seen(a_machine()), stranger]).ended == []


def test_a_machine_of_whose_end_nothing_is_told_ended_between_the_listing_that_had_it_and_the_next() -> None:
    machine = a_machine(seen_at=NOW - 90)
    world = a_world(a_job(), [an_attempt()], [machine], listed=[], listed_at=NOW - 1)
    (listing,) = world.listings
    for before_at, ended_at in ((None, NOW - 1), (NOW - 11, NOW - 6)):
        seen_before = replace(world, listings=(replace(listing, before_at=before_at),))
        assert played(seen_before).machine().ended_at == ended_at


def test_no_machine_is_billed_from_before_it_was_thought_of() -> None:
    machine = a_machine(intended_at=NOW - 60)
    after = look(a_job(), [an_attempt()], [machine], listed=[seen(machine, started_at=NOW - 86_400)])
    assert after.machine().up_at == NOW - 60
