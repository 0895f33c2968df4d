"""The price list: offers for a person to compare, filtered, ordered, and with what each really costs.

Nothing is drawn by lot here, as `rank` does for jobs: the same offers come in the same order for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from spotlaunch.core.answers import Gpus, serves
from spotlaunch.core.boottimes import BootTimes
from spotlaunch.core.effective import HOURS_PER_MONTH, Work, effective_usd_hour
from spotlaunch.core.facts import Market, Offer
from spotlaunch.core.gpus import marketed_gb
from spotlaunch.core.rates import Rates

Sort = Literal["effective", "price", "availability"]

# What "can be had" is worth where the provider gives no chance of its own.
_CHANCE = {"yes": 1.0, "unknown": 0.5, "no": 0.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Which offers a person wants to see. What is left empty or None leaves nothing out.

    ``gpus``: ``(name, count)``, of which any will do; count 0 is any count. ``providers`` and ``regions`` (globs
    of a region or a zone): any of them will do. ``max_price_usd_hour`` is held against what is really paid: the
    whole machine, in its own market. ``min_gpu_memory_gb`` is of one GPU, as marketed; one that is not known is not
    enough.
    """

    gpus: Gpus = ()
    providers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    market: Market | None = None
    max_price_usd_hour: Decimal | None = None
    min_gpu_memory_gb: float = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What an hour of useful work depends on beside the offer (`core.effective`).

    ``start_s``: by provider, from an interruption to useful work again, as a first guess that ``boots`` corrects.
    ``disk_gb`` is rented beside the machine.
    """

    rates: Rates = field(default_factory=Rates)
    boots: BootTimes = field(default_factory=BootTimes)
    start_s: Mapping[str, float] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    disk_gb: float = 0


class Row(NamedTuple):
    """An offer, what an hour of useful work on it costs, and what that reckons with: interruptions an hour, seconds
    from one to useful work again, and what the disk beside the machine costs.

    (A tuple, because a hundred thousand are made for one list.)
    """

    offer: Offer
    effective_usd_hour: Decimal
    interruptions_per_hour: float
    restart_s: float
    storage_usd_hour: Decimal

    @property
    def price_usd_gpu_hour(self) -> Decimal:
        """The price for each GPU."""
        return self.offer.price_usd_hour / (self.offer.gpu_count or 1)

    @property
    def effective_usd_gpu_hour(self) -> Decimal:
        """The effective cost for each GPU."""
        return self.effective_usd_hour / (self.offer.gpu_count or 1)

    @property
    def saving_percent(self) -> float | None:
        """How much less than on-demand, for a spot machine whose on-demand price is known. Dearer is negative."""
        on_demand = self.offer.on_demand_usd_hour
        if self.offer.pool.market != "spot" or not on_demand:
            return None
        return float(100 - 100 * self.offer.price_usd_hour / on_demand)

    def age_s(self, now: float) -> float:
        """How long ago the price was seen, in seconds."""
        return max(0.0, now - self.offer.seen_at)


def price_list(offers: Iterable[Offer], wish: Wish, terms: Terms, *, sort: Sort = "effective") -> list[Row]:
    """The rows that ``wish`` asks for, best first; those that cannot be had now stand last, whatever they cost.

    ``effective`` and ``price`` compare whole machines, dollars per hour. Equals stand in the order of their pools.
    """
    wanted = _filter(wish)
    rows = [_row(offer, terms) for offer in offers if wanted(offer)]
    ordered: list[Row] = []
    for gone in (False, True):
        part = [row for row in rows if (row.offer.available == "no") is gone]
        # Most rows are told apart by one number. The whole key for each would take twice the time.
        part.sort(key=_NUMBER[sort])
        for _, equals in groupby(part, key=_NUMBER[sort]):
            ordered += sorted(equals, key=_among_equals)
    return ordered


def cheapest(rows: Iterable[Row]) -> Row | None:
    """The row with the lowest effective cost among those that can be had."""
    can_be_had = (r for r in rows if r.offer.available != "no")
    return min(can_be_had, key=lambda r: (r.effective_usd_hour, _among_equals(r)), default=None)


def _row(offer: Offer, terms: Terms) -> Row:
    rate = terms.rates.of(offer)
    start_s = terms.boots.of(offer.pool, terms.start_s.get(offer.pool.provider, 0.0))
    cost = effective_usd_hour(offer, rate_per_hour=rate, restart_s=start_s, work=terms.work, disk_gb=terms.disk_gb)
    disk = Decimal(0)
    if terms.disk_gb and offer.storage_usd_gb_month:
        disk = Decimal(terms.disk_gb) * offer.storage_usd_gb_month / HOURS_PER_MONTH
    return Row(offer, cost, rate, start_s, disk)


def _filter(wish: Wish) -> Callable[[Offer], bool]:
    """Whether an offer is wanted. A market has many offers of few GPUs and places: each is judged once."""
    gpus: dict[tuple[str, int], bool] = {}
    places: dict[tuple[str, str, str], bool] = {}
    large: dict[tuple[str, float | None], bool] = {}
    most, least_gb, market = wish.max_price_usd_hour, wish.min_gpu_memory_gb, wish.market

    def wanted(offer: Offer) -> bool:
        pool = offer.pool
        if market is not None and pool.market != market:
            return False
        if most is not None and offer.price_usd_hour > most:
            return False
        card = (offer.gpu, offer.gpu_memory_gb)
        if least_gb and card not in large:
            large[card] = (marketed_gb(*card) or 0) >= least_gb
        if least_gb and not large[card]:
            return False
        gpu = (offer.gpu, offer.gpu_count)
        if gpu not in gpus:
            gpus[gpu] = serves(wish.gpus, *gpu)
        place = (pool.provider, pool.region, pool.zone)
        if place not in places:
            places[place] = _is_there(wish, *place)
        return gpus[gpu] and places[place]

    return wanted


def _is_there(wish: Wish, provider: str, region: str, zone: str) -> bool:
    if wish.providers and provider not in wish.providers:
        return False
    globs = [g.lower() for g in wish.regions]
    return not globs or any(fnmatchcase(place.lower(), g) for g in globs for place in (region, zone))


def _chance_and_cost(row: Row) -> tuple[float, Decimal]:
    offer = row.offer
    chance = offer.obtainability if offer.obtainability is not None else _CHANCE[offer.available]
    return -chance, row.effective_usd_hour


_NUMBER: Mapping[Sort, Callable[[Row], Any]] = {
    "effective": attrgetter("effective_usd_hour"),
    "price": attrgetter("offer.price_usd_hour"),
    "availability": _chance_and_cost,
}


def _among_equals(row: Row) -> tuple[Any, ...]:
    """Price, then cost, then the pool: spelled out, because comparing two pools is slow."""
    offer = row.offer
    pool = offer.pool
    place = (pool.provider, pool.region, pool.zone, pool.instance_type, pool.market)
    return offer.price_usd_hour, row.effective_usd_hour, place, offer.gpu, offer.gpu_count
