"""Each row of the feed that must not become a price, alone against the honest one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch_providers.azure.prices import prices
from tests.providers.azure.conftest import NOW

HONEST: dict[str, Any] = {
    "currencyCode": "USD",
    "tierMinimumUnits": 0.0,
    "retailPrice": 1.5,
    "armRegionName": "eastus",
    "effectiveStartDate": "2026-11-01T00:00:00Z",
    "meterName": "NC40ads H100 v5 Spot",
    "productName": "Virtual Machines NCadsH100v5 Series",
    "skuName": "NC40ads H100 v5 Spot",
    "unitOfMeasure": "1 Hour",
    "type": "Consumption",
    "armSkuName": "Standard_NC40ads_H100_v5",
}

NOT_FOR_US = {
    "low priority": {"skuName": "NC40ads H100 v5 Low Priority", "meterName": "NC40ads H100 v5 Low Priority"},
    "windows": {"productName": "Virtual Machines NCadsH100v5 Series Windows"},
    "windows that does not say it": {"productName": "Virtual Machines NCadsH100v5 Srs Win"},
    "cloud services": {"productName": "NCadsH100v5 Series Cloud Services"},
    "cloudservices": {"productName": "NCadsH100v5 Series CloudServices"},
    "dedicated": {"productName": "NCadsH100v5 Series Dedicated Host"},
    "another service": {"serviceName": "Azure Machine Learning"},
    "development": {"type": "DevTestConsumption"},
    "reservation": {"type": "Reservation"},
    "price of nothing": {"retailPrice": 0.0},
    "negative": {"retailPrice": -1.0},
    "in the future": {"effectiveStartDate": "2026-12-01T00:00:00Z"},
    "over": {"effectiveStartDate": "2026-11-05T00:00:00Z", "effectiveEndDate": "2026-11-20T23:59:59Z"},
    "placeholder that ends before it starts": {
        "retailPrice": 0.002,
        "effectiveStartDate": "2026-11-20T00:00:00Z",
        "effectiveEndDate": "2026-11-19T23:59:59Z",
    },
    "placeholder of next year that ends before it starts": {
        "retailPrice": 0.002,
        "effectiveStartDate": "2026-11-20T00:00:00Z",
        "effectiveEndDate": "2026-10-19T23:59:59Z",
    },
    "euros": {"currencyCode": "EUR"},
    "by the month": {"unitOfMeasure": "1/Month"},
    "second tier": {"tierMinimumUnits": 100.0},
    "no size": {"armSkuName": ""},
    "no region": {"armRegionName": ""},
    "no start": {"effectiveStartDate": None},
    "a price in words": {"retailPrice": "1.5"},
    "not a number": {"retailPrice": float("nan")},
    "a government": {"armRegionName": "usgovvirginia"},
}


@pytest.mark.parametrize("what", NOT_FOR_US)
def test_a_row_that_nobody_pays_is_no_price(what: str) -> None:
    assert prices([{**HONEST, **NOT_FOR_US[what]}], now=NOW) == []


def test_the_honest_row_is_a_price() -> None:
    (price,) = prices([HONEST], now=NOW)
    assert (price.size, price.region) == ("Standard_NC40ads_H100_v5", "eastus")
    assert (price.spot_usd_hour, price.on_demand_usd_hour) == (Decimal("1.5"), None)


def test_a_row_without_spot_in_its_names_is_on_demand() -> None:
    (price,) = prices([{**HONEST, "skuName": "NC40ads H100 v5", "meterName": "NC40ads H100 v5"}], now=NOW)
    assert (price.spot_usd_hour, price.on_demand_usd_hour) == (None, Decimal("1.5"))


def test_spot_in_either_name_is_spot() -> None:
    for name in ("skuName", "meterName"):
        (price,) = prices([{**HONEST, name: "NC40ads H100 v5"}], now=NOW)
        assert price.spot_usd_hour == Decimal("1.5")


def test_a_price_is_exactly_what_the_feed_wrote() -> None:
    (price,) = prices([{**HONEST, "retailPrice": 0.105201}], now=NOW)
    assert price.spot_usd_hour == Decimal("0.105201")


def test_of_two_valid_rows_the_newer_holds_and_of_two_as_new_the_dearer() -> None:
    older = {**HONEST, "effectiveStartDate": "2026-10-01T00:00:00Z", "retailPrice": 9.0}
    for rows in ([older, HONEST], [HONEST, older]):
        assert prices(rows, now=NOW)[0].spot_usd_hour == Decimal("1.5")
    twin = {**HONEST, "retailPrice": 1.6}
    for rows in ([twin, HONEST], [HONEST, twin]):
        assert prices(rows, now=NOW)[0].spot_usd_hour == Decimal("1.6")


@pytest.mark.parametrize("end", ["Z", ".000Z", ".1234567Z", "", "+00:00", "+14:00"])
def test_times_are_read_in_each_way_of_writing_them(end: str) -> None:
    assert prices([{**HONEST, "effectiveStartDate": f"2026-11-21T11:59:59{end}"}], now=NOW)
    assert not prices([{**HONEST, "effectiveStartDate": f"2026-11-22T02:00:01{end}"}], now=NOW)


def test_case_of_size_and_region_makes_no_second_pool() -> None:
    odd = {**HONEST, "armSkuName": "standard_nc40ads_h100_V5", "armRegionName": "EastUS"}
    assert len(prices([HONEST, odd], now=NOW)) == 1


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([v for r in NOT_FOR_US.values() for v in r.values()]),
)
_ROWS = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys((*HONEST, "effectiveEndDate"), _VALUES)).map(
        lambda r: {**HONEST, **r}
    ),
    st.none(),
    st.text(max_size=3),
)


@given(st.lists(_ROWS, max_size=6))
def test_whatever_the_feed_holds_no_price_is_free_and_none_comes_twice(rows: list[Any]) -> None:
    found = prices(rows, now=NOW)
    amounts = [a for p in found for a in (p.spot_usd_hour, p.on_demand_usd_hour) if a is not None]
    assert all(a.is_finite() and a > 0 for a in amounts)
    assert len({(p.size.lower(), p.region) for p in found}) == len(found)
