"""Machines against listings: what is adopted, what is gone, what is left alone, and what is swept."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from spotlaunch.core.book import Alternative, Machine
from spotlaunch.core.machines import ASK_AGAIN_S
from tests.core.worlds import (
    CLOUD,
    NOW,
    PAID,
    a_job,
    a_machine,
    a_pool,
    an_attempt,
    an_offer,
    key_of,
    launching,
    look,
    says,
    seen,
)


def test_a_machine_that_was_only_intended_is_ended_without_a_call() -> None:
    intended = a_machine(state="intended", instance_id="", tried_at=None, up_at=None)
    after = look(a_job(), [an_attempt(heard_at=None)], [intended])
    assert (after.machine().state, after.machine().outcome) == ("ended", "refused")
    assert after.machine().reason == "the watchdog stopped before it called"
    assert after.attempts[1].outcome == "refused"
    assert after.ended == []


def test_a_machine_whose_call_is_under_way_is_left_alone() -> None:
    for machine in (a_machine(state="intended", instance_id="", tried_at=None), launching(tried_s_ago=500)):
        after = look(a_job(), [an_attempt(heard_at=None)], [machine], listed=[], in_flight=[key_of()])
        assert (after.machine(), after.attempts[1].live) == (machine, True)


def test_an_unanswered_launch_is_adopted_from_the_listing() -> None:
    machine = launching(tried_s_ago=5)
    job = a_job(attempts_ran=0, waiting_since=NOW - 50, rounds=3, note="dry")
    after = look(job, [an_attempt(heard_at=None)], [machine], listed=[seen(machine, instance_id="i-7")])
    assert (after.machine().state, after.machine().instance_id, after.machine().up_at) == ("up", "i-7", NOW)
    assert (after.job.attempts_ran, after.job.waiting_since, after.job.rounds, after.job.note) == (1, None, 0, "")
    assert after.kinds == ["adopted"]
    assert after.ended == []


def test_an_adopted_machine_has_the_price_of_the_alternative_that_it_is() -> None:
    other = a_pool(zone="us-1b", instance_type="bigger")
    kept = Alternative(
        pool=other, gpu="H100", gpu_count=2, price_usd_hour=Decimal("2.50"), on_demand_usd_hour=Decimal("9")
    )
    machine = launching(tried_s_ago=5, alternatives=(kept,))
    after = look(a_job(), [an_attempt(heard_at=None)], [machine], listed=[seen(machine, pool=other)])
    found = after.machine()
    assert (found.pool, found.gpu, found.gpu_count) == (other, "H100", 2)
    assert (found.price_usd_hour, found.on_demand_usd_hour, found.alternatives) == (Decimal("2.50"), Decimal("9"), ())


def test_an_adopted_machine_tells_its_attempt_which_market_it_is_of() -> None:
    """Otherwise a job would pay on-demand for ever, taking it for spot."""
    kept = Alternative(pool=PAID, gpu="V100", gpu_count=1, price_usd_hour=Decimal("3"), on_demand_usd_hour=Decimal("3"))
    machine = launching(tried_s_ago=5, alternatives=(kept,))
    after = look(a_job(), [an_attempt(heard_at=None)], [machine], listed=[seen(machine, pool=PAID)])
    assert after.attempts[1].market == "on-demand"


def test_a_machine_is_billed_from_when_its_provider_says() -> None:
    up, unanswered = a_machine(up_at=NOW - 100), launching(tried_s_ago=50)
    assert look(a_job(), [an_attempt()], [up], listed=[seen(up, started_at=NOW - 90)]).machine().up_at == NOW - 90
    after = look(a_job(), [an_attempt()], [unanswered], listed=[seen(unanswered, started_at=NOW - 40)])
    assert after.machine().up_at == NOW - 40


def test_an_unanswered_launch_is_untouched_until_it_must_have_shown() -> None:
    machine = launching(tried_s_ago=CLOUD.settle_s)
    after = look(a_job(), [an_attempt(heard_at=None)], [machine], listed=[], listed_at=NOW, offers=[])
    assert (after.machine(), after.attempts[1].live, after.launches) == (machine, True, [])


def test_an_unanswered_launch_that_never_showed_gets_a_new_number() -> None:
    machine = launching(tried_s_ago=CLOUD.settle_s + 1)
    after = look(a_job(), [an_attempt(heard_at=None)], [machine], listed=[], listed_at=NOW, offers=[an_offer()])
    assert (after.machine().state, after.machine().outcome) == ("ended", "refused")
    assert after.attempts[1].outcome == "refused"
    assert [c.order.launch_key for c in after.launches] == [key_of(2)]


def test_a_listing_that_began_before_the_launch_could_show_says_nothing() -> None:
    machine = a_machine(tried_at=NOW - 300)
    after = look(a_job(), [an_attempt()], [machine], listed=[], listed_at=NOW - 240)
    assert after.machine() == machine


def test_a_machine_that_is_gone_from_the_listing_bills_until_that_began() -> None:
    after = look(a_job(), [an_attempt()], [a_machine()], listed=[], listed_at=NOW - 3)
    assert (after.machine().state, after.machine().ended_at) == ("ended", NOW - 3)


def test_a_failed_listing_changes_nothing_and_sweeps_nothing() -> None:
    stray = seen(a_machine(9))
    for machine in (a_machine(), launching(tried_s_ago=900), a_machine(state="ending", ending_at=NOW - 500)):
        after = look(a_job(), [an_attempt()], [machine], listed=[stray], listing_ok=False)
        assert (after.machine(), after.attempts[1].live, after.ended) == (machine, True, [])


def test_without_a_listing_in_this_look_nothing_is_taken_for_gone() -> None:
    assert look(a_job(), [an_attempt()], [a_machine()]).machine() == a_machine()


def test_another_machine_of_the_same_key_is_not_the_one_we_know() -> None:
    double = seen(a_machine(), instance_id="i-other")
    after = look(a_job(), [an_attempt()], [a_machine()], listed=[double])
    assert after.machine().state == "ended"
    assert after.ended == ["i-other"]


@pytest.mark.parametrize("asked_s_ago", [1, ASK_AGAIN_S])
def test_a_machine_that_is_slow_to_end_is_asked_again_now_and_then(asked_s_ago: float) -> None:
    ending = a_machine(state="ending", ending_at=NOW - 90, asked_at=NOW - asked_s_ago)
    after = look(a_job(state="cancelled", over_at=NOW - 90), [], [ending], listed=[seen(ending)])
    assert after.machine().state == "ending"
    assert after.ended == (["i-1"] if asked_s_ago >= ASK_AGAIN_S else [])


def test_a_machine_is_ended_only_when_a_listing_begun_after_the_asking_lacks_it() -> None:
    ending = a_machine(state="ending", ending_at=NOW - 10, asked_at=NOW - 10, outcome="cancelled")
    over = a_job(state="cancelled", over_at=NOW - 10)
    assert look(over, [], [ending], listed=[], listed_at=NOW - 11).machine().state == "ending"
    after = look(over, [], [ending], listed=[], listed_at=NOW - 9)
    assert (after.machine().state, after.machine().outcome) == ("ended", "cancelled")


# -- the sweep ------------------------------------------------------------------------------------------


def strays(*machines: Machine) -> list[str]:
    return look(listed=[seen(m) for m in machines]).ended


def test_anything_of_ours_that_nobody_keeps_is_ended_in_one_call() -> None:
    after = look(listed=[seen(a_machine(1)), seen(a_machine(2))])
    assert len(after.plan.calls) == 1
    assert after.ended == ["i-1", "i-2"]


def test_other_peoples_machines_are_never_ended() -> None:
    theirs = [
        a_machine(launch_key=key)
        for key in (key_of(owner="fff999"), "", "sl-", "sl-abc1234-digits-1-0", "their-sl-abc123-digits-1-0")
    ]
    assert strays(*theirs) == []


def test_what_the_book_calls_ended_but_the_cloud_still_shows_is_ended() -> None:
    ended = a_machine(state="ended", ended_at=NOW - 50)
    assert look(a_job(), [an_attempt()], [ended], listed=[seen(ended)], mail=False).ended == ["i-1"]


def test_the_second_machine_of_one_key_is_swept_and_the_first_is_kept() -> None:
    machine = a_machine()
    both = [seen(machine), seen(machine, instance_id="i-twin")]
    after = look(a_job(), [an_attempt()], [machine], says=[says()], listed=both)
    assert (after.machine().state, after.ended) == ("up", ["i-twin"])


def test_of_two_machines_of_an_unanswered_launch_one_is_adopted_and_the_other_goes_next() -> None:
    machine = launching(tried_s_ago=5)
    both = [seen(machine, instance_id="i-a"), seen(machine, instance_id="i-b")]
    first = look(a_job(), [an_attempt(heard_at=None)], [machine], listed=both)
    assert (first.machine().instance_id, first.ended) == ("i-a", ["i-b"])


def test_a_machine_whose_launch_is_under_way_is_not_swept() -> None:
    intended = a_machine(state="intended", tried_at=None)
    assert look(listed=[seen(intended)], in_flight=[key_of()]).ended == []


def test_a_machine_that_came_after_its_job_was_cancelled_is_swept_as_soon_as_it_shows() -> None:
    ending = launching(tried_s_ago=9, state="ending", ending_at=NOW - 5, asked_at=NOW - 5)
    after = look(a_job(state="cancelled"), [], [ending], listed=[seen(ending, instance_id="i-late")])
    assert after.ended == ["i-late"]


def test_nothing_is_ended_twice_in_one_look() -> None:
    machine = a_machine()
    over = replace(a_job(), state="failed", over_at=NOW - 1)
    after = look(over, [], [machine], listed=[seen(machine)])
    assert (after.ended, after.machine().state) == (["i-1"], "ending")
