"""Asking the Retail Prices API: which questions, and all pages of their answers. No account is needed.

Pages of one question come one after the other, so the question is split: one family of sizes each (an H100 is one
question, all GPUs are ten), or one region each where few are wanted. Each answer then fits on one page or two.
Whoever knows fewer operators than that is asked the plain way: more pages, the same prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spotlaunch.errors import InvalidOrder, ProviderError, Transient
from spotlaunch_providers.azure.constants import PRICES_VERSION
from spotlaunch_providers.azure.sizes import Size
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api
from spotlaunch_providers.shared.side_by_side import side_by_side

_PATH = "api/retail/prices"
_MACHINES = ("serviceName eq 'Virtual Machines'", "priceType eq 'Consumption'")
_LESS = (
    "contains(productName,'Windows') eq false",
    "contains(meterName,'Low Priority') eq false",
)
_GPUS = "startswith(armSkuName,'Standard_N')"


def filters(sizes: Sequence[Size], regions: Sequence[str]) -> list[str]:
    """The fewest questions that cover ``sizes`` in ``regions`` (empty: everywhere), each a filter of the API."""
    families = list(dict.fromkeys(size.family for size in sizes))
    names = [f"contains(armSkuName,'{family}')" for family in families]
    if not regions or not names or (len(regions) > 1 and len(regions) > len(names)):
        return [_filter(name) for name in names]
    name = names[0] if len(names) == 1 else _GPUS
    return [_filter(name, _in(region)) for region in regions]


def plain_filters(regions: Sequence[str]) -> list[str]:
    """The prices of all GPU machines in ``regions`` (empty: everywhere), in the form that is seen in use [3P]."""
    parts = (*_MACHINES, _GPUS)
    return [" and ".join((*parts, _in(region))) for region in regions] or [" and ".join(parts)]


def rows(
    api: Api, sizes: Sequence[Size], regions: Sequence[str], *, deadline: Deadline
) -> tuple[list[Any], tuple[str, ...]]:
    """All rows for ``sizes`` in ``regions``, with others among them; and what is missing, a sentence each.

    Raises the first error if nothing is answered.
    """
    try:
        return _answered(api, filters(sizes, regions), deadline)
    except InvalidOrder:
        return _answered(api, plain_filters(regions), deadline)


def _answered(api: Api, asked: Sequence[str], deadline: Deadline) -> tuple[list[Any], tuple[str, ...]]:
    answers = side_by_side([_call(api, each, deadline) for each in asked], deadline=deadline, name="azure-prices")
    good = [rows for rows in answers if not isinstance(rows, ProviderError)]
    bad = [e for e in answers if isinstance(e, ProviderError)]
    if bad and not good:
        raise bad[0]
    missing = (f"{len(bad)} of {len(asked)} questions for prices: {bad[0].message}",) if bad else ()
    return [row for rows in good for row in rows], missing


def _call(api: Api, each: str, deadline: Deadline) -> Any:
    return lambda: _all_pages(api, each, deadline)


def _all_pages(api: Api, asked: str, deadline: Deadline) -> list[Any]:
    first = {"api-version": PRICES_VERSION, "currencyCode": "'USD'", "$filter": asked}

    def ask(link: str) -> Any:
        page = api.get(link, deadline=deadline) if link else api.get(_PATH, deadline=deadline, params=first)
        if not isinstance(page, dict) or not isinstance(page.get("Items"), list):
            raise Transient("the price feed answered in a form that we do not know", hint="is prices_endpoint right?")
        return page

    pages = api.pages(ask, lambda page: str(page.get("NextPageLink") or ""), deadline=deadline)
    return [row for page in pages for row in page["Items"]]


def _filter(*parts: str) -> str:
    return " and ".join((*_MACHINES, *_LESS, *parts))


def _in(region: str) -> str:
    return f"armRegionName eq '{region}'"
