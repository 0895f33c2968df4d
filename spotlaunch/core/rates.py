"""Interruption rates: what the provider says, corrected by what this installation has lived through."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from spotlaunch.core.facts import Offer, Pool
from spotlaunch.core.gpus import gpu_matches
from spotlaunch.core.seasons import Place, Season

# Interruptions an hour where the provider says nothing: what articles report by GPU (docs/decisions/0010), and
# for other spot machines about what they report for A100 and H100.
USUAL_BY_GPU_HOUR = {"H100": 0.041, "A100": 0.023, "V100": 0.008}
USUAL_INTERRUPTIONS_HOUR = 0.05

# An on-demand machine is lost to a broken host, about once in three months.
USUAL_ON_DEMAND_HOUR = 0.0005

# How many hours of our own a signal, or what kin lived through, is worth. Half a day: signals are averages over
# weeks and whole regions, and three interruptions in a day must outweigh the best of them (0.01 an hour becomes
# 0.09, having lived 0.125); yet one in the first hour is bad luck, not a rate of one an hour (0.05 becomes 0.12).
SIGNAL_HOURS = 12.0


# What an hour elsewhere is worth: in other regions, in other zones of the region, in the pool itself. Were kin
# worth as much as the pool itself, one pool that takes everything would make all others look just as bad, and there
# would be no reason to move.
FAR, NEAR, OWN = 0.25, 0.5, 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lived:
    """What our machines in one pool have seen: hours up, and how many were taken. Ours to end is no interruption.

    Both may be fractions: what others saw counts in part (`core.lessons`).
    """

    interruptions: float
    hours: float


class Belief(NamedTuple):
    """How often a pool takes machines, as a Gamma distribution: pseudo-interruptions in pseudo-hours."""

    interruptions: float
    hours: float


NO_HISTORY: Mapping[Pool, Lived] = MappingProxyType({})


class Rates:
    """The interruptions an hour to expect of an offer, from ``history``, which tells what each pool has lived.

    The prior is a Gamma distribution around the provider's signal, worth `SIGNAL_HOURS`. It is updated from
    far to near: by the same instance type and market in other regions, by other zones of the region, by the pool
    itself, with hours elsewhere at a discount; what comes out of a step is the prior of the next, again worth
    `SIGNAL_HOURS`. So a new pool borrows from its kin, a pool known well trusts itself, and no hour counts twice.
    Markets do not know each other. ``season`` tells at which hours of the week more are taken than on average.
    """

    def __init__(self, history: Mapping[Pool, Lived] = NO_HISTORY, *, season: Season | None = None) -> None:
        self._history = history
        # None where it tells nothing: a market has a hundred thousand offers to ask about.
        self._season = season or None
        self._at: float | None = None
        self._factors: dict[Place, float] = {}
        self._kin: dict[tuple[str, str, str], _Kin] = {}
        for pool, lived in history.items():
            key = (pool.provider, pool.instance_type, pool.market)
            self._kin.setdefault(key, _Kin()).places.append((pool.region, pool.zone, lived))
        self._types = frozenset(instance_type for _, instance_type, _ in self._kin)
        self._usual: dict[str, float] = {}

    def of(self, offer: Offer, at: float | None = None) -> float:
        """Interruptions per hour, 0 or more. Without any history of its kind: the prior exactly.

        On average over the week; with ``at`` (seconds since the epoch) in the hours that follow (`Season.ahead`).
        """
        rate = self.prior(offer)
        pool = offer.pool
        if pool.instance_type in self._types:
            kin = self._kin.get((pool.provider, pool.instance_type, pool.market))
            for interruptions, hours in kin.steps(pool.region, pool.zone) if kin is not None else ():
                rate = (SIGNAL_HOURS * rate + interruptions) / (SIGNAL_HOURS + hours)
        if at is not None and self._season is not None:
            if at != self._at:
                self._at, self._factors = at, {}
            place = (pool.provider, pool.region, pool.market)
            factor = self._factors.get(place)
            if factor is None:
                factor = self._factors[place] = self._season.ahead(place, at)
            return rate * factor
        return rate

    def belief(self, offer: Offer) -> Belief:
        """What `of` is the mean of, on average over the week. Kin make it no surer than a signal does."""
        own = self._history.get(offer.pool)
        hours = SIGNAL_HOURS + (max(0.0, own.hours) if own is not None else 0.0)
        return Belief(self.of(offer) * hours, hours)

    def prior(self, offer: Offer) -> float:
        """The provider's signal as interruptions per hour, or what is usual where it gives none."""
        said = offer.interruptions_per_hour
        if said is not None and 0 <= said < math.inf:
            return said
        if offer.pool.market == "on-demand":
            return USUAL_ON_DEMAND_HOUR
        usual = self._usual.get(offer.gpu)
        if usual is None:
            named = (rate for gpu, rate in USUAL_BY_GPU_HOUR.items() if gpu_matches(gpu, offer.gpu))
            usual = self._usual[offer.gpu] = next(named, USUAL_INTERRUPTIONS_HOUR)
        return usual


class _Kin:
    """What one instance type lived in one market, by region and zone."""

    def __init__(self) -> None:
        self.places: list[tuple[str, str, Lived]] = []
        self._steps: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {}

    def steps(self, region: str, zone: str) -> tuple[tuple[float, float], ...]:
        """Interruptions and hours, as far as they count here: from other regions, other zones, the pool itself."""
        known = self._steps.get((region, zone))
        if known is None:
            far = _sum(FAR, (lived for r, _, lived in self.places if r != region))
            near = _sum(NEAR, (lived for r, z, lived in self.places if r == region and z != zone))
            own = _sum(OWN, (lived for r, z, lived in self.places if r == region and z == zone))
            # Without any, a step would change the rate by a float's last digit.
            known = self._steps[(region, zone)] = tuple(step for step in (far, near, own) if step != (0.0, 0.0))
        return known


def _sum(worth: float, parts: Iterable[Lived]) -> tuple[float, float]:
    interruptions = hours = 0.0
    for lived in parts:
        interruptions += worth * lived.interruptions
        hours += worth * max(0.0, lived.hours)
    return interruptions, hours
