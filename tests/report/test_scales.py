from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spotlaunch.report.scales import Amounts, Times

BEGIN = 1_793_000_000.0


@given(st.floats(0, 1e9), st.floats(0, 4e8))
@example(5e-324, 6.0)
def test_times_at_an_axis_are_few_in_order_and_within(since: float, length: float) -> None:
    times = Times.over(since, since + length)
    ticks = [at for at, _ in times.ticks()]
    assert len(ticks) <= 6 and ticks == sorted(ticks)
    assert all(times.since <= at <= times.until for at in ticks)
    assert (times.percent(times.since), times.percent(times.until)) == (0, 100)


@pytest.mark.parametrize(
    ("hours", "names"),
    [(1 / 3600, 2), (0.5, 3), (8, 3), (48, 4), (24 * 400, 5)],
)
def test_any_length_has_names_for_its_times(hours: float, names: int) -> None:
    found = [name for _, name in Times.over(BEGIN, BEGIN + hours * 3600).ticks()]
    assert abs(len(found) - names) <= 1
    assert all(found)


def test_what_lies_outside_stands_at_the_edge() -> None:
    times = Times.over(100.0, 200.0)
    assert [times.percent(at) for at in (0.0, 150.0, 900.0)] == [0, 50, 100]
    assert Times.over(5.0, 5.0).until > 5.0


@given(st.floats(1e-9, 1e12))
def test_amounts_have_room_for_the_highest_and_a_few_round_steps(highest: float) -> None:
    amounts = Amounts.up_to(highest)
    assert highest <= amounts.most * 1.000001
    assert amounts.most <= 3 * highest
    assert 1 <= len(amounts.ticks()) <= 4


def test_names_of_amounts_have_the_digits_of_their_steps() -> None:
    assert [name for _, name in Amounts.up_to(767.0).ticks()] == ["500", "1,000"]
    assert [name for _, name in Amounts.up_to(0.6).ticks()] == ["0.2", "0.4", "0.6"]
    assert [name for _, name in Amounts.up_to(7.0).ticks()] == ["2.5", "5.0", "7.5"]
    assert Amounts.up_to(0.0).most == Amounts.up_to(float("nan")).most == 1.0
