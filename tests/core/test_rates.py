from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.facts import Pool
from spotlaunch.core.rates import FAR, SIGNAL_HOURS, Lived, Rates
from spotlaunch.core.seasons import WEEK_H, Season, Week
from tests.core.worlds import PAID, a_pool, an_offer

POOLS = st.builds(
    lambda region, zone, kind, market: a_pool(
        region=region, zone=zone and region + zone, instance_type=kind, market=market
    ),
    st.sampled_from(["us-1", "us-2"]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["big", "small"]),
    st.sampled_from(["spot", "on-demand"]),
)
LIVED = st.builds(lambda n, h: Lived(interruptions=n, hours=h), st.integers(0, 50), st.floats(0, 10_000))
HISTORY = st.dictionaries(POOLS, LIVED, max_size=8)
SIGNALS = st.one_of(st.none(), st.floats(0, 10))

# How far two sums of the same doubles in another order may lie apart.
LAST_DIGITS = 1e-12


def rate(history: Mapping[Pool, Lived], pool: Pool | None = None, **changes: Any) -> float:
    changes = {"interruptions_per_hour": 0.01, **changes}
    return Rates(history).of(an_offer(pool=pool, **changes))


def lived(interruptions: int, hours: float) -> Lived:
    return Lived(interruptions=interruptions, hours=hours)


@given(POOLS, SIGNALS)
def test_without_history_the_signal_is_all_there_is(pool: Pool, signal: float | None) -> None:
    elsewhere = {replace(pool, instance_type="other"): lived(9, 1.0), replace(pool, provider="other"): lived(9, 1.0)}
    usual = rate({}, pool, interruptions_per_hour=signal)
    assert rate(elsewhere, pool, interruptions_per_hour=signal) == usual
    assert signal is None or usual == signal


@pytest.mark.parametrize(
    ("gpu", "market", "usual"),
    [
        ("H100-SXM", "spot", 0.041),
        ("A100-80GB", "spot", 0.023),
        ("V100", "spot", 0.008),
        ("L4", "spot", 0.05),
        ("", "spot", 0.05),
        ("H100-SXM", "on-demand", 0.0005),
    ],
)
def test_where_a_provider_says_nothing_what_is_usual_counts(gpu: str, market: Any, usual: float) -> None:
    assert rate({}, a_pool(market=market), gpu=gpu, interruptions_per_hour=None) == usual


@pytest.mark.parametrize("nonsense", [-1.0, float("nan"), float("inf")])
def test_a_signal_that_is_no_rate_is_no_signal(nonsense: float) -> None:
    assert rate({}, gpu="L4", interruptions_per_hour=nonsense) == 0.05


def test_three_interruptions_in_a_day_are_believed_over_an_optimist() -> None:
    seen = 3 / 24
    found = rate({a_pool(): lived(3, 24.0)}, interruptions_per_hour=0.01)
    assert seen - found < found - 0.01


def test_one_interruption_in_the_first_hour_is_bad_luck_and_a_week_without_is_a_habit() -> None:
    assert rate({a_pool(): lived(1, 1.0)}, interruptions_per_hour=0.05) < 0.15
    assert rate({a_pool(): lived(0, 168.0)}, interruptions_per_hour=0.05) < 0.005


def test_a_new_pool_borrows_from_its_kin_and_more_from_the_nearer() -> None:
    new = a_pool(zone="us-1c")
    far = rate({a_pool(region="eu-1", zone="eu-1a"): lived(10, 20.0)}, new)
    near = rate({a_pool(zone="us-1b"): lived(10, 20.0)}, new)
    own = rate({new: lived(10, 20.0)}, new)
    assert 0.01 < far < near < own < 10 / 20
    calm_nearby = {a_pool(region="eu-1", zone="eu-1a"): lived(10, 20.0), a_pool(zone="us-1b"): lived(0, 20.0)}
    assert 0.01 < rate(calm_nearby, new) < far


def test_a_pool_known_well_trusts_itself() -> None:
    history = {a_pool(): lived(1, 1000.0), a_pool(zone="us-1b"): lived(500, 1000.0)}
    assert rate(history) < 0.01


