from __future__ import annotations

import math
from decimal import Decimal

import pytest

from spotlaunch.core.facts import Want
from spotlaunch.core.gpus import gpu_matches
from spotlaunch_providers.gcp import asking
from spotlaunch_providers.gcp.offers import availability
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp
from tests.providers.gcp.conftest import NOW, Make, find, gpus


def dollars(nanos: float) -> Decimal:
    return Decimal(round(nanos / 1000)).scaleb(-6)


def test_h100_everywhere_spot_and_on_demand(make: Make) -> None:
    offers = list(make().offers(gpus("H100")))
    assert len({o.pool for o in offers}) == len(offers) > 100
    assert len({o.pool.region for o in offers}) >= 13
    assert {o.pool.market for o in offers} == {"spot", "on-demand"}
    assert all(gpu_matches("H100", o.gpu) and o.pool.provider == "gcp" for o in offers)
    assert all(o.pool.zone.startswith(o.pool.region + "-") for o in offers)
    assert all(o.seen_at == NOW and o.source == "live" for o in offers)


def test_an_offer_says_what_the_machine_holds(make: Make) -> None:
    offer = find(list(make().offers(gpus("H100"))), "a3-megagpu-8g", "us-east4-b", "spot")
    assert (offer.gpu, offer.gpu_count, offer.gpu_memory_gb) == ("H100-SXM", 8, 80)
    assert (offer.vcpus, offer.memory_gb, offer.disk_gb) == (208, 1872, 6000)
    assert offer.storage_usd_gb_month > 0 and offer.egress_usd_gb > 0
    assert dict(offer.extra) == {
        "machine_type": "a3-megagpu-8g",
        "accelerator": "nvidia-h100-mega-80gb",
        "attached": "0",
        "arch": "x86_64",
    }


def test_the_spot_price_is_the_newest_list_price_of_the_machine_type(make: Make) -> None:
    for name, zone in (("a3-highgpu-8g", "us-central1-a"), ("a2-ultragpu-2g", "us-east4-c")):
        (gpu,) = {"a3": ("H100",), "a2": ("A100-80GB",)}[name[:2]]
        offer = find(list(make().offers(gpus(gpu))), name, zone, "spot")
        assert offer.price_usd_hour == Decimal(data.spot_nanos(name, zone[:-2])).scaleb(-9)


def test_on_demand_is_the_sum_of_the_parts_with_local_ssd(make: Make) -> None:
    offers = list(make().offers(gpus("H100", "A100", "L4")))
    for name, zone in (
        ("a3-highgpu-8g", "us-east4-a"),  # 6000 GiB of local disk
        ("a3-megagpu-8g", "europe-west4-b"),  # the list calls it A3Plus
        ("a2-ultragpu-1g", "us-central1-c"),  # 375 GiB; and A100 80GB is not A100
        ("a2-highgpu-1g", "us-central1-f"),
        ("g2-standard-48", "asia-south1-a"),
    ):
        expected = dollars(data.parts_nanos(name, zone[:-2], spot=False))
        on_demand = find(offers, name, zone, "on-demand")
        assert abs(on_demand.price_usd_hour - expected) <= Decimal("0.000002"), name
        assert on_demand.on_demand_usd_hour == on_demand.price_usd_hour
        assert find(offers, name, zone, "spot").on_demand_usd_hour == on_demand.price_usd_hour


def test_families_without_plain_on_demand_are_sold_on_spot_only(make: Make) -> None:
    offers = make().offers(gpus("H100", "H200", "B200"))
    on_demand = {o.pool.instance_type for o in offers if o.pool.market == "on-demand"}
    assert on_demand == {"a3-highgpu-8g", "a3-edgegpu-8g", "a3-megagpu-8g"}
    spot = {o.pool.instance_type: o.on_demand_usd_hour for o in offers if o.pool.market == "spot"}
    for name in ("a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g", "a3-ultragpu-8g", "a4-highgpu-8g"):
        assert spot[name] is None


