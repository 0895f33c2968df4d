from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Scope
from spotlaunch_providers.gcp import launching
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp
from tests.fakes.clouds.server import Response
from tests.providers.gcp.conftest import Make, gpus, offer, order

DEAR = Decimal("0.31")


def inserts(cloud: FakeGcp) -> list[Any]:
    """The bodies of all launches so far."""
    return [c.json for c in cloud.calls if c.method == "POST" and c.path.endswith("/instances")]


# -- a launch that goes well -------------------------------------------------------------------------------


def test_an_id_names_zone_and_machine_and_nothing_waits_for_the_boot(cloud: FakeGcp, renting: Make) -> None:
    cloud.never_boot()
    began = time.monotonic()
    launched = renting().launch(order())
    assert time.monotonic() - began < 6
    assert launched.instance_id == "us-central1-a/sl-o-job-1-0"
    (machine,) = cloud.fleet.up()
    assert (machine.key, machine.market) == ("sl-o-job-1-0", "spot")


def test_what_is_charged_is_what_was_offered(cloud: FakeGcp, make: Make, renting: Make) -> None:
    """Offers come from the price list, bills from the fake's own table."""
    found = make().offers(gpus("T4"))
    picked = [o for o in found if o.pool.region == "us-central1"][:6]
    assert {o.pool.market for o in picked} == {"spot", "on-demand"}
    for n, one in enumerate(picked):
        renting().launch(order(one, key=f"sl-o-job-{n}-0"))
    assert [m.price_usd_hour for m in cloud.fleet.up()] == [o.price_usd_hour for o in picked]


def test_a_price_that_moved_is_offered_and_charged(cloud: FakeGcp, make: Make, renting: Make) -> None:
    cloud.set_price("39.5", instance_type="a4-highgpu-8g", region="us-central1")
    (moved,) = [o for o in make().offers(gpus("B200")) if o.pool.region == "us-central1"]
    assert moved.price_usd_hour == Decimal("39.5")
    renting().launch(order(moved))
    assert [m.price_usd_hour for m in cloud.fleet.up()] == [Decimal("39.5")]


def test_a_machine_that_waits_for_its_place_is_waited_for_and_no_longer(cloud: FakeGcp, renting: Make) -> None:
    cloud.place_s, cloud.wait_most_s = 0.5, 0.2
    cloud.never_boot()
    began = time.monotonic()
    renting().launch(order())
    assert 0.4 < time.monotonic() - began < 8


def test_a_machine_that_gets_no_place_for_long_is_left_to_the_listing(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "WAIT_S", 0.5)
    cloud.place_s = cloud.refuse_s = 3600
    assert renting().launch(order()).instance_id
    cloud.run_dry(zone="us-central1-a")
    assert renting().launch(order(key="sl-o-job-2-0")).instance_id


def test_waiting_that_fails_refuses_nothing(cloud: FakeGcp, renting: Make) -> None:
    cloud.place_s = 3600
    cloud.fail("forbidden", path="/operations/")
    began = time.monotonic()
    assert renting().launch(order()).refused == ()
    assert time.monotonic() - began < 6 and len(inserts(cloud)) == 1


