from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.availability import FORGOTTEN_H, HALF_LIFE_H, USUAL, WORD_TRIES, Availability, Try
from spotlaunch.core.facts import Pool
from tests.core.worlds import NOW, PAID, a_pool, an_offer

HOUR = int(NOW // 3600)
COUNTS = st.integers(0, 20)
TRIES = st.builds(Try, st.integers(HOUR - 3000, HOUR), COUNTS, COUNTS)
POOLS = st.builds(
    lambda region, zone, kind: a_pool(region=region, zone=zone and region + zone, instance_type=kind),
    st.sampled_from(["us-1", "us-2"]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["big", "small"]),
)
HISTORY = st.dictionaries(POOLS, st.lists(TRIES, max_size=3).map(tuple), max_size=6)
WORDS = st.one_of(st.none(), st.floats(0, 1))


def chance(tries: dict[Pool, tuple[Try, ...]], pool: Pool | None = None, **changes: Any) -> float:
    return Availability(tries).of(an_offer(pool=pool, **changes), NOW)


def asked(granted: float, refused: float, *, hours_ago: int = 0) -> tuple[Try, ...]:
    return (Try(HOUR - hours_ago, granted, refused),)


@pytest.mark.parametrize(("word", "usual"), [("yes", 0.9), ("unknown", 0.7), ("no", 0.05)])
def test_without_tries_the_providers_word_is_all_there_is(word: Any, usual: float) -> None:
    assert chance({}, available=word) == usual
    assert chance({}, available=word, obtainability=0.31) == 0.31
    elsewhere = {a_pool(instance_type="other"): asked(0, 9), a_pool(provider="other"): asked(0, 9), PAID: asked(0, 9)}
    assert chance(elsewhere, available=word) == usual


@pytest.mark.parametrize("nonsense", [-0.1, 1.1, float("nan")])
def test_a_chance_that_is_none_is_no_word(nonsense: float) -> None:
    assert chance({}, obtainability=nonsense, available="unknown") == USUAL["unknown"]


@given(HISTORY, POOLS, WORDS)
def test_a_chance_is_always_one(history: dict[Pool, tuple[Try, ...]], pool: Pool, word: float | None) -> None:
    assert 0 <= chance(history, pool, obtainability=word) <= 1


@given(HISTORY, POOLS, POOLS, WORDS, TRIES)
def test_more_refusals_never_raise_it_and_more_grants_never_lower_it(
    history: dict[Pool, tuple[Try, ...]], where: Pool, pool: Pool, word: float | None, more: Try
) -> None:
    before = chance(history, pool, obtainability=word)
    was = history.get(where, ())
    worse = chance({**history, where: (*was, more._replace(granted=0))}, pool, obtainability=word)
    better = chance({**history, where: (*was, more._replace(refused=0))}, pool, obtainability=word)
    assert worse <= before + 1e-12
    assert better >= before - 1e-12


def test_two_refusals_just_now_halve_a_chance() -> None:
    assert chance({a_pool(): asked(0, WORD_TRIES)}, available="yes") == pytest.approx(0.45)


def test_the_nearer_tell_more() -> None:
    new = a_pool(zone="us-1c")
    far = chance({a_pool(region="eu-1", zone="eu-1a"): asked(0, 4)}, new)
    near = chance({a_pool(zone="us-1b"): asked(0, 4)}, new)
    own = chance({new: asked(0, 4)}, new)
    assert own < near < far < 0.9


def test_a_region_that_refused_has_refused_in_each_of_its_zones() -> None:
    region = a_pool(zone="")
    assert chance({region: asked(0, 4)}, a_pool(zone="us-1c")) == chance({region: asked(0, 4)}, region)


def test_old_tries_fade_and_are_forgotten() -> None:
    week = int(HALF_LIFE_H)
    assert chance({a_pool(): asked(0, 2, hours_ago=week)}) == pytest.approx(chance({a_pool(): asked(0, 1)}))
    assert chance({a_pool(): asked(0, 9, hours_ago=int(FORGOTTEN_H) + 1)}) == 0.9
    assert chance({a_pool(): (Try(HOUR + 1, 0, 9),)}) == 0.9, "of a clock that was set back"


def test_tries_at_this_time_of_the_day_and_week_count_most() -> None:
    # NOW is a Monday.
    weekday, yesterday = (
        chance({a_pool(): asked(0, 2, hours_ago=7 * 24)}),
        chance({a_pool(): asked(0, 2, hours_ago=24)}),
    )
    assert chance({a_pool(): asked(0, 2, hours_ago=7 * 24 - 12)}) > weekday, "another time of the day"
    assert yesterday > chance({a_pool(): asked(0, 1.5, hours_ago=24)}) - 0.3
    assert yesterday > chance({replace(a_pool()): asked(0, 2, hours_ago=0)}), "a Sunday, and older"


def test_grades_tell_only_what_is_known_well_enough_to_differ() -> None:
    def grade(tries: dict[Pool, tuple[Try, ...]], **changes: Any) -> int:
        return Availability(tries).grade(NOW)(an_offer(**changes))

    assert [grade({}, available=word) for word in ("yes", "unknown", "no")] == [0, 1, 2]
    assert grade({a_pool(): asked(0, 1)}, available="yes") == 1
    assert grade({a_pool(): asked(0, 9)}, available="yes") == 2
    assert grade({a_pool(): asked(9, 1)}, available="unknown") == 0
    assert grade({}, available="unknown", obtainability=0.95) == 0
