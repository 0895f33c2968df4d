from __future__ import annotations

from decimal import Decimal

import pytest

from spotlaunch.core.facts import Offer, Want
from spotlaunch_providers.runpod import figures
from spotlaunch_providers.runpod.adapter import RunpodProvider
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.runpod_data import COMMUNITY, SECURE, GpuType
from tests.providers.runpod.conftest import NOW, Connect


@pytest.fixture
def provider(connect: Connect) -> RunpodProvider:
    return connect()


def one(cloud: FakeRunpod, name: str) -> GpuType:
    return next(g for g in cloud.gpus if g.name == name)


def asked(provider: RunpodProvider, *gpus: tuple[str, int]) -> list[Offer]:
    return list(provider.offers(Want(gpus=gpus)))


def test_the_price_is_of_the_whole_machine_and_exact(provider: RunpodProvider) -> None:
    prices = {(o.gpu_count, o.price_usd_hour) for o in asked(provider, ("H100-SXM", 0)) if o.pool.region != "community"}
    assert prices == {(n, Decimal("2.99") * n) for n in (1, 2, 4, 8)}
    assert all(o.price_usd_hour == o.on_demand_usd_hour for o in asked(provider, ("H100-SXM", 8)))


def test_each_data_center_is_a_pool_with_its_own_stock(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    one(cloud, "H100 SXM").free = {SECURE: {"US-KS-2": 100, "EU-RO-1": 1, "US-GA-1": 5, "US-TX-3": 0}, COMMUNITY: {}}
    offers = {o.pool.region: o for o in asked(provider, ("H100-SXM", 1))}
    assert {r: (o.available, o.obtainability) for r, o in offers.items()} == {
        "US-KS-2": ("yes", 0.9),
        "US-GA-1": ("yes", 0.6),
        "EU-RO-1": ("yes", 0.3),
        "community": ("no", 0.0),
    }
    assert offers["US-KS-2"].extra == {"gpu_id": "NVIDIA H100 80GB HBM3", "cloud": "SECURE", "count": "1"}
    assert offers["community"].why == "the community cloud has no machine of this size free"


def test_stock_is_asked_for_each_size_of_machine(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    one(cloud, "H100 SXM").free = {SECURE: {"US-KS-2": 7}, COMMUNITY: {"": 0}}
    found = {(o.gpu_count, o.pool.region): o.available for o in asked(provider, ("H100-SXM", 1), ("H100-SXM", 8))}
    assert found[1, "US-KS-2"] == "yes"
    assert found[8, "secure"] == "no"


def test_where_no_data_center_has_any_the_secure_cloud_as_a_whole_is_dry(provider: RunpodProvider) -> None:
    (offer,) = asked(provider, ("B300", 1))
    assert (offer.pool.region, offer.available, offer.obtainability) == ("secure", "no", 0.0)
    assert offer.why == "the secure cloud has no machine of this size free"


def test_a_mig_instance_is_never_the_full_card(provider: RunpodProvider) -> None:
    cards = asked(provider, ("RTXPRO6000", 1))
    assert cards and {o.gpu for o in cards} == {"RTXPRO6000"}
    assert min(o.price_usd_hour for o in cards) == Decimal("1.69")
    slices = asked(provider, ("RTXPRO6000-MIG-1g.24gb", 1))
    assert {(o.gpu, o.gpu_memory_gb, o.price_usd_hour) for o in slices} == {
        ("RTXPRO6000-MIG-1g.24gb", 24.0, Decimal("0.51"))
    }


@pytest.mark.parametrize("key", [True, False])
def test_a_type_is_offered_only_on_the_cloud_that_sells_it_whatever_the_prices_say(
    connect: Connect, cloud: FakeRunpod, key: bool
) -> None:
    assert one(cloud, "H100 NVL").community_price == 0.59
    offers = asked(connect() if key else connect(key=""), ("H100-NVL", 1))
    assert {o.price_usd_hour for o in offers} == {Decimal("3.07")}
    assert "community" not in {o.pool.region for o in offers}


def test_no_machine_is_larger_than_its_type_has(provider: RunpodProvider) -> None:
    assert max(o.gpu_count for o in asked(provider, ("H200-NVL", 0))) == 4
    assert asked(provider, ("A30", 4)) == []


def test_any_count_that_is_asked_for_is_asked(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    offers = asked(provider, ("A40", 3))
    assert {o.gpu_count for o in offers} == {3}
    assert {(c.query["count"], c.query["cloud"]) for c in cloud.calls} == {("3", "SECURE"), ("3", "COMMUNITY")}


def test_a_size_is_offered_for_the_gpu_it_was_asked_for_only(provider: RunpodProvider) -> None:
    found = {(o.gpu, o.gpu_count) for o in asked(provider, ("L40S", 8), ("A40", 1))}
    assert found == {("L40S", 8), ("A40", 1)}


def test_without_a_wish_every_gpu_is_offered_and_each_pool_once(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    offers = provider.offers(Want())
    assert len({o.extra["gpu_id"] for o in offers}) == len(cloud.gpus)
    assert len({o.pool for o in offers}) == len(offers) > 500
    assert all(o.pool.market == "on-demand" and o.pool.region and " " not in str(o.pool) for o in offers)
    assert all(o.available != "no" or o.why for o in offers)


def test_names_are_canonical_and_unknown_ones_come_as_they_are(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    one(cloud, "L40").id = "NVIDIA Rubin R300"
    names = {o.gpu for o in provider.offers(Want())}
    assert names >= {"H200-SXM", "A100-40GB-SXM", "V100-PCIe-16GB", "MI300X", "RTX3090Ti", "NVIDIA Rubin R300"}
    assert {o.gpu for o in asked(provider, ("H100", 1))} == {"H100-SXM", "H100-PCIe", "H100-NVL"}


def test_nothing_is_sold_as_spot_and_nothing_is_asked(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    assert provider.offers(Want(gpus=(("H100", 1),), markets=("spot",))) == ()
    assert cloud.calls == []
    assert not provider.traits.has_spot and not provider.traits.bids


def test_disk_is_beside_the_price_and_traffic_is_free(provider: RunpodProvider) -> None:
    offer = asked(provider, ("L40S", 1))[0]
    assert offer.storage_usd_gb_month == Decimal("0.10") and offer.egress_usd_gb == 0
    assert offer.interruptions_per_hour is None and offer.seen_at == NOW and offer.source == "live"


def test_a_machine_is_given_the_cpus_and_memory_that_it_is_asked_for_within_reason(provider: RunpodProvider) -> None:
    (offer, *_) = provider.offers(Want(gpus=(("L40S", 2),), cpus=16, memory_gb=120))
    assert (offer.vcpus, offer.memory_gb) == (16, 120)
    (offer, *_) = provider.offers(Want(gpus=(("L40S", 2),), cpus=10**6, memory_gb=10**6))
    assert offer.vcpus == 2 * figures.MOST_VCPUS_PER_GPU
    assert offer.memory_gb == 2 * figures.MOST_MEMORY_GB_PER_GPU


@pytest.mark.parametrize("word", [None, "PLENTY", 3])
def test_a_word_on_stock_that_is_not_known_is_unknown(
    provider: RunpodProvider, cloud: FakeRunpod, monkeypatch: pytest.MonkeyPatch, word: object
) -> None:
    monkeypatch.setattr(cloud, "gpu", lambda g, r: {**FakeRunpod.gpu(cloud, g, r), "availability": word})
    (offer,) = asked(provider, ("RTX3090Ti", 1))
    assert (offer.available, offer.obtainability) == ("unknown", None)


@pytest.mark.parametrize("price", [None, 0, -1, True, "much", float("nan"), [1]])
def test_what_has_no_price_is_not_offered(
    provider: RunpodProvider, cloud: FakeRunpod, monkeypatch: pytest.MonkeyPatch, price: object
) -> None:
    monkeypatch.setattr(cloud, "gpu", lambda g, r: {**FakeRunpod.gpu(cloud, g, r), "price": {"community": price}})
    assert asked(provider, ("RTX3090Ti", 1)) == []


def test_without_a_key_the_public_catalog_answers_and_says_so(connect: Connect, cloud: FakeRunpod) -> None:
    provider = connect(key="")
    offers = asked(provider, ("H100-SXM", 0))
    assert {c.path for c in cloud.calls} == {"/graphql"}
    assert all("Authorization" not in c.headers for c in cloud.calls)
    assert {o.source for o in offers} == {"public feed: GraphQL catalog"}
    assert {(o.pool.region, o.gpu_count) for o in offers} == {
        (region, n) for region in ("secure", "community") for n in (1, 2, 4, 8)
    }
    assert {o.price_usd_hour for o in offers if o.gpu_count == 8} == {Decimal("2.99") * 8, Decimal("2.69") * 8}


def test_the_public_catalog_tells_what_is_not_to_be_had(connect: Connect) -> None:
    (offer,) = asked(connect(key=""), ("B300", 1))
    assert (offer.available, offer.obtainability) == ("no", 0.0)
    assert "stale" not in repr(offer) and offer.price_usd_hour == Decimal("6.99")


@pytest.mark.parametrize("path", ["", "/", "/v2", "/v2/", "/graphql"])
def test_the_address_may_end_as_people_write_it(connect: Connect, path: str) -> None:
    assert asked(connect(path=path), ("L40S", 1))
    assert asked(connect(key="", path=path), ("L40S", 1))