def test_spot_b200_that_the_list_calls_on_demand(cloud: FakeGcp, make: Make) -> None:
    """The category lies, and the price of the slice holds the cores already."""
    cloud.unsupported.add("a4-highgpu-8g")
    offer = find(list(make().offers(gpus("B200"))), "a4-highgpu-8g", "us-central1-b", "spot")
    assert offer.price_usd_hour == Decimal("39.6")


def test_parts_are_added_up_where_there_is_no_price_for_the_type(cloud: FakeGcp, make: Make) -> None:
    cloud.unsupported |= {"a3-highgpu-8g", "a3-megagpu-8g", "a3-ultragpu-8g", "a2-ultragpu-8g", "g2-standard-96"}
    offers = list(make().offers(gpus("H100", "H200", "A100", "L4")))
    for name, zone in (
        ("a3-highgpu-8g", "us-central1-a"),
        ("a3-megagpu-8g", "us-central1-b"),
        ("a3-ultragpu-8g", "us-central1-b"),
        ("a2-ultragpu-8g", "us-central1-a"),
        ("g2-standard-96", "us-east1-d"),
    ):
        offer = find(offers, name, zone, "spot")
        assert abs(offer.price_usd_hour - dollars(data.parts_nanos(name, zone[:-2], spot=True))) < Decimal("0.000002")
        assert offer.interruptions_per_hour is None


def test_a_part_of_a_card_is_a_gpu_of_its_own(make: Make) -> None:
    offers = list(make().offers(Want()))
    eighth = find(offers, "g4-standard-6", "us-central1-b", "spot")
    assert (eighth.gpu, eighth.gpu_count, eighth.gpu_memory_gb) == ("RTXPRO6000-1of8", 1, 12)
    assert find(offers, "g4-standard-24", "us-central1-b", "spot").gpu == "RTXPRO6000-1of2"
    assert not any(o.gpu != "RTXPRO6000" for o in make().offers(gpus("RTXPRO6000")))
    # How the list composes them is not known, so nothing is said.
    assert not [o for o in offers if o.pool.instance_type == "g4-standard-6" and o.pool.market == "on-demand"]
    assert find(offers, "g4-standard-48", "us-central1-b", "on-demand")


def test_what_nobody_can_have_is_not_offered(make: Make) -> None:
    names = {o.pool.instance_type for o in make().offers(Want())}
    assert not [n for n in names if n.startswith(("a4x", "n2")) or "workstation" in n]
    assert "a2-highgpu-3g" not in names  # on its way out
    assert len(names) > 30


def test_older_gpus_come_in_n1_machines(make: Make) -> None:
    offers = list(make().offers(gpus("T4", "V100", "P100")))
    t4 = find(offers, "n1-standard-8+2xnvidia-tesla-t4", "us-central1-b", "spot")
    n1 = data.CORES["N1 Predefined"]
    parts = 8 * n1[1] + 30 * n1[3] + 2 * data.GPUS["Nvidia Tesla T4 GPU"][1]
    assert (t4.gpu, t4.gpu_count, t4.vcpus, t4.memory_gb) == ("T4", 2, 8, 30)
    assert t4.price_usd_hour == dollars(parts)
    assert t4.extra["machine_type"] == "n1-standard-8" and t4.extra["attached"] == "2"
    assert {o.gpu for o in offers} == {"T4", "V100-SXM-16GB", "P100"}
    assert all(o.pool.zone in data.ACCELERATORS[o.extra["accelerator"]][1] for o in offers)


