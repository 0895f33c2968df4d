"""Seasons: at which hours of the day and days of the week (UTC) machines are taken more often than on average."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

DAY_H, WEEK_H = 24, 168
HOUR_S = 3600.0

# The epoch began on a Thursday; weeks begin on Monday, at 00:00 UTC.
_EPOCH_HOUR = 72

# So many interruptions of its own an hour of the day, or a day of the week, must have seen to count as much as the
# belief that all are alike: hours of the day are believed to differ by about 45%, days by 25% (1 / sqrt of this).
# One interruption by itself makes its hour a fifth worse, its day 5%, and the six hours ahead 9%.
CALM, CALM_DAY = 5.0, 16.0

# What is seen in other regions, where it is another time of the day for those who work there, counts less.
ELSEWHERE = 0.25

# A machine that is rented now lives through the hours that follow.
AHEAD_H = 6

Place = tuple[str, str, str]  # provider, region, market


@dataclass(frozen=True, kw_only=True, slots=True)
class Week:
    """What machines lived through, by hour of the week: hours up and interruptions, `WEEK_H` of each."""

    hours: Sequence[float]
    interruptions: Sequence[float]


NO_WEEKS: Mapping[Place, Week] = MappingProxyType({})


def hour_of_week(at: float) -> int:
    """0 is Monday from 00:00 to 01:00 UTC, 167 the last hour of Sunday. ``at``: seconds since the epoch."""
    return (int(at // HOUR_S) + _EPOCH_HOUR) % WEEK_H


def by_hour_of_week(since: float, until: float) -> Iterator[tuple[int, float]]:
    """Each hour of the week that lies between two times, with how much of it does, in hours."""
    whole, rest_s = divmod(max(0.0, until - since), WEEK_H * HOUR_S)
    if whole:
        for hour in range(WEEK_H):
            yield hour, whole
    at, end = since, since + rest_s
    hour = hour_of_week(at)
    while at < end:
        edge = (at // HOUR_S + 1) * HOUR_S
        yield hour, (min(edge, end) - at) / HOUR_S
        at, hour = edge, (hour + 1) % WEEK_H


class Season:
    """How many times more often than on average a place takes machines at each hour of the week.

    The factor of an hour is that of its hour of the day times that of its day of the week, so that 31 numbers are
    learned and not 168. Each is a relative risk with a Gamma prior of mean 1 (Clayton and Kaldor 1987)::

        factor = (CALM * prior + interruptions seen) / (CALM + interruptions expected, were all hours alike)

    (days: `CALM_DAY`), where the prior is what the provider's other regions say, found in the same way, with their
    numbers at a discount. All are scaled so that they average to 1 over the week. Without interruptions every factor
    is 1 exactly.
    """

    def __init__(self, weeks: Mapping[Place, Week] = NO_WEEKS) -> None:
        self._regions: dict[tuple[str, str], dict[str, _Sums]] = {}
        for (provider, region, market), week in weeks.items():
            if any(week.interruptions):
                self._regions.setdefault((provider, market), {})[region] = _sums(week)
        self._all = {key: _added(regions.values()) for key, regions in self._regions.items()}
        self._found: dict[Place, _Shape | None] = {}

    def __bool__(self) -> bool:
        """Whether anything was learned anywhere."""
        return bool(self._regions)

    def factors(self, place: Place) -> tuple[float, ...]:
        """By hour of the week, `WEEK_H` of them, 1 on average. Empty where nothing was learned."""
        shape = self._shape(place)
        return () if shape is None else tuple(shape.at(hour) for hour in range(WEEK_H))

    def ahead(self, place: Place, at: float) -> float:
        """The mean factor of the `AHEAD_H` hours of the week from ``at`` on, to the percent; 1 without any lesson."""
        shape = self._shape(place)
        if shape is None:
            return 1.0
        now = hour_of_week(at)
        # To the percent: more is not known, and fewer different rates are quicker to reckon with.
        return round(sum(shape.at((now + n) % WEEK_H) for n in range(AHEAD_H)) / AHEAD_H, 2)

    def _shape(self, place: Place) -> _Shape | None:
        if place not in self._found:
            provider, region, market = place
            regions = self._regions.get((provider, market))
            self._found[place] = None if regions is None else self._learn(regions, region, (provider, market))
        return self._found[place]

    def _learn(self, regions: Mapping[str, _Sums], region: str, key: tuple[str, str]) -> _Shape:
        own = regions.get(region)
        hours, days = [1.0] * DAY_H, [1.0] * (WEEK_H // DAY_H)
        if len(regions) > (own is not None):
            far = _less(self._all[key], own)
            hours, days = _risks(hours, CALM, far[0], far[1]), _risks(days, CALM_DAY, far[2], far[3])
        if own is not None:
            hours, days = _risks(hours, CALM, own[0], own[1]), _risks(days, CALM_DAY, own[2], own[3])
        return _Shape(hours, days, sum(hours) / len(hours) * (sum(days) / len(days)))


class _Shape(NamedTuple):
    """The factors of hours of the day and days of the week, and the mean of their products."""

    hours: Sequence[float]
    days: Sequence[float]
    usual: float

    def at(self, hour: int) -> float:
        return self.hours[hour % DAY_H] * self.days[hour // DAY_H] / self.usual


# By hour of the day: hours up, interruptions; by day of the week: the same.
_Sums = tuple[list[float], list[float], list[float], list[float]]


def _sums(week: Week) -> _Sums:
    up, taken = week.hours, week.interruptions
    return _of_day(up), _of_day(taken), _by_day(up), _by_day(taken)


def _of_day(cells: Sequence[float]) -> list[float]:
    return [sum(cells[hour::DAY_H]) for hour in range(DAY_H)]


def _by_day(cells: Sequence[float]) -> list[float]:
    return [sum(cells[day : day + DAY_H]) for day in range(0, WEEK_H, DAY_H)]


def _added(all_of: Iterable[_Sums]) -> _Sums:
    a, b, c, d = ([math.fsum(cells) for cells in zip(*part, strict=True)] for part in zip(*all_of, strict=True))
    return a, b, c, d


def _less(all_of: _Sums, own: _Sums | None) -> _Sums:
    """What is left without ``own``, at a discount."""
    without = own or tuple([0.0] * len(part) for part in all_of)
    a, b, c, d = (
        [ELSEWHERE * max(0.0, one - its) for one, its in zip(part, mine, strict=True)]
        for part, mine in zip(all_of, without, strict=True)
    )
    return a, b, c, d


def _risks(prior: Sequence[float], calm: float, up: Sequence[float], taken: Sequence[float]) -> list[float]:
    all_up, all_taken = sum(up), sum(taken)
    expected = [all_taken * u / all_up if all_up else 0.0 for u in up]
    return [(calm * p + t) / (calm + e) for p, t, e in zip(prior, taken, expected, strict=True)]
