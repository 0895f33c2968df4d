"""Price curves: from what each pool cost, and when that changed, to the cheapest price of a GPU over time.

A pool's price holds from one change to the next. The last one holds only while the pool was still seen: of one
that vanished nobody knows what it would cost now, and it must not stay the cheapest for ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from spotlaunch.core.facts import Market, Pool
from spotlaunch.core.gpus import gpu_matches
from spotlaunch.core.pricehistory import PoolPrices

# That a pool was seen again is written down once an hour (storage/pricebook.py), so it may have been there so
# much longer than is known.
HOLDS_S = 3600.0

# A plot has about so many columns; a step is one of these, so that steps begin at round times.
MOST_STEPS = 200
STEPS_S = (60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 86400.0, 7 * 86400.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The time that is looked at: steps of ``step_s`` from ``since`` on, in seconds since the epoch."""

    since: float
    step_s: float
    steps: int

    @property
    def until(self) -> float:
        """The end of the last step."""
        return self.since + self.steps * self.step_s

    def at(self, number: int) -> float:
        """When a step begins."""
        return self.since + number * self.step_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Low:
    """The lowest price of one GPU for an hour within a step, and the pool that had it."""

    price_usd_gpu_hour: Decimal
    pool: Pool


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """What a GPU cost at one provider at the least, for each step of a span; None where nothing is known."""

    provider: str
    lows: tuple[Low | None, ...]

    @property
    def known(self) -> list[Low]:
        """The steps of which something is known, in order."""
        return [low for low in self.lows if low is not None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which pools count; what is left empty or None leaves nothing out. ``regions``: globs of a region or a zone."""

    gpus: tuple[tuple[str, int], ...]
    providers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    market: Market | None = None

    def takes(self, prices: PoolPrices) -> bool:
        pool = prices.pool
        return (
            prices.gpu_count > 0
            and self.market in (None, pool.market)
            and (not self.providers or pool.provider in self.providers)
            and (not self.regions or any(_lies_in(pool, glob) for glob in self.regions))
            and any(count in (0, prices.gpu_count) and gpu_matches(gpu, prices.gpu) for gpu, count in self.gpus)
        )


def span_of(*, now: float, back_s: float) -> Span:
    """The last ``back_s`` seconds, in steps that begin at round times and are not too many. It ends after ``now``."""
    step_s = next((s for s in STEPS_S if back_s / s <= MOST_STEPS), STEPS_S[-1])
    since = math.floor((now - back_s) / step_s) * step_s
    return Span(since=since, step_s=step_s, steps=max(1, math.floor((now - since) / step_s) + 1))


def curves(history: Iterable[PoolPrices], choice: Choice, span: Span) -> tuple[Curve, ...]:
    """A curve for each provider whose pools count and were seen within ``span``, in the order of their names."""
    lows: dict[str, list[Low | None]] = {}
    for prices in dict.fromkeys(p for p in history if choice.takes(p)):
        for start, end, price_usd_hour in _held(prices):
            low = Low(price_usd_gpu_hour=price_usd_hour / prices.gpu_count, pool=prices.pool)
            for step in _steps(span, start, end):
                steps = lows.setdefault(prices.pool.provider, [None] * span.steps)
                before = steps[step]
                if before is None or _order(low) < _order(before):
                    steps[step] = low
    return tuple(Curve(provider=name, lows=tuple(steps)) for name, steps in sorted(lows.items()))


def _held(prices: PoolPrices) -> Iterator[tuple[float, float, Decimal]]:
    """From when to when the pool had which price; not while it could not be had."""
    ends = [change.at for change in prices.changes[1:]] + [prices.seen_at + HOLDS_S]
    for change, end in zip(prices.changes, ends, strict=True):
        # Also a price that was seen once, and at once was another, did hold.
        if change.on_sale:
            yield change.at, max(end, change.at), change.price_usd_hour


def _steps(span: Span, start: float, end: float) -> range:
    """The steps that a price touched which held from ``start`` to before ``end``."""
    first = math.floor((start - span.since) / span.step_s)
    last = max(first, math.ceil((end - span.since) / span.step_s) - 1)
    return range(max(0, first), min(span.steps, last + 1))


def _order(low: Low) -> tuple[Decimal, Pool]:
    return low.price_usd_gpu_hour, low.pool


def _lies_in(pool: Pool, glob: str) -> bool:
    return any(fnmatchcase(place.lower(), glob.lower()) for place in (pool.region, pool.zone))
