from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.boottimes import MOST_TIMES, BootTimes
from tests.core.worlds import a_pool

KINDS = st.sampled_from([("cloud", "big"), ("cloud", "small"), ("other", "big")])
BOOTS = st.dictionaries(KINDS, st.lists(st.floats(0, 1e6), max_size=5).map(tuple))


@given(st.floats(0, 1e5), BOOTS)
def test_a_provider_never_seen_to_boot_takes_what_is_usual(
    usual_s: float, boots: dict[tuple[str, str], tuple[float, ...]]
) -> None:
    assert BootTimes(boots).of(a_pool(provider="new"), usual_s) == usual_s


@given(st.floats(0.5, 1e5), BOOTS)
def test_it_never_leaves_what_is_possible(usual_s: float, boots: dict[tuple[str, str], tuple[float, ...]]) -> None:
    found = BootTimes(boots).of(a_pool(), usual_s)
    assert usual_s / MOST_TIMES * 0.99 <= found <= usual_s * MOST_TIMES * 1.01


def test_three_boots_of_its_own_count_as_much_as_the_usual_time() -> None:
    times = BootTimes({("cloud", "big"): (100.0, 100.0, 100.0)})
    assert times.of(a_pool(), 400.0) == pytest.approx(200.0)
    assert times.of(a_pool(region="elsewhere"), 400.0) == pytest.approx(200.0)


def test_other_kinds_of_the_provider_tell_for_one_that_is_new_and_yield_to_its_own() -> None:
    slow = {("cloud", "small"): (800.0,) * 50}
    assert 600 < BootTimes(slow).of(a_pool(), 100.0) < 800
    assert BootTimes({**slow, ("cloud", "big"): (100.0,) * 12}).of(a_pool(), 100.0) < 160
    assert BootTimes(slow).of(a_pool(provider="other"), 100.0) == 100.0


def test_one_boot_that_hung_does_not_spoil_it() -> None:
    assert BootTimes({("cloud", "big"): (100.0,) * 6 + (1e6,)}).of(a_pool(), 100.0) < 150
