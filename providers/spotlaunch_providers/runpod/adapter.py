"""The four methods of RunPod. Launching is not part of this version."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from spotlaunch.core.facts import Offer, Offers, Traits, Want
from spotlaunch.errors import ProviderError
from spotlaunch_providers.runpod.asking import Asking
from spotlaunch_providers.runpod.credentials import HINT
from spotlaunch_providers.runpod.feed import SOURCE, feed_lots, query
from spotlaunch_providers.runpod.offers import CLOUDS, catalog_lots, counts, offer
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.pricesonly import PricesOnly
from spotlaunch_providers.shared.side_by_side import side_by_side

NO_KEY = f"no credentials: prices only; {HINT}"
NOT_YET = "launching on runpod is not part of this version yet"


def traits(prices_only: str) -> Traits:
    """RunPod's ways. It has no idempotency key; a container that ends is started again and billed on."""
    return Traits(
        settle_s=60.0,
        idempotent_launch=False,
        notice_s=0.0,
        has_spot=False,
        bids=False,
        stopped_still_bills=True,
        shutdown_ends_billing=False,
        server_side_ttl=False,
        list_interval_s=15.0,
        prices_only=prices_only,
    )


class RunpodProvider(PricesOnly):
    """A `Provider`. ``now`` and ``ask_s`` (seconds for a whole question) are for tests."""

    name = "runpod"

    def __init__(self, asking: Asking, *, now: Callable[[], float] = time.time, ask_s: float = ASK_S) -> None:
        self.traits, self._hint = (traits(NOT_YET), "") if asking.credentials.key else (traits(NO_KEY), HINT)
        self._asking = asking
        self._now = now
        self._ask_s = ask_s

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every GPU of the catalog that is wanted, in each size, data center and cloud. None of them is spot.

        Raises the first error when no question was answered; a size that could not be asked for is missing.
        """
        if "on-demand" not in want.markets:
            return ()
        deadline, asked_at = Deadline(self._ask_s), self._now()
        ask = self._from_catalog if self._asking.credentials.key else self._from_feed
        calls = ask(want, asked_at, deadline)
        outcomes = dict(zip(calls, side_by_side([*calls.values()], deadline=deadline, name="runpod"), strict=True))
        errors = {what: o for what, o in outcomes.items() if isinstance(o, ProviderError)}
        if errors and len(errors) == len(outcomes):
            raise next(iter(errors.values()))
        found = (offer for o in outcomes.values() if not isinstance(o, ProviderError) for offer in o)
        return Offers(found, missing=(f"{what}: {e.message}" for what, e in errors.items()))

    def _from_catalog(self, want: Want, now: float, deadline: Deadline) -> dict[str, Callable[[], list[Offer]]]:
        def ask(count: int, cloud: str) -> list[Offer]:
            rows = self._asking.catalog(count=count, cloud=cloud, deadline=deadline)
            return [offer(lot, want=want, now=now) for lot in catalog_lots(rows, count=count, cloud=cloud, want=want)]

        return {f"{n} GPUs, {cloud.lower()}": partial(ask, n, cloud) for n in counts(want) for cloud in CLOUDS}

    def _from_feed(self, want: Want, now: float, deadline: Deadline) -> dict[str, Callable[[], list[Offer]]]:
        def ask(count: int) -> list[Offer]:
            data = self._asking.graphql(query(count), deadline=deadline)
            return [offer(lot, want=want, now=now, source=SOURCE) for lot in feed_lots(data, count=count, want=want)]

        return {f"{count} GPUs": partial(ask, count) for count in counts(want)}
