"""How likely a spot machine is to be had now: Azure's spot placement score.

A hint for few: there is a tight limit of calls an hour, and the account needs a role of its own ("Compute
Recommendations Role"). So there is one call for the cheapest sizes and regions, and its answer is kept for an hour,
also the answer that we may not ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spotlaunch.errors import NotAuthorized, ProviderError, Throttled
from spotlaunch_providers.azure.account import Account
from spotlaunch_providers.azure.cache import Cache
from spotlaunch_providers.azure.constants import (
    OBTAINABILITY,
    PLACEMENT_MOST_REGIONS,
    PLACEMENT_MOST_SIZES,
    PLACEMENT_VERSION,
)
from spotlaunch_providers.azure.prices import Price
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api

_CLOSED = "closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Azure's word on a size in a region: High, Medium, Low, or why there is none. ``quota`` False: used up."""

    word: str
    quota: bool = True

    @property
    def obtainability(self) -> float | None:
        """The chance to get one now, 0..1; None where Azure does not say."""
        return OBTAINABILITY.get(self.word.lower())


# By size and region in small letters.
Scores = dict[tuple[str, str], Score]


def chosen(prices: Sequence[Price]) -> tuple[list[str], list[str]]:
    """The sizes and regions worth a call: those of the cheapest spot prices, within the limits of one call."""
    spot = [p for p in prices if p.spot_usd_hour is not None]
    sizes: list[str] = []
    regions: list[str] = []
    for price in sorted(spot, key=lambda p: (p.spot_usd_hour or 0, p.size, p.region)):
        fits = price.size in sizes or len(sizes) < PLACEMENT_MOST_SIZES
        if fits and (price.region in regions or len(regions) < PLACEMENT_MOST_REGIONS):
            sizes += [price.size] if price.size not in sizes else []
            regions += [price.region] if price.region not in regions else []
    return sizes, regions


def scores(api: Api, account: Account, prices: Sequence[Price], *, cache: Cache, deadline: Deadline) -> Scores:
    """What is known, asked for where the memory has a gap. Empty where Azure does not tell us."""
    held = cache.read()
    sizes, regions = chosen(prices)
    asked = {f"{size}/{region}".lower(): (size, region) for size in sizes for region in regions}
    if _CLOSED not in held and asked.keys() - held.keys():
        try:
            held |= (new := _remembered(ask(api, account, sizes, regions, deadline=deadline), list(asked)))
        except (NotAuthorized, Throttled):
            new = {_CLOSED: True}
        except ProviderError:
            new = {}
        cache.add(new)
    return _read(held)


def ask(api: Api, account: Account, sizes: Sequence[str], regions: Sequence[str], *, deadline: Deadline) -> list[Any]:
    """One call, at most 8 regions by 5 sizes. Azure wants some location in the path: it is any of them."""
    path = account.path(f"providers/Microsoft.Compute/locations/{regions[0]}/placementScores/spot/generate")
    body = {
        "desiredLocations": list(regions),
        "desiredSizes": [{"sku": size} for size in sizes],
        "desiredCount": 1,
        "availabilityZones": False,
    }
    answer = api.post(path, body, deadline=deadline, params={"api-version": PLACEMENT_VERSION})
    rows = answer.get("placementScores") if isinstance(answer, dict) else None
    return rows if isinstance(rows, list) else []


def _remembered(rows: list[Any], asked: list[str]) -> dict[str, Any]:
    """By key of the cache; what was asked for and not answered is remembered too, so as not to ask again."""
    told: dict[str, Any] = {key: ["", True] for key in asked}
    for row in rows:
        if isinstance(row, dict):
            key = f"{row.get('sku')}/{row.get('region')}".lower()
            told[key] = [str(row.get("score") or ""), row.get("isQuotaAvailable") is not False]
    return told


def _read(held: dict[str, Any]) -> Scores:
    found: Scores = {}
    for key, said in held.items():
        size, _, region = key.partition("/")
        if region and isinstance(said, list) and len(said) == 2:
            found[size, region] = Score(word=str(said[0]), quota=bool(said[1]))
    return found
