from __future__ import annotations

import time
from decimal import Decimal

import pytest

from spotlaunch.core.facts import Want
from spotlaunch.errors import NotAuthorized
from tests.fakes.clouds import aws_data as data
from tests.fakes.clouds.aws import FakeAws
from tests.providers.aws.conftest import Make, find, gpus


def spot_now(name: str, region: str, zone: str) -> Decimal:
    now = time.time()
    ((_, usd),) = data.spot_changes(name, region, zone, start=now, end=now)
    return Decimal(f"{usd:.6f}")


def test_spot_is_offered_by_zone_at_the_price_of_now_with_what_it_saves(make: Make) -> None:
    offers = make().offers(gpus("H100"))
    spot = [o for o in offers if o.pool.market == "spot"]
    sold = {
        (name, zone)
        for region in data.REGIONS
        for name, zones in data.zones_of(region).items()
        for zone in zones
        if name.startswith("p5.")
    }
    assert {(o.pool.instance_type, o.pool.zone) for o in spot} == sold and len(spot) == len(sold)
    for offer in spot:
        pool = offer.pool
        assert offer.price_usd_hour == spot_now(pool.instance_type, pool.region, pool.zone)
        expected = Decimal(f"{data.on_demand_usd_hour(pool.instance_type, pool.region):.10f}")
        assert offer.on_demand_usd_hour == expected > offer.price_usd_hour
        assert offer.source == "live" and offer.available == "unknown"


def test_on_demand_is_offered_by_region_at_the_price_of_an_ordinary_linux_machine(make: Make) -> None:
    offers = [o for o in make().offers(gpus("H100")) if o.pool.market == "on-demand"]
    sold = {(n, r) for r in data.REGIONS for n in data.zones_of(r) if n.startswith("p5.")}
    assert {(o.pool.instance_type, o.pool.region) for o in offers} == sold and len(offers) == len(sold)
    for offer in offers:
        # Not that of Windows, SQL, a dedicated host, a reservation (0.00) or a capacity block (cheaper).
        usd = data.on_demand_usd_hour(offer.pool.instance_type, offer.pool.region)
        assert offer.price_usd_hour == offer.on_demand_usd_hour == Decimal(f"{usd:.10f}")
        assert offer.pool.zone == "" and offer.interruptions_per_hour is None


def test_an_offer_tells_what_the_machine_holds(make: Make) -> None:
    offer = find(make().offers(gpus("H100")), "p5.48xlarge", "us-east-1a")
    assert (offer.gpu, offer.gpu_count, offer.gpu_memory_gb) == ("H100-SXM", 8, 80)
    assert (offer.vcpus, offer.memory_gb) == (192, 2048)
    assert offer.extra["arch"] == "x86_64"
    assert offer.storage_usd_gb_month == Decimal("0.08") and offer.egress_usd_gb == Decimal("0.09")


def test_pools_are_unique_and_machines_without_gpus_are_not_offered(make: Make) -> None:
    offers = make().offers(Want())
    assert len({o.pool for o in offers}) == len(offers) > 2000
    assert all(o.gpu and o.gpu_count > 0 and o.price_usd_hour > 0 and o.vcpus and o.memory_gb for o in offers)
    types = {o.pool.instance_type for o in offers}
    assert {"m5.large", "c7i.xlarge"}.isdisjoint(types) and len(types) == 65


# -- traps -------------------------------------------------------------------------------------------------


def test_a_slice_of_a_gpu_is_never_sold_as_a_whole_one(make: Make) -> None:
    offers = make(regions="us-east-1,us-west-2").offers(gpus("L4"))
    assert offers and {o.gpu for o in offers} == {"L4"}
    assert not [o for o in offers if o.pool.instance_type.startswith(("g6f.", "gr6f."))]
    eighth = find(make(regions="us-east-1,us-west-2").offers(gpus("L4-1of8")), "g6f.xlarge", "us-east-1a")
    assert (eighth.gpu, eighth.gpu_count, eighth.gpu_memory_gb) == ("L4-1of8", 1, 3)


