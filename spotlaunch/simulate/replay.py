"""The replay: one job over traces, tick by tick, under one policy.

The rules: a tick is one sample. At its start the availability of every pool for the whole tick is visible, and of no
later one. A running spot machine whose pool is down at that instant is taken. A start burns the overhead before any
work is done, and one that is cut short is lost. Billing is per second; the job ends the moment its work is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spotlaunch.core.policy import Memory, Policy
from spotlaunch.core.situation import HAIR_S, IDLE, Action, Situation, SpotPool


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What is replayed: hours as seconds, prices per hour, the deadline counted from the start."""

    work_s: float
    deadline_s: float
    overhead_s: float
    tick_s: float
    on_demand_usd_hour: float
    spot_usd_hour: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """How it went. ``decisions``: one a tick until the job was done. ``late``: it ended past the deadline, or never."""

    cost_usd: float
    finished_s: float
    late: bool
    preemptions: int
    starts: int
    decisions: tuple[Action, ...]


def replay(task: Task, traces: Sequence[Sequence[int]], start: int, policy: Policy) -> Run:
    """One job from tick ``start`` of ``traces`` (one a pool; 0 is down). Goes round at the end of a trace."""
    ages = _Ages(task, traces, start)
    memory: Memory = ()
    running: Action = IDLE
    pending_s, work_left_s, now_s, cost_usd = 0.0, task.work_s, 0.0, 0.0
    preemptions = starts = 0
    decisions: list[Action] = []
    tick = start
    while work_left_s > HAIR_S and now_s < 4 * task.deadline_s:
        pools = ages.look(tick)
        if isinstance(running, int) and not pools[running].up:
            running, pending_s = IDLE, 0.0
            preemptions += 1
        situation = Situation(
            left_s=task.deadline_s - now_s,
            deadline_s=task.deadline_s,
            work_left_s=work_left_s,
            work_s=task.work_s,
            running=running,
            pending_s=pending_s,
            start_s=task.overhead_s,
            tick_s=task.tick_s,
            on_demand_usd_hour=task.on_demand_usd_hour,
            pools=pools,
        )
        action, memory = policy(situation, memory)
        if action != running:
            running, pending_s = action, 0.0 if action == IDLE else task.overhead_s
            starts += action != IDLE
        decisions.append(action)
        spent_s = task.tick_s
        if running != IDLE:
            spent_s = min(task.tick_s, pending_s + work_left_s)
            work_left_s -= max(0.0, spent_s - pending_s)
            pending_s = max(0.0, pending_s - spent_s)
            price = task.spot_usd_hour[running] if isinstance(running, int) else task.on_demand_usd_hour
            cost_usd += price * spent_s / 3600
        now_s += spent_s
        tick += 1
    return Run(
        cost_usd=cost_usd,
        finished_s=now_s,
        late=work_left_s > HAIR_S or now_s > task.deadline_s + HAIR_S,
        preemptions=preemptions,
        starts=starts,
        decisions=tuple(decisions),
    )


class _Ages:
    """How long each pool has been up, as one sees it who began to look at the start."""

    def __init__(self, task: Task, traces: Sequence[Sequence[int]], start: int) -> None:
        self._task, self._traces = task, traces
        self._up_s = [0.0] * len(traces)
        self._was = [False] * len(traces)
        self._lost = [0] * len(traces)

    def look(self, tick: int) -> tuple[SpotPool, ...]:
        pools = []
        for i, trace in enumerate(self._traces):
            up = bool(trace[tick % len(trace)])
            self._lost[i] += self._was[i] and not up
            self._up_s[i] = self._up_s[i] + self._task.tick_s if up and self._was[i] else 0.0
            self._was[i] = up
            pools.append(
                SpotPool(
                    up=up,
                    price_usd_hour=self._task.spot_usd_hour[i],
                    up_for_s=self._up_s[i],
                    interruptions=self._lost[i],
                    start_s=self._task.overhead_s,
                )
            )
        return tuple(pools)
