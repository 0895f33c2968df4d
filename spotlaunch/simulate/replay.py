"""The replay: one job over traces, tick by tick, under one policy.

The rules: a tick is one sample. At its start the availability of every pool for the whole tick is visible, and of no
later one. A running spot machine whose pool is down at that instant is taken. A start burns the overhead before any
work is done, and one that is cut short is lost. Billing is per second; the job ends the moment its work is done. A spot
machine in another pool than the last one costs the egress of the checkpoint as well; on-demand is rented where it
lies. Policies that promise the deadline guard it themselves, here as in
the watchdog. Past the end of its trace a pool is down. A job that is late goes on to the end of the longest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat

from spotlaunch.core.hazard import interruptions_expected
from spotlaunch.core.policy import Memory, Policy
from spotlaunch.core.situation import HAIR_S, IDLE, ON_DEMAND, Action, Situation, SpotPool


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What is replayed: hours as seconds, prices per hour, the deadline counted from the start (infinite: none).

    ``move_usd``: egress of the checkpoint from one pool to another. ``patience_s`` is for jobs without a deadline: how
    long they wait for spot.
    """

    work_s: float
    deadline_s: float
    overhead_s: float
    tick_s: float
    on_demand_usd_hour: float
    spot_usd_hour: tuple[float, ...]
    move_usd: float = 0.0
    patience_s: float = 1200.0

    @property
    def on_demand_usd(self) -> float:
        """What the job costs on on-demand from the first second: the measure of all costs."""
        return self.on_demand_usd_hour * (self.work_s + self.overhead_s) / 3600

    @property
    def ticks(self) -> int:
        """Ticks until the deadline, the last of them maybe in part."""
        return math.ceil((self.deadline_s - HAIR_S) / self.tick_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """How it went. ``decisions``: one a tick until the job was ``done``, or deadline and traces were past.

    ``late``: it ended past the deadline, or never. ``starts`` of machines, on-demand included.
    """

    cost_usd: float
    finished_s: float
    done: bool
    late: bool
    preemptions: int
    starts: int
    decisions: tuple[Action, ...]


def replay(
    task: Task,
    traces: Sequence[Sequence[int]],
    start: int,
    policy: Policy,
    seen: Iterable[tuple[SpotPool, ...]] | None = None,
) -> Run:
    """One job from tick ``start`` of ``traces`` (one a pool; 0 is down) to its end, or that of deadline and traces.

    ``seen``: the pools at each tick. Of the same task, traces and start it spares other policies the looking; any other
    takes the place of traces and start, and each pool may take its own time to start.
    """
    seen = Seen(task, traces, start) if seen is None else seen
    tick_s, overhead_s, patience_s = task.tick_s, task.overhead_s, task.patience_s
    deadline_s, work_s, on_demand_usd_hour = task.deadline_s, task.work_s, task.on_demand_usd_hour
    memory: Memory = ()
    running: Action = IDLE
    pending_s, work_left_s, now_s, waiting_s, cost_usd_h = 0.0, work_s, 0.0, 0.0, 0.0
    preemptions = starts = 0
    home: int | None = None
    decisions: list[Action] = []
    for pools in seen:
        if running != IDLE and running != ON_DEMAND and not pools[running].up:
            running, pending_s = IDLE, 0.0
            preemptions += 1
        if task.move_usd and home is not None:
            pools = tuple(p if i == home else p._replace(move_usd=task.move_usd) for i, p in enumerate(pools))
        clock = (deadline_s - now_s, deadline_s, work_left_s, work_s, running, pending_s)
        situation = Situation(*clock, overhead_s, tick_s, on_demand_usd_hour, pools, waiting_s, patience_s)
        action, memory = policy(situation, memory)
        if action != running:
            running = action
            if action != IDLE:
                starts += 1
                pending_s = overhead_s if action == ON_DEMAND else pools[action].start_s
            if action != IDLE and action != ON_DEMAND:
                cost_usd_h += 0.0 if home in (None, action) else 3600 * task.move_usd
                home = action
        decisions.append(action)
        if action == IDLE:
            pending_s, waiting_s, now_s = 0.0, waiting_s + tick_s, now_s + tick_s
            continue
        spent_s = min(tick_s, pending_s + work_left_s)
        cost_usd_h += spent_s * (on_demand_usd_hour if action == ON_DEMAND else pools[action].price_usd_hour)
        work_left_s -= max(0.0, spent_s - pending_s)
        pending_s = max(0.0, pending_s - spent_s)
        waiting_s = 0.0
        now_s += spent_s
        if work_left_s <= HAIR_S:
            break
    done = work_left_s <= HAIR_S
    return Run(
        cost_usd=cost_usd_h / 3600,
        finished_s=now_s,
        done=done,
        late=not done or now_s > deadline_s + HAIR_S,
        preemptions=preemptions,
        starts=starts,
        decisions=tuple(decisions),
    )


class Seen:
    """The pools at each tick from a start on, as one sees them who began to look there. Made as far as it is read."""

    def __init__(self, task: Task, traces: Sequence[Sequence[int]], start: int) -> None:
        longest = max(map(len, traces), default=0) - start
        ticks = max(longest, task.ticks if math.isfinite(task.deadline_s) else 0)
        firsts = [SpotPool(False, price, start_s=task.overhead_s) for price in task.spot_usd_hour]
        ups = [chain(islice(trace, start, None), repeat(0)) for trace in traces]
        views = [views_of(first, up, task.tick_s) for first, up in zip(firsts, ups, strict=True)]
        self._coming = islice(zip(*views, strict=True), ticks) if traces else repeat((), ticks)
        self._known: list[tuple[SpotPool, ...]] = []

    def __iter__(self) -> Iterator[tuple[SpotPool, ...]]:
        yield from self._known
        for pools in self._coming:
            self._known.append(pools)
            yield pools


def views_of(first: SpotPool, ups: Iterable[int], tick_s: float) -> Iterator[SpotPool]:
    """One pool tick by tick, up or not as ``ups`` tells, from what is known of it at ``first``.

    What changes is how long it has been up, how often it was lost, and how often that was to be expected.
    """
    up_for_s, was_up = 0.0, False
    lost, expected = first.interruptions, first.expected
    price_usd_hour, start_s, move_usd = first.price_usd_hour, first.start_s, first.move_usd
    down = SpotPool(False, price_usd_hour, 0.0, lost, expected, start_s, move_usd)
    for up in ups:
        if up:
            up_for_s = up_for_s + tick_s if was_up else 0.0
            so_far = expected + interruptions_expected(0.0, up_for_s)
            yield SpotPool(True, price_usd_hour, up_for_s, lost, so_far, start_s, move_usd)
        else:
            if was_up:
                lost += 1
                expected += interruptions_expected(0.0, up_for_s)
                down = SpotPool(False, price_usd_hour, 0.0, lost, expected, start_s, move_usd)
            yield down
        was_up = bool(up)