def test_an_l4_of_22888_mib_has_24_gb_and_an_l40s_has_48(make: Make) -> None:
    offers = make(regions="us-east-1,us-west-2").offers(gpus("L4", "A10G", "L40S"))
    assert {(o.gpu, o.gpu_memory_gb) for o in offers} == {("L4", 24), ("A10G", 24), ("L40S", 48)}


def test_an_a100_of_40_gb_is_not_one_of_80(make: Make) -> None:
    offers = make(regions="us-east-1,us-west-2").offers(gpus("A100"))
    assert {(o.pool.instance_type, o.gpu, o.gpu_memory_gb) for o in offers} == {
        ("p4d.24xlarge", "A100-40GB-SXM", 40),
        ("p4de.24xlarge", "A100-80GB-SXM", 80),
    }
    assert {o.gpu for o in make(regions="us-east-1,us-west-2").offers(gpus("A100-80GB"))} == {"A100-80GB-SXM"}


def test_an_ultraserver_is_not_offered_though_it_is_listed(make: Make) -> None:
    assert "p6e-gb200.36xlarge" in data.zones_of("us-east-1")
    assert not make(regions="us-east-1,us-west-2").offers(gpus("GB200"))


def test_arm_machines_say_so(make: Make) -> None:
    offers = make(regions="us-east-1,us-west-2").offers(gpus("T4g"))
    assert offers and {o.extra["arch"] for o in offers} == {"arm64"} and {o.gpu for o in offers} == {"T4g"}


# -- what is asked -----------------------------------------------------------------------------------------


def test_one_call_for_each_region_and_one_each_for_types_regions_prices_and_advice(cloud: FakeAws, make: Make) -> None:
    make().offers(gpus("H100"))
    assert len(cloud.called("DescribeSpotPriceHistory")) == len(data.REGIONS) == 17
    assert len(cloud.calls) == 17 + 4


def test_only_prices_of_wanted_types_with_linux_are_asked_for(cloud: FakeAws, make: Make) -> None:
    make(regions="us-east-1").offers(gpus("H100"))
    (spot,) = (c.form for c in cloud.called("DescribeSpotPriceHistory"))
    assert {v for k, v in spot.items() if "Value" in k} == {"p5.4xlarge", "p5.48xlarge"}
    assert spot["ProductDescription.1"] == "Linux/UNIX"
    (listed,) = (c.json for c in cloud.called("GetProducts"))
    filters = {f["Field"]: f["Value"] for f in listed["Filters"]}
    assert filters["instanceType"] == "p5.48xlarge,p5.4xlarge" or filters["instanceType"] == "p5.4xlarge,p5.48xlarge"
    assert filters["capacitystatus"] == "Used" and filters["regionCode"] == "us-east-1"


def test_only_the_wanted_market_is_asked_for(cloud: FakeAws, make: Make) -> None:
    offers = make().offers(Want(gpus=(("H100", 8),), markets=("on-demand",)))
    assert offers and {(o.pool.market, o.gpu_count) for o in offers} == {("on-demand", 8)}
    assert not cloud.called("DescribeSpotPriceHistory") and not cloud.called("advisor")


def test_only_the_regions_that_were_set_are_asked(cloud: FakeAws, make: Make) -> None:
    offers = make(regions="eu-west-2, us-west-2").offers(gpus("H100"))
    assert {o.pool.region for o in offers} == {"eu-west-2", "us-west-2"}
    assert not cloud.called("DescribeRegions") and len(cloud.called("DescribeSpotPriceHistory")) == 2


def test_nobody_is_asked_for_prices_of_a_gpu_that_aws_has_not(cloud: FakeAws, make: Make) -> None:
    assert make().offers(gpus("NOSUCHGPU")) == ()
    assert not cloud.called("DescribeSpotPriceHistory|GetProducts")


