"""What must never come out of a world, and what it may cost."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from spotlaunch.core.book import Attempt, Job
from spotlaunch.core.wire import Entry, Status
from spotlaunch.ports import Store
from tests.sim.cloud import SimMachine


def broken(
    store: Store,
    machines: Sequence[SimMachine],
    calls: Sequence[str],
    planned: set[str],
    registers: Mapping[str, Sequence[Entry]],
    totals: Mapping[str, int],
    now: float,
    billing_tick_s: float,
) -> list[str]:
    """A sentence for each property that does not hold. Registers are oldest entry first."""
    found = []
    for job in store.jobs():
        entries = registers[job.name]
        if not job.over:
            found.append(f"{job.name} is still {job.state} after calm: {job.note}")
        if job.state == "finished" and (not entries or entries[-1].step != totals[job.name]):
            found.append(f"{job.name} is finished, but its register ends at {entries[-1].step if entries else None}")
        if job.state == "failed" and "limits.cost_usd" not in job.reason:
            found.append(f"{job.name} failed: {job.reason}")
        found += _register(job.name, entries)
        limit = job.spec.limits.cost_usd
        if limit is not None:
            found += _over_limit(job.name, [m for m in machines if job_of(m) == job.name], limit, billing_tick_s)
    found += [f"{m.instance_id} ({m.launch_key}) is still up after calm" for m in machines if m.alive]
    found += [f"a call was made for {key}, which no plan held" for key in set(calls) - planned]
    return found


def latest_s(jobs: Sequence[Job], registers: Mapping[str, Sequence[Entry]]) -> float:
    """How late the latest job was with its last commit; 0 where all were in time. Registers are oldest entry first."""
    ends = {j.name: registers[j.name][-1].at if registers[j.name] else math.inf for j in jobs}
    return max((max(0.0, ends[j.name] - j.deadline_at) for j in jobs if j.deadline_at is not None), default=0.0)


def _register(job: str, entries: Sequence[Entry]) -> list[str]:
    """Committed progress never goes back, and at most one attempt commits at a time."""
    found = []
    for before, after in pairwise(entries):
        if after.step < before.step:
            found.append(f"{job}: progress went back from {before.step} to {after.step} (attempt {after.epoch})")
        if after.epoch < before.epoch:
            found.append(f"{job}: attempt {after.epoch} committed after attempt {before.epoch} had claimed")
    return found


def _over_limit(job: str, machines: Sequence[SimMachine], limit: Decimal, tick_s: float) -> list[str]:
    """The cost until the end of the last machine was first asked for, against the limit and a tick more.

    How slowly a cloud then ends a machine is not ours to bound; that we asked in time is. A machine which a
    listing left out although it was up counts as gone, until a later listing shows it and it is swept.
    """
    ends = {m.instance_id: min(m.ended_at or 1e18, m.end_called_at or 1e18) for m in machines}
    cost = sum((m.price * Decimal((ends[m.instance_id] - m.started_at) / 3600) for m in machines), Decimal(0))
    slack = sum((m.price * Decimal(5 * tick_s) / 3600 for m in machines if m.hidden), Decimal(0))
    tick = max((m.price for m in machines), default=Decimal(0)) * Decimal(tick_s) / 3600
    over = cost - limit
    return [f"{job} cost {cost:.3f}, its limit is {limit}"] if over > tick + slack else []


def misjudged(attempts: Sequence[Attempt], status_of: Callable[[int], Status | None]) -> list[str]:
    """An attempt whose agent had said that the program ended well is never taken for one that was lost."""
    found = []
    for a in attempts:
        status = status_of(a.number)
        if status is None or a.ended_at is None or a.outcome not in ("preempted", "lost"):
            continue
        if status.left_why == "exited" and status.exit_code == 0 and status.at < a.ended_at:
            found.append(f"attempt {a.number} of {a.job} had ended well, and was judged {a.outcome}")
    return found


def job_of(machine: SimMachine) -> str:
    return machine.launch_key.split("-")[2]


def doubled_s(machines: Sequence[SimMachine], now: float) -> float:
    """Seconds in which more than one machine of a job was up, each further one counted."""
    edges: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for m in machines:
        edges[job_of(m)] += [(m.started_at, 1), (m.ended_at or now, -1)]
    total = 0.0
    for job_edges in edges.values():
        up, last = 0, 0.0
        for at, change in sorted(job_edges):
            total += max(0, up - 1) * (at - last)
            up, last = up + change, at
    return total
