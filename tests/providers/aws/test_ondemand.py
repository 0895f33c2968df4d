from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch_providers.aws.ondemand import ORDINARY, bundles, prices

ATTRIBUTES = {"instanceType": "g6.xlarge", "regionCode": "us-east-1", **ORDINARY}


def item(*usd: str, unit: str = "Hrs", currency: str = "USD", terms: str = "OnDemand", **attributes: str) -> str:
    dimensions = {str(n): {"unit": unit, "pricePerUnit": {currency: price}} for n, price in enumerate(usd)}
    told: dict[str, Any] = {
        "product": {"attributes": ATTRIBUTES | attributes},
        "terms": {terms: {"x": {"priceDimensions": dimensions}}},
    }
    return json.dumps(told)


def test_an_hour_on_demand_is_read_exactly() -> None:
    assert prices([item("0.8048000000")]) == {("us-east-1", "g6.xlarge"): Decimal("0.8048")}


@pytest.mark.parametrize(
    "text",
    [
        item("0.0000000000"),
        item("9999", unit="Quantity"),
        item("5.2", currency="CNY"),
        item("0.4", terms="Reserved"),
        *(item("0.4", **{field: "other"}) for field in ORDINARY),
        "",
        "[]",
        '{"product": {}}',
        "half a docum",
    ],
)
def test_what_is_not_that_is_no_price(text: str) -> None:
    assert prices([text]) == {}
    assert prices([text, item("0.8")]) == {("us-east-1", "g6.xlarge"): Decimal("0.8")}


def test_a_price_of_0_beside_one_that_is_paid_does_not_count() -> None:
    assert prices([item("0.0000000000", "0.8")]) == {("us-east-1", "g6.xlarge"): Decimal("0.8")}


def test_bundles_hold_every_type_once_and_about_a_page_of_answers() -> None:
    types = [f"g{n}.xlarge" for n in range(65)]
    regions = [f"r-{n}" for n in range(17)]
    made = bundles(types, regions)
    assert [t for bundle in made for t in bundle] == types
    assert all(len(bundle) * len(regions) <= 100 for bundle in made)
    assert bundles(types, [f"r-{n}" for n in range(200)])[0] == types[:1]
