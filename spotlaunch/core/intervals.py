"""How often to save: the interval between two checkpoints that costs the least, and shorter before a known risk.

Standard library only, and no newer syntax than Python 3.10: this file also runs on the rented machine, where what a
checkpoint takes is measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Nobody writes checkpoints faster than this, whatever a formula says at absurd rates.
SHORTEST_INTERVAL_S = 1.0

# What programs are told is never shorter, and never longer. At the rate of an on-demand machine (0.0005 an hour) the
# formula says 3 to 8 hours; but programs also fail by themselves, which no rate tells.
LEAST_S, MOST_S = 10.0, 4 * 3600.0

# Until a job's first checkpoint was measured, nobody knows what one takes: soon enough to find out.
FIRST_MOST_S = 600.0

# No checkpoint is taken to cost less: looks at the folder see no finer, and to gather what is saved takes time, too.
LEAST_WRITE_S = 0.25

# A notice long enough for a last checkpoint saves all but this share of interruptions: clouds give them "as best they
# can", and programs are busy. As long as that takes, it saves none.
UNTOLD_LEAST = 0.25

# From this share of `limits.price_usd_hour` on, a spot price is near the cap; at the cap the rate counts so many times.
NEAR_CAP, AT_CAP_FACTOR = 0.9, 4.0

# Shortly before a limit checkpoints come closer, but writing them takes no more than this share of the time.
WRITING_MOST = 0.1

# A cloud that warns of a machine (EC2's rebalance recommendation) is taken to lose it so often an hour.
DANGER_RATE_HOUR = 2.0


@dataclass(frozen=True, kw_only=True)
class Risk:
    """What the interval depends on. All times in seconds, 0 where there is none.

    ``write_s``: what a checkpoint costs, as time that the machine does no useful work (None: not measured yet).
    ``copy_s``: how long copying one to the store takes, ``save_s``: from the word to leave until a last one is stored.
    ``notice_s``: the warning before a machine is taken. ``left_s``: until a limit ends this machine (infinite: none).
    ``price_share``: the pool's price, as a share of the most that may be paid. ``danger``: its cloud has warned.
    """

    rate_per_hour: float
    write_s: float | None = None
    copy_s: float = 0.0
    save_s: float = 0.0
    notice_s: float = 0.0
    left_s: float = math.inf
    price_share: float = 0.0
    danger: bool = False


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Seconds between two checkpoints, and why: in one word, by which changes are told apart, and for a person.

    ``kind``: `limit`, `danger`, `price`, `first` (nothing was measured yet) or `rate`, what shortened it last.
    """

    seconds: float
    kind: str
    why: str


# What writing takes where nothing was measured: a guess that `core.effective` makes, too.
USUAL_WRITE_S = 60.0


def best_interval_s(rate_per_hour: float, write_s: float) -> float:
    """Seconds of work between two checkpoints that cost the least, by Daly (2006); infinite at rate 0.

    Young (1974) is ``sqrt(2 * write_s * M)``, with M the mean time between interruptions. Daly adds the next
    terms of the series, and takes M where writing takes 2 M or longer.
    """
    if not rate_per_hour > 0:
        return math.inf
    mean_s = 3600.0 / rate_per_hour
    if write_s >= 2 * mean_s:
        return max(SHORTEST_INTERVAL_S, mean_s)
    x = write_s / (2 * mean_s)
    daly_s = math.sqrt(2 * write_s * mean_s) * (1 + math.sqrt(x) / 3 + x / 9) - write_s
    return max(SHORTEST_INTERVAL_S, daly_s)


def interval(risk: Risk) -> Interval:
    """How often to save under ``risk``: by Daly, for the interruptions that no last checkpoint will precede.

    Never longer when the rate, the price or the danger grows or a limit comes near; never shorter when writing takes
    longer or the notice grows. Between `LEAST_S` (or what writing or copying one takes, if longer) and `MOST_S`.
    """
    write_s = USUAL_WRITE_S if risk.write_s is None else max(LEAST_WRITE_S, _sound(risk.write_s))
    least_s = min(MOST_S, max(LEAST_S, write_s, _sound(risk.copy_s)))
    rate, kind = _sound(risk.rate_per_hour), "rate"
    if risk.danger and rate < DANGER_RATE_HOUR:
        rate, kind = DANGER_RATE_HOUR, "danger"
    factor = price_factor(risk.price_share)
    if factor > 1 and kind == "rate":
        kind = "price"
    lost = rate * factor * untold_share(risk.notice_s, risk.save_s)
    seconds = min(MOST_S, max(least_s, best_interval_s(lost, write_s)))
    if risk.write_s is None and seconds > FIRST_MOST_S:
        seconds, kind = FIRST_MOST_S, "first"
    # A program that saves by this clock saves halfway to the limit, then halfway from there, and so on.
    before_limit_s = max(least_s, write_s / WRITING_MOST, _left(risk.left_s))
    if before_limit_s < seconds:
        seconds, kind = before_limit_s, "limit"
    return Interval(seconds=seconds, kind=kind, why=_why(kind, risk, rate, write_s))


def price_factor(price_share: float) -> float:
    """By how much an interruption is likelier at this share of the price cap: 1 far from it, `AT_CAP_FACTOR` at it."""
    near = (_sound(price_share) - NEAR_CAP) / (1 - NEAR_CAP)
    return 1 + (AT_CAP_FACTOR - 1) * min(1.0, max(0.0, near))


def untold_share(notice_s: float, save_s: float) -> float:
    """The share of interruptions before which no last checkpoint is stored: 1 without a notice."""
    notice_s = _sound(notice_s)
    if notice_s <= 0:
        return 1.0
    return min(1.0, max(UNTOLD_LEAST, _sound(save_s) / notice_s))


def markedly(one: float, other: float, factor: float = 2.0) -> bool:
    """Whether two intervals or rates differ by ``factor``; from 0 everything does."""
    low, high = sorted((_sound(one), _sound(other)))
    return high > 0 and high >= factor * low


def about(seconds: float) -> str:
    """An interval for a person, as coarse as it is meant."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _why(kind: str, risk: Risk, rate: float, write_s: float) -> str:
    if kind == "limit":
        return f"this machine ends in {about(max(0.0, risk.left_s))}, by a limit of the job or of machines"
    words = [f"{rate:.2g} interruptions an hour"]
    if kind == "danger":
        words = ["its cloud has warned that this machine may be taken"]
    if price_factor(risk.price_share) > 1:
        words.append(f"its price is at {risk.price_share:.0%} of limits.price_usd_hour")
    if risk.write_s is None:
        words.append("what a checkpoint takes is not measured yet")
    else:
        words.append(f"a checkpoint costs {write_s:.1f} s" if write_s >= 1 else f"a checkpoint costs {write_s:.2g} s")
    if rate and untold_share(risk.notice_s, risk.save_s) < 1:
        words.append(f"its cloud gives {risk.notice_s:.0f} s of notice")
    elif rate and risk.notice_s <= 0:
        words.append("no notice")
    return ", ".join(words)


def _sound(value: float) -> float:
    """What is no number, or below 0, is 0; nothing is infinite."""
    return min(1e12, value) if value > 0 else 0.0


def _left(seconds: float) -> float:
    return math.inf if math.isnan(seconds) else max(0.0, seconds)
