from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.facts import Market, Offer, Want
from spotlaunch_providers.vast.adapter import VastProvider
from spotlaunch_providers.vast.offers import bid_usd_hour, offers, read
from tests.fakes.clouds.vast import FakeVast
from tests.providers.vast.conftest import NOW, Connect, ask


@pytest.fixture
def provider(connect: Connect) -> VastProvider:
    return connect()


def asked(
    provider: VastProvider, *gpus: tuple[str, int], disk_gb: float = 0, market: Market | None = None
) -> list[Offer]:
    found = provider.offers(Want(gpus=gpus, disk_gb=disk_gb))
    return [o for o in found if market in (None, o.pool.market)]


def only(provider: VastProvider, market: Market, count: int = 1, disk_gb: float = 0) -> Offer:
    (offer,) = asked(provider, ("H100", count), market=market, disk_gb=disk_gb)
    return offer


# -- prices ------------------------------------------------------------------------------------------------


def test_the_price_is_of_the_whole_offer_with_its_disk(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(num_gpus=8, dph_base=14.4, min_bid=8.0, storage_cost=0.18)]
    hired, spot = only(provider, "on-demand", 8, disk_gb=100), only(provider, "spot", 8, disk_gb=100)
    disk = Decimal("0.025")  # 100 GB at 0.18 a month of 720 hours
    assert hired.price_usd_hour == hired.on_demand_usd_hour == Decimal("14.4") + disk
    assert spot.price_usd_hour == Decimal("8.8") + disk  # a tenth above the floor, and not times eight
    assert spot.on_demand_usd_hour == Decimal("14.4") + disk
    assert hired.storage_usd_gb_month == spot.storage_usd_gb_month == 0
    assert spot.extra["disk_gb"] == "100" and spot.extra["bid_usd_hour"] == "8.8000"


def test_disk_that_nobody_asked_for_is_in_the_price_too(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(dph_base=2.0, storage_cost=7.2)]
    assert only(provider, "on-demand").price_usd_hour == Decimal("2.32")  # 32 GB
    assert cloud.calls[-1].json["allocated_storage"] == 32


def test_traffic_is_told_beside_the_price(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(inet_up_cost=0.003, inet_down_cost=0.02)]
    offer = only(provider, "on-demand")
    assert offer.egress_usd_gb == Decimal("0.023")
    assert (offer.extra["inet_up_usd_gb"], offer.extra["inet_down_usd_gb"]) == ("0.003", "0.02")


def test_a_bid_is_no_higher_than_the_price_on_demand(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(dph_base=2.0, min_bid=1.95, storage_cost=0.0)]
    assert only(provider, "spot").price_usd_hour == Decimal("2")


@pytest.mark.parametrize("floor", [2.0, 2.4])
def test_a_floor_that_is_no_lower_than_the_price_on_demand_is_no_offer(
    provider: VastProvider, cloud: FakeVast, floor: float
) -> None:
    cloud.asks = [ask(dph_base=2.0, min_bid=floor)]
    assert {o.pool.market for o in asked(provider, ("H100", 1))} == {"on-demand"}


def test_where_the_price_on_demand_is_not_known_the_bid_is_the_floor(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(min_bid=1.0, storage_cost=0.0, _hired=True)]
    (offer,) = asked(provider, ("H100", 1))
    assert (offer.pool.market, offer.price_usd_hour, offer.on_demand_usd_hour) == ("spot", Decimal(1), None)
    # Hiring goes before every bid: whatever takes bids only is hired by somebody.
    assert (offer.available, offer.why) == ("unknown", "not seen among what is for hire now: a bid may have to wait")


def test_another_slice_of_the_same_shape_tells_the_price_on_demand(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(id=1, _hired=True, min_bid=1.9, storage_cost=0.0), ask(id=2, dph_base=2.0, min_bid=9.0)]
    assert only(provider, "spot").price_usd_hour == Decimal(2)


@settings(deadline=None)
@given(
    floor=st.decimals("0.0001", 50, places=6, allow_nan=False),
    on_demand=st.none() | st.decimals("0.0001", 50, places=6, allow_nan=False),
)
def test_no_bid_is_below_the_floor_or_above_the_price_on_demand(floor: Decimal, on_demand: Decimal | None) -> None:
    bid = bid_usd_hour(floor, on_demand)
    if bid is None:
        assert on_demand is not None and floor >= on_demand
    else:
        assert bid >= floor and (on_demand is None or bid <= on_demand)
        assert bid <= floor * Decimal("1.1") + Decimal("0.0001")


