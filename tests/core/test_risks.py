"""What agents are told of the danger their machines are in, so that they know how often to save."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch.core import rules
from spotlaunch.core.decide import decide
from spotlaunch.core.plan import Asked, PutAsk
from spotlaunch.core.rates import Lived
from spotlaunch.core.spec import CheckpointSpec, Limits
from spotlaunch.core.wire import Ask, OrderDoc
from tests.core.worlds import (
    CLOUD,
    JOB,
    NOW,
    a_job,
    a_machine,
    a_new_job,
    a_pool,
    a_spec,
    a_world,
    an_attempt,
    an_offer,
    look,
    says,
    seen,
)


def ordered(spec: Any = None, **offer: Any) -> OrderDoc:
    """The order of the first attempt of a job, on this offer."""
    price = offer.pop("price", "1.00")
    (launch,) = look(a_new_job(spec=spec or a_spec()), offers=[an_offer(price, available="yes", **offer)]).launches
    return launch.doc


def told(
    *, rate: float | None, price: str = "1.00", spec: Any = None, attempt: Any = None, status: Any = None, **offer: Any
) -> list[Ask]:
    """What is asked of a running attempt that reckons with ``rate``, when its pool is seen as ``offer``."""
    offers = (an_offer(price, **{"interruptions_per_hour": 0.1, **offer}),)
    machine = a_machine()
    world = a_world(
        a_job(spec=spec or a_spec(), last_attempt=1),
        [an_attempt(**(attempt or {}))],
        [machine],
        says=[says(**{"rate_per_hour": rate, **(status or {})})],
        listed=[seen(machine)],
    )
    world = replace(world, at_hand={JOB: Asked(offers=offers)})
    return [c.ask for c in decide(world).calls if isinstance(c, PutAsk)]


# -- with the order --------------------------------------------------------------------------------


def test_an_order_holds_the_rate_of_its_pool_and_the_notice() -> None:
    doc = ordered(interruptions_per_hour=0.2)
    assert (doc.every_auto, doc.rate_per_hour, doc.notice_s) == (True, 0.2, CLOUD.notice_s)
    assert (doc.checkpoint_every_s, doc.write_s, doc.price_share, doc.checkpoint_signal) == (0.0, 0.0, 0.0, "")


def test_an_on_demand_machine_is_calm_and_gets_no_notice() -> None:
    doc = ordered(a_spec(market="on-demand"), pool=a_pool(market="on-demand"))
    assert (doc.rate_per_hour, doc.notice_s) == (0.0005, 0.0)


def test_an_interval_of_the_job_file_leaves_nothing_to_reckon() -> None:
    doc = ordered(a_spec(checkpoint=CheckpointSpec(every_s=600.0)))
    assert (doc.every_auto, doc.checkpoint_every_s) == (False, 600.0)


def test_the_signal_is_the_job_files() -> None:
    assert ordered(a_spec(checkpoint=CheckpointSpec(signal="USR1"))).checkpoint_signal == "USR1"


def test_a_price_near_the_cap_is_told_on_spot_only() -> None:
    limits = Limits(price_usd_hour=Decimal("1.25"))
    assert ordered(a_spec(limits=limits), price="1.20").price_share == 0.96
    doc = ordered(a_spec(limits=limits, market="on-demand"), price="1.20", pool=a_pool(market="on-demand"))
    assert doc.price_share == 0.0


def test_what_was_measured_on_a_machine_before_is_told_to_the_next() -> None:
    job = a_new_job(write_s=12.5)
    (launch,) = look(job, offers=[an_offer(available="yes")]).launches
    assert launch.doc.write_s == 12.5


def test_traffic_to_a_store_elsewhere_is_told_as_time() -> None:
    job = a_new_job(store_url="s3://bucket")
    (launch,) = look(job, offers=[an_offer("2.00", available="yes", egress_usd_gb=Decimal("0.10"))]).launches
    assert launch.doc.gb_cost_s == pytest.approx(180.0)


def test_a_machine_that_ends_with_its_offer_is_left_before() -> None:
    week_s = ordered().ttl_left_s
    hour_s = ordered(ends_at=NOW + 6 * 3600.0).ttl_left_s
    assert week_s == rules.MACHINE_TTL_S - CLOUD.start_s
    assert hour_s == 6 * 3600.0 - CLOUD.start_s
    assert 0 < ordered(ends_at=NOW - 5.0).ttl_left_s < 3600.0  # it is told late, or one of our clocks is wrong


# -- what agents say -------------------------------------------------------------------------------


def test_what_the_program_was_told_is_written_down_with_the_reason() -> None:
    machine = a_machine()
    status = says(every_s=840.0, every_why="w" * 5000, write_s=2.5, rate_per_hour=0.1)
    after = look(a_job(), [an_attempt()], [machine], says=[status], listed=[seen(machine)])
    assert (after.attempts[1].every_s, after.job.write_s) == (840.0, 2.5)
    assert after.attempts[1].every_why == "w" * 300


def test_an_older_agent_that_says_nothing_of_it_changes_nothing() -> None:
    machine = a_machine()
    after = look(a_job(write_s=3.0), [an_attempt(every_s=60.0)], [machine], says=[says()], listed=[seen(machine)])
    assert (after.attempts[1].every_s, after.job.write_s) == (60.0, 3.0)


# -- while it runs ---------------------------------------------------------------------------------


def test_a_rate_that_has_changed_markedly_is_told() -> None:
    (ask,) = told(rate=0.02)
    assert (ask.kind, ask.rate_per_hour, ask.at) == ("risk", 0.1, NOW)
    assert told(rate=0.5)
    assert not told(rate=0.1)
    assert not told(rate=0.08)


def test_what_its_pool_took_since_is_part_of_the_rate() -> None:
    machine = a_machine()
    world = a_world(
        a_job(last_attempt=1),
        [an_attempt()],
        [machine],
        says=[says(rate_per_hour=0.1)],
        listed=[seen(machine)],
        history={machine.pool: Lived(interruptions=5, hours=10.0)},
    )
    world = replace(world, at_hand={JOB: Asked(offers=(an_offer(interruptions_per_hour=0.1),))})
    (ask,) = [c.ask for c in decide(world).calls if isinstance(c, PutAsk)]
    assert ask.rate_per_hour is not None
    assert ask.rate_per_hour > 0.2


def test_a_price_that_came_near_the_cap_is_told() -> None:
    spec = a_spec(limits=Limits(price_usd_hour=Decimal("1.00")))
    (ask,) = told(rate=0.1, price="0.99", spec=spec)
    assert ask.price_share == 0.99
    assert not told(rate=0.1, price="0.99", spec=spec, status={"price_share": 0.99})
    assert not told(rate=0.1, price="0.50", spec=spec)


@pytest.mark.parametrize(
    "circumstances",
    [
        {"rate": None},  # an older agent
        {
            "attempt": {"leave_asked_at": NOW - 1, "leave_reason": "x", "phase": "leaving"},
            "status": {"phase": "leaving"},
        },
        {"attempt": {"noticed_at": NOW - 1}},
        {"status": {"phase": "waiting"}},
        {"spec": a_spec(checkpoint=CheckpointSpec(every_s=60.0))},
        {"seen_at": NOW - 1000.0},  # an old price
        {"pool": a_pool(zone="elsewhere")},
    ],
)
def test_nobody_is_told_who_does_not_listen_or_of_what_is_not_known(circumstances: dict[str, Any]) -> None:
    assert not [a for a in told(**{"rate": 0.001, **circumstances}) if a.kind == "risk"]


def test_who_is_asked_to_leave_in_the_same_look_is_asked_nothing_else() -> None:
    machine = a_machine()
    world = a_world(
        a_job(spec=a_spec(limits=Limits(runtime_s=3600.0)), last_attempt=1),
        [an_attempt()],
        [machine],
        says=[says(rate_per_hour=0.001)],
        listed=[seen(machine)],
        ran_s=3590.0 - (NOW - (machine.up_at or NOW)),
    )
    world = replace(world, at_hand={JOB: Asked(offers=(an_offer(interruptions_per_hour=0.1),))})
    assert [c.ask.kind for c in decide(world).calls if isinstance(c, PutAsk)] == ["leave"]
