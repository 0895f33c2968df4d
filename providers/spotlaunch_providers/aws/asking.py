"""Which calls answer a question about offers, and which of them side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from spotlaunch.core.facts import Offer, Offers, Want
from spotlaunch.errors import NotAuthorized, ProviderError
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.advisor import Bands
from spotlaunch_providers.aws.errors import LOGIN, NOT_ENABLED, code_of
from spotlaunch_providers.aws.feeds import PRICES_FILE, Feeds
from spotlaunch_providers.aws.offers import on_demand_offers, spot_offers
from spotlaunch_providers.aws.ondemand import OnDemandPrices, ask_on_demand, bundles
from spotlaunch_providers.aws.shapes import Shape, ask_shapes, known_shapes, wanted
from spotlaunch_providers.aws.spot import SpotPrices, ask_spot
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

T = TypeVar("T")
U = TypeVar("U")

# What is known by then is worth more than a late rest, so the parts of a question end before the whole does.
INNER = 0.95
# The Advisor tells rates only. Prices do not wait longer for it than this.
ADVICE_S = 4.0
# More than any account has regions enabled, with the price list beside them.
AT_ONCE = 48


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prices:
    """What both markets answered, for which shapes."""

    shapes: Sequence[Shape]
    spot: SpotPrices
    on_demand: OnDemandPrices
    missing: tuple[str, ...] = ()


def only(outcomes: Sequence[T | ProviderError]) -> T:
    """The result of the one call there was; raises its error."""
    (outcome,) = outcomes
    if isinstance(outcome, ProviderError):
        raise outcome
    return outcome


def live_offers(access: Access, feeds: Feeds | None, want: Want, *, now: float, deadline: Deadline) -> Offers:
    """Offers from the account's own answers. ``feeds``: where the Advisor is read, if it may be."""
    inner = _inner(deadline)
    prices, bands = _two(
        lambda: _live_prices(access, want, now=now, deadline=inner), _advice(feeds, want, now, inner), deadline
    )
    offers: list[Offer] = []
    if "spot" in want.markets:
        offers += spot_offers(prices.shapes, prices.spot, on_demand=prices.on_demand, bands=bands, seen_at=now)
    if "on-demand" in want.markets:
        offers += on_demand_offers(prices.shapes, prices.on_demand, seen_at=now)
    return Offers(offers, missing=prices.missing)


def public_offers(access: Access, feeds: Feeds, want: Want, *, now: float, deadline: Deadline) -> tuple[Offer, ...]:
    """Spot offers by region from the feeds that anybody may read. They say nothing of on-demand prices.

    Raises `NotAuthorized` when only those are wanted.
    """
    if "spot" not in want.markets:
        raise NotAuthorized("no credentials, and no public feed tells on-demand prices", hint=LOGIN)
    inner = _inner(deadline)
    (prices, age_s), bands = _two(lambda: feeds.spot(deadline=inner), _advice(feeds, want, now, inner), deadline)
    here = {key: price for key, price in prices.items() if not access.regions or key[0] in access.regions}
    return tuple(
        spot_offers(
            wanted(known_shapes().values(), want),
            here,
            on_demand={},
            bands=bands,
            seen_at=now - age_s,
            source=f"public feed: {PRICES_FILE}",
        )
    )


def _live_prices(access: Access, want: Want, *, now: float, deadline: Deadline) -> _Prices:
    regions, shapes = _regions_and_shapes(access, want, deadline)
    types = [s.instance_type for s in shapes]
    if not types or not regions:
        return _Prices(shapes=shapes, spot={}, on_demand={})
    sold = [s.instance_type for s in shapes if "spot" in s.markets and "spot" in want.markets]
    # The list prices also when only spot is wanted: what is saved is told beside it.
    listed = [partial(ask_on_demand, access, bundle, regions, deadline=deadline) for bundle in bundles(types, regions)]
    zoned = [partial(ask_spot, access, region, sold, now=now, deadline=deadline) for region in regions if sold]
    calls: list[Callable[[], dict[Any, Decimal]]] = [*listed, *zoned]
    outcomes = side_by_side(calls, deadline=deadline, most=AT_ONCE, name="aws")
    on_demand, spot = outcomes[: len(listed)], outcomes[len(listed) :]
    asked = [*spot, *(on_demand if "on-demand" in want.markets else ())]
    if asked and all(isinstance(outcome, ProviderError) for outcome in asked):
        raise next(outcome for outcome in asked if isinstance(outcome, ProviderError))
    closed = {region for region, outcome in zip(regions, spot, strict=False) if _not_enabled(outcome)}
    open_prices = {key: price for key, price in _merged(on_demand).items() if key[0] not in closed}
    return _Prices(shapes=shapes, spot=_merged(spot), on_demand=open_prices, missing=_missing(regions, spot, on_demand))


def _missing(regions: Sequence[str], spot: Sequence[object], on_demand: Sequence[object]) -> tuple[str, ...]:
    """What is not among the offers. A region that is not enabled in the account is none that is missing."""
    lost = [
        f"spot prices of {region}: {outcome.message}"
        for region, outcome in zip(regions, spot, strict=False)
        if isinstance(outcome, ProviderError) and not _not_enabled(outcome)
    ]
    return (*lost, *(f"on-demand prices: {o.message}" for o in on_demand if isinstance(o, ProviderError)))


def _not_enabled(outcome: object) -> bool:
    return isinstance(outcome, ProviderError) and code_of(outcome) in NOT_ENABLED


def _regions_and_shapes(access: Access, want: Want, deadline: Deadline) -> tuple[tuple[str, ...], list[Shape]]:
    def regions() -> tuple[str, ...]:
        return access.regions or ask_regions(access, deadline=deadline)

    found, shapes = _two(regions, lambda: ask_shapes(access, regions, deadline=deadline), deadline)
    return found, wanted(shapes.values(), want)


def ask_regions(access: Access, *, deadline: Deadline) -> tuple[str, ...]:
    """The regions that are enabled in the account."""
    answer = access.ask("ec2", "describe_regions", "Regions", region=access.home, deadline=deadline)
    enabled = (told for told in answer["Regions"] if told.get("OptInStatus") != "not-opted-in")
    return tuple(sorted(str(told["RegionName"]) for told in enabled))


def _advice(feeds: Feeds | None, want: Want, now: float, deadline: Deadline) -> Callable[[], Bands]:
    if feeds is None or "spot" not in want.markets:
        return dict
    return lambda: feeds.advice(now=now, deadline=Deadline(min(ADVICE_S, deadline.left_s())))


def _inner(deadline: Deadline) -> Deadline:
    return Deadline(max(0.1, deadline.left_s() * INNER))


def _two(one: Callable[[], T], other: Callable[[], U], deadline: Deadline) -> tuple[T, U]:
    """Both, side by side; raises the error of the first, else of the second."""
    calls: list[Callable[[], object]] = [one, other]
    first, second = side_by_side(calls, deadline=deadline, name="aws")
    for outcome in (first, second):
        if isinstance(outcome, ProviderError):
            raise outcome
    return first, second  # type: ignore[return-value]


def _merged(outcomes: Sequence[dict[Any, Decimal] | ProviderError]) -> dict[Any, Decimal]:
    return {key: v for outcome in outcomes if not isinstance(outcome, ProviderError) for key, v in outcome.items()}