def test_only_what_is_wanted_is_asked_for(cloud: FakeGcp, make: Make) -> None:
    make().offers(Want(gpus=(("H200", 0),), markets=("on-demand",)))
    assert [c.query["filter"] for c in cloud.called("aggregated")] == ['name eq "(a3)-.*"']
    assert not cloud.called("advice")
    offers = make(regions="us-east4, europe-west4").offers(Want(gpus=(("H100", 8),)))
    assert {o.pool.region for o in offers} == {"us-east4", "europe-west4"}
    assert {o.gpu_count for o in offers} == {8}
    assert {c.path.split("/regions/")[1].split("/")[0] for c in cloud.called("advice")} == {"us-east4", "europe-west4"}
    pools = {o.pool for o in offers if o.pool.market == "spot"}
    assert len(cloud.called("capacityHistory")) == len(pools)


def test_a_gpu_that_google_does_not_sell_gives_nothing(make: Make) -> None:
    assert not make().offers(gpus("RTX4090"))


def test_more_than_a_page_of_machine_types(cloud: FakeGcp, make: Make) -> None:
    offers = make().offers(Want(markets=("on-demand",)))
    pages = [c for c in cloud.called("machineTypes") if "[ag]" in c.query["filter"]]
    assert len(pages) == 2 and pages[1].query["pageToken"] == "500"
    zones = {o.pool.zone for o in offers if o.pool.instance_type == "g2-standard-4"}
    assert zones == data._G2


def test_the_preemption_rate_is_that_of_the_zone_in_the_last_whole_week(make: Make) -> None:
    offers = [o for o in make().offers(gpus("H100")) if o.pool.market == "spot"]
    assert len({o.pool.zone for o in offers}) > len({o.pool.region for o in offers})
    for offer in offers:
        week = data.preemption_rates(offer.pool.instance_type, offer.pool.zone)[-8:-1]
        assert offer.interruptions_per_hour == pytest.approx(-math.log(1 - sum(week) / 7) / 24), offer.pool


def test_all_gpus_in_all_regions_have_the_prices_that_google_told(make: Make) -> None:
    """Its own price, not the sum of the parts, also of what would come last."""
    for offer in make().offers(Want(markets=("spot",))):
        if offer.extra["attached"] == "0":
            told = data.spot_nanos(offer.pool.instance_type, offer.pool.region)
            assert offer.price_usd_hour == Decimal(told).scaleb(-9), offer.pool


def test_a_list_that_cannot_be_filtered_is_read_whole(cloud: FakeGcp, make: Make) -> None:
    expected = make().offers(gpus("H100", "T4"))
    cloud.filters = False
    offers = make().offers(gpus("H100", "T4"))
    assert list(offers) == list(expected)
    assert [c for c in cloud.called("machineTypes") if "filter" not in c.query]


def test_scores_are_asked_for_the_cheapest_and_belong_to_one_pool(
    cloud: FakeGcp, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_SCORES", 48)
    offers = [o for o in make().offers(gpus("H100")) if o.pool.market == "spot"]
    asked = [c.json for c in cloud.called("advice/capacity$")]
    assert len(asked) == 48
    scored = {o.pool: o.obtainability for o in offers if o.obtainability is not None}
    assert scored == {p: data.obtainability(p.instance_type, p.zone) for p in scored} and len(scored) == 48
    dearest = max(o.price_usd_hour / o.gpu_count for o in offers if o.pool in scored)
    assert all(o.price_usd_hour / o.gpu_count >= dearest for o in offers if o.pool not in scored)


def test_a_score_is_a_chance_and_never_a_no() -> None:
    assert availability(None) == ("unknown", "")
    assert availability(0.9) == ("yes", "")
    assert availability(0.5) == ("unknown", "")
    assert availability(0.0) == ("unknown", "Google gives it a chance of 0%")


def test_advice_is_asked_of_the_other_version_where_one_turns_spot_down(cloud: FakeGcp, make: Make) -> None:
    cloud.advice_versions = {"beta"}
    offers = make().offers(gpus("B200"))
    assert all(o.interruptions_per_hour is not None and o.obtainability is not None for o in offers)
    assert cloud.called("/beta/")
