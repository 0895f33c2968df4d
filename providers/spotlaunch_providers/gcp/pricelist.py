"""Reading the price list: 5,000 rows a page, and more pages than one question may have time for."""

from __future__ import annotations

from typing import Any

from spotlaunch.errors import InvalidOrder
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.answers import mapping, next_token, understood
from spotlaunch_providers.gcp.cache import Cache, PriceList
from spotlaunch_providers.gcp.skus import Prices
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api

SERVICE = "6F81-5844-456A"  # Compute Engine in the catalog
SKU_PAGE = 5000


def list_prices(account: Account, cache: Cache, *, now: float, deadline: Deadline) -> Prices:
    """The prices of parts: from the cache, else read on from where the last question had to stop.

    What was read before an error stays in the cache.
    """
    known = cache.price_list(now)
    if known.at and not known.next:
        return known.prices
    going = known if known.at else PriceList(at=now)
    api, first = account.billing(), going.next
    pages = api.pages(lambda token: _page(api, token or first, deadline), next_token, deadline=deadline)
    try:
        for page in pages:
            _add(going.prices, page)
            going.next = next_token(page)
            known = going
    except InvalidOrder:
        known = PriceList(at=0.0)  # the token was too old: from the beginning the next time
        raise
    finally:
        cache.keep_prices(known)
    return known.prices


def _page(api: Api, token: str, deadline: Deadline) -> Any:
    params = {"pageSize": str(SKU_PAGE), "currencyCode": "USD"}
    return api.get(
        f"v1/services/{SERVICE}/skus",
        deadline=deadline,
        params={**params, "pageToken": token} if token else params,
    )


def _add(prices: Prices, page: Any) -> None:
    understood(lambda: prices.add(mapping(page).get("skus") or ()))
