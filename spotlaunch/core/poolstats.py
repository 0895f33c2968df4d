"""Pool statistics: what was seen of each pool and what is believed of it, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from spotlaunch.core.facts import Offer, Pool
from spotlaunch.core.lessons import Learned, Lesson, totals
from spotlaunch.core.pricehistory import PoolPrices
from spotlaunch.core.quantiles import gamma_quantile
from spotlaunch.core.seasons import DAY_H, WEEK_H, Place

# Between these shares of what is possible lies the rate, with 90% certainty.
LOW, HIGH = 0.05, 0.95

_NOTHING: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class OnSale:
    """A pool as the market showed it: hours on sale and not, and how often it went."""

    hours: float
    gone_hours: float
    went: int

    @property
    def percent(self) -> float:
        return 100 * self.hours / ((self.hours + self.gone_hours) or 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolStats:
    """One pool. ``hours`` up, ``interruptions``, ``granted`` and ``refused`` launches are those seen here.

    ``rate`` is interruptions an hour, with 90% certainty from ``low`` to ``high``; ``prior`` what it would be without
    any history. ``availability``: the chance that a launch now is granted. ``start_s``: the median of ``boots`` starts
    (None: none was seen). ``imported_hours`` and ``imported_interruptions`` are what others saw, before the discount.
    """

    pool: Pool
    gpu: str
    gpu_count: int
    hours: float
    interruptions: float
    rate: float
    low: float
    high: float
    prior: float
    granted: float
    refused: float
    availability: float
    boots: int
    start_s: float | None
    imported_hours: float
    imported_interruptions: float
    on_sale: OnSale | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceStats:
    """One region in one market by the hour of the week (0 is Monday 00:00 UTC), `WEEK_H` of each; see `PoolStats`.

    ``factors``: how many times more often than on average machines are taken, as believed.
    """

    place: Place
    hours: tuple[float, ...]
    interruptions: tuple[float, ...]
    factors: tuple[float, ...]
    granted: tuple[float, ...]
    refused: tuple[float, ...]


def pool_stats(
    own: Sequence[Lesson],
    imported: Sequence[Lesson],
    learned: Learned,
    *,
    now: float,
    offers: Mapping[Pool, Offer],
    on_sale: Mapping[Pool, OnSale],
) -> list[PoolStats]:
    """Of every pool in a lesson, those first of which most was seen. ``offers``: the market's word, where known."""
    seen: dict[Pool, tuple[Lesson, tuple[float, float]]] = {x.pool: (x, _NOTHING) for x in own}
    for lesson in imported:
        up, taken = totals(lesson.week)
        known, theirs = seen.get(
            lesson.pool, (Lesson(pool=lesson.pool, gpu=lesson.gpu, gpu_count=lesson.gpu_count), _NOTHING)
        )
        seen[lesson.pool] = known, (theirs[0] + up, theirs[1] + taken)
    found = [_one(known, theirs, learned, now, offers, on_sale) for known, theirs in seen.values()]
    return sorted(found, key=lambda s: (-(s.hours + s.imported_hours), -(s.granted + s.refused), s.pool))


def _one(
    lesson: Lesson,
    theirs: tuple[float, float],
    learned: Learned,
    now: float,
    offers: Mapping[Pool, Offer],
    on_sale: Mapping[Pool, OnSale],
) -> PoolStats:
    pool = lesson.pool
    offer = offers.get(pool) or Offer(
        pool=pool, gpu=lesson.gpu, gpu_count=lesson.gpu_count, price_usd_hour=Decimal(0), seen_at=now
    )
    hours, interruptions = totals(lesson.week)
    granted, refused = totals(lesson.tries)
    belief = learned.rates.belief(offer)
    boots = sorted(lesson.boots_s)
    return PoolStats(
        pool=pool,
        gpu=offer.gpu,
        gpu_count=offer.gpu_count,
        hours=hours,
        interruptions=interruptions,
        rate=belief.interruptions / belief.hours,
        low=gamma_quantile(LOW, belief.interruptions, belief.hours),
        high=gamma_quantile(HIGH, belief.interruptions, belief.hours),
        prior=learned.rates.prior(offer),
        granted=granted,
        refused=refused,
        availability=learned.availability.of(offer, now),
        boots=len(boots),
        start_s=(boots[(len(boots) - 1) // 2] + boots[len(boots) // 2]) / 2 if boots else None,
        imported_hours=theirs[0],
        imported_interruptions=theirs[1],
        on_sale=on_sale.get(pool),
    )


def place_stats(own: Iterable[Lesson], learned: Learned) -> list[PlaceStats]:
    """Of every region and market in a lesson, where anything was taken or asked for; most hours first."""
    found: dict[Place, list[list[float]]] = {}
    for lesson in own:
        pool = lesson.pool
        cells = found.setdefault((pool.provider, pool.region, pool.market), [[0.0] * WEEK_H for _ in range(4)])
        for hour, (up, taken) in lesson.week.items():
            cells[0][hour] += up
            cells[1][hour] += taken
        for at_hour, (granted, refused) in lesson.tries.items():
            hour = (at_hour + 3 * DAY_H) % WEEK_H
            cells[2][hour] += granted
            cells[3][hour] += refused
    stats = [
        PlaceStats(
            place=place,
            hours=tuple(up),
            interruptions=tuple(taken),
            factors=learned.season.factors(place) or (1.0,) * WEEK_H,
            granted=tuple(granted),
            refused=tuple(refused),
        )
        for place, (up, taken, granted, refused) in found.items()
    ]
    return sorted(stats, key=lambda s: (-sum(s.hours), s.place))


def on_sale_of(prices: PoolPrices, *, since: float, until: float) -> OnSale | None:
    """How long a pool was on sale between two times, as far as anybody looked.

    None where it was never seen to be away: many providers say nothing of that.
    """
    end = min(until, prices.seen_at)
    hours = {True: 0.0, False: 0.0}
    went = 0
    changes = prices.changes
    for n, change in enumerate(changes):
        till = changes[n + 1].at if n + 1 < len(changes) else max(end, change.at)
        hours[change.on_sale] += max(0.0, min(till, end) - max(change.at, since)) / 3600
        went += n > 0 and changes[n - 1].on_sale and not change.on_sale and change.at >= since
    if all(change.on_sale for change in changes):
        return None
    return OnSale(hours=hours[True], gone_hours=hours[False], went=went)
