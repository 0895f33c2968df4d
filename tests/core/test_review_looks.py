"""What went wrong in reviews of `decide`, each once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from spotlaunch.core.facts import Refused, Scope
from spotlaunch.core.refusals import refuse
from spotlaunch.core.spec import Limits
from tests.core.worlds import (
    CLOUD,
    JOB,
    NOW,
    PAID,
    PAID_OFFER,
    a_job,
    a_machine,
    a_pool,
    a_refusal,
    a_spec,
    an_attempt,
    an_offer,
    key_of,
    launching,
    look,
    says,
    seen,
)


def test_a_job_cancelled_while_its_order_is_still_being_written_leaves_no_machine_that_ends_for_ever() -> None:
    intended = a_machine(state="intended", instance_id="", tried_at=None, up_at=None)
    job = a_job(wanted="cancel")
    attempt = an_attempt(heard_at=None, phase="", commits=0)
    after = look(job, [attempt], [intended], in_flight=[key_of()], listed=[])
    assert after.job.state == "cancelled"
    assert after.machine().state == "ended"
    assert not after.ended


def test_machines_of_a_provider_that_cannot_be_used_now_do_not_stop_the_loop() -> None:
    lost_sight_of = a_machine(pool=a_pool(provider="gone"))
    after = look(a_job(), [an_attempt()], [lost_sight_of], says=[says()])
    assert after.machine().state == "up"
    assert after.attempts[1].outcome is None


def test_a_machine_lost_just_after_a_look_at_spot_prices_is_replaced_at_once() -> None:
    job = a_job(next_try_at=NOW + 170)
    paid = a_machine(pool=PAID)
    gone = look(job, [an_attempt(market="on-demand")], [paid], listed=[])
    assert gone.job.next_try_at <= NOW
    assert gone.plan.wake_at == NOW
    after = look(gone.job, [], [], offers=[an_offer()])
    assert len(after.launches) == 1


def test_waiting_rounds_still_wait() -> None:
    after = look(a_job(waiting_since=NOW - 60, next_try_at=NOW + 100), offers=[an_offer()])
    assert not after.launches
    assert after.job.next_try_at == NOW + 100


def test_a_call_that_is_never_made_again_and_again_is_tried_ever_more_seldom() -> None:
    job = a_job(waiting_since=NOW - 60, next_try_at=NOW - 60)
    intended = a_machine(state="intended", instance_id="", tried_at=None, up_at=None)
    attempt = an_attempt(heard_at=None, phase="")
    after = look(job, [attempt], [intended], offers=[an_offer()])
    assert not after.launches
    assert NOW < after.job.next_try_at <= NOW + 2
    assert after.job.rounds == 1


def test_an_adopted_machine_tells_which_market_the_attempt_is_on() -> None:
    machine = launching(tried_s_ago=10)
    after = look(a_job(), [an_attempt(heard_at=None, phase="")], [machine], listed=[seen(machine, pool=PAID)])
    assert after.machine().pool == PAID
    assert after.attempts[1].market == "on-demand"


def poor(**changes: object) -> object:
    return replace(a_job(waiting_since=NOW - 9000), spec=a_spec(limits=Limits(cost_usd=Decimal("1.50")), **changes))


def test_a_job_that_cannot_pay_on_demand_prices_waits_for_the_spot_machine_that_it_can_pay() -> None:
    rests = a_refusal()
    dear = replace(PAID_OFFER, price_usd_hour=Decimal("30"))
    after = look(poor(), offers=[an_offer("0.50"), dear], refusals=[rests], spent_usd="1.00")  # type: ignore[arg-type]
    assert after.job.state == "running"
    assert not after.launches
    none = look(poor(), offers=[an_offer("25"), dear], refusals=[rests], spent_usd="1.00")  # type: ignore[arg-type]
    assert none.job.state == "failed"


def test_a_machine_under_notice_is_not_cut_off_because_the_next_one_cannot_be_paid() -> None:
    noticed = an_attempt(noticed_at=NOW - 5)
    after = look(poor(), [noticed], [a_machine()], says=[says()], offers=[an_offer("25")])  # type: ignore[arg-type]
    assert after.job.state == "running"
    assert not after.ended


def test_nobody_is_asked_to_leave_for_a_successor_that_is_losing_its_machine_itself() -> None:
    old = an_attempt(1, market="on-demand")
    new = an_attempt(2, predecessor=1, phase="waiting", noticed_at=NOW - 1)
    machines = [a_machine(1, pool=PAID), a_machine(2)]
    said = [says(1), says(2, "waiting")]
    job = a_job(last_attempt=2)
    assert (1, "leave") not in look(job, [old, new], machines, says=said).asks
    assert (1, "leave") in look(job, [old, replace(new, noticed_at=None)], machines, says=said).asks


def test_an_agent_whose_clock_is_set_back_is_still_heard() -> None:
    attempt = an_attempt(heard_at=NOW - 1000, heard_status_at=NOW + 9000)
    after = look(a_job(), [attempt], [a_machine()], says=[says(at=NOW - 1)])
    assert after.attempts[1].heard_at == NOW
    again = look(a_job(), [after.attempts[1]], [a_machine()], says=[says(at=NOW - 1)], now=NOW + 60)
    assert again.attempts[1].heard_at == NOW, "the same status says nothing new"


@pytest.mark.parametrize("state", ["up", "ending", "launching"])
def test_with_the_clock_set_back_by_hours_a_machine_is_seen_gone_after_the_usual_wait(state: str) -> None:
    later = NOW + 4 * 3600
    machine = a_machine(state=state, tried_at=later, ending_at=later if state == "ending" else None)
    first = look(a_job(), [an_attempt()], [machine], listed=[])
    assert first.machine().state == state
    job = first.job
    second = look(job, [first.attempts[1]], [first.machine()], listed=[], now=NOW + 90, listed_at=NOW + 80)
    assert second.machine().state == "ended"


def test_with_the_clock_set_back_by_hours_nobody_waits_or_rests_for_hours() -> None:
    later = NOW + 4 * 3600
    job = a_job(waiting_since=later, next_try_at=later + 100)
    refusal = a_refusal(since=later, until=later + 120)
    after = look(job, offers=[an_offer()], refusals=[refusal])
    assert len(after.launches) == 1


def test_with_the_clock_set_back_by_hours_who_takes_too_long_to_leave_is_still_pressed() -> None:
    later = NOW + 4 * 3600
    attempt = an_attempt(heard_at=later, leave_asked_at=later, leave_reason="asked", phase="leaving")
    first = look(a_job(), [attempt], [a_machine()])
    second = look(a_job(), [first.attempts[1]], [a_machine()], now=NOW + 300)
    assert second.ended == ["i-1"]


def test_a_provider_that_says_come_again_at_once_is_not_taken_at_its_word() -> None:
    refused = Refused(scope=Scope.of(a_pool()), error="Throttled", reason="slow down", retry_after_s=0.0)
    assert refuse([], refused, now=NOW, traits=CLOUD, job=JOB, key="k").until > NOW + 3


def test_where_money_is_limited_one_order_never_holds_both_spot_and_on_demand() -> None:
    near = an_offer("1.02", a_pool(zone="us-1b"))
    offers = [an_offer("1.00"), near, PAID_OFFER]
    job = a_job(waiting_since=NOW - 9000)
    free = look(job, offers=offers)
    assert len(free.launches[0].order.alternatives) == 3
    limited = look(replace(job, spec=a_spec(limits=Limits(cost_usd=Decimal(50)))), offers=offers)
    assert {o.price_usd_hour for o in limited.launches[0].order.alternatives} == {Decimal("1.00"), Decimal("1.02")}
