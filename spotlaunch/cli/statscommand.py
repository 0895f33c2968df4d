"""The command `spotlaunch stats` with its options. Its body is imported when it runs (`cli.app`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

# Optional[...] and not `| None`: typer reads these at run time, the linter is told below.
# ruff: noqa: UP045


def stats(
    gpu: Annotated[
        Optional[list[str]],
        typer.Option("--gpu", metavar="NAME[:COUNT]", help="H100 (any count) or H100:8. Repeatable; all if left out."),
    ] = None,
    provider: Annotated[
        Optional[list[str]], typer.Option("--provider", metavar="NAME", help="Only pools of these. Repeatable.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="Only what was seen from 2026-11-20 on, or from 7d ago.")
    ] = "",
    plot: Annotated[bool, typer.Option("--plot", help="Show hours of the day and days of the week too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the keys of docs/reference.md.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with the same keys.")] = False,
    export: Annotated[
        Optional[Path], typer.Option("--export", metavar="FILE", help="Write what was learned into FILE.")
    ] = None,
    take: Annotated[
        Optional[Path], typer.Option("--import", metavar="FILE", help="Learn what others exported too.")
    ] = None,
) -> None:
    """Show how often pools take machines away, and give them."""
    from spotlaunch.cli.options import refuse_beside
    from spotlaunch.cli.stats import export_to, import_from, run

    table = {"--gpu": gpu, "--provider": provider, "--since": since, "--plot": plot, "--json": as_json, "--csv": as_csv}
    if export is not None:
        refuse_beside("--export", {**table, "--import": take})
        export_to(export)
    elif take is not None:
        refuse_beside("--import", table)
        import_from(take)
    else:
        given: dict[str, Any] = {"gpus": gpu or [], "providers": provider or []}
        run(**given, since=since, as_json=as_json, as_csv=as_csv, plot=plot)