def test_an_answer_in_many_pages_is_read_whole(cloud: FakeAws, make: Make) -> None:
    whole = make(regions="us-east-1").offers(gpus("H100", "L4"))
    cloud.page_rows = 7
    again = make(regions="us-east-1").offers(gpus("H100", "L4"))
    assert {(o.pool, o.price_usd_hour) for o in again} == {(o.pool, o.price_usd_hour) for o in whole}
    assert len(cloud.called("/ec2/us-east-1/DescribeSpotPriceHistory")) > 2


def test_a_server_too_old_to_speak_for_all_regions_is_asked_region_by_region(cloud: FakeAws, make: Make) -> None:
    few = "us-east-1,eu-west-2,us-west-2"
    expected = {o.pool for o in make(regions=few).offers(gpus("H100"))}
    cloud.calls.clear()
    cloud.unknown = {"IncludeUnsupportedInRegion"}
    assert {o.pool for o in make(regions=few).offers(gpus("H100"))} == expected
    assert len(cloud.called("DescribeInstanceTypes")) == 1 + 3


def test_what_is_seen_bears_the_time_of_asking(make: Make) -> None:
    now = time.time() - 40
    assert {o.seen_at for o in make(now=lambda: now).offers(gpus("H100"))} == {now}


# -- partial answers ---------------------------------------------------------------------------------------


def test_a_region_that_refuses_is_missing_and_the_others_are_there(cloud: FakeAws, make: Make) -> None:
    cloud.disabled = {"eu-north-1", "us-west-2"}
    regions = {o.pool.region for o in make().offers(gpus("L4")) if o.pool.market == "spot"}
    assert "us-east-1" in regions and regions.isdisjoint(cloud.disabled)


def test_a_region_that_hangs_is_missing_and_the_others_are_there_in_time(cloud: FakeAws, make: Make) -> None:
    provider = make(ask_s=4.0, regions="us-east-1,us-east-2,us-west-2")
    provider.offers(gpus("H100"))  # boto3 is loaded, clients are made
    cloud.fail("hang", path="/ec2/us-west-2/DescribeSpot")
    began = time.monotonic()
    offers = provider.offers(gpus("H100"))
    assert time.monotonic() - began < 5
    assert {o.pool.region for o in offers if o.pool.market == "spot"} >= {"us-east-1", "us-east-2"}


def test_without_the_price_list_there_is_still_spot(cloud: FakeAws, make: Make) -> None:
    cloud.fail("forbidden", path="/pricing/")
    offers = make(regions="us-east-1,us-west-2").offers(gpus("H100"))
    assert offers and {(o.pool.market, o.on_demand_usd_hour) for o in offers} == {("spot", None)}
    with pytest.raises(NotAuthorized, match="pricing:GetProducts"):
        make(regions="us-east-1,us-west-2").offers(Want(gpus=(("H100", 0),), markets=("on-demand",)))


def test_without_spot_prices_there_is_still_on_demand(cloud: FakeAws, make: Make) -> None:
    cloud.fail("forbidden", path="DescribeSpotPriceHistory")
    assert {o.pool.market for o in make(regions="us-east-1,us-west-2").offers(gpus("H100"))} == {"on-demand"}
    with pytest.raises(NotAuthorized, match="ec2:DescribeSpotPriceHistory"):
        make(regions="us-east-1,us-west-2").offers(Want(gpus=(("H100", 0),), markets=("spot",)))


@pytest.mark.parametrize("kind", ["forbidden", "malformed", "drop", "server-error"])
def test_without_the_advisor_only_the_rate_is_missing(cloud: FakeAws, make: Make, kind: str) -> None:
    cloud.fail(kind, path="advisor")
    offers = make(regions="us-east-1,us-west-2").offers(gpus("H100"))
    assert {o.pool.market for o in offers} == {"spot", "on-demand"}
    assert {o.interruptions_per_hour for o in offers} == {None}
