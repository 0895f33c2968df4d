"""The commands of the bill, with their options: `cost` and `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

# ruff: noqa: UP045 - Optional[...] and not `| None`: typer reads these at run time

Since = Annotated[str, typer.Option("--since", metavar="WHEN", help="Only from 2026-11-20 on, or from 7d ago.")]


def cost(
    job: Annotated[Optional[str], typer.Argument(metavar="JOB", help="One job, machine by machine.")] = None,
    since: Since = "",
    by: Annotated[
        str, typer.Option("--by", metavar="KEY", help="Rows by job, provider, gpu, day, pool or attempt.")
    ] = "",
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Ask providers what they billed, and compare.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the keys of docs/reference.md.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with the keys of the JSON's rows.")] = False,
) -> None:
    """Show what jobs cost, what for, and what on-demand would have."""
    from spotlaunch.cli.cost import run

    code = run(job or "", since=since, by=by, reconcile=reconcile, as_json=as_json, as_csv=as_csv)
    if code:
        raise typer.Exit(code)


def report(
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="The page to write.")],
    job: Annotated[Optional[str], typer.Argument(metavar="JOB", help="One job (else all).")] = None,
    since: Since = "",
) -> None:
    """Write a page with figures: how jobs went, and what they cost."""
    from spotlaunch.cli.report import run

    run(job or "", since=since, html=html)
