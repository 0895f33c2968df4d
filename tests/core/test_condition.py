"""Conditions on prices: what they mean, how they are written, and what is said of those that mean nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.condition import (
    MARKETS,
    QUANTITIES,
    Alert,
    Below,
    Condition,
    Priced,
    parse_alert,
    parse_when,
)
from spotlaunch.core.units import Unreadable
from tests.core.worlds import a_pool, an_offer

AMOUNTS = st.decimals(min_value="0.000001", max_value="10000000", places=6)
OPERATORS = st.sampled_from(["<", "<="])
BELOW = st.builds(Below, quantity=st.sampled_from(QUANTITIES), operator=OPERATORS, bound_usd=AMOUNTS)
GPU_NAMES = st.sampled_from(["H100", "A100-80GB", "rtx 4090", "RTX PRO 6000", "B200"])
ALERTS = st.builds(
    Alert,
    gpu=GPU_NAMES,
    count=st.integers(0, 16),
    market=st.sampled_from([None, *MARKETS]),
    operator=OPERATORS,
    bound_usd=AMOUNTS,
)


def priced(price: str, effective: str = "9", count: int = 1) -> Priced:
    return Priced(offer=an_offer(price, gpu_count=count), effective_usd_hour=Decimal(effective))


def test_the_price_of_an_hour_is_of_the_whole_machine() -> None:
    assert parse_when("price_usd_hour < 2.00").holds(priced("1.99", count=8))
    assert not parse_when("price_usd_hour < 2.00").holds(priced("2.00"))
    assert parse_when("price_usd_hour <= 2.00").holds(priced("2.00"))


def test_a_price_per_gpu_is_shared_by_all_that_the_machine_has() -> None:
    assert parse_when("price_usd_gpu_hour < 2.01").holds(priced("16", count=8))
    assert not parse_when("price_usd_gpu_hour < 2").holds(priced("16", count=8))
    assert not parse_when("price_usd_gpu_hour < 2").holds(priced("2", count=0))


def test_an_effective_price_is_not_the_price() -> None:
    assert not parse_when("effective_usd_hour < 2").holds(priced("1", effective="2.5"))
    assert parse_when("effective_usd_hour < 3").holds(priced("4", effective="2.5"))


def test_all_parts_of_a_condition_must_hold() -> None:
    both = parse_when("price_usd_hour < 2 and effective_usd_hour <= 3")
    assert both.holds(priced("1", effective="3"))
    assert not both.holds(priced("1", effective="3.01"))
    assert not both.holds(priced("2", effective="3"))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("price_usd_hour<2", "price_usd_hour < 2.00"),
        ("  Price_USD_hour <=  $0.125 ", "price_usd_hour <= 0.125"),
        ("price_usd_gpu_hour < 2 AND price_usd_hour < 20", "price_usd_gpu_hour < 2.00 and price_usd_hour < 20.00"),
        ("price_usd_hour < 100", "price_usd_hour < 100.00"),
    ],
)
def test_a_condition_is_shown_in_one_way(text: str, written: str) -> None:
    assert str(parse_when(text)) == written


@given(st.lists(BELOW, min_size=1, max_size=3))
def test_a_condition_reads_back_as_it_was_written(parts: list[Below]) -> None:
    condition = Condition(parts=tuple(parts))
    assert parse_when(str(condition)) == condition


@given(ALERTS)
def test_an_alert_reads_back_as_it_was_written(alert: Alert) -> None:
    assert parse_alert(str(alert)) == alert


@given(st.text(max_size=60) | st.text(alphabet="H10 :<=$.spotand-price_usd_hour", max_size=40))
def test_no_text_does_anything_but_be_read_or_be_unreadable(text: str) -> None:
    for parse in (parse_when, parse_alert):
        try:
            read = parse(text)
        except Unreadable as e:
            assert e.message
        else:
            assert parse(str(read)) == read


@given(st.lists(BELOW, min_size=1, max_size=3), st.decimals("0.01", "100", places=4), st.decimals("0", "100", places=4))
def test_what_is_cheaper_never_fails_where_the_dearer_holds(parts: list[Below], price: Decimal, off: Decimal) -> None:
    condition = Condition(parts=tuple(parts))
    dear = Priced(offer=an_offer(str(price)), effective_usd_hour=price)
    less = price * (1 - off / 200)
    cheap = Priced(offer=an_offer(str(less)), effective_usd_hour=less)
    assert condition.holds(cheap) or not condition.holds(dear)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("price_usd_huor < 2", "'price_usd_huor' is nothing", "did you mean price_usd_hour?"),
        ("price < 2", "'price' is nothing", "did you mean price_usd_hour?"),
        ("weather < 2", "'weather' is nothing", "there are: price_usd_hour, price_usd_gpu_hour, effective_usd_hour"),
        ("price_usd_hour > 2", "> is not known", "write < or <="),
        ("price_usd_hour == 2", "== is not known", "write < or <="),
        ("price_usd_hour 2", "is not a comparison", "write it like: price_usd_hour < 2.00"),
        ("1 < price_usd_hour < 2", "is not a comparison", "write it like"),
        ("price_usd_hour < two", "'two' is not an amount", "write US dollars"),
        ("price_usd_hour < 0", "never comes true", "nothing is sold for nothing"),
        ("price_usd_hour < 2 and", "'' is not a comparison", "write it like"),
        ("", "'' is not a comparison", "write it like"),
    ],
)
def test_an_unreadable_condition_says_how_it_is_meant(text: str, message: str, hint: str) -> None:
    with pytest.raises(Unreadable) as e:
        parse_when(text)
    assert message in e.value.message
    assert e.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "gpu", "count", "market", "quantity"),
    [
        ("H100 < 2.00", "H100", 0, None, "price_usd_gpu_hour"),
        ("H100:8 <= 16", "H100", 8, None, "price_usd_hour"),
        ("H100:1 <= 16", "H100", 1, None, "price_usd_hour"),
        ("H100 spot < 2", "H100", 0, "spot", "price_usd_gpu_hour"),
        ("rtx 4090:2 On-Demand<1", "rtx 4090", 2, "on-demand", "price_usd_hour"),
    ],
)
def test_an_alert_without_a_count_is_for_each_gpu(
    text: str, gpu: str, count: int, market: str | None, quantity: str
) -> None:
    alert = parse_alert(text)
    assert (alert.gpu, alert.count, alert.market, alert.quantity) == (gpu, count, market, quantity)


def test_an_alert_is_for_its_gpu_its_count_and_its_market() -> None:
    h100 = an_offer("16", gpu="H100-SXM", gpu_count=8)
    assert parse_alert("H100 <= 2").holds(h100)
    assert not parse_alert("H100 < 2").holds(h100)
    assert parse_alert("H100:8 <= 16").holds(h100)
    assert not parse_alert("H100:4 <= 16").holds(h100)
    assert not parse_alert("A100 <= 2").holds(h100)
    assert parse_alert("H100 spot <= 2").holds(h100)
    assert not parse_alert("H100 on-demand <= 2").holds(h100)
    assert parse_alert("H100 on-demand <= 2").holds(
        an_offer("2", a_pool(market="on-demand"), gpu="H100-SXM", gpu_count=1)
    )


def test_what_cannot_be_had_raises_no_alert() -> None:
    assert not parse_alert("V100 < 2").holds(an_offer("1", available="no"))
    assert parse_alert("V100 < 2").holds(an_offer("1", available="unknown"))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("H100 sopt < 2", "there is no market 'sopt'", "did you mean spot?"),
        ("H100 ondemand < 2", "there is no market 'ondemand'", "did you mean on-demand?"),
        ("8xH100 < 2", "'8xH100' is not a GPU", "write name:count, like H100:8"),
        ("spot < 2", "names no GPU", "write it like: H100 < 2.00"),
        ("< 2", "names no GPU", "write it like"),
        ("H100", "is not a comparison", "write it like"),
        ("H100 <", "is not a comparison", "write it like"),
        ("H100:0 < 2", "0 GPUs are not allowed", "for a machine without a GPU"),
    ],
)
def test_an_unreadable_alert_says_how_it_is_meant(text: str, message: str, hint: str) -> None:
    with pytest.raises(Unreadable) as e:
        parse_alert(text)
    assert message in e.value.message
    assert e.value.hint.startswith(hint)
