"""Seasons: at which hours of the day and days of the week (UTC) machines are taken more often than on average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

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
        self._regions: dict[tuple[str, str], dict[str, Week]] = {}
        for (provider, region, market), week in weeks.items():
            if any(week.interruptions):
                self._regions.setdefault((provider, market), {})[region] = week
        self._found: dict[Place, tuple[float, ...]] = {}
        self._ahead: dict[Place, tuple[float, ...]] = {}

    def __bool__(self) -> bool:
        """Whether anything was learned anywhere."""
        return bool(self._regions)

    def factors(self, place: Place) -> tuple[float, ...]:
        """By hour of the week, `WEEK_H` of them, 1 on average. Empty where nothing was learned."""
        found = self._found.get(place)
        if found is None:
            provider, region, market = place
            regions = self._regions.get((provider, market), {})
            found = self._found[place] = _factors(regions, region) if regions else ()
        return found

    def ahead(self, place: Place, at: float) -> float:
        """The mean factor of the `AHEAD_H` hours of the week from ``at`` on; 1 where nothing was learned."""
        found = self._ahead.get(place)
        if found is None:
            each = self.factors(place)
            found = self._ahead[place] = tuple(
                sum(each[(h + n) % WEEK_H] for n in range(AHEAD_H)) / AHEAD_H for h in range(len(each))
            )
        return found[hour_of_week(at)] if found else 1.0


def _factors(regions: Mapping[str, Week], region: str) -> tuple[float, ...]:
    far = [week for name, week in regions.items() if name != region]
    own = [week for name, week in regions.items() if name == region]
    hours = [1.0] * DAY_H
    days = [1.0] * (WEEK_H // DAY_H)
    for weeks, worth in ((far, ELSEWHERE), (own, 1.0)):
        if weeks:
            up = [worth * sum(w.hours[h] for w in weeks) for h in range(WEEK_H)]
            taken = [worth * sum(w.interruptions[h] for w in weeks) for h in range(WEEK_H)]
            hours = _risks(hours, CALM, _of_day(up), _of_day(taken))
            days = _risks(days, CALM_DAY, _by_day(up), _by_day(taken))
    usual = sum(hours) / len(hours) * (sum(days) / len(days))
    return tuple(hours[h % DAY_H] * days[h // DAY_H] / usual for h in range(WEEK_H))


def _risks(prior: Sequence[float], calm: float, up: Sequence[float], taken: Sequence[float]) -> list[float]:
    all_up, all_taken = sum(up), sum(taken)
    expected = [all_taken * u / all_up if all_up else 0.0 for u in up]
    return [(calm * p + t) / (calm + e) for p, t, e in zip(prior, taken, expected, strict=True)]


def _of_day(week: Sequence[float]) -> list[float]:
    return [sum(week[hour::DAY_H]) for hour in range(DAY_H)]


def _by_day(week: Sequence[float]) -> list[float]:
    return [sum(week[day : day + DAY_H]) for day in range(0, WEEK_H, DAY_H)]