def test_spot_alone_still_learns_prices_on_demand_and_on_demand_alone_asks_for_no_bids(
    provider: VastProvider, cloud: FakeVast
) -> None:
    spot = provider.offers(Want(gpus=(("H200", 8),), markets=("spot",)))
    assert {o.pool.market for o in spot} == {"spot"} and any(o.on_demand_usd_hour for o in spot)
    cloud.calls.clear()
    hired = provider.offers(Want(gpus=(("H200", 8),), markets=("on-demand",)))
    assert {o.pool.market for o in hired} == {"on-demand"}
    assert [c.json["type"] for c in cloud.calls] == ["ondemand"]


# -- which hosts -------------------------------------------------------------------------------------------


def test_hosts_are_verified_and_reliable_unless_asked_otherwise(connect: Connect, cloud: FakeVast) -> None:
    cloud.asks = [
        ask(id=1, machine_id=1),
        ask(id=2, machine_id=2, verification="unverified", dph_base=0.5, min_bid=0.2),
        ask(id=3, machine_id=3, reliability2=0.91, dph_base=0.6, min_bid=0.2),
        ask(id=4, machine_id=4, rented=True),
        ask(id=5, machine_id=5, rentable=False),
        ask(id=6, machine_id=6, _external=True),
    ]

    def zones(**told: str) -> set[str]:
        return {o.pool.zone for o in asked(connect(**told), ("H100", 1))}

    assert zones() == {"m1"}
    assert zones(verified="only") == {"m1"}
    assert zones(verified="any") == {"m1", "m2"}
    assert zones(min_reliability="0.9") == {"m1", "m3"}
    assert zones(min_reliability="0", verified="any") == {"m1", "m2", "m3"}


def test_hosts_have_the_disk_that_is_wanted(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(id=1, machine_id=1, disk_space=90.0), ask(id=2, machine_id=2, disk_space=120.0)]
    (offer,) = asked(provider, ("H100", 1), disk_gb=100, market="on-demand")
    assert (offer.pool.zone, offer.disk_gb) == ("m2", 120.0)


# -- names and shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["RTX4090", "RTX_4090", "RTX 4090", "rtx-4090"])
def test_a_gpu_is_asked_for_by_its_name_with_spaces(provider: VastProvider, cloud: FakeVast, word: str) -> None:
    assert asked(provider, (word, 8))
    assert {tuple(c.json["gpu_name"]["in"]) for c in cloud.calls} == {("RTX 4090",)}


def test_a_family_is_asked_for_by_the_names_of_all_its_members(provider: VastProvider, cloud: FakeVast) -> None:
    found = {o.gpu for o in asked(provider, ("H100", 2))}
    assert found == {"H100-SXM", "H100-PCIe", "H100-NVL"}
    assert set(cloud.calls[0].json["gpu_name"]["in"]) == {"H100 SXM", "H100 PCIE", "H100 NVL"}


def test_a100_of_40_and_80_gb_under_one_name_are_told_apart(provider: VastProvider, cloud: FakeVast) -> None:
    big, small = asked(provider, ("A100-80GB", 1)), asked(provider, ("A100-40GB", 1))
    assert {o.gpu for o in big} == {"A100-80GB-SXM", "A100-80GB-PCIe"}
    assert {o.gpu for o in small} == {"A100-40GB-SXM", "A100-40GB-PCIe"}
    assert all(o.gpu_memory_gb and o.gpu_memory_gb > 75 for o in big)
    assert all(o.gpu_memory_gb and o.gpu_memory_gb < 45 for o in small)


def test_the_bare_h200_is_the_sxm_card(provider: VastProvider) -> None:
    assert {o.gpu for o in asked(provider, ("H200-SXM", 1))} == {"H200-SXM"}
    assert {o.gpu for o in asked(provider, ("H200", 1))} == {"H200-SXM", "H200-NVL"}


def test_a_gpu_that_nobody_knows_is_asked_for_as_it_is_written(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(gpu_name="Rubin R300")]
    assert {o.gpu for o in asked(provider, ("Rubin_R300", 1))} == {"Rubin R300"}
    assert asked(provider, ("NOSUCHGPU", 64)) == []


def test_a_pool_is_a_shape_of_one_machine(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(id=7, machine_id=53989, num_gpus=2, geolocation="Texas, US")]
    pool = only(provider, "spot", 2).pool
    assert (pool.region, pool.zone, pool.instance_type) == ("US", "m53989", "2x-H100-SXM")


