from __future__ import annotations

from decimal import Decimal

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Offer, Want
from tests.fakes.clouds import azure_data
from tests.fakes.clouds.azure import FakeAzure
from tests.providers.azure.conftest import NOW, Connect, one

H100 = Want(gpus=(("H100", 0),))
SOLD = {sold.size: sold for sold in azure_data.SIZES}


def paid(offer: Offer) -> Decimal:
    """What the fake really charges for the pool of an offer."""
    pool = offer.pool
    usd = azure_data.usd(SOLD[pool.instance_type], pool.region, spot=pool.market == "spot")
    return Decimal(str(round(usd, 7)))


def test_every_offer_has_the_price_that_linux_pays_there_and_no_row_of_a_trap(public: Connect) -> None:
    offers = public().offers(Want())
    assert len(offers) > 900
    assert {o.pool: o.price_usd_hour for o in offers} == {o.pool: paid(o) for o in offers}


def test_an_offer_tells_all_that_ranking_needs(public: Connect) -> None:
    offer = one(public().offers(H100), size="NC80adis_H100_v5", region="eastus")
    assert (offer.gpu, offer.gpu_count, offer.gpu_memory_gb) == ("H100-NVL", 2, 94)
    assert (offer.vcpus, offer.memory_gb) == (80, 640)
    assert offer.on_demand_usd_hour == Decimal("13.96")
    assert offer.egress_usd_gb > 0 and offer.storage_usd_gb_month > 0
    assert (offer.source, offer.seen_at, offer.available) == ("public feed: retail prices", NOW, "unknown")
    assert offer.pool.zone == ""


def test_both_markets_of_a_size_tell_what_it_costs_on_demand(public: Connect) -> None:
    offers = public().offers(H100)
    spot = one(offers, size="NC40ads_H100_v5", region="eastus")
    on_demand = one(offers, size="NC40ads_H100_v5", region="eastus", market="on-demand")
    assert spot.price_usd_hour < on_demand.price_usd_hour == spot.on_demand_usd_hour == Decimal("6.98")


def test_pools_are_unique_and_only_the_wanted_market_comes(public: Connect) -> None:
    offers = public().offers(Want(gpus=H100.gpus, markets=("spot",)))
    assert {o.pool.market for o in offers} == {"spot"}
    assert len({o.pool for o in offers}) == len(offers)


def test_a_count_that_is_named_is_the_count_that_comes(public: Connect) -> None:
    offers = public().offers(Want(gpus=(("H100", 2),)))
    assert {o.pool.instance_type for o in offers} == {"Standard_NC80adis_H100_v5"}


def test_an_h100_is_one_question_to_the_price_feed(cloud: FakeAzure, public: Connect) -> None:
    public().offers(H100)
    assert len(cloud.calls) == 1


def test_all_gpus_are_a_question_for_each_family_and_no_second_page(cloud: FakeAzure, public: Connect) -> None:
    public().offers(Want())
    assert len(cloud.calls) == 10
    assert not [c for c in cloud.calls if "$skip" in c.query]


