"""What machines cost on demand: the Price List API, which answers for all regions from one place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from spotlaunch.errors import ProviderError
from spotlaunch_providers.aws.access import HOME, Access
from spotlaunch_providers.aws.errors import UNKNOWN_PARAMETER, code_of
from spotlaunch_providers.aws.spot import exact
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

PAGE = 100  # the most that the API gives

# [3P] The filters that Karpenter uses: an ordinary Linux machine that is paid by the hour. Without them the answer
# holds Windows, dedicated hosts, reservations and SQL Server too.
ORDINARY = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}

# (region, instance type) -> USD per hour
OnDemandPrices = dict[tuple[str, str], Decimal]


def bundles(types: Sequence[str], regions: Sequence[str]) -> list[Sequence[str]]:
    """The types in bundles whose answer fits on about one page, since pages come one after the other."""
    size = max(1, PAGE // max(1, len(regions)))
    return [types[i : i + size] for i in range(0, len(types), size)]


def ask_on_demand(
    access: Access, types: Sequence[str], regions: Sequence[str], *, deadline: Deadline
) -> OnDemandPrices:
    """The on-demand price of ``types`` in each of ``regions`` that sells them, in USD per hour."""
    try:
        found = _ask(access, _any_of("instanceType", types), _any_of("regionCode", regions), deadline=deadline)
    except ProviderError as e:
        if code_of(e) not in UNKNOWN_PARAMETER:
            raise
        found = {}
    if not found and len(types) * len(regions) > 1:
        found = _one_by_one(access, types, deadline=deadline)
    return {key: price for key, price in found.items() if key[0] in regions and key[1] in types}


def _one_by_one(access: Access, types: Sequence[str], *, deadline: Deadline) -> OnDemandPrices:
    """The prices of ``types`` everywhere, with filters that are as old as the API: ANY_OF is newer, and a server that
    does not know it refuses it or, comparing texts, finds nothing."""
    answers = side_by_side(
        [partial(_ask, access, _any_of("instanceType", [name]), deadline=deadline) for name in types],
        deadline=deadline,
        name="aws-prices",
    )
    good = [a for a in answers if not isinstance(a, ProviderError)]
    if not good:
        raise next(a for a in answers if isinstance(a, ProviderError))
    return {key: price for answer in good for key, price in answer.items()}


def _ask(access: Access, *filters: dict[str, str], deadline: Deadline) -> OnDemandPrices:
    ordinary = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in ORDINARY.items()]
    products = access.pages(
        "pricing",
        "get_products",
        "PriceList",
        region=HOME,
        deadline=deadline,
        ServiceCode="AmazonEC2",
        Filters=[*ordinary, *filters],
        MaxResults=PAGE,
    )
    return prices(products)


def _any_of(field: str, values: Sequence[str]) -> dict[str, str]:
    """[SDK] has the filter's type; [3P] AWS's own aws-pricing-mcp-server joins the values by commas."""
    if len(values) == 1:
        return {"Type": "TERM_MATCH", "Field": field, "Value": values[0]}
    return {"Type": "ANY_OF", "Field": field, "Value": ",".join(values)}


def prices(products: Iterable[object]) -> OnDemandPrices:
    """Prices from the items of a PriceList, each of which is JSON in a text. What cannot be read is left out."""
    found: OnDemandPrices = {}
    for text in products:
        try:
            told = json.loads(str(text))
            attributes = told["product"]["attributes"]
            key = (attributes["regionCode"], attributes["instanceType"])
            price = next(_hourly(told["terms"].get("OnDemand") or {}), None)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        # The filters again: a stand-in may know fewer of them, and Windows must not pass for Linux.
        if price is not None and all(attributes.get(field, value) == value for field, value in ORDINARY.items()):
            found[key] = price
    return found


def _hourly(terms: Mapping[str, Any]) -> Iterator[Decimal]:
    """The prices by the hour in USD. A price of 0 stands for what is paid elsewhere, as in a reservation."""
    for term in terms.values():
        for dimension in (term.get("priceDimensions") or {}).values():
            price = exact((dimension.get("pricePerUnit") or {}).get("USD"))
            if dimension.get("unit") == "Hrs" and price is not None:
                yield price
