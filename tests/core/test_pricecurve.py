"""Price curves: the cheapest price of a GPU over time, and what is not known of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.facts import Pool
from spotlaunch.core.pricecurve import HOLDS_S, MOST_STEPS, STEPS_S, Choice, Curve, Span, curves, span_of
from spotlaunch.core.pricehistory import PoolPrices, PriceChange
from tests.core.worlds import a_pool

HOUR = 3600.0
SPAN = Span(since=0.0, step_s=HOUR, steps=10)
ANY = Choice(gpus=(("H100", 0),))


def change(at_h: float, price: str, *, on_sale: bool = True) -> PriceChange:
    return PriceChange(at=at_h * HOUR, price_usd_hour=Decimal(price), on_sale=on_sale)


def prices(*changes: PriceChange, seen_h: float, pool: Pool | None = None, **more: Any) -> PoolPrices:
    made = PoolPrices(pool=pool or a_pool(), gpu="H100-SXM", gpu_count=8, changes=changes, seen_at=seen_h * HOUR)
    return replace(made, **more)


def lows(curve: Curve) -> list[str]:
    return ["-" if low is None else f"{low.price_usd_gpu_hour:g}" for low in curve.lows]


def drawn(*history: PoolPrices, choice: Choice = ANY, span: Span = SPAN) -> dict[str, list[str]]:
    return {c.provider: lows(c) for c in curves(history, choice, span)}


def test_a_price_holds_until_the_next_change_and_is_for_each_gpu() -> None:
    found = drawn(prices(change(2, "16"), change(5, "8"), seen_h=10))
    assert found == {"cloud": ["-", "-", "2", "2", "2", "1", "1", "1", "1", "1"]}


def test_the_change_before_the_span_is_in_force_at_its_beginning() -> None:
    assert drawn(prices(change(-50, "16"), seen_h=10))["cloud"][:2] == ["2", "2"]


def test_a_pool_that_vanished_has_no_price_once_it_is_no_longer_seen() -> None:
    gone = prices(change(0, "8"), seen_h=3)
    assert drawn(gone) == {"cloud": ["1", "1", "1", "1", "-", "-", "-", "-", "-", "-"]}
    dearer = prices(change(0, "16"), seen_h=10, pool=a_pool(zone="z2"))
    assert drawn(gone, dearer)["cloud"] == ["1", "1", "1", "1", "2", "2", "2", "2", "2", "2"]


def test_a_pool_seen_within_the_last_hour_still_costs_what_it_did() -> None:
    assert drawn(prices(change(0, "8"), seen_h=9.001 - HOLDS_S / HOUR))["cloud"][-1] == "1"
    assert drawn(prices(change(0, "8"), seen_h=9 - HOLDS_S / HOUR))["cloud"][-1] == "-"


def test_a_price_seen_in_the_moment_that_a_step_begins_is_of_that_step() -> None:
    assert drawn(prices(change(9, "8"), seen_h=9))["cloud"] == ["-"] * 9 + ["1"]


def test_what_could_not_be_had_was_not_the_cheapest() -> None:
    dry = prices(change(0, "8"), change(3, "4", on_sale=False), change(6, "16"), seen_h=10)
    assert drawn(dry)["cloud"] == ["1", "1", "1", "-", "-", "-", "2", "2", "2", "2"]


def test_a_dip_within_a_step_is_the_low_of_that_step() -> None:
    dip = prices(change(0, "16"), change(4.2, "8"), change(4.4, "16"), seen_h=10)
    assert drawn(dip)["cloud"][3:6] == ["2", "1", "2"]


def test_the_low_names_the_pool_that_had_it() -> None:
    one, two = prices(change(0, "16"), seen_h=10), prices(change(5, "8"), seen_h=10, pool=a_pool(zone="z2"))
    [curve] = curves([one, two], ANY, SPAN)
    assert [low.pool.zone for low in curve.known] == ["us-1a"] * 5 + ["z2"] * 5


def test_each_provider_has_a_curve_of_its_own() -> None:
    other = prices(change(0, "24"), seen_h=10, pool=a_pool(provider="other"))
    assert drawn(prices(change(0, "8"), seen_h=10), other) == {"cloud": ["1"] * 10, "other": ["3"] * 10}


@pytest.mark.parametrize(
    "choice",
    [
        replace(ANY, gpus=(("A100", 0),)),
        replace(ANY, gpus=(("H100", 1),)),
        replace(ANY, market="on-demand"),
        replace(ANY, providers=("other",)),
        replace(ANY, regions=("eu-*",)),
    ],
)
def test_pools_that_were_not_asked_about_do_not_count(choice: Choice) -> None:
    assert drawn(prices(change(0, "8"), seen_h=10), choice=choice) == {}


def test_a_pool_that_was_asked_about_in_every_way_counts() -> None:
    choice = Choice(gpus=(("H100", 8),), providers=("cloud",), regions=("us-1A",), market="spot")
    assert drawn(prices(change(0, "8"), seen_h=10), choice=choice) == {"cloud": ["1"] * 10}


@pytest.mark.parametrize(
    ("days", "step_s"), [(0.04, 60.0), (1, 900.0), (7, 3600.0), (30, 6 * 3600.0), (366, 7 * 86400.0)]
)
def test_steps_are_round_and_not_too_many(days: float, step_s: float) -> None:
    span = span_of(now=1_000_000_123.0, back_s=days * 86400)
    assert (span.step_s, span.since % step_s) == (step_s, 0.0)
    assert span.since <= 1_000_000_123.0 - days * 86400
    assert span.until > 1_000_000_123.0


@given(now=st.floats(1e6, 2e9), back_s=st.floats(60, 366 * 86400.0))
def test_a_span_holds_all_that_was_asked_for_and_now(now: float, back_s: float) -> None:
    span = span_of(now=now, back_s=back_s)
    assert span.since <= now - back_s
    assert span.at(span.steps - 1) <= now < span.until
    assert span.steps <= MOST_STEPS + 2
    assert span.step_s in STEPS_S


CHANGES = st.lists(
    st.tuples(st.floats(-5, 12), st.integers(1, 50), st.booleans()), min_size=1, max_size=5, unique_by=lambda c: c[0]
)


@given(st.lists(st.tuples(CHANGES, st.floats(0, 12)), max_size=5))
def test_every_low_is_a_price_of_that_step_and_none_was_lower(pools: list[Any]) -> None:
    history = [
        prices(
            *(change(at, str(8 * price), on_sale=on_sale) for at, price, on_sale in sorted(changes)),
            seen_h=max(seen, max(at for at, _, _ in changes)),
            pool=a_pool(zone=f"z{n}"),
        )
        for n, (changes, seen) in enumerate(pools)
    ]
    for curve in curves(history, ANY, SPAN):
        for step, low in enumerate(curve.lows):
            begin, end = SPAN.at(step), SPAN.at(step + 1)
            had = [
                c.price_usd_hour / 8
                for p in history
                for c, until in zip(p.changes, [*(d.at for d in p.changes[1:]), p.seen_at + HOLDS_S], strict=True)
                if c.on_sale and c.at < end and until >= begin
            ]
            assert low is None or low.price_usd_gpu_hour in had
            surely = [
                c.price_usd_hour / 8
                for p in history
                for c, until in zip(p.changes, [*(d.at for d in p.changes[1:]), p.seen_at], strict=True)
                if c.on_sale and c.at < end and until > begin
            ]
            assert not surely or (low is not None and low.price_usd_gpu_hour <= min(surely))
