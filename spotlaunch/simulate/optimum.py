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
- Where moving the checkpoint costs something, nothing and on-demand are a row for each pool where it may lie.
- Many starts of the same traces are the rows of one matrix: they differ in availability alone, which is a cost of
  infinity where a pool is down.

numpy is imported with this module, so whoever needs the optimum imports it late.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

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


class _Thing:
    """One thing that may run: on-demand (always up) or a pool."""

    def __init__(self, grid: Grid, price: float, on_demand: float, up: Bools) -> None:
        """Prices of one quantum; ``up`` by start and tick."""
        self.dearer = price - on_demand
        stays = up[:, : grid.ticks].copy()
        for later in range(1, grid.span):
            stays &= up[:, later : grid.ticks + later]
        step = price * grid.tick * grid.span - on_demand * (grid.tick * grid.span - grid.overhead)
        # By tick, a column of one number for each start: what running on for a tick, and what starting here, costs
        # more than on-demand; and whether any start can.
        self.runs_on: Floats = np.where(up, self.dearer * grid.tick, np.inf).T[:, :, None]
        self.begins: Floats = np.where(stays, step, np.inf).T[:, :, None]
        self.any_runs_on: list[bool] = np.asarray(up.any(axis=0)).tolist()
        self.any_begins: list[bool] = np.asarray(stays.any(axis=0)).tolist()


class _Running(NamedTuple):
    """A thing that runs, the pool where its checkpoint lies (from 1), and the values of its last ticks."""

    thing: _Thing
    home: int
    value: list[Floats]


class _Induction:
    """One matrix of starts, from the deadline back to the start. Rows of the last ticks are kept in rings."""

    def __init__(self, task: Task, grid: Grid, up: Sequence[Bools], starts: Sequence[int]) -> None:
        self._grid = grid
        self._work = _exactly(task.work_s) / grid.quantum_s
        quantum_h = float(grid.quantum_s) / 3600
        self._price = task.on_demand_usd_hour * quantum_h
        always = np.ones((len(starts), grid.ticks + grid.span), dtype=np.bool_)
        seen = [always, *(_window(u, starts, grid.ticks + grid.span) for u in up)]
        # Beyond the last state that holds the deadline all stay infinite: what steps there is out.
        shape = (len(starts), grid.states + 1 + max(grid.tick, grid.overhead))
        self._kept = grid.span + 1
        # Where the checkpoint lies counts only if moving costs something. Home 0 is nowhere yet, or anywhere.
        self._move_usd = task.move_usd
        homes = 1 + len(up) if task.move_usd else 1
        paid, *pools = [
            _Thing(grid, price * quantum_h, self._price, u)
            for price, u in zip((task.on_demand_usd_hour, *task.spot_usd_hour), seen, strict=True)
        ]
        self._paid = [_Running(paid, home, self._ring(shape)) for home in range(homes)]
        self._pools = [_Running(pool, n % homes, self._ring(shape)) for n, pool in enumerate(pools, start=1)]
        self._idle = [self._ring(shape) for _ in range(homes)]
        self._begun, self._moved = np.empty(shape), np.empty(shape)

    def _ring(self, shape: tuple[int, int]) -> list[Floats]:
        return [np.full(shape, np.inf) for _ in range(self._kept)]

    def least_usd(self) -> list[float]:
        """For each row the least cost from its start on."""
        grid = self._grid
        for t in range(grid.ticks + grid.span - 1, grid.ticks - 1, -1):
            self._refund(t, 0, grid.states + 1)
        for t in range(grid.ticks - 1, -1, -1):
            # Slack is lost no faster than time goes; and there is no state without work left, but as a refund.
            first = max(0, math.floor(t * grid.tick - self._work) + 1)
            end = min(grid.states, t * grid.tick) + 1
            if first < end:
                self._step(t, first, end)
            self._refund(t, max(0, first - grid.tick * grid.span), min(first, grid.states + 1))
        on_demand_usd = self._price * float(self._work)
        return [float(v) + on_demand_usd for v in self._idle[0][0][:, 0]]

    def _step(self, t: int, first: int, end: int) -> None:
        """The values of the states ``first`` to ``end`` at tick ``t``, from those of later ticks."""
        grid, kept = self._grid, self._kept
        begun, moved = self._begun[:, first:end], self._moved[:, first:end]
        idle = [ring[t % kept][:, first:end] for ring in self._idle]
        for now, ring in zip(idle, self._idle, strict=True):
            now[:] = ring[(t + 1) % kept][:, first + grid.tick : end + grid.tick]
        for running in (*self._paid, *self._pools):
            if not running.thing.any_begins[t]:
                continue
            after = running.value[(t + grid.span) % kept][:, first + grid.overhead : end + grid.overhead]
            np.add(after, running.thing.begins[t], out=begun)
            np.minimum(idle[running.home], begun, out=idle[running.home])
            if running.home and running.thing is not self._paid[0].thing:
                np.minimum(idle[0], begun, out=idle[0])
                np.add(begun, self._move_usd, out=moved)
                for home in {*range(1, len(idle))} - {running.home}:
                    np.minimum(idle[home], moved, out=idle[home])
        for running in (*self._paid, *self._pools):
            now = running.value[t % kept][:, first:end]
            if running.thing.any_runs_on[t]:
                np.add(running.value[(t + 1) % kept][:, first:end], running.thing.runs_on[t], out=now)
                np.minimum(now, idle[running.home], out=now)
            else:
                now[:] = idle[running.home]  # gone: what was there is as idle

    def _refund(self, t: int, first: int, end: int) -> None:
        """States at ``t`` in which the work has ended within the last step."""
        left = float(self._work) - t * self._grid.tick + np.arange(first, end)
        for running in (*self._paid, *self._pools):
            running.value[t % self._kept][:, first:end] = running.thing.dearer * left


def _window(up: Bools, starts: Sequence[int], ticks: int) -> Bools:
    """For each start the ticks from it on; down beyond the end of the trace."""
    long = np.concatenate([up, np.zeros(ticks, dtype=np.bool_)])
    return long[np.asarray(starts)[:, None] + np.arange(ticks)[None, :]]