def test_answers_of_several_pages_are_read_to_the_end(
    cloud: FakeAzure, public: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = public().offers(H100)
    monkeypatch.setattr("tests.fakes.clouds.azure.PAGE", 7)
    assert public().offers(H100) == whole


@pytest.mark.parametrize("regions", ["", "eastus", "eastus, westus3"])
@pytest.mark.parametrize("want", [H100, Want()], ids=["H100", "all"])
def test_a_feed_that_knows_fewer_operators_gives_the_same_offers(
    cloud: FakeAzure, public: Connect, want: Want, regions: str
) -> None:
    whole = public(regions=regions).offers(want)
    cloud.plain_filters = True
    assert public(regions=regions).offers(want) == whole != []


def test_one_region_is_asked_for_one_region_only(cloud: FakeAzure, public: Connect) -> None:
    offers = public(regions="West US 3").offers(Want())
    assert {o.pool.region for o in offers} == {"westus3"}
    assert len(cloud.calls) == 1 and "armRegionName eq 'westus3'" in cloud.calls[0].query["$filter"]


def test_several_regions_of_one_gpu_are_one_question(cloud: FakeAzure, public: Connect) -> None:
    offers = public(regions="eastus,westus3,uksouth").offers(H100)
    assert {o.pool.region for o in offers} == {"eastus", "westus3", "uksouth"}
    assert len(cloud.calls) == 1


def test_what_azure_does_not_sell_costs_no_call(cloud: FakeAzure, public: Connect) -> None:
    assert list(public().offers(Want(gpus=(("L40S", 1), ("NOSUCHGPU", 64))))) == []
    assert cloud.calls == []


def test_part_of_a_card_is_never_sold_as_the_card(public: Connect) -> None:
    a10 = public().offers(Want(gpus=(("A10", 0),)))
    assert {o.pool.instance_type for o in a10} == {
        "Standard_NV36ads_A10_v5",
        "Standard_NV36adms_A10_v5",
        "Standard_NV72ads_A10_v5",
    }
    sixth = one(public().offers(Want()), size="NV6ads_A10_v5", region="eastus")
    assert (sixth.gpu, sixth.gpu_count, sixth.gpu_memory_gb) == ("A10-1of6", 1, 4)
    quarter = one(public().offers(Want()), size="NC24lds_xl_RTXPRO6000BSE_v6", region="eastus")
    assert (quarter.gpu, quarter.gpu_memory_gb) == ("RTXPRO6000-1of4", 24)


def test_sizes_that_nobody_has_described_are_not_offered(cloud: FakeAzure, public: Connect) -> None:
    sizes = {o.pool.instance_type for o in public().offers(Want())}
    priced = {row["armSkuName"] for row in cloud.rows}
    assert sizes == {s.size for s in azure_data.SIZES if s.listed} - {
        "Standard_NV4ads_V710_v5",
        "Standard_D4s_v5",
        "Standard_B2s",
    }
    assert "Standard_NC128ds_xl_RTXPRO6000BSE_v6" in priced  # the cheapest card of the feed, which nobody can make


def test_governments_regions_are_not_offered(public: Connect) -> None:
    regions = {o.pool.region for o in public().offers(Want(gpus=(("T4", 0),)))}
    assert regions == set(azure_data.REGIONS)


def test_arm64_machines_are_shown_as_not_to_be_had_with_the_reason(public: Connect) -> None:
    offers = public().offers(Want(gpus=(("GB200", 0), ("GB300", 0))))
    assert {o.gpu for o in offers} == {"GB200", "GB300"}
    assert {o.available for o in offers} == {"no"} and all("arm64" in o.why for o in offers)
    assert {o.extra["arch"] for o in offers} == {"arm64"}


def test_with_an_account_a_size_that_its_catalog_lacks_vanishes(connect: Connect, public: Connect) -> None:
    def has(offers: list[Offer]) -> set[tuple[str, str]]:
        return {(o.pool.region, o.pool.instance_type) for o in offers}

    priced, real = has(public().offers(H100)), has(connect().offers(H100))
    assert priced - real == azure_data.MISSING_HERE


def test_a_size_that_is_closed_to_the_subscription_says_so(connect: Connect) -> None:
    offers = connect().offers(H100)
    closed = one(offers, size="NC40ads_H100_v5", region="eastus")
    assert (closed.available, closed.obtainability) == ("no", None)
    assert closed.why == "not open to this subscription in this region"
    assert one(offers, size="NC80adis_H100_v5", region="westus").why.startswith("not for this kind of subscription")


def test_closed_zones_leave_the_region_open_without_them(connect: Connect) -> None:
    offer = one(connect().offers(H100), size="NC40ads_H100_v5", region="westus3")
    assert offer.available != "no"
    assert offer.extra["zones"] == "3"


def test_a_size_that_is_not_sold_as_spot_is_still_sold_on_demand(connect: Connect) -> None:
    offers = connect().offers(H100)
    spot = one(offers, size="NC40ads_H100_v5", region="francecentral")
    assert (spot.available, spot.why) == ("no", "not sold as spot in this region")
    assert one(offers, size="NC40ads_H100_v5", region="francecentral", market="on-demand").available == "unknown"


def test_the_case_of_region_names_does_not_matter(connect: Connect) -> None:
    regions = {o.pool.region for o in connect().offers(H100)}
    assert {"westus3", "northeurope"} <= regions and all(r == r.lower() for r in regions)


def test_an_offer_carries_what_a_launch_will_need_and_no_account(connect: Connect) -> None:
    offer = one(connect().offers(H100), size="NCC40ads_H100_v5", region="eastus")
    assert offer.source == "live"
    assert offer.extra == {
        "arch": "x86_64",
        "driver": "cuda",
        "confidential": "yes",
        "quota": "StandardNCCadsH100v5Family",
        "zones": "1,3",
        "generations": "V2",
    }


def test_the_catalog_is_asked_only_where_the_size_is_priced_and_once_a_day(
    cloud: FakeAzure, connect: Connect, clock
) -> None:
    provider = connect()
    first = provider.offers(H100)
    regions = {o.pool.region for o in first}
    assert len(cloud.called("/skus$")) == len(regions)
    assert connect().offers(H100) == first
    assert len(cloud.called("/skus$")) == len(regions)
    clock.time += 86401
    provider.offers(H100)
    assert len(cloud.called("/skus$")) == 2 * len(regions)


def test_without_an_account_nothing_can_be_launched_listed_or_ended_and_it_says_so(
    connect: Connect, public: Connect
) -> None:
    provider, why = public(), "prices only"
    assert why in provider.traits.prices_only and connect().traits.prices_only == ""
    for call in (provider.launch, provider.terminate):
        with pytest.raises(errors.NotAuthorized, match=why):
            call(None)
    with pytest.raises(errors.NotAuthorized, match=why):
        provider.list_machines()


def test_sizes_that_no_image_fits_are_not_to_be_had_by_an_account(connect: Connect, public: Connect) -> None:
    want = Want(gpus=(("A10", 1), ("MI300X", 8), ("H100", 1)))

    def why(**more: str) -> dict[str, str]:
        return {o.pool.instance_type: o.why for o in connect(**more).offers(want) if o.available == "no"}

    assert "grid_image" in why()["Standard_NV36ads_A10_v5"]
    assert "confidential" in why()["Standard_NCC40ads_H100_v5"]
    assert "Standard_NV36ads_A10_v5" not in why(grid_image="a:b:c:d")
    assert {o.available for o in public().offers(Want(gpus=(("A10", 1),)))} == {"unknown"}