def test_of_several_slices_of_a_shape_the_cheapest_stands_for_the_pool(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(id=1, dph_base=2.5, min_bid=1.4), ask(id=2, dph_base=2.0, min_bid=1.0), ask(id=3, dph_base=3.0)]
    offers = asked(provider, ("H100", 1))
    assert {(o.pool.market, o.extra["ask_contract_id"]) for o in offers if o.pool.market == "on-demand"} == {
        ("on-demand", "2")
    }
    assert len(offers) == 2


def test_each_pool_is_offered_once_with_a_place(provider: VastProvider) -> None:
    found = provider.offers(Want())
    assert len({o.pool for o in found}) == len(found)
    assert all(o.pool.region and o.pool.zone and " " not in str(o.pool) for o in found)
    assert {"US", "DE", "KR"} <= {o.pool.region for o in found}


@pytest.mark.parametrize(
    ("told", "region"),
    [
        ("Texas, US", "US"),
        ("us", "US"),
        (", NL", "NL"),
        ("South Korea", "South-Korea"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_place_becomes_a_country(told: str | None, region: str) -> None:
    read_ask = read({**ask(), "geolocation": told})
    assert read_ask is not None and read_ask.region == region


def test_a_slice_has_its_share_of_the_machine(provider: VastProvider, cloud: FakeVast) -> None:
    shares = {"cpu_ram": 2_063_000, "cpu_cores": 192, "cpu_cores_effective": 24.0}
    cloud.asks = [ask(gpu_frac=0.125, **shares)]
    offer = only(provider, "on-demand")
    assert (offer.vcpus, offer.memory_gb) == (24.0, 257.9)
    cloud.asks = [ask(gpu_frac=0.5, cpu_ram=100_000, cpu_cores=None, cpu_cores_effective=None)]
    assert only(provider, "on-demand").memory_gb == 50.0


def test_rentable_offers_are_to_be_had_and_tell_what_a_launch_needs(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks = [ask(id=31337001)]
    offer = only(provider, "spot")
    assert (offer.available, offer.seen_at, offer.source) == ("yes", NOW, "live")
    assert offer.obtainability is None and offer.interruptions_per_hour is None
    told = {"ask_contract_id", "bid_usd_hour", "min_bid_usd_hour", "host_id", "verification", "reliability", "cuda"}
    assert told <= set(offer.extra) and offer.extra["ask_contract_id"] == "31337001"


def test_a_contract_ends_with_the_listing_of_its_host() -> None:
    for end_date, ends_at in ((NOW + 86400.0, NOW + 86400.0), (None, None), (NOW - 1.0, None), (math.inf, None)):
        (offer,) = offers([{**ask(), "end_date": end_date}], [], want=Want(), now=NOW)
        assert offer.ends_at == ends_at


# -- rows that are not whole -------------------------------------------------------------------------------

NEEDED = ("machine_id", "gpu_name", "num_gpus", "dph_base", "storage_cost")


@pytest.mark.parametrize("field", NEEDED)
@pytest.mark.parametrize("value", [None, "x", -1, True, [], float("nan"), 1e22])
def test_a_row_without_what_an_offer_needs_is_left_out(field: str, value: object) -> None:
    if (field, value) == ("gpu_name", "x"):
        return
    assert offers([{**ask(), field: value}], [], want=Want(), now=NOW) == []


_JUNK = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=1)
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(k for k in ask() if not k.startswith("_"))), _JUNK))
def test_no_row_is_so_odd_that_it_fails_the_others(junk: dict[str, object]) -> None:
    good = ask(id=2, machine_id=2)
    found = offers([{**ask(), **junk}, good], [{**ask(), **junk}, good], want=Want(), now=NOW)
    assert {o.extra["ask_contract_id"] for o in found} >= {"2"}
    assert all(o.price_usd_hour > 0 and o.price_usd_hour.is_finite() for o in found)


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/v0", "/api/v0/", "/api/v1"])
def test_the_address_may_end_as_people_write_it(connect: Connect, path: str) -> None:
    assert asked(connect(path=path), ("H200", 8))


@pytest.mark.parametrize(
    "odd",
    [
        {"verification": "unverified"},
        {"verification": "deverified"},
        {"rentable": False},
        {"rented": True},
        {"external": True},
        {"reliability2": 0.6},
        {"disk_space": 10.0},
    ],
)
def test_a_host_that_will_not_do_is_left_out_also_where_the_search_forgot_the_filter(
    provider: VastProvider, cloud: FakeVast, odd: dict[str, object]
) -> None:
    cloud.ignored = {"verified", "rentable", "rented", "external", "reliability2", "disk_space"}
    cloud.asks = [ask(), ask(id=2, machine_id=2, **odd)]
    for market in ("spot", "on-demand"):
        assert [o.pool.zone for o in asked(provider, ("H100", 1), market=market)] == ["m1"]
