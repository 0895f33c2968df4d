"""All commands with their options. Bodies are imported when they run: `--help` must not wait for a cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from spotlaunch.cli.simulating import estimate, simulate
from spotlaunch.cli.spending import cost, report
from spotlaunch.cli.statscommand import stats

# Optional[...] and not `| None`: typer reads these at run time, the linter is told below.
# ruff: noqa: UP045

app = typer.Typer(
    name="spotlaunch",
    help="Run a checkpointing GPU job on the cheapest capacity there is, and carry on when a machine is taken away.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, with the keys of docs/reference.md.")]


def _version(wanted: bool) -> None:
    if wanted:
        from spotlaunch import __version__

        print(f"spotlaunch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The job file to write.")] = Path("job.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented job file that runs as it is."""
    from spotlaunch.cli.init import run

    run(file, force=force, as_json=as_json)


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The job file.")],
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay, tell what happens, exit with the job's code.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    env: Annotated[
        Optional[list[str]], typer.Option("--env", metavar="K=V", help="Set a variable for the job. Repeatable.")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Another name than the file's.")] = "",
    when: Annotated[
        Optional[str], typer.Option("--when", metavar="CONDITION", help="Hold it until, say, 'price_usd_hour < 2.00'.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a job file, show the plan, and submit the job."""
    from spotlaunch.cli.submit import run

    _exit(run(file, follow=follow, dry_run=dry_run, yes=yes, env=env or [], name=name, when=when, as_json=as_json))


@app.command()
def status(
    job: Annotated[Optional[str], typer.Argument(metavar="JOB", help="One job, with its attempts.")] = None,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Redraw every two seconds.")] = False,
) -> None:
    """Show jobs: state, attempt, pool, progress, age, spent, saved."""
    from spotlaunch.cli.status import run

    run(job or "", as_json=as_json, watch=watch)


app.command()(cost)
app.command()(report)


@app.command()
def events(
    job: JobName,
    as_json: Json = False,
    follow: Annotated[bool, typer.Option("--follow", help="Stay until the job is over.")] = False,
) -> None:
    """Tell a job's story: every decision with its reason."""
    from spotlaunch.cli.events import run

    run(job, as_json=as_json, follow=follow)


@app.command()
def logs(
    job: JobName,
    follow: Annotated[bool, typer.Option("--follow", help="Stay until the job is over.")] = False,
    attempt: Annotated[
        Optional[int], typer.Option("--attempt", metavar="N", min=1, help="Only attempt N, without marks.")
    ] = None,
    tail: Annotated[
        Optional[int], typer.Option("--tail", metavar="N", min=0, help="Only the last N lines so far.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what the job printed, all attempts in order."""
    from spotlaunch.cli.logs import run

    run(job, follow=follow, attempt=attempt, tail=tail, as_json=as_json)


@app.command()
def cancel(
    job: JobName,
    now: Annotated[bool, typer.Option("--now", help="Without a last checkpoint.")] = False,
    as_json: Json = False,
) -> None:
    """End a job and its machines, after a last checkpoint."""
    from spotlaunch.cli.cancel import run

    run(job, now=now, as_json=as_json)


@app.command()
def checkpoints(
    job: JobName,
    as_json: Json = False,
    download: Annotated[
        Optional[Path], typer.Option("--download", metavar="DIR", help="Copy the newest good one into DIR.")
    ] = None,
) -> None:
    """List a job's checkpoints: step, size, age, epoch, verified."""
    from spotlaunch.cli.checkpoints import run

    run(job, as_json=as_json, download=download)


# The options of `prices`, which has many.
Gpus = Annotated[
    Optional[list[str]],
    typer.Option("--gpu", metavar="NAME[:COUNT]", help="H100 (any count) or H100:8. Repeatable; all if left out."),
]
Providers = Annotated[
    Optional[list[str]], typer.Option("--provider", metavar="NAME", help="Ask only these. Repeatable.")
]
Regions = Annotated[
    Optional[list[str]], typer.Option("--region", metavar="GLOB", help="Regions or zones, such as 'us-*'. Repeatable.")
]
Spot = Annotated[Optional[bool], typer.Option("--spot/--on-demand", help="Only one market.", show_default=False)]
MaxPrice = Annotated[str, typer.Option("--max-price", metavar="USD", help="What the whole machine may cost per hour.")]
MinMemory = Annotated[str, typer.Option("--min-gpu-memory", metavar="GB", help="What each GPU must have at least.")]
Limit = Annotated[
    Optional[int], typer.Option("--limit", metavar="N", min=1, help="Show N offers (30 in the table, else all).")
]
Sort = Annotated[str, typer.Option("--sort", metavar="ORDER", help="effective, price or availability.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask again, also where an answer is fresh (5 minutes).")]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=600, help="Wait so long for providers.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, with the same keys.")]
Redraw = Annotated[bool, typer.Option("--watch", help="Redraw every minute, and mark what moved.")]
History = Annotated[bool, typer.Option("--history", help="Show what --gpu has cost, as far as we looked.")]
Days = Annotated[
    Optional[float], typer.Option("--days", metavar="N", min=0.01, max=366, help="How far back (7, with --history).")
]
Alert = Annotated[str, typer.Option("--alert", metavar="CONDITION", help="Wait until, say, 'H100:8 spot < 16'.")]
Notify = Annotated[str, typer.Option("--notify", metavar="URL", help="Tell it there too (with --alert).")]
Every = Annotated[str, typer.Option("--every", metavar="TIME", help="How often to ask (5m, with --alert).")]


@app.command()
def prices(
    gpu: Gpus = None,
    provider: Providers = None,
    region: Regions = None,
    spot: Spot = None,
    max_price: MaxPrice = "",
    min_gpu_memory: MinMemory = "",
    limit: Limit = None,
    sort: Sort = "effective",
    refresh: Refresh = False,
    timeout: Timeout = 30.0,
    as_json: Json = False,
    as_csv: Csv = False,
    watch: Redraw = False,
    history: History = False,
    days: Days = None,
    alert: Alert = "",
    notify: Notify = "",
    every: Every = "",
) -> None:
    """Show what GPUs every provider sells now, at what real cost."""
    from spotlaunch.cli.options import refuse_no_number

    refuse_no_number({"--timeout": timeout, "--days": days})
    narrowed: dict[str, Any] = {"providers": provider or [], "regions": region or [], "spot": spot, "as_json": as_json}
    table = {"--max-price": max_price, "--min-gpu-memory": min_gpu_memory, "--limit": limit}
    table |= {"--sort": sort != "effective", "--refresh": refresh, "--csv": as_csv, "--watch": watch}
    if alert or notify or every:
        from spotlaunch.cli.alert import run as wait

        beside = {**table, "--gpu": gpu, "--history": history, "--days": days}
        _exit(wait(alert, notify_url=notify, every=every, timeout_s=timeout, beside=beside, **narrowed))
    elif history or days is not None:
        from spotlaunch.cli.history import run as look_back

        _exit(look_back(gpus=gpu or [], days=days, asked=history, beside=table, **narrowed))
    else:
        from spotlaunch.cli.prices import run

        _exit(
            run(
                gpus=gpu or [],
                max_price=max_price,
                min_gpu_memory=min_gpu_memory,
                limit=limit,
                sort=sort,
                refresh=refresh,
                timeout_s=timeout,
                as_csv=as_csv,
                watch=watch,
                **narrowed,
            )
        )


@app.command()
def gpus(as_json: Json = False) -> None:
    """Show which GPUs there are, who sells them, and the cheapest."""
    from spotlaunch.cli.gpus import run

    _exit(run(as_json=as_json))


app.command()(stats)


@app.command()
def watch(
    once: Annotated[bool, typer.Option("--once", help="Look, do what is due, and exit (for cron).")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the watchdog in the background.")] = False,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Run the watchdog in the foreground, until interrupted."""
    from spotlaunch.cli.watch import run

    _exit(run(once=once, stop=stop, background=background))


@app.command()
def check(
    file: Annotated[
        Optional[Path], typer.Argument(metavar="FILE", help="A job file to check as well, or a provider.")
    ] = None,
    store: Annotated[str, typer.Option("--store", metavar="URL", help="A checkpoint store to try out.")] = "",
    provider: Annotated[
        Optional[list[str]], typer.Option("--provider", metavar="NAME", help="Only this provider. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell which providers and stores can be used."""
    from spotlaunch.cli.check import run

    _exit(run(file, store=store, providers=provider or [], as_json=as_json))


@app.command()
def rehearse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The job file.")],
    kills: Annotated[int, typer.Option("--kills", metavar="N", min=1, max=100, help="Take so many machines away.")] = 5,
    minutes: Annotated[
        float, typer.Option("--minutes", metavar="M", min=0.1, max=10080, help="Watch no longer than that.")
    ] = 10.0,
    seed: Annotated[
        Optional[int], typer.Option("--seed", metavar="N", min=0, help="The same moments again (else by chance).")
    ] = None,
    no_notice: Annotated[bool, typer.Option("--no-notice", help="Take all without a notice (else by turns).")] = False,
    no_setup: Annotated[bool, typer.Option("--no-setup", help="Leave out the job's setup command.")] = False,
    compare: Annotated[
        Optional[list[str]],
        typer.Option("--compare", metavar="PATH", help="Must be as after an undisturbed run. Repeatable."),
    ] = None,
    compare_command: Annotated[
        str, typer.Option("--compare-command", metavar="CMD", help="Compares $ALONE and $REHEARSED; 0 is equal.")
    ] = "",
    env: Annotated[
        Optional[list[str]], typer.Option("--env", metavar="K=V", help="Set a variable for the job. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a job here, take its machines away: does it resume?"""
    from spotlaunch.cli.options import refuse_no_number
    from spotlaunch.cli.rehearse import run

    refuse_no_number({"--minutes": minutes})
    told: dict[str, Any] = {"seed": seed, "notice": not no_notice, "setup": not no_setup, "as_json": as_json}
    told |= {"compare": compare or [], "compare_command": compare_command, "env": env or []}
    _exit(run(file, kills=kills, minutes=minutes, **told))


app.command()(estimate)
app.command()(simulate)


@app.command()
def gc(
    provider: Annotated[
        Optional[list[str]], typer.Option("--provider", metavar="NAME", help="Look only there. Repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="End the strays without asking.")] = False,
    as_json: Json = False,
) -> None:
    """List your machines everywhere; end those that nobody keeps."""
    from spotlaunch.cli.gc import run

    _exit(run(providers=provider or [], yes=yes, as_json=as_json))


@app.command()
def ssh(
    job: JobName,
    command: Annotated[
        Optional[list[str]], typer.Argument(metavar="[-- COMMAND]", help="Run this there, instead of a shell.")
    ] = None,
    attempt: Annotated[
        Optional[int], typer.Option("--attempt", metavar="N", min=1, help="On the machine of attempt N.")
    ] = None,
) -> None:
    """Open a shell on a job's machine, if its file allows that."""
    from spotlaunch.cli.ssh import run

    _exit(run(job, attempt=attempt, command=command or []))


def _exit(code: int | None) -> None:
    """A command may answer with an exit code; none is 0."""
    if code:
        raise typer.Exit(code)