@pytest.mark.parametrize("how", ["no-wait", "at-once"])
def test_a_refusal_is_heard_where_no_call_waits_for_it(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    cloud.refuse_s = cloud.place_s = 0.4
    cloud.wait_most_s = 0.0
    if how == "no-wait":
        cloud.fail("forbidden", path="/wait")
    cloud.run_dry(zone="us-central1-a")
    launched = renting().launch(order(offer(), offer(zone="us-central1-b")))
    assert [r.error for r in launched.refused] == ["NoCapacity"]
    assert launched.offer.pool.zone == "us-central1-b"
    assert len([c for c in cloud.calls if "/operations/" in c.path]) < 12


# -- refusals ----------------------------------------------------------------------------------------------


def test_what_costs_more_than_the_cap_is_not_asked_for(cloud: FakeGcp, renting: Make) -> None:
    dear = offer(zone="us-central1-b", price="0.32")
    launched = renting().launch(order(dear, offer(), price_cap_usd_hour=DEAR))
    assert launched.offer.pool.zone == "us-central1-a"
    assert [(r.error, r.scope) for r in launched.refused] == [("PriceTooLow", Scope.of(dear.pool))]
    assert len(inserts(cloud)) == 1


def test_where_google_names_zones_with_capacity_others_of_that_machine_come_last(cloud: FakeGcp, renting: Make) -> None:
    for zone in ("us-central1-a", "us-central1-b"):
        cloud.run_dry(zone=zone, instance_type="g2-standard-4")
    offers = [offer(zone=f"us-central1-{letter}") for letter in "abc"]
    launched = renting().launch(order(*offers))
    assert launched.offer.pool.zone == "us-central1-c"
    (refused,) = launched.refused
    assert refused.hint == "Google has some in us-central1-c"
    assert [b["machineType"].split("/")[1] for b in inserts(cloud)] == ["us-central1-a", "us-central1-c"]


def test_what_a_refusal_covers_needs_no_call(cloud: FakeGcp, renting: Make) -> None:
    cloud.fail_launch("IP_SPACE_EXHAUSTED", times=1)
    here, there = offer(), offer(zone="us-east4-a")
    launched = renting().launch(order(here, offer(zone="us-central1-b"), there))
    assert launched.offer == there and len(launched.refused) == 1
    assert launched.refused[0].scope == Scope(provider="gcp", region="us-central1")
    assert len(inserts(cloud)) == 2


def test_a_throttled_launch_waits_for_the_next_minute(cloud: FakeGcp, renting: Make) -> None:
    cloud.fail_launch("rateLimitExceeded")
    with pytest.raises(errors.Throttled) as caught:
        renting(now=lambda: 600_020.0).launch(order(offer(), offer(zone="us-central1-b")))
    assert caught.value.retry_after_s == 40 and len(inserts(cloud)) == 1


def test_a_launch_waits_as_long_as_google_says(cloud: FakeGcp, renting: Make) -> None:
    cloud.fail("throttle-retry-after", seconds=7, path="zones/.*/instances")
    with pytest.raises(errors.Throttled) as caught:
        renting().launch(order())
    assert caught.value.retry_after_s == 7


def test_an_order_for_nothing_is_invalid(renting: Make) -> None:
    with pytest.raises(errors.InvalidOrder):
        renting().launch(replace(order(), alternatives=()))


# -- lost answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["internalError", "backendError"])
def test_a_machine_that_google_made_while_it_said_that_it_broke_is_found(
    cloud: FakeGcp, renting: Make, code: str
) -> None:
    cloud.fail_launch(code, creates=True)
    launched = renting().launch(order(offer(), offer(zone="us-central1-b")))
    assert launched.offer.pool.zone == "us-central1-a"
    assert len(inserts(cloud)) == 1 and len(cloud.fleet.up()) == 1


@pytest.mark.parametrize("code", ["internalError", "backendError", "teapot"])
def test_after_an_answer_that_says_nothing_no_other_machine_is_tried(cloud: FakeGcp, renting: Make, code: str) -> None:
    cloud.fail_launch("ZONE_RESOURCE_POOL_EXHAUSTED", times=1)
    cloud.fail_launch(code)
    offers = [offer(zone=f"us-central1-{letter}") for letter in "abc"]
    with pytest.raises(errors.OutcomeUnknown) as caught:
        renting().launch(order(*offers))
    assert [r.error for r in caught.value.refused] == ["NoCapacity"]
    assert len(inserts(cloud)) == 2


def test_an_answer_lost_on_its_way_is_looked_for_by_name(cloud: FakeGcp, renting: Make) -> None:
    cloud.lose_answers(after=1)
    assert renting().launch(order()).instance_id == "us-central1-a/sl-o-job-1-0"
    cloud.lose_answers(before=1)
    with pytest.raises(errors.OutcomeUnknown):
        renting().launch(order(key="sl-o-job-2-0"))
    assert [m.key for m in cloud.fleet.up()] == ["sl-o-job-1-0"]


@pytest.mark.parametrize("kind", ["hang", "drop", "malformed", "bad-gateway", "truncated"])
def test_a_launch_that_gets_no_answer_is_unknown_within_the_deadline(cloud: FakeGcp, renting: Make, kind: str) -> None:
    cloud.fail(kind, path="zones/.*/instances")
    began = time.monotonic()
    with pytest.raises(errors.OutcomeUnknown):
        renting(launch_s=1.0).launch(order(offer(), offer(zone="us-central1-b")))
    assert time.monotonic() - began < 8 and len(inserts(cloud)) == 1


def test_a_key_that_runs_in_another_zone_is_found_though_names_count_in_zones_only(
    cloud: FakeGcp, renting: Make
) -> None:
    first, second = offer(), offer(zone="us-central1-b")
    cloud.run_dry(zone="us-central1-a")
    made = renting().launch(order(first, second))
    cloud.refill()
    again = renting().launch(order(first, second))
    assert again.instance_id == made.instance_id and again.offer == second
    assert len(cloud.fleet.up()) == 1


def test_a_key_that_a_lagging_list_hides_is_found_by_its_name(cloud: FakeGcp, renting: Make) -> None:
    renting().launch(order())
    cloud.list_lag_s, cloud.tokens = 60, {}
    again = renting().launch(order())
    assert again.instance_id == "us-central1-a/sl-o-job-1-0" and len(cloud.fleet.up()) == 1


def test_the_token_of_a_launch_is_the_same_each_time_and_another_for_another_machine(
    cloud: FakeGcp, renting: Make
) -> None:
    cloud.run_dry(region="us-central1")
    for key in ("sl-o-job-1-0", "sl-o-job-1-0", "sl-o-job-2-0"):
        with pytest.raises(errors.NoCapacity):
            renting().launch(order(offer(), offer(market="on-demand"), key=key))
    tokens = [c.query["requestId"] for c in cloud.calls if c.method == "POST" and c.path.endswith("/instances")]
    assert tokens[:2] == tokens[2:4] and len(set(tokens)) == 4


ODD = [b"[]", b'{"name": 1, "scheduling": []}', b'{"status": {}, "guestAccelerators": "x"}', b"null"]


@pytest.mark.parametrize("body", ODD)
def test_an_accepted_machine_of_which_google_tells_odd_things_is_launched(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    answer = cloud.answer
    odd = Response(body=body)
    monkeypatch.setattr(cloud, "answer", lambda r: (odd, []) if "/instances/" in r.path else answer(r))
    assert renting().launch(order()).instance_id == "us-central1-a/sl-o-job-1-0"


@pytest.mark.parametrize("body", [*ODD, b"{}", b'{"error": []}'])
def test_a_launch_that_is_answered_with_odd_things_is_unknown(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    answer = cloud.answer
    for status in (200, 400, 503):
        odd = Response(status=status, body=body)
        monkeypatch.setattr(
            cloud, "answer", lambda r, odd=odd: (odd, []) if r.method == "POST" or "zones" in r.path else answer(r)
        )
        with pytest.raises(errors.OutcomeUnknown):
            renting().launch(order(offer(), offer(zone="us-central1-b")))


# -- the long notice ---------------------------------------------------------------------------------------


def test_a_long_notice_is_asked_for_and_done_without_where_it_is_not_granted(cloud: FakeGcp, renting: Make) -> None:
    cloud.long_notice = False
    provider = renting()
    for n in (1, 2):
        assert provider.launch(order(key=f"sl-o-job-{n}-0")).refused == ()
    asked = [b["scheduling"].get("preemptionNoticeDuration") for b in inserts(cloud)]
    assert asked == [{"seconds": "120"}, None, None]


def test_an_order_that_is_invalid_anyway_says_nothing_of_the_notice(cloud: FakeGcp, renting: Make) -> None:
    provider = renting()
    with pytest.raises(errors.InvalidOrder):
        provider.launch(order(offer("n1-standard-8+8xnvidia-tesla-t4", count=8)))
    provider.launch(order(key="sl-o-job-2-0"))
    assert inserts(cloud)[-1]["scheduling"]["preemptionNoticeDuration"] == {"seconds": "120"}
    assert len(inserts(cloud)) == 3


def test_on_demand_machines_have_no_notice_to_ask_for(cloud: FakeGcp, renting: Make) -> None:
    renting().launch(order(offer(market="on-demand")))
    (asked,) = inserts(cloud)
    assert "preemptionNoticeDuration" not in asked["scheduling"]


# -- what was got ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"machineType": "zones/us-central1-a/machineTypes/g2-standard-8"},
        {"scheduling": {"provisioningModel": "STANDARD"}},
        {"guestAccelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": 2}]},
    ],
)
def test_another_machine_than_the_one_that_was_asked_for_is_ended(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    described = cloud._described
    monkeypatch.setattr(cloud, "_described", lambda i: {**described(i), **(wrong if i.zone.endswith("1-a") else {})})
    launched = renting().launch(order(offer(), offer(zone="us-central1-b")))
    assert launched.offer.pool.zone == "us-central1-b"
    assert [r.error for r in launched.refused] == ["NoCapacity"] and "Google made a" in launched.refused[0].reason
    assert [m.id for m in cloud.fleet.up()] == ["us-central1-b/sl-o-job-1-0"]


def test_no_word_of_google_names_the_account(cloud: FakeGcp, renting: Make) -> None:
    said = f"Required 'compute.instances.create' permission for 'projects/{data.PROJECT}' by {data.SERVICE_ACCOUNT}"
    cloud.fail_launch("forbidden", message=said)
    with pytest.raises(errors.NotAuthorized) as caught:
        renting().launch(order(script="echo hush-5b1c9e"))
    shown = f"{caught.value!r} {caught.value.hint} {caught.value.refused}"
    assert "compute.instances.create" in shown and "gcp.yaml" in caught.value.hint
    assert not [m for m in (data.PROJECT, data.SERVICE_ACCOUNT, "hush-5b1c9e") if m in shown]
