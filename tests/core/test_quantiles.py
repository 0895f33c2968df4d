from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.quantiles import gamma_quantile

# Of chi-squared, from any table: a Gamma variable of half its degrees of freedom, doubled.
CHI_SQUARED = [(1, 0.95, 3.841), (2, 0.95, 5.991), (10, 0.05, 3.940), (10, 0.95, 18.307), (100, 0.05, 77.929)]


@pytest.mark.parametrize(("freedom", "share", "value"), CHI_SQUARED)
def test_quantiles_are_those_of_the_tables(freedom: int, share: float, value: float) -> None:
    assert 2 * gamma_quantile(share, freedom / 2, 1.0) == pytest.approx(value, abs=0.001)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_the_bell_takes_over_without_a_step(share: float) -> None:
    assert gamma_quantile(share, 500.0, 1.0) == pytest.approx(gamma_quantile(share, 500.01, 1.0), rel=1e-4)


@given(st.floats(0, 5000), st.floats(0.1, 1e5))
def test_the_range_is_around_the_middle_and_shrinks_with_hours(shape: float, hours: float) -> None:
    low, middle, high = (gamma_quantile(share, shape, hours) for share in (0.05, 0.5, 0.95))
    assert 0 <= low <= middle <= high
    assert gamma_quantile(0.95, shape, 2 * hours) == pytest.approx(high / 2)


def test_what_cannot_happen_has_no_rate() -> None:
    assert gamma_quantile(0.95, 0.0, 12.0) == 0.0
