"""The four methods of Vast.ai. Launching is not part of this version."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from spotlaunch.core.facts import Market, Offer, Offers, Traits, Want
from spotlaunch.errors import ProviderError
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.pricesonly import PricesOnly
from spotlaunch_providers.shared.side_by_side import side_by_side
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.credentials import HINT
from spotlaunch_providers.vast.offers import offers
from spotlaunch_providers.vast.searches import Search, Terms, first_searches, next_searches

NO_KEY = f"no credentials: prices only; {HINT}"
NOT_YET = "launching on vast is not part of this version yet"

# market -> id of a row -> the row
Found = Mapping[Market, dict[object, Mapping[str, Any]]]


def traits(prices_only: str) -> Traits:
    """Vast.ai's ways. Who is outbid is stopped without notice, and its disk is billed on; so is whoever ends."""
    return Traits(
        settle_s=60.0,
        idempotent_launch=False,
        notice_s=0.0,
        has_spot=True,
        bids=True,
        stopped_still_bills=True,
        shutdown_ends_billing=False,
        server_side_ttl=False,
        list_interval_s=10.0,
        boot_timeout_s=1200.0,
        prices_only=prices_only,
    )


class VastProvider(PricesOnly):
    """A `Provider`. ``now`` and ``ask_s`` (seconds for a whole question) are for tests."""

    name = "vast"

    def __init__(
        self,
        asking: Asking,
        terms: Terms,
        *,
        now: Callable[[], float] = time.time,
        ask_s: float = ASK_S,
    ) -> None:
        self.traits, self._hint = (traits(NOT_YET), "") if asking.credentials.key else (traits(NO_KEY), HINT)
        self._asking = asking
        self._terms = terms
        self._now = now
        self._ask_s = ask_s

    def offers(self, want: Want) -> Sequence[Offer]:
        """What hosts offer for hire and for bids, the cheapest first up to a bounded number of pages.

        Raises the first error when no search was answered; the rows of one that was not are missing.
        """
        asked_at = self._now()
        found, missing = self._search(first_searches(want), Deadline(self._ask_s))
        disk_gb = want.disk_gb or figures.DISK_GB
        hired, bids = (
            [row for row in found[market].values() if self._terms.fit(row, disk_gb)] for market in ("on-demand", "spot")
        )
        return Offers(offers(hired, bids, want=want, now=asked_at), missing=missing)

    def _search(self, searches: Sequence[Search], deadline: Deadline) -> tuple[Found, list[str]]:
        """All rows of these searches and of what follows them, round by round, each round side by side; and what
        could not be searched."""
        found: Found = {"spot": {}, "on-demand": {}}
        made: Counter[Market] = Counter()
        errors: list[ProviderError] = []
        while searches:
            made.update(s.market for s in searches)
            calls = [partial(self._asking.search, s.query(self._terms), deadline=deadline) for s in searches]
            later: list[Search] = []
            for search, rows in zip(searches, side_by_side(calls, deadline=deadline, name="vast"), strict=True):
                if isinstance(rows, ProviderError):
                    errors.append(rows)
                    continue
                known = found[search.market]
                before = len(known)
                known.update((row.get("id") or row.get("ask_contract_id"), row) for row in rows)
                later += next_searches(search, rows, news=len(known) > before)
            searches = _affordable(later, made)
        if errors and len(errors) == made.total():
            raise errors[0]
        return found, [f"{len(errors)} of {made.total()} searches: {errors[0].message}"] if errors else []


def _affordable(searches: Sequence[Search], made: Mapping[Market, int]) -> list[Search]:
    """Those that the limit of searches allows, in their order."""
    left = {market: figures.MOST_SEARCHES - made.get(market, 0) for market in ("spot", "on-demand")}
    kept = []
    for search in searches:
        left[search.market] -= 1
        if left[search.market] >= 0:
            kept.append(search)
    return kept
