"""Bands: the order of offers by what they really cost, with near-equals spread so that not everybody rushes one.

Everybody with the same ranking would otherwise ask the same pool at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from spotlaunch.core.facts import Offer

# Offers whose effective cost is within this factor of the cheapest of their band are near-equal.
NEAR_EQUAL = Decimal("1.03")


class Costed(NamedTuple):
    """An offer with its interruption rate and what a useful hour on it costs."""

    usd_hour: Decimal
    rate_per_hour: float
    offer: Offer


Place = Callable[[object], bytes]


class Bands:
    """Offers to be put in order, added one by one.

    A market has a hundred thousand: columns and places in them are much quicker here than an object for each.
    """

    def __init__(self, grade: Callable[[Offer], int]) -> None:
        """``grade``: how likely an offer can be had, as one of few steps; 0 is the likeliest."""
        self._grade = grade
        self.offers: list[Offer] = []
        self.usd_hour: list[Decimal] = []
        self._rates: list[float] = []

    def add(self, costed: Costed) -> None:
        self.usd_hour.append(costed.usd_hour)
        self._rates.append(costed.rate_per_hour)
        self.offers.append(costed.offer)

    def in_order(self, launch_key: str) -> list[int]:
        """Which of ``offers`` comes first, and so on; the same offers in whatever order they were added.

        Cheapest first, by bands of near-equals. Inside a band those likely to be had come first. Then each
        price has its place by a draw from ``launch_key``; and inside one price the lower effective cost comes
        first, and only true equals are drawn. So an offer never gains by being taken away more often than others
        of its price.
        """
        place, usd_hour = _places(launch_key), self.usd_hour
        ordered: list[int] = []
        band: list[int] = []
        most = Decimal(0)
        for i in sorted(range(len(usd_hour)), key=usd_hour.__getitem__):
            if band and usd_hour[i] > most:
                ordered += self._spread(band, place)
                band = []
            if not band:
                most = usd_hour[i] * NEAR_EQUAL
            band.append(i)
        return ordered + self._spread(band, place)

    def _spread(self, band: list[int], place: Place) -> list[int]:
        if len(band) < 2:
            return band
        grades = list(map(self._grade, [self.offers[i] for i in band]))
        ordered: list[int] = []
        for grade in sorted(set(grades)):
            ordered += self._by_price([i for i, its in zip(band, grades, strict=True) if its == grade], place)
        return ordered

    def _by_price(self, part: Iterable[int], place: Place) -> list[int]:
        alone: dict[Decimal, int] = {}
        crowd: dict[Decimal, list[int]] = {}
        for i in part:
            price = self.offers[i].price_usd_hour
            first = alone.setdefault(price, i)
            if first != i:
                crowd.setdefault(price, [first]).append(i)
        ordered: list[int] = []
        # Equal prices, also if written with more or fewer zeros, have one hash and so one place.
        for price in sorted(alone, key=lambda price: place(hash(price))):
            if price in crowd:
                ordered += self._of_one_price(crowd[price], place)
            else:
                ordered.append(alone[price])
        return ordered

    def _of_one_price(self, group: Sequence[int], place: Place) -> list[int]:
        ordered: list[int] = []
        for _, found in groupby(sorted(group, key=self._cost), key=self._cost):
            equals = list(found)
            ordered += self._drawn(equals, place) if len(equals) > 1 else equals
        return ordered

    def _cost(self, i: int) -> tuple[Decimal, float]:
        return self.usd_hour[i], self._rates[i]

    def _drawn(self, equals: Sequence[int], place: Place) -> list[int]:
        by_place: dict[bytes, list[int]] = {}
        for i in equals:
            by_place.setdefault(place(self.offers[i].pool), []).append(i)
        # Two of one pool draw the same; any fixed order will do, as long as it is not the order they came in.
        return [i for at in sorted(by_place) for i in sorted(by_place[at], key=lambda i: repr(self.offers[i]))]


def _places(launch_key: str) -> Place:
    """What draws a place from the launch key and something, as `core.chance.draw` would, but hashes the key once."""
    began = hashlib.blake2b(f"{launch_key}\x1f".encode(), digest_size=7)

    def place(of: object) -> bytes:
        drawn = began.copy()
        drawn.update(str(of).encode())
        return drawn.digest()

    return place
