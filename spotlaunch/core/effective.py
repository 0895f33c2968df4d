"""Effective cost: what an hour of *useful* work costs on an offer, interruptions and all.

A machine that may be taken is billed also while it boots, writes checkpoints, and computes again what was
lost; and some restarts move the checkpoint out of where it lies. All formulas take interruptions as
exponential, with a rate per hour, and hold for any number of them. Nothing here raises: absurd rates give an
absurd cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache

from spotlaunch.core.facts import Offer
from spotlaunch.core.intervals import SHORTEST_INTERVAL_S, USUAL_WRITE_S, best_interval_s
from spotlaunch.core.spec import Spec

HOURS_PER_MONTH = Decimal(730)

# Of the restarts, those that happen somewhere else, and so pay for moving the checkpoint.
SHARE_MOVED = Decimal("0.5")

# Who sets how often checkpoints are taken writes for no more than this share of the time.
SHARE_WRITING = 0.05

# Billed hours per useful hour, at most: no offer is ever worth this, and it still multiplies without overflow.
MOST_OVERHEAD = 1e9

# e to the power of this, divided by the smallest interval there is, is still a number.
_MOST_EXPONENT = 600.0

_SHORT = Context(prec=15)

# No overhead is told apart by more digits of a rate than these (rates are not known so well, and beyond the
# last digits of a float a worse rate could come out as the better one).
_RATE_DIGITS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a job's checkpoints are like: seconds to write one, its size, seconds between two.

    ``every_s`` None: as often as is best for the interruption rate (`core.intervals`).
    """

    write_s: float = USUAL_WRITE_S
    checkpoint_gb: float = 10.0
    every_s: float | None = None


def work_of(spec: Spec, write_s: float | None = None) -> Work:
    """What is known of a job's checkpoints. ``write_s``: what one takes, as was measured (None: never).

    Where nothing was measured: what is usual, or what fits how often its file says that they are taken.
    """
    every_s, usual = spec.checkpoint.every_s, Work()
    if write_s is None:
        write_s = usual.write_s if every_s is None else min(usual.write_s, every_s * SHARE_WRITING)
    return Work(write_s=write_s, every_s=every_s)


LEAST_RATE = 1e-7


def overhead(rate_per_hour: float, *, restart_s: float, work: Work) -> float:
    """Billed hours per useful hour: 1 without interruptions and checkpoints, `MOST_OVERHEAD` at most.

    ``restart_s`` is from an interruption to useful work again, and may be interrupted itself. Never falls
    when the rate grows.
    """
    return _overhead(_known(rate_per_hour), restart_s, work.write_s, work.every_s)


def effective_usd_hour(offer: Offer, *, rate_per_hour: float, restart_s: float, work: Work, disk_gb: float) -> Decimal:
    """Dollars per useful hour of the whole machine: (price + disk) x overhead, and expected egress.

    ``disk_gb`` is what is rented beside the machine, ``rate_per_hour`` its interruptions.
    """
    billed, moved_gb = _hourly(rate_per_hour, restart_s, work.write_s, work.every_s, work.checkpoint_gb)
    usd_hour = offer.price_usd_hour
    if disk_gb and offer.storage_usd_gb_month:
        usd_hour += _disk_usd_hour(disk_gb, offer.storage_usd_gb_month)
    usd_hour *= billed
    if moved_gb and offer.egress_usd_gb:
        usd_hour += moved_gb * offer.egress_usd_gb
    return usd_hour


def _known(rate_per_hour: float) -> float:
    """The rate as far as it is known; below 0, or no number at all, there are no interruptions.

    Nor at less than one in a thousand years: there the formula's digits cancel, and a worse rate came out cheaper.
    """
    return float(f"{rate_per_hour:.{_RATE_DIGITS}g}") if rate_per_hour > LEAST_RATE else 0.0


# A market has many offers, but few rates and disks: what each amounts to is remembered.


@lru_cache(maxsize=1 << 16)
def _hourly(
    rate_per_hour: float, restart_s: float, write_s: float, every_s: float | None, checkpoint_gb: float
) -> tuple[Decimal, Decimal]:
    """Per useful hour: the hours billed, and the GB that restarts elsewhere move."""
    billed = Decimal(_overhead(_known(rate_per_hour), restart_s, write_s, every_s))
    restarts = billed * Decimal(max(0.0, min(rate_per_hour, MOST_OVERHEAD)))
    # Fifteen digits are all that a float knows, and the exact decimal of one has fifty, which is slow.
    return _SHORT.plus(billed), _SHORT.plus(restarts * Decimal(checkpoint_gb) * SHARE_MOVED)


@lru_cache(maxsize=1024)
def _disk_usd_hour(disk_gb: float, storage_usd_gb_month: Decimal) -> Decimal:
    return Decimal(disk_gb) * storage_usd_gb_month / HOURS_PER_MONTH


def _overhead(rate_per_hour: float, restart_s: float, write_s: float, every_s: float | None) -> float:
    if rate_per_hour <= 0:
        return 1.0 if every_s is None else 1 + write_s / max(SHORTEST_INTERVAL_S, every_s)
    if every_s is not None:
        return _billed(rate_per_hour, restart_s, write_s, max(SHORTEST_INTERVAL_S, every_s))
    daly = _billed(rate_per_hour, restart_s, write_s, best_interval_s(rate_per_hour, write_s))
    mean_s = max(SHORTEST_INTERVAL_S, 3600.0 / rate_per_hour)
    if write_s < mean_s:
        return daly
    # Where Daly changes over to M, M is better by a hair already: without looking at both, a worse rate would
    # come out cheaper there.
    return min(daly, _billed(rate_per_hour, restart_s, write_s, mean_s))


def _billed(rate_per_hour: float, restart_s: float, write_s: float, interval_s: float) -> float:
    """f = exp(l R) * (exp(l (tau + delta)) - 1) / (l tau), for exponential failures that may hit the restart."""
    rate_s = rate_per_hour / 3600.0
    useful = rate_s * interval_s
    if useful < 1e-300 or math.isinf(interval_s):
        return 1 + write_s / interval_s  # a rate so small that it cannot be told from none
    lost = rate_s * (interval_s + write_s)
    if lost + rate_s * restart_s > _MOST_EXPONENT:
        return MOST_OVERHEAD
    return min(MOST_OVERHEAD, math.exp(rate_s * restart_s) * math.expm1(lost) / useful)
