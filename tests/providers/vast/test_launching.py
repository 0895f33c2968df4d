"""Renting at Vast.ai: what is sent, what it may answer, and what must not come of it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from decimal import Decimal

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import SCRIPT_MOST_BYTES, Scope
from tests.fakes.clouds.vast import FakeVast
from tests.fakes.clouds.vast_contracts import Contract
from tests.providers.vast.conftest import SECRET, Connect, created, offered, order, sell

# -- what is sent ------------------------------------------------------------------------------------------


def test_a_bid_is_sent_as_a_price_and_is_what_is_paid(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    (offer,) = offered(connect())
    launched = connect().launch(order([offer], disk_gb=32))
    (body,) = created(cloud)
    assert body["price"] == 1.1 and body["label"] == "sl-o-job-1-0"
    assert body["cancel_unavail"] is True and body["disk"] == 32
    assert (body["runtype"], body["args"]) == ("args", ["/bin/sh", "-c", "true"])
    contract = cloud.contracts[int(launched.instance_id)]
    assert contract.is_bid and launched.offer == offer
    assert Decimal(str(round(contract.usd_hour, 6))) == launched.offer.price_usd_hour == Decimal("1.108")


def test_without_a_price_it_is_hired(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    launched = connect().launch(order(offered(connect(), "on-demand")))
    assert "price" not in created(cloud)[0]
    assert not cloud.contracts[int(launched.instance_id)].is_bid
    assert launched.offer.pool.market == "on-demand" and launched.offer.price_usd_hour == Decimal("2.008")


@pytest.mark.parametrize(("wanted", "rented"), [(0, 32), (2, 8), (200, 200)])
def test_disk_is_never_less_than_vast_rents(connect: Connect, cloud: FakeVast, wanted: float, rented: float) -> None:
    sell(cloud, 2.0)
    connect().launch(order(offered(connect()), disk_gb=wanted))
    assert created(cloud)[0]["disk"] == rented


def test_more_disk_than_was_priced_is_paid_for_and_counts_under_the_cap(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0)  # 0.18 a GB and month: 72 GB more are 0.018 an hour
    offers = offered(connect())
    launched = connect().launch(order(offers, disk_gb=104))
    assert launched.offer.price_usd_hour == Decimal("1.126")
    cap = Decimal("1.12")
    with pytest.raises(errors.PriceTooLow, match=re.escape("$1.126000 an hour, the cap is $1.12")):
        connect().launch(order(offers, key="sl-o-job-2-0", disk_gb=104, price_cap_usd_hour=cap))


def test_the_image_is_the_orders_or_one_with_python(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0)
    provider = connect()
    offers = offered(provider)
    provider.launch(order(offers))
    provider.launch(order(offers[1:], key="sl-o-job-2-0", image="me/own:1"))
    assert [b["image"] for b in created(cloud)] == [provider.traits.container_image, "me/own:1"]


def test_no_secret_and_no_account_key_goes_to_a_host(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    (offer,) = offered(connect())
    connect().launch(order([offer], agent_env={"A": "b"}))
    (body,) = created(cloud)
    assert SECRET not in str(body) and "MARKER" not in str(body)
    assert body["env"] == {"SPOTLAUNCH_REGION": offer.pool.region}


def test_the_longest_script_fits_and_a_longer_one_is_an_invalid_order_without_a_call(
    connect: Connect, cloud: FakeVast
) -> None:
    sell(cloud, 2.0, 3.0)
    provider = connect()
    assert provider.launch(order(offered(provider), script="#" * SCRIPT_MOST_BYTES))
    before = len(created(cloud))
    with pytest.raises(errors.InvalidOrder, match="4096 bytes") as caught:
        provider.launch(order(offered(provider), script="#" * 4090))
    assert len(created(cloud)) == before and len(caught.value.refused) == 1


def test_with_a_shell_key_the_script_runs_beside_a_shell(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    provider = connect()
    launched = provider.launch(order(offered(provider), ssh_key="ssh-ed25519 AAAA me"))
    (body,) = created(cloud)
    assert body["runtype"] == "ssh_proxy" and body["onstart"] == "true" and "args" not in body
    contract = cloud.contracts[int(launched.instance_id)]
    assert contract.ssh_keys == ["ssh-ed25519 AAAA me"]
    (seen,) = provider.list_machines()
    assert seen.ssh == f"root@ssh5.vast.ai:{10000 + contract.id % 50000}"


def test_a_shell_that_is_refused_does_not_cost_the_machine(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    cloud.fail("forbidden", path="/ssh/$")
    assert connect().launch(order(offered(connect()), ssh_key="ssh-ed25519 AAAA me")).instance_id


# -- what does not fit -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["ask_contract_id", "machine_id", "gpu_name", "bid_usd_hour"])
def test_an_offer_that_was_not_made_by_this_adapter_is_not_tried(connect: Connect, cloud: FakeVast, lost: str) -> None:
    sell(cloud, 2.0)
    (offer,) = offered(connect())
    worn = replace(offer, extra={k: v for k, v in offer.extra.items() if k != lost})
    with pytest.raises(errors.InvalidOrder):
        connect().launch(order([worn]))
    assert created(cloud) == []


def test_an_order_without_alternatives_is_invalid(connect: Connect) -> None:
    with pytest.raises(errors.InvalidOrder):
        connect().launch(order([]))


# -- what was got ------------------------------------------------------------------------------------------


def test_a_host_that_has_raised_its_price_is_left_where_that_is_above_the_cap(
    connect: Connect, cloud: FakeVast
) -> None:
    sell(cloud, 2.0, 3.0)
    offers = offered(connect(), "on-demand")
    cloud.set_price(9.0, zone="m1")
    cap = Decimal(4)
    launched = connect().launch(order(offers, price_cap_usd_hour=cap))
    assert launched.offer == offers[1]
    assert [(r.error, r.scope) for r in launched.refused] == [("PriceTooLow", Scope.of(offers[0].pool))]
    assert list(cloud.contracts) == [int(launched.instance_id)], "the dear one was ended"


@pytest.mark.parametrize("cap", [None, Decimal(50)])
def test_a_little_more_than_was_offered_is_paid_and_much_more_is_not(
    connect: Connect, cloud: FakeVast, cap: Decimal | None
) -> None:
    sell(cloud, 2.0, 3.0)
    offers = offered(connect(), "on-demand")
    cloud.set_price(2.05, zone="m1")
    cloud.set_price(9.0, zone="m2")
    launched = connect().launch(order(offers, price_cap_usd_hour=cap))
    assert launched.offer.pool == offers[0].pool and launched.offer.price_usd_hour == Decimal("2.058")
    with pytest.raises(errors.PriceTooLow):
        connect().launch(order(offers[1:], key="sl-o-job-2-0", price_cap_usd_hour=cap))
    assert len(cloud.contracts) == 1


def test_a_bid_that_were_meant_by_the_gpu_would_be_noticed(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(cloud, 16.0, num_gpus=8)
    offers = offered(connect())
    monkeypatch.setattr(Contract, "usd_hour", property(lambda self: 8 * self.base_usd_hour))
    with pytest.raises(errors.PriceTooLow, match=r"\$70\.4"):
        connect().launch(order(offers))
    assert cloud.contracts == {}


def test_a_bid_is_what_is_paid_whatever_else_the_contract_shows(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(cloud, 2.0)
    (offer,) = offered(connect())
    monkeypatch.setattr(Contract, "usd_hour", property(lambda self: self.ask["dph_base"]))
    assert connect().launch(order([offer])).offer == offer


def test_another_gpu_than_was_offered_is_ended(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    offers = offered(connect())
    cloud.asks[0]["gpu_name"] = "RTX 3090"
    with pytest.raises(errors.NoCapacity, match="1x-RTX-3090 instead of 1x-H100-SXM"):
        connect().launch(order(offers))
    assert cloud.contracts == {} and cloud.fleet.left() == []


def test_what_cannot_be_verified_yet_is_taken_as_it_was_offered(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0)
    cloud.list_lag_s = 60
    offers = offered(connect())
    assert connect().launch(order(offers[:1])).offer == offers[0]
    cloud.list_lag_s = 0
    cloud.fail("server-error", path="/api/v0/instances/")
    assert connect().launch(order(offers[1:], key="sl-o-job-2-0")).offer == offers[1]


# -- not too often -----------------------------------------------------------------------------------------


def test_creates_are_so_far_apart_that_none_is_refused_for_it(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotlaunch_providers.vast.figures.INTERVALS_S", _quick(0.05))
    sell(cloud, 2.0, 3.0, 4.0)
    cloud.min_interval_s["PUT /api/v0/asks/[0-9]+/"] = 0.05
    cloud.run_dry(zone="m1")
    cloud.run_dry(zone="m2")
    launched = connect(margin=4).launch(order(offered(connect())))
    assert [r.error for r in launched.refused] == ["NoCapacity", "NoCapacity"]


def test_a_turn_past_the_deadline_is_told_and_not_waited_for(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotlaunch_providers.vast.figures.INTERVALS_S", _quick(500.0))
    sell(cloud, 2.0, 3.0)
    cloud.run_dry(zone="m1")
    with pytest.raises(errors.Throttled) as caught:
        connect(margin=1.0).launch(order(offered(connect())))
    assert [r.error for r in caught.value.refused] == ["NoCapacity", "Throttled"]
    assert caught.value.retry_after_s == pytest.approx(500, abs=5)


def test_who_was_told_to_slow_down_rests_before_the_next_create(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotlaunch_providers.vast.figures.LAUNCH_S", 5.0)
    sell(cloud, 2.0)
    provider = connect()
    cloud.fail_launch("too frequent")
    for _ in range(2):
        with pytest.raises(errors.Throttled):
            provider.launch(order(offered(provider)))
        assert len(created(cloud)) == 1


def test_a_rehearsal_has_no_pauses(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0, 4.0)
    cloud.keys = None
    cloud.run_dry(zone="m1")
    cloud.run_dry(zone="m2")
    began = time.monotonic()
    provider = connect(auth="none", margin=1.05)
    provider.terminate([provider.launch(order(offered(provider))).instance_id])
    assert time.monotonic() - began < 4.5


def _quick(create_s: float) -> dict[str, float]:
    return {"create": create_s, "destroy": 0.0, "show": 0.0, "list": 0.0}
