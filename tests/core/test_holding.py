"""Holding: a job with a condition starts when a price satisfies it, and not before."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.book import Job
from spotlaunch.core.condition import Priced, parse_when
from spotlaunch.core.decide import decide, hungry
from spotlaunch.core.facts import Scope
from spotlaunch.core.hold import ASK_LEAST_S
from spotlaunch.core.plan import Launch
from spotlaunch.core.spec import Fallback, Limits
from tests.core.worlds import (
    CLOUD,
    NOW,
    PAID,
    PAID_OFFER,
    a_job,
    a_new_job,
    a_pool,
    a_refusal,
    a_spec,
    a_world,
    an_offer,
    key_of,
    look,
)

BELOW_1 = "price_usd_hour < 1.00"
OTHER_ZONE = a_pool(zone="us-1b")
HASTY = replace(CLOUD, rest_s=5.0)


def held_job(when: str = BELOW_1, **changes: Any) -> Job:
    return a_new_job(start_when=when, **changes)


def test_a_job_is_held_until_an_offer_satisfies_its_condition() -> None:
    after = look(held_job(), offers=[an_offer("2.31"), an_offer("3.00", OTHER_ZONE)])
    assert (after.launches, after.job.state, after.job.waiting_since) == ([], "queued", None)
    assert after.job.note == "held until price_usd_hour < 1.00; cheapest now $2.31"
    assert [(e.kind, e.text) for e in after.told] == [("held", "held until price_usd_hour < 1.00")]


def test_that_a_job_is_held_is_told_once() -> None:
    first = look(held_job(), offers=[an_offer("2.31")])
    later = look(first.job, offers=[an_offer("1.50")], now=first.job.next_try_at)
    assert later.told == []
    assert later.job.note.endswith("cheapest now $1.50")


@pytest.mark.parametrize(("traits", "pace_s"), [(CLOUD, CLOUD.rest_s), (HASTY, ASK_LEAST_S)])
def test_a_held_job_asks_the_market_at_the_pace_of_rests_but_at_most_once_a_minute(traits: Any, pace_s: float) -> None:
    after = look(held_job(), offers=[an_offer("2")], traits={"cloud": traits})
    assert after.job.next_try_at == NOW + pace_s
    assert after.plan.wake_at <= NOW + pace_s
    book = a_world(after.job).book
    assert hungry(book, NOW + pace_s - 1) == {}
    assert set(hungry(book, NOW + pace_s)) == {"digits"}


def test_a_satisfying_offer_releases_the_job_and_is_taken() -> None:
    held = look(held_job(), offers=[an_offer("2")]).job
    after = look(held, offers=[an_offer("0.99"), an_offer("1.50", OTHER_ZONE)], now=held.next_try_at)
    assert after.kinds == ["released", "launch"]
    assert after.told[0].data["pool"] == str(a_pool())
    assert (after.job.state, after.job.waiting_since, after.job.note) == ("running", held.next_try_at, "")


def test_a_job_whose_condition_holds_at_once_is_never_held() -> None:
    assert look(held_job(), offers=[an_offer("0.50")]).kinds == ["released", "launch"]


def test_the_first_attempt_uses_satisfying_offers_only() -> None:
    offers = [an_offer("0.98"), an_offer("0.99", OTHER_ZONE), an_offer("1.00", a_pool(zone="us-1c"))]
    [launch] = look(held_job(), offers=offers).launches
    assert {o.price_usd_hour for o in launch.order.alternatives} == {Decimal("0.98"), Decimal("0.99")}


def test_an_effective_price_holds_a_job_that_is_cheap_but_taken_often() -> None:
    often = an_offer("1.00", interruptions_per_hour=2.0)
    rarely = an_offer("1.20", OTHER_ZONE, interruptions_per_hour=0.0)
    when = "effective_usd_hour < 1.30"
    assert look(held_job(when), offers=[often]).kinds == ["held"]
    after = look(held_job(when), offers=[often, rarely])
    assert [o.pool for o in after.launches[0].order.alternatives] == [OTHER_ZONE]


def test_what_is_resting_or_cannot_be_had_releases_nobody() -> None:
    gone = an_offer("0.50", available="no")
    resting = an_offer("0.50", OTHER_ZONE)
    after = look(held_job(), offers=[gone, resting], refusals=[a_refusal(Scope.of(OTHER_ZONE))])
    assert after.kinds == ["held"]
    assert "no offer now: 1 not available, 1 resting" in after.job.note


def test_several_parts_are_each_told_with_what_is_cheapest() -> None:
    offer = an_offer("8", gpu_count=4, interruptions_per_hour=0.0)
    after = look(held_job("price_usd_hour < 4 and price_usd_gpu_hour < 1"), offers=[offer])
    assert after.job.note.endswith("cheapest now: price_usd_hour $8.00, price_usd_gpu_hour $2.00")


def test_a_dead_market_does_not_release_and_says_why() -> None:
    after = look(held_job(), offers=[], failures={"cloud": "is down"})
    assert after.job.note == "held until price_usd_hour < 1.00; no offer now: cloud: is down"


def test_patience_counts_from_the_release() -> None:
    spec = a_spec(fallback=Fallback(patience_s=600.0))
    dry = an_offer("0.50", available="no")
    when = "price_usd_hour < 4"
    released = look(held_job(when, spec=spec), offers=[dry, PAID_OFFER])
    assert (released.kinds, released.launches) == (["released", "waiting"], [])
    assert released.job.waiting_since == NOW
    last, first = NOW + 599, NOW + 600
    still = look(replace(released.job, next_try_at=last), offers=[dry, replace(PAID_OFFER, seen_at=last)], now=last)
    assert still.launches == []
    paid = look(replace(released.job, next_try_at=first), offers=[dry, replace(PAID_OFFER, seen_at=first)], now=first)
    assert [e.kind for e in paid.told] == ["fallback", "launch"]
    assert paid.launches[0].order.alternatives[0].pool == PAID


def test_a_released_job_whose_offer_went_waits_and_still_buys_nothing_dearer() -> None:
    released = held_job(waiting_since=NOW - 60)
    after = look(released, offers=[an_offer("1.50")])
    assert (after.launches, after.kinds) == ([], ["waiting"])
    assert after.job.note == "1 not price_usd_hour < 1.00"
    assert after.job.waiting_since == NOW - 60


def test_spot_that_is_too_dear_now_is_waited_for_with_patience_before_on_demand_is_paid() -> None:
    released = held_job("price_usd_hour < 4", spec=a_spec(fallback=Fallback(patience_s=600.0)), waiting_since=NOW - 60)
    after = look(released, offers=[an_offer("5.00"), PAID_OFFER])
    assert (after.launches, after.kinds) == ([], ["waiting"])


def test_a_job_whose_only_cheap_offer_is_invalid_waits_for_another_to_become_cheap() -> None:
    invalid = a_refusal(Scope.of(a_pool()), job="digits", error="InvalidOrder")
    refused = a_job(start_when=BELOW_1, attempts_ran=0, waiting_since=NOW - 60)
    dear = an_offer("1.50", OTHER_ZONE)
    assert look(refused, offers=[an_offer("0.90"), dear], refusals=[invalid]).job.state == "running"
    assert look(refused, offers=[an_offer("0.90")], refusals=[invalid]).job.state == "failed"


def test_a_launch_that_was_refused_does_not_end_the_condition() -> None:
    refused = a_job(start_when=BELOW_1, attempts_ran=0, waiting_since=NOW - 60)
    after = look(refused, offers=[an_offer("1.50"), an_offer("0.90", OTHER_ZONE)])
    assert [o.pool for o in after.launches[0].order.alternatives] == [OTHER_ZONE]


def test_after_its_first_machine_a_job_is_not_held_again() -> None:
    after = look(a_job(start_when=BELOW_1), offers=[an_offer("2.00")])
    assert (after.kinds, after.machines[key_of(2)].price_usd_hour) == (["launch"], Decimal("2.00"))


def test_a_held_job_can_be_cancelled() -> None:
    held = look(held_job(), offers=[an_offer("2")]).job
    after = look(replace(held, wanted="cancel"), now=NOW + 1)
    assert (after.job.state, after.job.note) == ("cancelled", "")


def test_a_held_job_is_not_failed_for_a_budget_that_todays_prices_would_eat() -> None:
    spec = a_spec(limits=Limits(cost_usd=Decimal("0.30")))
    assert look(held_job(spec=spec), offers=[an_offer("50")]).kinds == ["held"]


@given(
    prices=st.lists(st.decimals("0.01", "4", places=2), min_size=1, max_size=6),
    bound=st.decimals("0.01", "4", places=2),
    quantity=st.sampled_from(["price_usd_hour", "price_usd_gpu_hour", "effective_usd_hour"]),
)
def test_no_first_machine_is_ever_dearer_than_the_condition(
    prices: list[Decimal], bound: Decimal, quantity: str
) -> None:
    when = f"{quantity} < {bound}"
    offers = [an_offer(str(p), a_pool(zone=f"z{n}"), interruptions_per_hour=0.0) for n, p in enumerate(prices)]
    plan = decide(a_world(held_job(when), offers=offers))
    taken = [o for call in plan.calls if isinstance(call, Launch) for o in call.order.alternatives]
    # Without interruptions an hour is dearer than its price by nothing at all.
    assert all(parse_when(when).holds(Priced(offer=o, effective_usd_hour=o.price_usd_hour)) for o in taken)
    assert bool(taken) == any(p < bound for p in prices)
