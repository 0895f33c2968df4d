from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.seasons import AHEAD_H, CALM, DAY_H, ELSEWHERE, WEEK_H, Season, Week, by_hour_of_week, hour_of_week

HERE, ABROAD, PAID = ("one", "us-1", "spot"), ("one", "eu-1", "spot"), ("one", "us-1", "on-demand")
HOUR_S = 3600.0
MONDAY = datetime(2026, 11, 16, tzinfo=UTC).timestamp()
CELLS = st.dictionaries(st.integers(0, WEEK_H - 1), st.integers(0, 40), max_size=30)


def week(taken: dict[int, int], hours: float = 1.0) -> Week:
    return Week(hours=[hours] * WEEK_H, interruptions=[float(taken.get(h, 0)) for h in range(WEEK_H)])


def at(day: int, hour: float) -> float:
    return MONDAY + (day * DAY_H + hour) * HOUR_S


def test_a_week_begins_on_monday_in_utc() -> None:
    assert hour_of_week(at(0, 0)) == 0
    assert hour_of_week(at(2, 13.99)) == 2 * DAY_H + 13
    assert hour_of_week(at(0, 0) - 1) == WEEK_H - 1
    assert hour_of_week(0.0) == 3 * DAY_H, "the epoch began on a Thursday"


@given(st.floats(0, 4e9), st.floats(0, 40 * 86400))
def test_hours_are_split_without_loss(since: float, length_s: float) -> None:
    found = list(by_hour_of_week(since, since + length_s))
    assert sum(hours for _, hours in found) == pytest.approx(length_s / HOUR_S, abs=1e-6)
    assert all(0 <= hour < WEEK_H and hours >= 0 for hour, hours in found)
    if length_s < WEEK_H * HOUR_S:
        assert all(hours <= 1 + 1e-9 for _, hours in found)


def test_a_stretch_lies_in_the_hours_that_it_touches() -> None:
    assert dict(by_hour_of_week(at(1, 22.5), at(2, 0.25))) == {DAY_H + 22: 0.5, DAY_H + 23: 1.0, 2 * DAY_H: 0.25}
    assert list(by_hour_of_week(at(1, 5), at(1, 4))) == [], "the clock was set back"


def test_without_interruptions_all_hours_are_alike() -> None:
    assert Season().ahead(HERE, MONDAY) == 1.0
    season = Season({HERE: week({})})
    assert season.factors(HERE) == ()
    assert season.ahead(HERE, MONDAY) == 1.0


@given(CELLS, CELLS)
def test_factors_average_to_1_and_are_never_negative(here: dict[int, int], abroad: dict[int, int]) -> None:
    season = Season({HERE: week(here), ABROAD: week(abroad)})
    for place in (HERE, ABROAD, ("one", "new", "spot")):
        factors = season.factors(place) or (1.0,) * WEEK_H
        assert math.fsum(factors) / WEEK_H == pytest.approx(1)
        assert min(factors) > 0
        ahead = [season.ahead(place, at(0, hour)) for hour in range(WEEK_H)]
        assert math.fsum(ahead) / WEEK_H == pytest.approx(1, abs=0.005)


@given(CELLS, st.integers(0, WEEK_H - 1))
def test_an_interruption_never_lowers_the_factor_of_its_own_hour(taken: dict[int, int], hour: int) -> None:
    before = Season({HERE: week(taken)}).factors(HERE) or (1.0,) * WEEK_H
    after = Season({HERE: week({**taken, hour: taken.get(hour, 0) + 1})}).factors(HERE)
    assert after[hour] >= before[hour] * (1 - 1e-12)


def test_one_interruption_hardly_swings_it_and_a_habit_does() -> None:
    nine = 2 * DAY_H + 9
    once = Season({HERE: week({nine: 1})})
    assert once.factors(HERE)[9] < 1.25
    assert once.ahead(HERE, at(2, 9)) < 1.1
    workdays = {day * DAY_H + hour: 4 for day in range(5) for hour in range(9, 15)}
    habit = Season({HERE: week(workdays, hours=20.0)})
    assert habit.ahead(HERE, at(1, 9)) > 2
    assert habit.ahead(HERE, at(1, 21)) < 0.65
    assert habit.ahead(HERE, at(6, 9)) < habit.ahead(HERE, at(1, 9)) / 2


def test_the_formula_is_the_one_that_is_written_down() -> None:
    # Twelve interruptions, all at nine: half an interruption was to be expected in each hour of the day.
    factors = Season({HERE: week({day * DAY_H + 9: 2 for day in range(6)})}).factors(HERE)
    nine, other = (CALM + 12) / (CALM + 0.5), CALM / (CALM + 0.5)
    assert factors[9] / factors[10] == pytest.approx(nine / other)


def test_other_regions_tell_in_part_and_other_markets_nothing() -> None:
    taken = {day * DAY_H + 9: 6 for day in range(7)}
    own, borrowed = Season({HERE: week(taken)}), Season({ABROAD: week(taken)})
    assert 1 < borrowed.factors(HERE)[9] < own.factors(HERE)[9]
    assert borrowed.factors(PAID) == ()
    assert Season({("two", *HERE[1:]): week(taken)}).factors(HERE) == ()
    quarter = Season({ABROAD: week({}, 1.0), HERE: week(taken)}).factors(ABROAD)
    expected = (CALM + ELSEWHERE * 42) / (CALM + ELSEWHERE * 42 / 24), CALM / (CALM + ELSEWHERE * 42 / 24)
    assert quarter[9] / quarter[10] == pytest.approx(expected[0] / expected[1])


def test_what_is_ahead_is_the_mean_of_the_next_hours_also_over_the_end_of_the_week() -> None:
    season = Season({HERE: week({WEEK_H - 1: 9, 3: 9})})
    factors = season.factors(HERE)
    expected = (factors[WEEK_H - 2] + factors[WEEK_H - 1] + sum(factors[: AHEAD_H - 2])) / AHEAD_H
    assert season.ahead(HERE, at(6, 22)) == pytest.approx(expected, abs=0.005)
