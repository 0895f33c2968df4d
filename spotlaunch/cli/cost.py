"""`spotlaunch cost [JOB]`: what machines have cost, what for, and what on-demand would have."""

from __future__ import annotations

import time
from typing import Any

from spotlaunch.cli import billing, render
from spotlaunch.cli.book import open_book
from spotlaunch.cli.options import refuse_beside
from spotlaunch.cli.period import local_days, read_since, zone
from spotlaunch.core.account import Account, Period, account
from spotlaunch.errors import UsageError
from spotlaunch.storage.store import SqliteStore

WHOLE = "machines are compared over their whole lives"


def run(job: str, *, since: str, by: str, reconcile: bool, as_json: bool, as_csv: bool) -> int:
    """Print the account, of one job or of all. Returns 1 when a provider that was to be asked did not answer.

    Raises `NoSuchJob`, and `UsageError` for options that cannot be.
    """
    if as_json:
        refuse_beside("--json", {"--csv": as_csv})
    if by and by not in billing.KEYS:
        raise UsageError(f"--by: {by!r} is unknown", hint="there are: " + ", ".join(billing.KEYS))
    now = time.time()
    since_at = read_since(since, now)
    with open_book() as store:
        if reconcile:
            from spotlaunch.cli.reconcile import run as ask  # late: it speaks to clouds

            refuse_beside("--reconcile", {"--by": by, "--csv": as_csv, "--since": since}, hint=WHOLE)
            return ask(store, read_account(store, job, Period(until_at=now)), as_json=as_json)
        by = by or ("attempt" if job else "job")
        if by == "attempt" and not job:
            raise UsageError("--by attempt needs a JOB", hint="`spotlaunch cost` shows all jobs")
        days = _days(store, job, since_at, now) if by == "day" else ()
        made = read_account(store, job, Period(since_at=since_at, until_at=now, days=days))
    if as_json:
        render.as_json(account_json(made, by))
    elif as_csv:
        billing.print_csv([billing.row_json(name, lines) for name, lines in billing.groups(made.lines, by).items()])
    else:
        _show(made, by, since)
    return 0


def read_account(store: SqliteStore, job: str, period: Period) -> Account:
    """The account of one job, or of all there ever were. Raises `NoSuchJob`."""
    jobs = [store.job(job)] if job else store.jobs()
    return account(jobs, store.attempts(job), store.machines(job), period, billed=store.billed())


def _days(store: SqliteStore, job: str, since_at: float, now: float) -> list[tuple[float, str]]:
    """Those from the first that anything was billed on."""
    first = min((m.up_at for m in store.machines(job) if m.up_at is not None), default=now)
    return local_days(max(since_at, min(first, now)), now)


def account_json(made: Account, by: str) -> dict[str, Any]:
    lines = made.lines
    return {
        "since": made.since_at or None,
        "until": made.until_at,
        "time_zone": zone(made.until_at),
        "by": by,
        "rows": [billing.row_json(name, of) for name, of in billing.groups(lines, by).items()],
        "total": billing.row_json((), lines),
        "lines": [billing.machine_json(line) for line in lines],
    }


def _show(made: Account, by: str, since: str) -> None:
    lines = made.lines
    if not lines:
        render.say("no machine has been billed" + (f" since {since}" if since else " yet"))
        return
    rows = [billing.cells(name, of) for name, of in billing.groups(lines, by).items()]
    titles = billing.KEYS[by][0]
    if len(rows) > 1:
        rows.append(billing.cells(("total", *[""] * (len(titles) - 1)), lines))
    render.table(billing.head(by), rows)
    print()
    render.table(*billing.parts(made.totals))
    _notes(made, by)


def _notes(made: Account, by: str) -> None:
    up = {line.machine.launch_key for line in made.lines if line.machine.ended_at is None}
    notes = []
    if up:
        count = "1 machine runs" if len(up) == 1 else f"{len(up)} machines run"
        notes.append(f"{count}: counted until {render.clock(made.until_at)}")
    if by == "day" or made.since_at:
        notes.append(f"times and days are those of {zone(made.until_at)}")
    if made.totals.estimated_usd:
        notes.append("~ disk and traffic beside the price are estimated, and in no other column")
    for note in notes:
        render.say(note)
