"""`simulate` and `estimate` with their options. Their bodies are imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

# Optional[...] and not `| None`: typer reads these at run time, the linter is told below.
# ruff: noqa: UP045

Traces = Annotated[
    list[Path],
    typer.Option("--trace", metavar="FILE", help="When a pool was up. Repeatable: pools to choose from."),
]
WorkHours = Annotated[float, typer.Option("--work-hours", metavar="W", help="What the job computes.")]
DeadlineHours = Annotated[float, typer.Option("--deadline-hours", metavar="D", help="When it must be done.")]
OverheadHours = Annotated[
    float, typer.Option("--overhead-hours", metavar="O", help="From a start of a machine to useful work.")
]
OnDemandPrice = Annotated[float, typer.Option("--od-price", metavar="P", help="On-demand, in dollars per hour.")]
SpotPrice = Annotated[
    str, typer.Option("--spot-price", metavar="P[,P...]", help="Spot: one price for all traces, or one for each.")
]
MoveCost = Annotated[
    float, typer.Option("--move-cost", metavar="USD", help="Egress of a checkpoint to another pool, each time (0).")
]
Policies = Annotated[
    Optional[list[str]],
    typer.Option(
        "--policy",
        metavar="NAME",
        help="on-demand, spot, greedy, uniform-progress, slack. Repeatable; all if left out.",
    ),
]
Starts = Annotated[
    Optional[int],
    typer.Option("--starts", metavar="N", help="So many jobs, begun at random ticks (40); 1: at the first tick."),
]
Start = Annotated[Optional[int], typer.Option("--start", metavar="TICK", help="One job, begun at this tick.")]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="Of the random ticks.")]
Plot = Annotated[Optional[Path], typer.Option("--plot", metavar="FILE.png", help="Draw it too (by matplotlib).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, with the keys of docs/reference.md.")]


def simulate(
    trace: Traces,
    work_hours: WorkHours,
    deadline_hours: DeadlineHours,
    overhead_hours: OverheadHours,
    od_price: OnDemandPrice,
    spot_price: SpotPrice,
    move_cost: MoveCost = 0.0,
    policy: Policies = None,
    starts: Starts = None,
    start: Start = None,
    seed: Seed = 1,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Replay availability traces: what would each policy have cost?"""
    from spotlaunch.cli.simulate import Asked, run

    asked = Asked(
        traces=trace,
        work_hours=work_hours,
        deadline_hours=deadline_hours,
        overhead_hours=overhead_hours,
        od_price=od_price,
        spot_price=spot_price,
        move_cost=move_cost,
        policies=policy or [],
        starts=starts,
        start=start,
        seed=seed,
    )
    code = run(asked, as_json=as_json, plot=plot)
    if code:
        raise typer.Exit(code)


def estimate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The job file.")],
    policy: Annotated[
        Optional[list[str]], typer.Option("--policy", metavar="NAME", help="Repeatable; all that differ if left out.")
    ] = None,
    runs: Annotated[
        Optional[int],
        typer.Option("--runs", metavar="N", min=1, max=100_000, help="Futures to try (200, for long jobs fewer)."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same futures again.")] = 1,
    env: Annotated[
        Optional[list[str]], typer.Option("--env", metavar="K=V", help="Set a variable for the job. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a job will cost, and when it will be done."""
    from spotlaunch.cli.estimate import run

    run(file, policies=policy or [], runs=runs, seed=seed, env=env or [], as_json=as_json)
