"""Policies side by side, each over the same jobs, begun at many ticks of the traces; and the optimum of each job.

Many jobs are shared out to the cores of this computer.
"""

from __future__ import annotations

import math
import os
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from spotlaunch.core.policy import POLICIES
from spotlaunch.core.situation import Action
from spotlaunch.simulate.replay import Run, Seen, Task, replay

# Decisions that one core takes while other processes come up; less work than this is not shared out.
WORTH_SHARING = 500_000

# The optimum of a tick costs as much as so many decisions.
OPTIMUM_DECISIONS = 3

# Starts that are handed to a process at once, at most.
PORTION = 32

Progress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One job under one policy, in short; ``share``: cost, of what on-demand from the first second would cost."""

    share: float
    finished_s: float
    done: bool
    late: bool
    preemptions: int
    starts: int
    decisions: tuple[Action, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """``starts``: the tick at which each job began. The others are in the same order; ``optimum`` in shares as well."""

    starts: tuple[int, ...]
    optimum: tuple[float, ...]
    jobs: dict[str, tuple[Job, ...]]


def draw_starts(task: Task, ticks: int, count: int, seed: int) -> list[int]:
    """Ticks at which jobs begin. One job begins at the first tick; of more, each at a random tick from which all of the
    time until the deadline is in the traces (where there is none: at the first)."""
    if count == 1:
        return [0]
    chance = random.Random(seed)
    return [chance.randint(0, max(0, ticks - task.ticks)) for _ in range(count)]


def compare(
    task: Task,
    traces: Sequence[bytes],
    starts: Sequence[int],
    policies: Sequence[str],
    *,
    cores: int | None = None,
    progress: Progress = lambda share: None,
) -> Comparison:
    """Every policy over a job from each of ``starts``. Equal starts are computed once. Decisions only of a single job.

    ``cores``: how many processes at most (all there are, if left out). ``progress`` hears which share is done.
    """
    once = sorted(set(starts))
    cores = _cores() if cores is None else cores
    weight = len(once) * task.ticks * (len(policies) + OPTIMUM_DECISIONS)
    work = partial(_jobs, task, tuple(traces), tuple(policies), len(starts) == 1)
    # Several for each core, as they do not take equally long.
    portion = max(1, min(PORTION, math.ceil(len(once) / (4 * cores))))
    portions = [tuple(once[n : n + portion]) for n in range(0, len(once), portion)]
    found: dict[int, tuple[float, tuple[Job, ...]]] = {}
    for part in _shared_out(work, portions, cores if weight > WORTH_SHARING else 1):
        found |= part
        progress(len(found) / len(once))
    return Comparison(
        starts=tuple(starts),
        optimum=tuple(found[s][0] for s in starts),
        jobs={name: tuple(found[s][1][n] for s in starts) for n, name in enumerate(policies)},
    )


_Portion = dict[int, tuple[float, tuple[Job, ...]]]


def _shared_out(
    work: Callable[[tuple[int, ...]], _Portion], portions: Sequence[tuple[int, ...]], cores: int
) -> Iterator[_Portion]:
    if min(cores, len(portions)) < 2:
        yield from map(work, portions)
        return
    context = get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(min(cores, len(portions)), mp_context=context, initializer=_begin) as pool:
        done = 0
        try:
            for found in pool.map(work, portions):
                done += 1
                yield found
        except BrokenProcessPool:  # killed, or not to be begun from here: it is slower alone
            yield from map(work, portions[done:])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin() -> None:
    """Ctrl-C is for the process that a person sees; it ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _jobs(
    task: Task, traces: tuple[bytes, ...], policies: tuple[str, ...], with_decisions: bool, starts: tuple[int, ...]
) -> _Portion:
    from spotlaunch.simulate.optimum import optimum_usd  # late: numpy

    least_usd = optimum_usd(task, traces, starts)
    found: _Portion = {}
    for start, usd in zip(starts, least_usd, strict=True):
        seen = Seen(task, traces, start)
        runs = [replay(task, traces, start, POLICIES[name], seen) for name in policies]
        found[start] = usd / task.on_demand_usd, tuple(_job(task, run, with_decisions) for run in runs)
    return found


def _job(task: Task, run: Run, with_decisions: bool) -> Job:
    return Job(
        share=run.cost_usd / task.on_demand_usd,
        finished_s=run.finished_s,
        done=run.done,
        late=run.late,
        preemptions=run.preemptions,
        starts=run.starts,
        decisions=run.decisions if with_decisions else (),
    )


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """The least value that so many percent of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
