"""Lessons: what was seen of each pool, by whom, and what is learned from all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from spotlaunch.core.availability import NO_TRIES, Availability, Try
from spotlaunch.core.boottimes import NO_BOOTS, BootTimes, Kind
from spotlaunch.core.facts import Pool
from spotlaunch.core.rates import NO_HISTORY, Lived, Rates
from spotlaunch.core.seasons import NO_WEEKS, WEEK_H, Place, Season, Week

# What others saw is worth half of what was seen here, as if it had been in another zone of the region: it was in
# another account, and what is called zone a there may be called zone b here.
IMPORTED = 0.5

# The newest of each pool are enough for a typical time, and keep what is exported short.
BOOTS_KEPT = 50

Pairs = Mapping[int, tuple[float, float]]
_NOTHING: Pairs = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What was seen of one pool.

    ``week``: by hour of the week (`core.seasons.hour_of_week`), hours up and interruptions. ``tries``: by hour since
    the epoch, launches granted and refused for want of capacity. ``boots_s``: from launch to useful work, the newest
    last. ``gpu`` is empty where it is not known.
    """

    pool: Pool
    gpu: str = ""
    gpu_count: int = 0
    week: Pairs = field(default_factory=lambda: _NOTHING)
    tries: Pairs = field(default_factory=lambda: _NOTHING)
    boots_s: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What one installation saw until ``as_of`` (seconds since the epoch). ``id`` was drawn at random."""

    id: str
    as_of: float
    lessons: tuple[Lesson, ...]


class Learned:
    """All that is known of pools, ready to be asked: interruption rates, chances of a launch, times of starting."""

    def __init__(
        self,
        lived: Mapping[Pool, Lived] = NO_HISTORY,
        *,
        weeks: Mapping[Place, Week] = NO_WEEKS,
        tries: Mapping[Pool, tuple[Try, ...]] = NO_TRIES,
        boots: Mapping[Kind, tuple[float, ...]] = NO_BOOTS,
    ) -> None:
        self.lived = lived
        self.season = Season(weeks)
        self.rates = Rates(lived, season=self.season)
        self.availability = Availability(tries)
        self.boots = BootTimes(boots)

    def beside(self, lived: Mapping[Pool, Lived]) -> Learned:
        """The same, with these hours added to those that are known."""
        hours = _Hours(lived)
        for pool, theirs in self.lived.items():
            hours.add(pool, theirs.interruptions, theirs.hours)
        more = Learned(hours.found)
        more.rates = Rates(more.lived, season=self.season)
        more.season, more.availability, more.boots = self.season, self.availability, self.boots
        return more


NOTHING_LEARNED = Learned()


def learned_from(
    own: Iterable[Lesson], imported: Iterable[Lesson] = (), *, lived: Mapping[Pool, Lived] | None = None
) -> Learned:
    """Everything together, what was imported at a discount. ``lived``: our own hours, where they are known newer."""
    own, imported = tuple(own), tuple(imported)
    hours = _Hours(lived or NO_HISTORY)
    weeks: dict[Place, tuple[list[float], list[float]]] = {}
    tries: dict[Pool, list[Try]] = {}
    boots: dict[Kind, list[float]] = {}
    for lesson, worth in [*((x, IMPORTED) for x in imported), *((x, 1.0) for x in own)]:
        pool = lesson.pool
        if worth < 1 or lived is None:
            up, taken = totals(lesson.week)
            if up or taken:
                hours.add(pool, worth * taken, worth * up)
        if lesson.week:
            place = (pool.provider, pool.region, pool.market)
            week = weeks.setdefault(place, ([0.0] * WEEK_H, [0.0] * WEEK_H))
            for hour, (up, taken) in lesson.week.items():
                week[0][hour] += worth * up
                week[1][hour] += worth * taken
        if lesson.tries:
            found = (Try(hour, worth * g, worth * r) for hour, (g, r) in lesson.tries.items())
            tries.setdefault(pool, []).extend(found)
        if lesson.boots_s:
            boots.setdefault((pool.provider, pool.instance_type), []).extend(lesson.boots_s)
    return Learned(
        hours.found,
        weeks={place: Week(hours=up, interruptions=taken) for place, (up, taken) in weeks.items()},
        tries={pool: tuple(each) for pool, each in tries.items()},
        boots={kind: tuple(each[-BOOTS_KEPT:]) for kind, each in boots.items()},
    )


def totals(pairs: Pairs) -> tuple[float, float]:
    """The sums of both numbers."""
    return sum(a for a, _ in pairs.values()), sum(b for _, b in pairs.values())


class _Hours:
    """What pools lived through, summed."""

    def __init__(self, known: Mapping[Pool, Lived] = NO_HISTORY) -> None:
        self.found = dict(known)

    def add(self, pool: Pool, interruptions: float, hours: float) -> None:
        was = self.found.get(pool)
        if was is not None:
            interruptions, hours = interruptions + was.interruptions, hours + was.hours
        self.found[pool] = Lived(interruptions=interruptions, hours=hours)


def newer(one: Source, other: Source) -> Source:
    """Of what the same installation said twice, the later word; in whatever order they come, the same one."""
    return max(one, other, key=lambda s: (s.as_of, sorted(map(_in_order, s.lessons))))


def _in_order(lesson: Lesson) -> tuple[Any, ...]:
    pairs = (sorted(lesson.week.items()), sorted(lesson.tries.items()))
    return lesson.pool, lesson.gpu, lesson.gpu_count, *pairs, lesson.boots_s
