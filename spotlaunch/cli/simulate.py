"""`spotlaunch simulate`: what a job would have cost over availability traces, under each policy."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from spotlaunch.cli import render
from spotlaunch.cli.options import refuse_beside
from spotlaunch.core.policy import POLICIES
from spotlaunch.errors import UsageError
from spotlaunch.simulate.compare import Comparison, Job, compare, draw_starts, mean, percentile
from spotlaunch.simulate.replay import Task
from spotlaunch.simulate.traces import Traces, read_traces

USUAL_STARTS = 40

# Beyond these somebody has mistyped something: hours of a century, a price, starts, ticks until the deadline.
MOST_HOURS, MOST_USD_HOUR, MOST_STARTS, MOST_TICKS = 876_600.0, 1e6, 1_000_000, 1_000_000

HEAD = render.columns(
    "policy", ">mean cost, % of on-demand", ">95th percentile, %", ">over the optimum, %", ">misses",
    ">preemptions a job", ">starts a job",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What was asked, as it was typed."""

    traces: Sequence[Path]
    work_hours: float
    deadline_hours: float
    overhead_hours: float
    od_price: float
    spot_price: str
    move_cost: float = 0.0
    policies: Sequence[str] = ()
    starts: int | None = None
    start: int | None = None
    seed: int = 1


def run(asked: Asked, *, as_json: bool, plot: Path | None) -> int:
    """Print the comparison, and draw it if asked. Raises `UsageError` for what cannot be simulated."""
    prices = _spot_prices(asked)
    policies = named_policies(asked.policies)
    _check_numbers(asked)
    traces = read_traces(asked.traces)
    task = _task(asked, traces, prices)
    starts = _starts(asked, task, traces)
    if plot is not None:
        from spotlaunch.cli.figure import drawing  # late: matplotlib, which may be missing; told before the work

        draw = drawing(plot)
    _tell_limits(task, traces, starts)
    found = compare(task, traces.up, starts, policies, progress=show_progress)
    from spotlaunch.simulate.optimum import grid_of  # late: numpy

    exact = grid_of(task).exact
    if as_json:
        render.as_json(comparison_json(asked, traces, task, found, exact=exact))
    else:
        _show(asked, traces, found, exact=exact)
    if plot is not None:
        draw(traces, task, found)
    return 0


# -- what was asked ------------------------------------------------------------------------------------


def _spot_prices(asked: Asked) -> tuple[float, ...]:
    """One for each trace; a single one counts for all."""
    prices = []
    for word in asked.spot_price.split(","):
        try:
            prices.append(float(word))
        except ValueError as e:
            hint = "dollars per hour: one for all traces, or one for each, like 0.97,1.10"
            raise UsageError(f"--spot-price: {render.one_line(word[:40])!r} is not a number", hint=hint) from e
    if len(prices) == 1:
        prices *= len(asked.traces)
    if len(prices) != len(asked.traces):
        raise UsageError(
            f"--spot-price has {len(prices)} prices for {_count(len(asked.traces), 'trace')}",
            hint="one price for all of them, or one for each --trace, in their order",
        )
    return tuple(prices)


def named_policies(names: Sequence[str]) -> list[str]:
    """These, or all where none is named. Raises `UsageError` for a name of none."""
    for name in names:
        if name not in POLICIES:
            near = difflib.get_close_matches(name.lower(), POLICIES, 1)
            hint = f"did you mean {near[0]}?" if near else f"policies: {', '.join(POLICIES)}"
            raise UsageError(f"--policy: no policy is called {render.one_line(name[:40])!r}", hint=hint)
    return list(dict.fromkeys(names or POLICIES))


