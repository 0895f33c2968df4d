"""Bands: the order of offers by what they really cost, with near-equals spread so that not everybody rushes one.

Everybody with the same ranking would otherwise ask the same pool at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from spotlaunch.core.facts import Offer

# Offers whose effective cost is within this factor of the cheapest of their band are near-equal.
NEAR_EQUAL = Decimal("1.03")


class Costed(NamedTuple):
    """An offer with its interruption rate and what a useful hour on it costs.

    (A tuple, because a hundred thousand are made in one ranking.)
    """

    usd_hour: Decimal
    rate_per_hour: float
    offer: Offer


Place = Callable[[object], bytes]

_usd_hour = attrgetter("usd_hour")
_cost = attrgetter("usd_hour", "rate_per_hour")


def in_order(offers: Iterable[Costed], launch_key: str) -> list[Costed]:
    """Cheapest first by bands of near-equals; the same for any order in which ``offers`` come.

    Inside a band those known to be available come first. Then each price has its place by a draw from
    ``launch_key``; and inside one price the lower effective cost comes first, and only true equals are drawn. So
    an offer never gains by being taken away more often than others of its price.
    """
    place = _places(launch_key)
    ordered: list[Costed] = []
    band: list[Costed] = []
    most = Decimal(0)
    for costed in sorted(offers, key=_usd_hour):
        if band and costed.usd_hour > most:
            ordered += _spread(band, place)
            band = []
        if not band:
            most = costed.usd_hour * NEAR_EQUAL
        band.append(costed)
    return ordered + _spread(band, place)


def _places(launch_key: str) -> Place:
    """What draws a place from the launch key and something, as `core.chance.draw` would, but hashes the key once."""
    began = hashlib.blake2b(f"{launch_key}\x1f".encode(), digest_size=7)

    def place(of: object) -> bytes:
        drawn = began.copy()
        drawn.update(str(of).encode())
        return drawn.digest()

    return place


def _spread(band: list[Costed], place: Place) -> list[Costed]:
    if len(band) < 2:
        return band
    spread: list[Costed] = []
    sure = [c for c in band if c.offer.available == "yes"]
    unsure = [c for c in band if c.offer.available != "yes"]
    for part in (sure, unsure):
        alone: dict[Decimal, Costed] = {}
        crowd: dict[Decimal, list[Costed]] = {}
        for costed in part:
            price = costed.offer.price_usd_hour
            first = alone.setdefault(price, costed)
            if first is not costed:
                crowd.setdefault(price, [first]).append(costed)
        # Equal prices, also if written with more or fewer zeros, have one hash and so one place.
        for _, price in sorted((place(hash(price)), price) for price in alone):
            if price in crowd:
                spread += _of_one_price(crowd[price], place)
            else:
                spread.append(alone[price])
    return spread


def _of_one_price(group: list[Costed], place: Place) -> list[Costed]:
    ordered: list[Costed] = []
    for _, found in groupby(sorted(group, key=_cost), key=_cost):
        equals = list(found)
        ordered += _drawn(equals, place) if len(equals) > 1 else equals
    return ordered


def _drawn(equals: list[Costed], place: Place) -> list[Costed]:
    by_place: dict[bytes, list[Costed]] = {}
    for costed in equals:
        by_place.setdefault(place(costed.offer.pool), []).append(costed)
    # Two of one pool draw the same; any fixed order will do, as long as it is not the order they came in.
    return [c for at in sorted(by_place) for c in sorted(by_place[at], key=lambda c: repr(c.offer))]
