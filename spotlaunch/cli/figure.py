"""The figure of `simulate --plot`, by matplotlib where that is installed: costs of many jobs, or the course of one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

from spotlaunch.core.situation import ON_DEMAND
from spotlaunch.errors import UsageError
from spotlaunch.simulate.compare import Comparison
from spotlaunch.simulate.replay import Task
from spotlaunch.simulate.traces import Traces

Draw = Callable[[Traces, Task, Comparison], None]

INCHES, DOTS_PER_INCH = (9.0, 5.0), 150
UP, TAKEN, PAID = "#cfd8dc", "#2e7d32", "#c62828"


def drawing(file: Path) -> Draw:
    """What draws into ``file``. Raises `UsageError` at once where that can never work."""
    if file.suffix.lower() != ".png":
        raise UsageError(f"--plot: {file} does not end in .png", hint="figures are written as PNG")
    if not file.parent.is_dir():
        raise UsageError(f"--plot: there is no folder {file.parent}", hint="make it first")
    try:
        library: Any = import_module("matplotlib.figure")  # late: an extra
    except ImportError as e:
        raise UsageError("--plot needs matplotlib", hint="pip install 'spotlaunch[plot]'") from e

    def draw(traces: Traces, task: Task, found: Comparison) -> None:
        figure = library.Figure(figsize=INCHES, layout="constrained")
        if len(found.starts) == 1:
            _course(figure.subplots(), traces, task, found)
        else:
            _costs(figure.subplots(), found)
        try:
            figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
        except OSError as e:
            raise UsageError(f"--plot: {file} cannot be written: {(e.strerror or str(e)).lower()}") from e

    return draw


def _costs(axes: Any, found: Comparison) -> None:
    """For each policy which part of its jobs cost no more than so much; a miss is a cross."""
    parts = [100 * (n + 1) / len(found.starts) for n in range(len(found.starts))]
    axes.step([100 * s for s in sorted(found.optimum)], parts, where="post", color="black", lw=1, label="optimum")
    for name, jobs in found.jobs.items():
        ordered = sorted(jobs, key=lambda job: job.share)
        misses = sum(job.late for job in jobs)
        label = f"{name}, {misses} late" if misses else name
        (line,) = axes.step([100 * job.share for job in ordered], parts, where="post", label=label)
        late = [(100 * job.share, part) for job, part in zip(ordered, parts, strict=True) if job.late]
        axes.plot([x for x, _ in late], [y for _, y in late], "x", color=line.get_color(), markersize=4)
    axes.set_xlabel("cost, % of on-demand from the first second")
    axes.set_ylabel("% of the jobs cost no more")
    axes.set_ylim(0, 102)
    axes.legend(loc="lower right")


def _course(axes: Any, traces: Traces, task: Task, found: Comparison) -> None:
    """When each pool was up, and below what each policy ran: spot in green, on-demand in red."""
    hours, (start,) = task.tick_s / 3600, found.starts
    longest = max(task.ticks, *(len(jobs[0].decisions) for jobs in found.jobs.values()))
    names = [f"[{n}] {file.stem}" for n, file in enumerate(traces.files)] + list(found.jobs)
    for row, up in enumerate(traces.up):
        _bars(axes, row, [bool(u) for u in up[start : start + longest]], hours, {True: UP})
    for row, jobs in enumerate(found.jobs.values(), start=len(traces.up)):
        kinds = [d if isinstance(d, str) else "spot" for d in jobs[0].decisions]
        _bars(axes, row, kinds, hours, {"spot": TAKEN, ON_DEMAND: PAID})
    axes.axvline(task.deadline_s / 3600, color="black", lw=1, ls="--")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, longest * hours * 1.01)
    axes.set_xlabel("hours; the line is the deadline; grey: up, green: on spot, red: on on-demand")


def _bars(axes: Any, row: int, kinds: list[Any], hours: float, colours: dict[Any, str]) -> None:
    at = 0
    for kind, same in groupby(kinds):
        length = len(list(same))
        if kind in colours:
            axes.broken_barh([(at * hours, length * hours)], (row - 0.4, 0.8), color=colours[kind], lw=0)
        at += length
