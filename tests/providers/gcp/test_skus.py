"""The price list, row by row: what must be read, and what must never be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch_providers.gcp.skus import Prices, money, plain


def sku(words: str, usage: str = "OnDemand", *, nanos: int = 10**8, unit: str = "h", **more: Any) -> dict[str, Any]:
    price = {"currencyCode": "USD", "units": "1", "nanos": nanos, **more}
    expression = {"usageUnit": unit, "tieredRates": [{"startUsageAmount": 0, "unitPrice": price}]}
    return {
        "description": words,
        "category": {"resourceFamily": "Compute", "usageType": usage},
        "serviceRegions": ["us-east4"],
        "pricingInfo": [{"pricingExpression": expression}],
    }


def read(*skus: dict[str, Any]) -> dict[str, Decimal]:
    prices = Prices()
    prices.add(skus)
    return prices.rows


@pytest.mark.parametrize(
    ("words", "usage", "key"),
    [
        ("Nvidia L4 GPU running in Virginia", "OnDemand", "gpu|L4|on-demand"),
        ("Nvidia L4 GPU attached to Spot Preemptible VMs running in Virginia", "Preemptible", "gpu|L4|spot"),
        ("Nvidia Tesla A100 GPU running in Virginia", "OnDemand", "gpu|A100|on-demand"),
        ("Nvidia Tesla A100 80GB GPU running in Virginia", "OnDemand", "gpu|A100 80GB|on-demand"),
        ("Nvidia H100 80GB GPU running in Virginia", "OnDemand", "gpu|H100 80GB|on-demand"),
        ("Nvidia H100 80GB Mega GPU running in Virginia", "OnDemand", "gpu|H100 80GB Mega|on-demand"),
        ("Nvidia H100 80GB Plus GPU running in Virginia", "OnDemand", "gpu|H100 80GB Mega|on-demand"),
        ("H100 Mega 80GB GPU running in Virginia", "OnDemand", "gpu|H100 80GB Mega|on-demand"),
        ("H200 141GB GPU running in Virginia", "OnDemand", "gpu|H200 141GB|on-demand"),
        ("RTX 6000 96GB running in Virginia", "OnDemand", "gpu|RTX PRO 6000|on-demand"),
        ("A4 Nvidia B200 (1 gpu slice) running in Virginia", "OnDemand", "gpu|B200|on-demand"),
        ("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Virginia", "OnDemand", "gpu|B200|spot"),
        ("A3Plus Instance Core running in Virginia", "OnDemand", "core|A3Plus|on-demand"),
        ("Spot Preemptible A3Ultra Instance Core running in Virginia", "Preemptible", "core|A3Ultra|spot"),
        ("N1 Predefined Instance Core running in Virginia", "OnDemand", "core|N1 Predefined|on-demand"),
    ],
)
def test_plain_prices_are_read(words: str, usage: str, key: str) -> None:
    assert read(sku(words, usage)) == {f"{key}|us-east4": Decimal("1.1")}


@pytest.mark.parametrize(
    "words",
    [
        "Commitment v1: Nvidia H100 80GB GPU in Virginia for 1 Year",
        "Reserved Nvidia H100 80GB GPU running in Virginia",
        "DWS Defined Duration A3 Instance Core running in Virginia",
        "A3 Instance Core running in Virginia for DWS Calendar Mode",
        "A3 Instance Core running in Virginia with Calendar Mode",
        "Sole Tenancy Premium for A2 Instance Core running in Virginia",
        "A2 Sole Tenancy Instance Core running in Virginia",
        "N1 Custom Instance Core running in Virginia",
        "Suspended Nvidia L4 GPU running in Virginia",
        "Nvidia L4 GPU on Windows running in Virginia",
        "Nvidia Tesla T4 Virtual Workstation GPU running in Virginia",
        "Nvidia L40 GPU running in Virginia",
        "A4 Instance Core running in Virginia",
        "A4 Instance Ram running in Virginia",
        "N2 Instance Core running in Virginia",
        "Licensing Fee for Nvidia L4 GPU",
    ],
)
def test_other_terms_and_other_things_are_not_read(words: str) -> None:
    assert read(sku(words), sku(words, "Preemptible")) == {}


def test_rows_that_say_no_price_are_not_read() -> None:
    gpu = "Nvidia L4 GPU running in Virginia"
    assert read(sku(gpu, "Commit1Yr")) == {}
    assert read(sku(gpu, nanos=0, units="0")) == {}
    assert read(sku(gpu, currencyCode="EUR")) == {}
    assert read(sku(gpu, unit="mo")) == {}
    assert read({**sku(gpu), "pricingInfo": []}) == {}
    assert read({"description": gpu}) == {}


def test_units_are_those_of_the_part() -> None:
    assert read(sku("A3 Instance Ram running in Virginia", unit="GiBy.h"))
    assert read(sku("A3 Instance Ram running in Virginia", unit="h")) == {}
    (price,) = read(sku("SSD backed Local Storage in Virginia", unit="GiBy.mo", nanos=0, units="73")).values()
    assert price == Decimal("0.1")


def test_of_two_prices_for_the_same_the_dearer_is_told() -> None:
    gpu = "Nvidia L4 GPU running in Virginia"
    for pair in ((sku(gpu), sku(gpu, nanos=5)), (sku(gpu, nanos=5), sku(gpu))):
        assert list(read(*pair).values()) == [Decimal("1.1")]


@given(st.integers(0, 10**6), st.integers(0, 10**9 - 1))
def test_money_is_exact_and_plain(units: int, nanos: int) -> None:
    amount = money({"currencyCode": "USD", "units": str(units), "nanos": nanos})
    assert amount is not None and int(amount.scaleb(9)) == units * 10**9 + nanos
    assert "E+" not in str(plain(amount))


@pytest.mark.parametrize("words", ["Nvidia L4 GPU running in Virginia", "SSD backed Local Storage in Virginia"])
def test_a_price_whose_unit_is_not_told_is_in_the_usual_one(words: str) -> None:
    usual = sku(words, unit="GiBy.mo" if words.startswith("SSD") else "h")
    untold = sku(words)
    del untold["pricingInfo"][0]["pricingExpression"]["usageUnit"]
    assert read(untold) == read(usual) != {}
