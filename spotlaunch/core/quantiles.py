"""Quantiles of the Gamma distribution, for saying how sure a rate is."""

from __future__ import annotations

import math

# Beyond this the distribution is a bell, and Wilson and Hilferty's approximation of 1931 is right to four digits.
_BELL = 500.0

_STEPS = 80


def gamma_quantile(share: float, shape: float, hours: float) -> float:
    """What a Gamma variable of ``shape`` events in ``hours`` stays below with probability ``share`` (0..1, exclusive).

    0 for a shape of 0: what cannot happen has no rate.
    """
    if shape <= 0:
        return 0.0
    if shape > _BELL:
        bell = _normal_quantile(share)
        return shape * (1 - 1 / (9 * shape) + bell / (3 * math.sqrt(shape))) ** 3 / hours
    low, high = 0.0, shape + 20 * math.sqrt(shape) + 40
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(shape, middle) < share else (low, middle)
    return high / hours


def _below(shape: float, x: float) -> float:
    """The regularized lower incomplete gamma function, by its series (Abramowitz and Stegun 6.5.29)."""
    if x <= 0:
        return 0.0
    term = total = 1 / shape
    n = shape
    while term > total * 1e-16:
        n += 1
        term *= x / n
        total += term
    return min(1.0, total * math.exp(shape * math.log(x) - x - math.lgamma(shape)))


def _normal_quantile(share: float) -> float:
    low, high = -40.0, 40.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + math.erf(middle / math.sqrt(2))) / 2 < share else (low, middle)
    return high