def _check_numbers(asked: Asked) -> None:
    hours = {"--work-hours": asked.work_hours, "--deadline-hours": asked.deadline_hours}
    for option, number in hours.items():
        _within(option, number, MOST_HOURS, "hours", above_zero=True)
    _within("--overhead-hours", asked.overhead_hours, MOST_HOURS, "hours", above_zero=False)
    _within("--od-price", asked.od_price, MOST_USD_HOUR, "dollars per hour", above_zero=True)
    for price in _spot_prices(asked):
        _within("--spot-price", price, MOST_USD_HOUR, "dollars per hour", above_zero=True)
    _within("--move-cost", asked.move_cost, MOST_USD_HOUR, "dollars", above_zero=False)
    work, overhead, deadline = (
        Decimal(repr(h)) for h in (asked.work_hours, asked.overhead_hours, asked.deadline_hours)
    )
    if work + overhead > deadline:
        raise UsageError(
            f"{work.normalize():f} h of work and a start of {overhead.normalize():f} h do not fit into a deadline of"
            f" {deadline.normalize():f} h",
            hint=f"on on-demand from the first second it takes --deadline-hours {(work + overhead).normalize():f}",
        )


def _within(option: str, number: float, most: float, unit: str, *, above_zero: bool) -> None:
    if not math.isfinite(number) or number < 0 or (above_zero and number == 0) or number > most:
        least = "above 0" if above_zero else "from 0"
        raise UsageError(f"{option}: {number:g} is out of range", hint=f"{unit}, {least} to {most:.0f}")


def _task(asked: Asked, traces: Traces, prices: tuple[float, ...]) -> Task:
    def seconds(hours: float) -> float:
        return float(Decimal(repr(hours)) * 3600)  # of what was typed: 0.07 h are 252 s, and no hair more

    task = Task(
        work_s=seconds(asked.work_hours),
        deadline_s=seconds(asked.deadline_hours),
        overhead_s=seconds(asked.overhead_hours),
        tick_s=traces.tick_s,
        on_demand_usd_hour=asked.od_price,
        spot_usd_hour=prices,
        move_usd=asked.move_cost if len(prices) > 1 else 0.0,  # there is nowhere to move to
    )
    if task.deadline_s / task.tick_s > MOST_TICKS:
        raise UsageError(
            f"the deadline is {task.deadline_s / task.tick_s:.0f} ticks of {task.tick_s:g} s away, and {MOST_TICKS} are"
            " as many as are simulated",
            hint="is metadata.gap_seconds of the traces in seconds?",
        )
    return task


def _starts(asked: Asked, task: Task, traces: Traces) -> list[int]:
    if asked.start is None:
        count = USUAL_STARTS if asked.starts is None else asked.starts
        if not 1 <= count <= MOST_STARTS:
            raise UsageError(f"--starts: {count} is out of range", hint=f"1 to {MOST_STARTS}")
        return draw_starts(task, traces.ticks, count, asked.seed)
    refuse_beside("--start", {"--starts": (asked.starts or 1) > 1}, hint="--start is for a single job")
    if not 0 <= asked.start < traces.ticks:
        raise UsageError(
            f"--start: there is no tick {asked.start}", hint=f"the traces have ticks 0 to {traces.ticks - 1}"
        )
    return [asked.start]


# -- for a person --------------------------------------------------------------------------------------


def _tell_limits(task: Task, traces: Traces, starts: Sequence[int]) -> None:
    """What the traces do not show."""
    if traces.left_out:
        render.say(f"traces differ in length: all end with the shortest, {traces.left_out} ticks before the longest")
    missing = max(starts) + task.ticks - traces.ticks
    if missing > 0:
        render.warn(
            f"the traces end {missing * traces.tick_s / 3600:.4g} h before the deadline; after that all pools are down",
            hint="an earlier --start, a shorter deadline or a longer trace",
        )


def show_progress(share: float) -> None:
    """Which share of the work is done, for a person who looks."""
    if render.is_fancy(sys.stderr):
        end = "\r\x1b[K" if share >= 1 else ""
        print(f"\rsimulated {100 * share:.0f}%{end}", end="", file=sys.stderr, flush=True)


