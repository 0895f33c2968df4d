from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from spotlaunch_providers.local.market import Market
from spotlaunch_providers.local.offers import offers, refuse
from spotlaunch_providers.local.reading import parse_market


def market(keys: str) -> Market:
    text = f"pools: [{{name: a, gpu: 'V100:2', price_usd_hour: 0.9, on_demand_usd_hour: 3.06, {keys}}}]"
    return parse_market(text, file=Path("market.yaml"))


def test_an_offer_tells_what_the_pool_holds_and_costs() -> None:
    (offer,) = offers(market("cpus: 4, memory_gb: 61, interruptions_per_hour: 2"), taken={}, zero_at=0, now=50.0)
    assert (offer.gpu, offer.gpu_count, offer.vcpus, offer.memory_gb) == ("V100", 2, 4, 61)
    assert (offer.price_usd_hour, offer.on_demand_usd_hour) == (Decimal("0.9"), Decimal("3.06"))
    assert (offer.available, offer.why, offer.seen_at, offer.interruptions_per_hour) == ("yes", "", 50.0, 2)


def test_a_full_pool_says_so_before_it_is_asked() -> None:
    (offer,) = offers(market("capacity: 2"), taken={"a": 2, "b": 9}, zero_at=0, now=0)
    assert offer.available == "no"
    assert offer.why == "local:local-1/a/spot is full: all its 2 machines are taken"


def test_a_trace_opens_and_closes_a_pool() -> None:
    pool = market("availability: {gap: 10s, data: [1, 0, 2]}")
    at = [offers(pool, taken={"a": 1}, zero_at=100, now=now)[0].available for now in (100, 110, 120, 130)]
    assert at == ["no", "no", "yes", "no"]
    assert offers(pool, taken={}, zero_at=100, now=110)[0].why.endswith("has room for 0 machines now, and 0 are up")


def test_a_dry_pool_says_yes_until_it_is_asked_for_a_machine() -> None:
    dry = market("faults: {dry: true}")
    assert offers(dry, taken={}, zero_at=0, now=0)[0].available == "yes"
    refused = refuse(dry.pools[0], cap=None, taken=0, elapsed_s=0)
    assert refused is not None and refused.error == "NoCapacity"


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("faults: {quota: true}", "QuotaExceeded"),
        ("faults: {unauthorized: true, dry: true}", "NotAuthorized"),
        ("faults: {no_funds: true}", "OutOfFunds"),
        ("capacity: 0", "NoCapacity"),
        ("availability: {gap: 1s, data: [0]}", "NoCapacity"),
    ],
)
def test_a_pool_refuses_by_its_faults_its_trace_and_its_size(keys: str, error: str) -> None:
    refused = refuse(market(keys).pools[0], cap=None, taken=0, elapsed_s=0)
    assert refused is not None and refused.error == error


def test_the_price_cap_is_compared_exactly() -> None:
    pool = market("capacity: 1").pools[0]
    assert refuse(pool, cap=Decimal("0.9"), taken=0, elapsed_s=0) is None
    refused = refuse(pool, cap=Decimal("0.899999"), taken=0, elapsed_s=0)
    assert refused is not None and refused.error == "PriceTooLow"
    assert refused.reason == "local:local-1/a/spot costs $0.9 an hour, more than the cap of $0.899999"
