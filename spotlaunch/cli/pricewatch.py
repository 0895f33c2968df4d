"""What moved on the market between two draws of `prices --watch`."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from spotlaunch.cli import render
from spotlaunch.core.answers import Answer
from spotlaunch.core.facts import Pool
from spotlaunch.core.pricelist import Row

# More lines than these nobody reads.
MOST_GONE = 10


class Moves:
    """Remembers the prices of one draw, and tells what is different in the next. Before the first nothing moved."""

    def __init__(self) -> None:
        self._before: dict[Pool, Decimal] | None = None
        self._answered: frozenset[str] = frozenset()

    def remember(self, rows: Iterable[Row], answers: Iterable[Answer]) -> None:
        """These were drawn. Of a provider that did not answer, what was known before still is."""
        answered = frozenset(a.provider for a in answers if not a.failure)
        kept = {p: price for p, price in (self._before or {}).items() if p.provider not in answered}
        self._before = kept | {r.offer.pool: r.offer.price_usd_hour for r in rows}
        self._answered |= answered

    def mark(self, row: Row) -> str:
        """``new``, ``up 0.12`` or ``down 0.12`` (dollars per hour), or nothing."""
        pool, price = row.offer.pool, row.offer.price_usd_hour
        if self._before is None or pool.provider not in self._answered:
            return ""
        before = self._before.get(pool)
        if before is None:
            return "new"
        if price == before:
            return ""
        return f"{'up' if price > before else 'down'} {render.usd(abs(price - before))}"

    def gone(self, rows: Iterable[Row], answers: Iterable[Answer]) -> list[str]:
        """Pools that were there and are no more, and what they cost. One that did not answer has lost none."""
        if not self._before:
            return []
        answered = {a.provider for a in answers if not a.failure}
        left = {r.offer.pool for r in rows}
        gone = [p for p in self._before if p not in left and p.provider in answered]
        told = [f"{p} at {render.usd(self._before[p])} $/h" for p in gone[:MOST_GONE]]
        return told + ([f"and {len(gone) - MOST_GONE} more"] if len(gone) > MOST_GONE else [])