def _show(asked: Asked, traces: Traces, found: Comparison, *, exact: bool) -> None:
    starts = _count(len(found.starts), "start")
    where = f"from tick {found.starts[0]} of" if len(found.starts) == 1 else f"{starts} (seed {asked.seed}) in"
    render.say(
        f"{asked.work_hours:g} h of work, deadline {asked.deadline_hours:g} h, each start {asked.overhead_hours:g} h;"
        f" {where} {_count(len(traces.files), 'trace')} of {traces.ticks} ticks of {traces.tick_s:g} s"
    )
    rows = [_row(name, jobs, found.optimum) for name, jobs in found.jobs.items()]
    least = [f"{100 * mean(found.optimum):.1f}", f"{100 * percentile(found.optimum, 95):.1f}"]
    render.table(HEAD, [*rows, ["optimum", *least, "0.0", "0", "", ""]])
    if not exact:
        render.say("overhead and tick have hardly a common measure: the optimum is a bound, by a hair too low")


def _row(name: str, jobs: Sequence[Job], optimum: Sequence[float]) -> list[str]:
    told = policy_json(name, jobs, optimum)
    return [
        name,
        f"{100 * told['mean_cost_share']:.1f}",
        f"{100 * told['p95_cost_share']:.1f}",
        "" if told["over_optimum"] is None else f"{100 * told['over_optimum']:+.1f}",
        str(told["misses"]),
        f"{told['preemptions'] / len(jobs):.1f}",
        f"{told['machines'] / len(jobs):.1f}",
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# -- for scripts: keys are stable, see docs/reference.md -------------------------------------------------


def comparison_json(asked: Asked, traces: Traces, task: Task, found: Comparison, *, exact: bool) -> dict[str, Any]:
    """All of it; with one start also its tick, and with one policy as well the decisions."""
    told: dict[str, Any] = {
        "traces": [str(file) for file in traces.files],
        "tick_s": traces.tick_s,
        "ticks": traces.ticks,
        "work_hours": asked.work_hours,
        "deadline_hours": asked.deadline_hours,
        "overhead_hours": asked.overhead_hours,
        "on_demand_usd_hour": task.on_demand_usd_hour,
        "spot_usd_hour": list(task.spot_usd_hour),
        "move_cost_usd": asked.move_cost,
        "on_demand_cost_usd": task.on_demand_usd,
        "seed": asked.seed,
        "starts": len(found.starts),
        "optimum": {
            "mean_cost_share": mean(found.optimum),
            "p95_cost_share": percentile(found.optimum, 95),
            "exact": exact,
        },
        "policies": [policy_json(name, jobs, found.optimum) for name, jobs in found.jobs.items()],
    }
    one = len(found.starts) == 1
    told["start"] = found.starts[0] if one else None
    told["decisions"] = told["policies"][0]["decisions"] if one and len(found.jobs) == 1 else None
    return told


def policy_json(name: str, jobs: Sequence[Job], optimum: Sequence[float]) -> dict[str, Any]:
    """One policy over all jobs; of a single job its decisions as well."""
    shares = [j.share for j in jobs]
    # The optimum is of a job that is in time: who is late may well be cheaper.
    over = [j.share / least - 1 for j, least in zip(jobs, optimum, strict=True) if not j.late]
    return {
        "policy": name,
        "mean_cost_share": mean(shares),
        "p95_cost_share": percentile(shares, 95),
        "over_optimum": mean(over) if over else None,
        "misses": sum(j.late for j in jobs),
        "unfinished": sum(not j.done for j in jobs),
        "preemptions": sum(j.preemptions for j in jobs),
        "machines": sum(j.starts for j in jobs),
        "mean_hours": mean([j.finished_s for j in jobs]) / 3600,
        "decisions": list(jobs[0].decisions) if len(jobs) == 1 else None,
    }
