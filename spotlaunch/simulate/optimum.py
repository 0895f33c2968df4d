"""The omniscient optimum: what a job would have cost at the least, had all of the trace been known. Exact.

Backward induction over the ticks. The state at the start of a tick is what runs (nothing, on-demand, a pool) and the
slack: time left less work left. Everything takes slack from a grid: an idle tick one tick, a start the overhead,
running nothing. So with ``quantum`` the greatest common divisor of tick and overhead, the slack is always that of the
start less ``n`` quanta, and the value of all states of a tick is a row of numbers by ``n`` for each thing that may run.

- A start is one step over all the ticks it burns in: who knows that it will be cut short does not begin it, as waiting
  costs nothing and comes out at the same state.
- Values are costs less the price of the work left on on-demand. Then idling and running on on-demand change no number.
- Work left below nothing, in the tick in which the job ends, counts as a refund at that machine's price: billing is
  by the second.
- Many starts of the same traces are the rows of one matrix: they differ in availability alone, which is a cost of
  infinity where a pool is down.

numpy is imported with this module, so whoever needs the optimum imports it late.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from spotlaunch.simulate.replay import Task

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# So many states of slack at most. Where tick and overhead have no divisor large enough, the overhead is rounded down to
# a grid of this size, and the value is a little less than the optimum: still a bound that no policy can beat.
MOST_STATES = 60_000

# Cells of one matrix (starts times states): few enough for a core's cache, many enough to be worth a call.
CELLS = 12_000

# Hours of a person have few digits; this finds them again in the seconds.
FINEST_S = 10**6


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """A task in whole quanta of slack. ``n`` of a state: quanta of slack used up since the start.

    ``states``: the largest ``n`` with which the deadline still holds (negative: it cannot be met). ``tick`` and
    ``overhead``: quanta of each. ``span``: ticks that a start burns in. ``exact``: the overhead was not rounded.
    """

    quantum_s: Fraction
    states: int
    tick: int
    overhead: int
    span: int
    ticks: int
    exact: bool


def grid_of(task: Task) -> Grid:
    """The coarsest grid on which the task is exact, or, were that too fine, one of `MOST_STATES`."""
    tick_s, overhead_s = _exactly(task.tick_s), _exactly(task.overhead_s)
    deadline_s = _exactly(task.deadline_s)
    slack_s = deadline_s - _exactly(task.work_s)
    quantum_s = _divisor(tick_s, overhead_s) if overhead_s else tick_s
    exact = slack_s / quantum_s <= MOST_STATES
    if not exact:
        quantum_s = tick_s / max(1, math.floor(MOST_STATES * tick_s / slack_s))
    overhead = math.floor(overhead_s / quantum_s)
    tick = int(tick_s / quantum_s)
    return Grid(
        quantum_s=quantum_s,
        states=math.floor(slack_s / quantum_s),
        tick=tick,
        overhead=overhead,
        span=max(1, math.ceil(Fraction(overhead, tick))),
        ticks=math.ceil(deadline_s / tick_s),
        exact=exact,
    )


def _exactly(seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(FINEST_S)


def _divisor(a: Fraction, b: Fraction) -> Fraction:
    """The largest number that both are whole multiples of."""
    return Fraction(math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)


def optimum_usd(task: Task, traces: Sequence[Sequence[int]], starts: Sequence[int]) -> list[float]:
    """The least cost of a job that ends by its deadline, for each of the ticks it may start at.

    Infinite where not even on-demand at once would be in time. Beyond the end of the traces there is no spot.
    """
    grid = grid_of(task)
    if grid.states < grid.overhead:
        return [math.inf] * len(starts)
    up = [np.frombuffer(bytes(map(bool, trace)), dtype=np.bool_) for trace in traces]
    rows = max(1, CELLS // (grid.states + 1))
    found: list[float] = []
    for first in range(0, len(starts), rows):
        found += _Induction(task, grid, up, starts[first : first + rows]).least_usd()
    return found


class _Induction:
    """One matrix of starts, from the deadline back to the start."""

    def __init__(self, task: Task, grid: Grid, up: Sequence[Bools], starts: Sequence[int]) -> None:
        self._task, self._grid, self._rows = task, grid, len(starts)
        self._work = Fraction(task.work_s).limit_denominator(FINEST_S) / grid.quantum_s
        # Beyond the last state that holds the deadline all stay infinite: what steps there is out.
        self._width = grid.states + 1 + max(grid.tick, grid.overhead)
        # What may run: on-demand first, then the pools. Prices of one quantum.
        quantum_h = float(grid.quantum_s) / 3600
        self._price = [p * quantum_h for p in (task.on_demand_usd_hour, *task.spot_usd_hour)]
        seen = [_window(u, starts, grid.ticks + grid.span) for u in up]
        always = np.ones((len(starts), grid.ticks + grid.span), dtype=np.bool_)
        self._runs_on = [self._running(m, seen_m) for m, seen_m in enumerate([always, *seen])]
        self._begins = [self._starting(m, seen_m) for m, seen_m in enumerate([always, *seen])]
        kept = grid.span + 1
        self._value = [[self._nothing() for _ in range(kept)] for _ in self._price]
        self._idle = [self._nothing() for _ in range(kept)]

    def _nothing(self) -> Floats:
        return np.full((self._rows, self._width), np.inf)

    def _running(self, m: int, seen: Bools) -> Floats:
        """What a tick of running on costs more than on-demand; ticks by rows, as columns of one number."""
        dearer = (self._price[m] - self._price[0]) * self._grid.tick
        return np.where(seen, dearer, np.inf).T[:, :, None]

    def _starting(self, m: int, seen: Bools) -> Floats:
        """The same of a start, over all the ticks that it burns in; the pool has to stay for them."""
        grid = self._grid
        cost = self._price[m] * grid.tick * grid.span - self._price[0] * (grid.tick * grid.span - grid.overhead)
        stays = seen[:, : grid.ticks].copy()
        for later in range(1, grid.span):
            stays &= seen[:, later : grid.ticks + later]
        return np.where(stays, cost, np.inf).T[:, :, None]

    def least_usd(self) -> list[float]:
        """For each row the least cost from its start on."""
        for t in range(self._grid.ticks + self._grid.span - 1, self._grid.ticks - 1, -1):
            self._refund(t, 0, self._grid.states + 1)
        for t in range(self._grid.ticks - 1, -1, -1):
            self._step(t)
        on_demand_usd = self._price[0] * float(self._work)
        return [float(v) + on_demand_usd for v in self._idle[0][:, 0]]

    def _done(self, t: int) -> int:
        """The first ``n`` with work left at tick ``t``."""
        return max(0, math.floor(t * self._grid.tick - self._work) + 1)

    def _refund(self, t: int, first: int, end: int) -> None:
        """States at ``t`` in which the work has ended within the last step."""
        left = float(self._work) - t * self._grid.tick + np.arange(first, end)
        for price, value in zip(self._price, self._value, strict=True):
            value[t % len(value)][:, first:end] = (price - self._price[0]) * left

    def _step(self, t: int) -> None:
        grid = self._grid
        kept = grid.span + 1
        # Slack is lost no faster than time goes; and there is no state without work left, but as a refund.
        first, end = self._done(t), min(grid.states, t * grid.tick) + 1
        if first < end:
            new = self._idle[t % kept][:, first:end]
            new[:] = self._idle[(t + 1) % kept][:, first + grid.tick : end + grid.tick]
            over = slice(first + grid.overhead, end + grid.overhead)
            for value, begins in zip(self._value, self._begins, strict=True):
                np.minimum(new, value[(t + grid.span) % kept][:, over] + begins[t], out=new)
            for value, runs_on in zip(self._value, self._runs_on, strict=True):
                now = value[t % kept][:, first:end]
                np.add(value[(t + 1) % kept][:, first:end], runs_on[t], out=now)
                np.minimum(now, new, out=now)
        self._refund(t, max(0, first - grid.tick * grid.span), min(first, grid.states + 1))


def _window(up: Bools, starts: Sequence[int], ticks: int) -> Bools:
    """For each start the ticks from it on; down beyond the end of the trace."""
    long = np.concatenate([up, np.zeros(ticks, dtype=np.bool_)])
    return long[np.asarray(starts)[:, None] + np.arange(ticks)[None, :]]
