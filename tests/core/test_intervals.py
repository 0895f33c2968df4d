"""How often to save: by Daly, longer under a notice, shorter before a known risk, and always within bounds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.intervals import (
    FIRST_MOST_S,
    LEAST_S,
    MOST_S,
    Risk,
    about,
    best_interval_s,
    interval,
    markedly,
    price_factor,
    untold_share,
)

ANY = st.floats(allow_nan=True, allow_infinity=True)
TIME = st.floats(0, 1e5)
RATE = st.floats(0, 100)


def risks(**known: st.SearchStrategy[object]) -> st.SearchStrategy[Risk]:
    usual = {
        "rate_per_hour": RATE,
        "write_s": st.none() | TIME,
        "copy_s": TIME,
        "save_s": TIME,
        "notice_s": st.floats(0, 600),
        "left_s": st.just(math.inf) | st.floats(0, 1e6),
        "price_share": st.floats(0, 1.2),
        "danger": st.booleans(),
    }
    return st.builds(Risk, **{**usual, **known})


# The table of the published figures: minutes, by interruptions an hour, for checkpoints of 10, 60 and 300 s.
TABLE = [(0.01, 44.6, 108.9, 241.6), (0.1, 14.0, 34.0, 74.2), (0.4, 7.0, 16.7, 35.5), (1.5, 3.5, 8.3, 16.8)]


@pytest.mark.parametrize(("rate", "of_10_s", "of_60_s", "of_300_s"), TABLE)
def test_without_a_notice_it_is_what_daly_says(rate: float, of_10_s: float, of_60_s: float, of_300_s: float) -> None:
    for write_s, minutes in ((10.0, of_10_s), (60.0, of_60_s), (300.0, of_300_s)):
        told = interval(Risk(rate_per_hour=rate, write_s=write_s))
        assert told.seconds / 60 == pytest.approx(min(minutes, MOST_S / 60), abs=0.05)
        assert told.kind == "rate"


def test_a_notice_long_enough_to_save_makes_it_longer() -> None:
    untold = Risk(rate_per_hour=0.1, write_s=10.0, save_s=20.0)
    told = replace(untold, notice_s=120.0)
    hopeless = replace(untold, notice_s=15.0)
    assert interval(told).seconds == pytest.approx(best_interval_s(0.025, 10.0))
    assert interval(told).seconds > 1.9 * interval(untold).seconds
    assert interval(hopeless).seconds == interval(untold).seconds
    assert "120 s of notice" in interval(told).why
    assert "no notice" in interval(untold).why


def test_when_all_is_calm_it_is_hours() -> None:
    calm = interval(Risk(rate_per_hour=0.0005, write_s=10.0))
    assert calm.seconds == pytest.approx(best_interval_s(0.0005, 10.0))
    assert 3 * 3600 < calm.seconds < MOST_S
    assert interval(Risk(rate_per_hour=0.0, write_s=10.0)).seconds == MOST_S


def test_a_price_near_the_cap_makes_it_shorter() -> None:
    far = Risk(rate_per_hour=0.1, write_s=10.0, price_share=0.9)
    assert interval(far).kind == "rate"
    near = interval(replace(far, price_share=0.97))
    assert near.kind == "price"
    assert "97% of limits.price_usd_hour" in near.why
    assert interval(replace(far, price_share=1.0)).seconds == pytest.approx(best_interval_s(0.4, 10.0))
    assert price_factor(0.5) == 1.0


def test_a_warning_of_the_cloud_makes_it_shorter_but_never_longer() -> None:
    calm = Risk(rate_per_hour=0.1, write_s=10.0)
    warned = interval(replace(calm, danger=True))
    assert warned.kind == "danger"
    assert warned.seconds == pytest.approx(best_interval_s(2.0, 10.0))
    stormy = replace(calm, rate_per_hour=5.0)
    assert interval(replace(stormy, danger=True)) == interval(stormy)


def test_before_a_limit_it_shrinks_with_what_is_left() -> None:
    calm = Risk(rate_per_hour=0.0005, write_s=2.0)
    assert interval(replace(calm, left_s=86400.0)).kind == "rate"
    soon = interval(replace(calm, left_s=600.0))
    assert (soon.seconds, soon.kind) == (600.0, "limit")
    assert "ends in 10 min" in soon.why
    # Where writing takes long, it does not take all of the time that is left.
    assert interval(replace(calm, left_s=5.0)).seconds == 20.0


def test_one_who_saves_by_it_has_little_to_lose_at_a_limit_and_saves_few_times_more() -> None:
    end_s, now, saved_at, saves = 12 * 3600.0, 0.0, 0.0, 0
    while now < end_s:
        told = interval(Risk(rate_per_hour=0.0005, write_s=1.0, left_s=end_s - now))
        if now - saved_at >= told.seconds:
            saved_at, saves = now, saves + 1
        now += 5.0
    assert end_s - saved_at <= 2 * LEAST_S
    assert saves < 40


def test_until_something_was_measured_it_is_soon() -> None:
    first = interval(Risk(rate_per_hour=0.01))
    assert (first.seconds, first.kind) == (FIRST_MOST_S, "first")
    assert "not measured" in first.why


def test_nothing_is_taken_to_cost_nothing() -> None:
    free, cheap = (interval(Risk(rate_per_hour=0.1, write_s=w)) for w in (0.0, 0.25))
    assert free == cheap
    assert free.seconds > LEAST_S
    assert "a checkpoint costs 0.25 s" in free.why


def test_who_copies_longer_than_it_would_be_saves_no_more_often_than_that() -> None:
    assert interval(Risk(rate_per_hour=1.5, write_s=1.0, copy_s=900.0)).seconds == 900.0


@given(st.builds(Risk, rate_per_hour=ANY, write_s=st.none() | ANY, copy_s=ANY, save_s=ANY, notice_s=ANY, left_s=ANY))
def test_whatever_it_is_given_it_is_a_number_within_bounds(risk: Risk) -> None:
    told = interval(risk)
    assert LEAST_S <= told.seconds <= MOST_S
    assert math.isfinite(told.seconds)
    assert told.why


@given(risks(), RATE)
def test_it_never_grows_with_the_rate(risk: Risk, rate: float) -> None:
    low, high = sorted((risk.rate_per_hour, rate))
    assert _seconds(replace(risk, rate_per_hour=high)) <= _seconds(replace(risk, rate_per_hour=low)) * (1 + 1e-9)


@given(risks(write_s=TIME), TIME)
def test_it_never_shrinks_when_writing_takes_longer(risk: Risk, write_s: float) -> None:
    low, high = sorted((risk.write_s or 0.0, write_s))
    assert _seconds(replace(risk, write_s=high)) >= _seconds(replace(risk, write_s=low)) * (1 - 1e-9)


@given(risks(), st.floats(0, 600), st.floats(0, 1e6), st.floats(0, 1.2))
def test_it_never_shrinks_with_notice_or_time_left_and_never_grows_with_the_price(
    risk: Risk, notice_s: float, left_s: float, price_share: float
) -> None:
    low, high = sorted((risk.notice_s, notice_s))
    assert _seconds(replace(risk, notice_s=low)) <= _seconds(replace(risk, notice_s=high)) * (1 + 1e-9)
    low, high = sorted((risk.left_s, left_s))
    assert _seconds(replace(risk, left_s=low)) <= _seconds(replace(risk, left_s=high)) * (1 + 1e-9)
    low, high = sorted((risk.price_share, price_share))
    assert _seconds(replace(risk, price_share=high)) <= _seconds(replace(risk, price_share=low)) * (1 + 1e-9)


@given(st.floats(0, 1e4), st.floats(0, 1e4))
def test_a_notice_never_saves_all(notice_s: float, save_s: float) -> None:
    assert 0.25 <= untold_share(notice_s, save_s) <= 1.0


def test_what_differs_markedly() -> None:
    assert markedly(60.0, 120.0)
    assert markedly(120.0, 60.0)
    assert not markedly(60.0, 119.0)
    assert markedly(0.0, 1.0)
    assert not markedly(0.0, 0.0)


@pytest.mark.parametrize(("seconds", "text"), [(14.2, "14 s"), (840.0, "14 min"), (9000.0, "2.5 h")])
def test_an_interval_is_told_as_coarse_as_it_is_meant(seconds: float, text: str) -> None:
    assert about(seconds) == text


def _seconds(risk: Risk) -> float:
    return interval(risk).seconds
