"""One question to Azure, in two rounds: prices and the login side by side, then what the account may have of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spotlaunch.core.facts import Offers, Want
from spotlaunch.errors import NotAuthorized, ProviderError
from spotlaunch_providers.azure import eviction, feed, placement, skus
from spotlaunch_providers.azure.account import Access, Account
from spotlaunch_providers.azure.cache import Cache
from spotlaunch_providers.azure.constants import HINT_SHARE, PLACEMENT_KEPT_S, SKUS_KEPT_S
from spotlaunch_providers.azure.errors import Judge
from spotlaunch_providers.azure.offers import Known, offers
from spotlaunch_providers.azure.prices import Price, prices
from spotlaunch_providers.azure.sizes import Size, size_of, wanted
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api
from spotlaunch_providers.shared.side_by_side import side_by_side

# All regions at once: a wave of calls takes as long as its slowest, and this many are no burden to the cloud.
_CATALOGS = 30


class Asking:
    """Asks for offers, again and again. ``folder`` keeps the slow answers, ``of`` tells whose they are."""

    def __init__(
        self,
        access: Access,
        *,
        regions: Sequence[str],
        folder: Path,
        of: str,
        grid_image: str = "",
        ask_s: float,
        now: Callable[[], float],
    ) -> None:
        self._access = access
        self._regions = tuple(regions)
        self._ask_s = ask_s
        self._grid_image = grid_image
        self._now = now
        self._feed = Api(access.prices, judge=Judge(access.redact), redact=access.redact)
        self._skus = Cache(folder / "skus.json", of=of, kept_s=SKUS_KEPT_S, now=now)
        self._scores = Cache(folder / "scores.json", of=of, kept_s=PLACEMENT_KEPT_S, now=now)

    def offers(self, want: Want) -> Offers:
        """All offers that serve ``want``. Raises the first error if no price could be read.

        Raises `NotAuthorized` too when there is a login which Azure refuses: silence would look like bad prices.
        """
        sizes = wanted(want.gpus)
        if not sizes or not want.markets:
            return Offers()
        deadline = Deadline(self._ask_s)
        seen_at = self._now()
        (rows, missing), api = self._first_round(sizes, deadline)
        found = self._chosen(prices(rows, now=seen_at), sizes)
        known = self._known(api, found, want, deadline)
        made = offers(found, known, sizes=sizes, markets=want.markets, seen_at=seen_at)
        return Offers(made, missing=missing)

    def _first_round(
        self, sizes: Sequence[Size], deadline: Deadline
    ) -> tuple[tuple[list[Any], tuple[str, ...]], Api | ProviderError | None]:
        """The rows of the feed, and Resource Manager if there is an account: a login may take a second.

        A login that is refused travels. One that did not come about costs what the account would have told.
        """
        account = self._access.account
        calls: list[Callable[[], Any]] = [lambda: feed.rows(self._feed, sizes, self._regions, deadline=deadline)]
        if account is not None:
            calls.append(lambda: account.api(self._access.redact))
        answers: list[Any] = side_by_side(calls, deadline=deadline, name="azure")
        rows, api = (*answers, None)[:2]
        for answer in (api, rows):
            if isinstance(answer, NotAuthorized) or (answer is rows and isinstance(answer, ProviderError)):
                raise answer
        return rows, api

    def _chosen(self, found: Sequence[Price], sizes: Sequence[Size]) -> list[Price]:
        return [p for p in found if size_of(p.size) in sizes and (not self._regions or p.region in self._regions)]

    def _known(self, api: Api | ProviderError | None, found: Sequence[Price], want: Want, deadline: Deadline) -> Known:
        account = self._access.account
        if account is None or api is None or not found:
            return Known()
        if isinstance(api, ProviderError):
            return Known(unread={p.region: _unchecked(api) for p in found})
        return self._second_round(api, account, found, want, deadline)

    def _second_round(
        self, api: Api, account: Account, found: Sequence[Price], want: Want, deadline: Deadline
    ) -> Known:
        """The catalogs of the regions, and the hints, side by side."""
        names = list(dict.fromkeys(p.size for p in found))
        hint = Deadline(min(self._ask_s * HINT_SHARE, deadline.left_s()))
        calls: list[Callable[[], Any]] = [lambda: self._catalogs(api, account, found, deadline)]
        spot = "spot" in want.markets
        if spot:
            calls.append(lambda: eviction.ask(api, names, deadline=hint))
        if spot and want.gpus:
            calls.append(lambda: placement.scores(api, account, found, cache=self._scores, deadline=hint))
        catalogs, *hints = side_by_side(calls, deadline=deadline, name="azure")
        if isinstance(catalogs, NotAuthorized):
            raise catalogs
        if isinstance(catalogs, ProviderError):  # late by a hair: as where each of them fails, prices hold
            catalogs = ({}, {p.region: _unchecked(catalogs) for p in found})
        rates, scores, *_ = [{} if isinstance(h, ProviderError) else h for h in hints] + [{}, {}]
        read, unread = catalogs
        return Known(account=True, skus=read, unread=unread, rates=rates, scores=scores, grid_image=self._grid_image)

    def _catalogs(
        self, api: Api, account: Account, found: Sequence[Price], deadline: Deadline
    ) -> tuple[dict[str, skus.Skus], dict[str, str]]:
        """The catalogs of all regions that have a price, and why some could not be read.

        Without them prices still hold, so a catalog that fails costs only its certainty. But if Azure refuses us
        everywhere the login is wrong: that travels.
        """
        regions = sorted({p.region for p in found})
        read = _from_cache(self._skus.read(), regions)
        missing = [r for r in regions if r not in read]
        # A little earlier than the whole question ends, so that what did come is not lost.
        soon = Deadline(round(deadline.left_s() * 0.9, 1))
        answers = side_by_side(
            [skus.asking(api, account, r, soon) for r in missing], deadline=soon, most=_CATALOGS, name="azure-skus"
        )
        new = {r: a for r, a in zip(missing, answers, strict=True) if not isinstance(a, ProviderError)}
        bad = {r: a for r, a in zip(missing, answers, strict=True) if isinstance(a, ProviderError)}
        self._skus.add({r: skus.as_json(catalog) for r, catalog in new.items()})
        refusal = next((e for e in bad.values() if isinstance(e, NotAuthorized)), None)
        if refusal is not None and not new and not read:
            raise refusal
        return {**read, **new}, {r: _unchecked(e) for r, e in bad.items()}


def _unchecked(error: ProviderError) -> str:
    return f"could not be checked: {error.message}"


def _from_cache(held: dict[str, Any], regions: Sequence[str]) -> dict[str, skus.Skus]:
    read: dict[str, skus.Skus] = {}
    for region in regions:
        try:
            read[region] = skus.from_json(held[region])
        except (KeyError, ValueError, TypeError, AttributeError):
            continue
    return read
