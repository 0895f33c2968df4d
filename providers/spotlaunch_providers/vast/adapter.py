"""The four methods of Vast.ai."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from spotlaunch.core.facts import Launched, Market, Offer, Offers, Order, SeenMachine, Traits, Want
from spotlaunch.errors import NotAuthorized, ProviderError
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.redact import Redactor
from spotlaunch_providers.shared.side_by_side import side_by_side
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.credentials import HINT
from spotlaunch_providers.vast.ending import end_all, end_command, is_id
from spotlaunch_providers.vast.launching import Launching
from spotlaunch_providers.vast.offers import offers
from spotlaunch_providers.vast.searches import Search, Terms, first_searches, next_searches
from spotlaunch_providers.vast.watching import Watch

NO_KEY = f"no credentials: prices only; {HINT}"

# market -> id of a row -> the row
Found = Mapping[Market, dict[object, Mapping[str, Any]]]


def traits(prices_only: str, endpoint: str) -> Traits:
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
        container_image=figures.IMAGE,
        end_command=end_command(endpoint),
        strangers=True,
    )


class VastProvider:
    """A `Provider`. ``now`` and ``ask_s`` (seconds for a whole question) are for tests.

    Without a key it tells prices, and the other methods raise `NotAuthorized`.
    """

    name = "vast"

    def __init__(
        self,
        asking: Asking,
        terms: Terms,
        *,
        owner: str,
        now: Callable[[], float] = time.time,
        ask_s: float = ASK_S,
    ) -> None:
        self.traits = traits("" if asking.credentials.key else NO_KEY, asking.endpoint)
        self._owner = owner
        self._asking = asking
        self._terms = terms
        self._watch = Watch(redact=Redactor([asking.credentials.key]))
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

    def launch(self, order: Order) -> Launched:
        """See the port. A create is made once; alternatives are some seconds apart, as Vast.ai wants it.

        The secrets of the order stay here: whatever is sent to a host, its owner can read.
        """
        self._needs_key()
        deadline = Deadline(figures.LAUNCH_S)
        return Launching(asking=self._asking, order=order, deadline=deadline, image=figures.IMAGE).launch()

    def list_machines(self) -> Sequence[SeenMachine]:
        """See the port. All contracts of the account are read, 25 at a time, and ours kept."""
        self._needs_key()
        deadline = Deadline(figures.LIST_S)
        rows = list(self._asking.contracts(deadline=deadline))
        return self._watch.machines(
            rows, owner=self._owner, now=self._now(), credit=lambda: self._asking.credit(deadline=deadline)
        )

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """See the port. A contract is destroyed, with its disk; never stopped."""
        self._needs_key()
        failures = end_all(self._asking, instance_ids, Deadline(figures.END_S))
        self._watch.asked_to_end(i for i in instance_ids if is_id(i) and i not in failures)
        return failures

    def _needs_key(self) -> None:
        if self.traits.prices_only:
            raise NotAuthorized(self.traits.prices_only, hint=HINT)

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
