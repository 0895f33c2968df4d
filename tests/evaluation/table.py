"""Runs of policies over cases, beside the optimum, on several processes; means of them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from statistics import mean

from spotlaunch.core.policy import POLICIES
from spotlaunch.simulate.replay import Run, Seen, replay
from tests.evaluation.optima import remembered_usd
from tests.evaluation.sets import Case


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One run in short. ``over``: of the optimum; 0 is as cheap. ``share``: of on-demand from the first second."""

    over: float
    usd: float
    share: float
    late: bool
    preemptions: int
    starts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """All runs, one of each list for each start of each case, in the same order."""

    cases: list[Case]
    optimum_usd: list[float]
    optimum_of_on_demand: list[float]
    runs: dict[str, list[Told]]

    def __len__(self) -> int:
        return len(self.cases)

    def only(self, name: str, value: object) -> Found:
        keep = [i for i, c in enumerate(self.cases) if getattr(c, name) == value]
        return Found(
            cases=[self.cases[i] for i in keep],
            optimum_usd=[self.optimum_usd[i] for i in keep],
            optimum_of_on_demand=[self.optimum_of_on_demand[i] for i in keep],
            runs={p: [runs[i] for i in keep] for p, runs in self.runs.items()},
        )

    def over(self, policy: str) -> float:
        return mean(r.over for r in self.runs[policy])

    def over_of_means(self, policy: str) -> float:
        return mean(r.usd for r in self.runs[policy]) / mean(self.optimum_usd) - 1

    def optimum_share(self) -> float:
        return mean(self.optimum_of_on_demand)


def measured(cases: Sequence[Case], policies: Sequence[str], *, starts: int, seed: int, processes: int) -> Found:
    """Every policy over every case from the same random starts."""
    work = partial(_one, policies=tuple(policies), starts=starts, seed=seed)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(work, cases, chunksize=max(1, min(8, len(cases) // (4 * processes)))))
    return Found(
        cases=[c for p in parts for c in p.cases],
        optimum_usd=[o for p in parts for o in p.optimum_usd],
        optimum_of_on_demand=[o for p in parts for o in p.optimum_of_on_demand],
        runs={name: [r for p in parts for r in p.runs[name]] for name in policies},
    )


def starts_of(case: Case, count: int, seed: int) -> list[int]:
    """Random ticks from which the whole time to the deadline is in the traces; the same for each overhead."""
    task, length = case.task, min(map(len, case.traces))
    last = length - math.ceil(task.deadline_s / task.tick_s)
    chance = random.Random(f"{seed} {[f.stem for f in case.files]} {case.deadline}")
    return [chance.randint(0, last) for _ in range(count)]


def _one(case: Case, *, policies: tuple[str, ...], starts: int, seed: int) -> Found:
    task, traces = case.task, case.traces
    ticks = starts_of(case, starts, seed)
    least = remembered_usd(case, ticks)
    on_demand_usd = task.on_demand_usd
    runs: dict[str, list[Told]] = {name: [] for name in policies}
    for start, best in zip(ticks, least, strict=True):
        seen = Seen(task, traces, start)
        for name in policies:
            runs[name].append(_told(replay(task, traces, start, POLICIES[name], seen), best, on_demand_usd))
    return Found(
        cases=[case] * starts,
        optimum_usd=least,
        optimum_of_on_demand=[usd / on_demand_usd for usd in least],
        runs=runs,
    )


def _told(run: Run, best_usd: float, on_demand_usd: float) -> Told:
    return Told(
        over=run.cost_usd / best_usd - 1,
        usd=run.cost_usd,
        share=run.cost_usd / on_demand_usd,
        late=run.late,
        preemptions=run.preemptions,
        starts=run.starts,
    )


def row(found: Found, policy: str) -> str:
    """A line of the table: mean cost over the optimum run by run, the mean cost over the mean optimum, the worst run
    of on-demand, runs that were late, and the mean of machines lost and of starts."""
    runs = found.runs[policy]
    return (
        f"{policy:<20}{100 * found.over(policy):>+17.2f}%{100 * found.over_of_means(policy):>+12.2f}%"
        f"{max(r.share for r in runs):>8.3f}{sum(r.late for r in runs):>6}"
        f"{mean(r.preemptions for r in runs):>7.1f}{mean(r.starts for r in runs):>8.1f}"
    )
