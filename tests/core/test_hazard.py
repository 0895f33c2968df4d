"""The law of how long pools stay up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.hazard import (
    HAZARD,
    LEASE_CAP_S,
    PRIOR_INTERRUPTIONS,
    YOUNG_S,
    expected_lease_s,
    interruptions_expected,
    multiplier,
)
from tests.core.policyworlds import HOUR, pool

ages = st.floats(0, 30 * 24 * HOUR)
counts = st.floats(0, 500)


@given(a=ages, b=ages, c=ages)
def test_interruptions_expected_add_up_along_a_spell(a: float, b: float, c: float) -> None:
    a, b, c = sorted((a, b, c))
    assert interruptions_expected(a, c) == pytest.approx(interruptions_expected(a, b) + interruptions_expected(b, c))


def test_the_old_are_lost_less_often() -> None:
    first, tenth = interruptions_expected(0, HOUR), interruptions_expected(9 * HOUR, 10 * HOUR)
    assert first > 5 * tenth > 0


def test_a_pool_nobody_knows_is_like_all_others_and_each_interruption_makes_it_worse() -> None:
    assert multiplier(pool()) == 1
    lost = [multiplier(pool(interruptions=n, expected=3.0)) for n in range(6)]
    assert lost == sorted(lost)
    assert lost[3] == 1
    assert lost[0] == PRIOR_INTERRUPTIONS / (PRIOR_INTERRUPTIONS + 3)


@given(age_s=ages, lost=counts, expected=counts)
def test_a_lease_is_what_the_law_says(age_s: float, lost: float, expected: float) -> None:
    known = pool(up_for_s=age_s, interruptions=lost, expected=expected)
    power = HAZARD * multiplier(known)
    # Half a minute wide, each at its middle: the chance to live until then.
    step = LEASE_CAP_S / 1440
    alive = (((age_s + YOUNG_S) / (age_s + YOUNG_S + (i + 0.5) * step)) ** power for i in range(1440))
    assert expected_lease_s(known) == pytest.approx(step * sum(alive), rel=0.02, abs=2)


def test_a_lease_has_no_seam_where_the_integral_is_a_logarithm() -> None:
    # With so many expected and none seen, hazard x multiplier is 1.
    seam = HAZARD * PRIOR_INTERRUPTIONS - PRIOR_INTERRUPTIONS
    leases = [expected_lease_s(pool(expected=seam + e)) for e in (-1e-7, 0.0, 1e-7)]
    assert leases == pytest.approx([leases[1]] * 3, rel=1e-6)


@given(young_s=ages, old_s=ages, lost=counts)
def test_what_has_stayed_up_for_longer_stays_for_longer(young_s: float, old_s: float, lost: float) -> None:
    young_s, old_s = sorted((young_s, old_s))
    young, old = (expected_lease_s(pool(up_for_s=a, interruptions=lost)) for a in (young_s, old_s))
    assert 0 < young <= old * (1 + 1e-9) <= LEASE_CAP_S * (1 + 1e-6)
