"""How long a spot pool stays up: the chance of losing it falls with the time that it has been up.

One law for all pools, ``HAZARD / (age + YOUNG_S)`` interruptions for each second at an age (spells are then Pareto
distributed, from 0 on), and a multiplier for each pool by what was seen there. docs/policies.md has the fits.
"""

from __future__ import annotations

import math

from spotlaunch.core.situation import SpotPool

# Fitted by maximum likelihood to the ends of spells of the published traces (NSDI'24): 1.00 over nine zones of
# February 2023, 1.25 over eight of October 2022, with the same YOUNG_S, 0.7 h, in both. What is measured on one set
# is measured with the law of the other.
HAZARD = 1.1
YOUNG_S = 2520.0

# Beyond this nobody knows.
LEASE_CAP_S = 12 * 3600.0

# What is known of all pools counts as this many interruptions seen in each. (4 to 8 are as good.)
PRIOR_INTERRUPTIONS = 5.0


def interruptions_expected(from_s: float, to_s: float) -> float:
    """How many interruptions a pool that was up from age ``from_s`` to age ``to_s`` of a spell had to expect."""
    return HAZARD * math.log((to_s + YOUNG_S) / (from_s + YOUNG_S))


def multiplier(pool: SpotPool) -> float:
    """How much more often than others the pool is lost: the mean of a Gamma distribution around 1."""
    return (PRIOR_INTERRUPTIONS + pool.interruptions) / (PRIOR_INTERRUPTIONS + pool.expected)


def expected_lease_s(pool: SpotPool) -> float:
    """How long a machine in the pool is expected to last from now on, with no more than `LEASE_CAP_S` counted."""
    age_s = pool.up_for_s + YOUNG_S
    power = 1 - HAZARD * multiplier(pool)
    growth = math.log1p(LEASE_CAP_S / age_s)
    # The integral of ((age + t) / age) ** (power - 1) over the lease; its limit at power 0 is the logarithm.
    return age_s * (math.expm1(power * growth) / power if abs(power) > 1e-9 else growth)
