"""Availability: the chance that a launch is granted now, from the provider's word and from our own tries.

Kept apart from interruptions: a pool may be hard to get and then stay for weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from spotlaunch.core.facts import Availability as Word
from spotlaunch.core.facts import Offer, Pool
from spotlaunch.core.seasons import DAY_H, HOUR_S, hour_of_week

# The chance where the provider gives none of its own: what it lists as available may still be gone on the way.
USUAL: Mapping[Word, float] = MappingProxyType({"yes": 0.9, "unknown": 0.7, "no": 0.05})

# How many tries of our own the provider's word, or what kin saw, is worth: two refusals in a row halve a chance.
WORD_TRIES = 2.0

# A try counts half after so long: stocks change within days, and the pattern of a week needs more than one.
HALF_LIFE_H = 7 * 24.0

# Older ones count for less than a hundredth.
FORGOTTEN_H = 7 * HALF_LIFE_H

# What a try at another time of the day (more than so many hours off, UTC), or on a weekend instead of a working day,
# is worth beside one at this time.
NEAR_H, OTHER_TIME = 3, 0.5

# What a try elsewhere is worth: in other regions, in other zones of the region, in the pool itself (`core.rates`).
FAR, NEAR, OWN = 0.25, 0.5, 1.0

# Chances are told apart in these steps only: nearer ones are the same for all that is known, and everybody who sees
# them would rush the same pool.
LIKELY, EVEN = 0.8, 0.4


_GRADES: Mapping[Word, int] = MappingProxyType({"yes": 0, "unknown": 1, "no": 2})


Kin = tuple[str, str, str]  # provider, instance type, market


class Try(NamedTuple):
    """Launches asked of one pool in one hour (counted since the epoch): how many were granted, how many refused."""

    hour: int
    granted: float
    refused: float


NO_TRIES: Mapping[Pool, tuple[Try, ...]] = MappingProxyType({})


class Availability:
    """The chance that one launch in an offer's pool is granted, from ``tries`` by pool.

    The prior is a Beta distribution around the provider's own chance (`Offer.obtainability`), or around what is usual
    for its word, worth `WORD_TRIES`. It is updated as interruption rates are: by other regions, other zones, the pool
    itself, each step's outcome being the prior of the next::

        chance = (WORD_TRIES * prior + granted) / (WORD_TRIES + granted + refused)

    with each try at a weight that halves every `HALF_LIFE_H`, and halves for another time of the day or week. A
    refusal of a whole region is one of each of its zones.
    """

    def __init__(self, tries: Mapping[Pool, tuple[Try, ...]] = NO_TRIES) -> None:
        self._kin: dict[Kin, list[tuple[str, str, tuple[Try, ...]]]] = {}
        for pool, each in tries.items():
            key = (pool.provider, pool.instance_type, pool.market)
            self._kin.setdefault(key, []).append((pool.region, pool.zone, each))
        self._types = frozenset(instance_type for _, instance_type, _ in self._kin)
        self._hour = 0
        self._weighed: dict[Kin, list[tuple[str, str, float, float]]] = {}

    def of(self, offer: Offer, at: float) -> float:
        """0 to 1, for a launch at ``at`` (seconds since the epoch). Without tries of its kind: the prior exactly."""
        said = offer.obtainability
        chance = said if said is not None and 0 <= said <= 1 else USUAL[offer.available]
        pool = offer.pool
        kin = (pool.provider, pool.instance_type, pool.market)
        if kin not in self._kin:
            return chance
        far_yes = far_no = near_yes = near_no = own_yes = own_no = 0.0
        for region, zone, granted, refused in self._of_kin(kin, int(at // HOUR_S)):
            if region not in ("", pool.region):
                far_yes, far_no = far_yes + granted, far_no + refused
            elif zone not in ("", pool.zone):
                near_yes, near_no = near_yes + granted, near_no + refused
            else:
                own_yes, own_no = own_yes + granted, own_no + refused
        chance = _step(_step(chance, FAR * far_yes, FAR * far_no), NEAR * near_yes, NEAR * near_no)
        return _step(chance, OWN * own_yes, OWN * own_no)

    def grade(self, at: float) -> Callable[[Offer], int]:
        """What tells how likely an offer can be had at ``at``: 0 (more than four in five), 1, 2 (less than two)."""
        types, kin = self._types, self._kin

        def graded(offer: Offer) -> int:
            pool = offer.pool
            if offer.obtainability is None and (
                pool.instance_type not in types or (pool.provider, pool.instance_type, pool.market) not in kin
            ):
                return _GRADES[offer.available]  # most of the hundred thousand offers that a market may have
            chance = self.of(offer, at)
            return 0 if chance > LIKELY else 1 if chance >= EVEN else 2

        return graded

    def _of_kin(self, kin: Kin, hour: int) -> list[tuple[str, str, float, float]]:
        """Region, zone, granted and refused, by what they are worth in this hour."""
        if hour != self._hour:
            self._hour, self._weighed = hour, {}
        found = self._weighed.get(kin)
        if found is None:
            found = self._weighed[kin] = []
            for region, zone, tries in self._kin[kin]:
                weights = [_weight(each.hour, hour) for each in tries]
                granted = sum(w * each.granted for w, each in zip(weights, tries, strict=True))
                refused = sum(w * each.refused for w, each in zip(weights, tries, strict=True))
                if granted or refused:
                    found.append((region, zone, granted, refused))
        return found


def _step(chance: float, granted: float, refused: float) -> float:
    # Without any, a step would change the chance by a float's last digit.
    return (WORD_TRIES * chance + granted) / (WORD_TRIES + granted + refused) if granted or refused else chance


def _weight(then: int, now: int) -> float:
    """What a try of the hour ``then`` is worth in the hour ``now``. One of the future is of a clock since set back."""
    age = now - then
    if not 0 <= age <= FORGOTTEN_H:
        return 0.0
    off = abs(age) % DAY_H
    alike = min(off, DAY_H - off) <= NEAR_H and _is_weekend(then) == _is_weekend(now)
    return float(0.5 ** (age / HALF_LIFE_H)) * (1.0 if alike else OTHER_TIME)


def _is_weekend(hour: int) -> bool:
    return hour_of_week(hour * HOUR_S) >= 5 * DAY_H