def test_no_hour_counts_twice() -> None:
    prior = 0.01 * SIGNAL_HOURS
    assert rate({a_pool(): lived(3, 24.0)}) == pytest.approx((prior + 3) / (SIGNAL_HOURS + 24))
    # Two zones of another region are one step, as if it had been one zone.
    split = {a_pool(region="eu-1", zone="eu-1a"): lived(2, 20.0), a_pool(region="eu-1", zone="eu-1b"): lived(1, 4.0)}
    assert rate(split) == pytest.approx((prior + FAR * 3) / (SIGNAL_HOURS + FAR * 24))


def test_spot_says_nothing_of_on_demand_nor_the_other_way_round() -> None:
    assert rate({a_pool(): lived(99, 1.0)}, PAID, interruptions_per_hour=None) == 0.0005
    assert rate({PAID: lived(99, 1.0)}) == 0.01


@given(HISTORY, POOLS, SIGNALS)
def test_a_rate_is_never_negative(history: dict[Pool, Lived], pool: Pool, signal: float | None) -> None:
    assert rate(history, pool, interruptions_per_hour=signal) >= 0


@given(HISTORY, POOLS, POOLS, SIGNALS, LIVED)
def test_more_interruptions_never_lower_it_and_more_calm_hours_never_raise_it(
    history: dict[Pool, Lived], where: Pool, pool: Pool, signal: float | None, more: Lived
) -> None:
    was = history.get(where, lived(0, 0.0))
    before = rate(history, pool, interruptions_per_hour=signal)
    worse = {**history, where: lived(was.interruptions + more.interruptions, was.hours)}
    calmer = {**history, where: lived(was.interruptions, was.hours + more.hours)}
    # Each step of the rates rounds once: the last digits of a double may differ, and decide nothing.
    assert rate(worse, pool, interruptions_per_hour=signal) >= before * (1 - LAST_DIGITS)
    assert rate(calmer, pool, interruptions_per_hour=signal) <= before * (1 + LAST_DIGITS)


WEEKLY = st.dictionaries(st.integers(0, WEEK_H - 1), st.integers(1, 30), min_size=1, max_size=20)


def a_season(taken: Mapping[int, int]) -> Season:
    cells = [float(taken.get(h, 0)) for h in range(WEEK_H)]
    return Season({("cloud", "us-1", "spot"): Week(hours=[10.0] * WEEK_H, interruptions=cells)})


@given(HISTORY, SIGNALS, st.floats(0, 4e9))
def test_without_a_season_every_moment_is_as_the_average(
    history: dict[Pool, Lived], signal: float | None, at: float
) -> None:
    offer = an_offer(interruptions_per_hour=signal)
    assert Rates(history).of(offer, at) == Rates(history).of(offer)


@given(HISTORY, st.floats(0.001, 10), WEEKLY)
def test_over_a_week_a_season_changes_nothing_on_average(
    history: dict[Pool, Lived], signal: float, taken: dict[int, int]
) -> None:
    rates, offer = Rates(history, season=a_season(taken)), an_offer(interruptions_per_hour=signal)
    each = [rates.of(offer, hour * 3600.0) for hour in range(WEEK_H)]
    assert min(each) >= 0
    assert sum(each) / WEEK_H == pytest.approx(rates.of(offer), rel=0.005)
    assert rates.of(an_offer(pool=a_pool(provider="other"), interruptions_per_hour=signal), 0.0) == signal


@given(HISTORY, POOLS, SIGNALS)
def test_what_is_believed_is_as_sure_as_its_own_hours(
    history: dict[Pool, Lived], pool: Pool, signal: float | None
) -> None:
    rates, offer = Rates(history), an_offer(pool=pool, interruptions_per_hour=signal)
    believed = rates.belief(offer)
    assert believed.interruptions / believed.hours == pytest.approx(rates.of(offer))
    assert believed.hours == SIGNAL_HOURS + (history[pool].hours if pool in history else 0)
