"""Scales of figures: which times and which amounts stand at an axis, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

_STEPS_S = (1, 5, 15, 30, 60, 300, 600, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400)
_DAY_S = 86400
_MOST_TICKS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """The time that a figure shows, in seconds since the epoch. It has a length."""

    since: float
    until: float

    @staticmethod
    def over(since: float, until: float) -> Times:
        """From one to the other; of no length at all it would have nothing to show."""
        return Times(since=since, until=max(until, since + 1.0))

    def percent(self, at: float) -> float:
        """Where a moment stands, 0 to 100. What lies outside stands at the edge."""
        return 100 * min(max((at - self.since) / (self.until - self.since), 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """A few round times of this computer's clock within it, and their names."""
        length = self.until - self.since
        step = next((s for s in _STEPS_S if length / s <= _MOST_TICKS), None)
        if step is None:
            step = math.ceil(length / _MOST_TICKS / _DAY_S) * _DAY_S
        midnight = datetime.fromtimestamp(self.since).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        first = math.ceil((self.since - midnight) / step)
        last = math.floor((self.until - midnight) / step)
        at = (midnight + n * step for n in range(first, last + 1))
        # A quotient of floats may be a whole number that its parts are not.
        return [(a, _name(a, step)) for a in at if self.since <= a <= self.until]


def _name(at: float, step_s: float) -> str:
    here = datetime.fromtimestamp(at)
    if step_s >= _DAY_S or (here.hour, here.minute, here.second) == (0, 0, 0):
        return f"{here:%m-%d}"
    return f"{here:%H:%M}" if step_s >= 60 else f"{here:%H:%M:%S}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """From nothing up to ``most``, in steps that are round numbers."""

    most: float
    step: float

    @staticmethod
    def up_to(highest: float) -> Amounts:
        """With room for the highest amount."""
        if not 0 < highest < math.inf:
            return Amounts(most=1.0, step=1.0)
        rough = highest / 3
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * n for n in (1, 2, 2.5, 5, 10) if size * n >= rough * 0.999999)
        return Amounts(most=math.ceil(highest / step - 1e-9) * step, step=step)

    def percent(self, amount: float) -> float:
        """How far up an amount stands, 0 to 100."""
        return 100 * min(max(amount / self.most, 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Each step above nothing, and its name with as many digits as the step has."""
        digits = max(0, 1 - math.floor(math.log10(self.step))) if self.step < 10 else 0
        count = round(self.most / self.step)
        names = [f"{n * self.step:,.{digits}f}" for n in range(1, count + 1)]
        if digits and all(name.endswith("0") for name in names):
            names = [name[:-1].rstrip(".") for name in names]
        return [(n * self.step, name) for n, name in enumerate(names, start=1)]
