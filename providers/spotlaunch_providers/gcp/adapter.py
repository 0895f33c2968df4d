"""The four methods of Google Cloud."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from spotlaunch.core.facts import Offer, Offers, Traits, Want
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.asking import Asking
from spotlaunch_providers.gcp.cache import Cache
from spotlaunch_providers.gcp.offers import NAME, offers
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.pricesonly import PricesOnly

NOT_YET = f"launching on {NAME} is not part of this version yet"

TRAITS = Traits(
    settle_s=60.0,  # lists are strongly consistent once the operation has begun [MEM]
    idempotent_launch=True,  # requestId, and the name: 409 alreadyExists
    notice_s=30.0,  # up to 30 s; 120 s where preemptionNoticeDuration is granted
    has_spot=True,
    bids=False,
    stopped_still_bills=True,  # a stopped machine's disks
    shutdown_ends_billing=True,  # of the machine: it becomes TERMINATED
    server_side_ttl=True,  # maxRunDuration
    list_interval_s=20.0,
    start_s=180.0,
    prices_only=NOT_YET,
)


class GcpProvider(PricesOnly):
    """A `Provider`. ``now``, ``ask_s`` and ``mono`` are for tests."""

    name = NAME

    def __init__(
        self,
        *,
        owner: str,
        folder: Path,
        account: Account,
        now: Callable[[], float] = time.time,
        ask_s: float = ASK_S,
    ) -> None:
        self.owner = owner
        self.traits = TRAITS
        self._account = account
        self._cache = Cache(folder, endpoint=account.endpoint, billing_endpoint=account.billing_endpoint)
        self._now, self._ask_s = now, ask_s

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every machine with such GPUs, by zone and market; see `offers.offers`.

        `Offer.seen_at` is now: Google sells at list prices, and those that we kept for a while are still its prices.
        """
        deadline = Deadline(self._ask_s)
        asking = Asking(account=self._account, cache=self._cache, deadline=deadline, now=self._now)
        seen = asking.seen(want)
        return Offers(offers(seen, want.markets, now=self._now()), missing=seen.missing)
