"""`spotlaunch status [JOB]`: how all jobs are doing, or one of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from spotlaunch.cli import overview, render
from spotlaunch.cli.book import open_book
from spotlaunch.cli.overview import Due, JobLine
from spotlaunch.core.book import Attempt, Job, Machine, Refusal
from spotlaunch.core.facts import Unusable
from spotlaunch.core.ledger import machine_bill, machine_seconds
from spotlaunch.core.refusals import FOR_EVER_S
from spotlaunch.core.steering import policy_name
from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore
from spotlaunch.storage.unusable import read_unusable

REDRAW_S = 2.0

# Hundreds of pools may rest; a person looks at the first few. Whole providers are all shown.
POOLS_SHOWN = 20

_JOBS = render.columns("job", "state", ">attempt", "pool", ">progress", ">age", ">spent $", ">saved $", "note")
_ATTEMPTS = render.columns(">attempt", "market", "state", ">lasted", ">resumed at", ">reached", ">commits", "reason")
_MACHINES = render.columns(
    ">attempt", "pool", "gpu", "state", ">$/h", ">up", ">spent $", ">saved $", "instance", "reason"
)
_INTERVALS = render.columns(">attempt", ">every", "why")
_RESTING = render.columns("who", "error", ">times", ">back in", "reason")


def run(job: str, *, as_json: bool, watch: bool) -> None:
    """Print once, or (``watch``) again and again: until ``job`` is over, or for ever when all are shown.

    Raises `NoSuchJob`.
    """
    with open_book() as store:
        while True:
            if watch and not as_json and render.is_fancy():
                sys.stdout.write("\x1b[H\x1b[2J")  # to the top of an empty screen
            over = _show_one(store, job, as_json, watch) if job else _show_all(store, as_json, watch)
            if not watch or over:
                return
            sys.stdout.flush()
            time.sleep(REDRAW_S)
            if not as_json and not render.is_fancy():
                print()


def _show_all(store: SqliteStore, as_json: bool, watch: bool) -> bool:
    now = time.time()
    lines = overview.all_jobs(store, now)
    resting, unusable = _rest(store, [line.job for line in lines], now)
    live = any(not line.job.over for line in lines)
    watchdog = _watchdog(store, now) if live or as_json else {}
    if as_json:
        found = {
            "jobs": [overview.job_json(line, now) for line in lines],
            "machines": [overview.machine_json(m, now) for m in store.machines()],
            "resting": _rest_json(resting, unusable, now),
            "watchdog": watchdog,
        }
        render.as_json(found, line=watch)
        return False
    if not lines:
        render.say("no jobs yet\nhint: `spotlaunch init` writes a job file, `spotlaunch submit` runs it")
        return False
    render.table(_JOBS, [_job_cells(line, now) for line in lines])
    _section("resting", _RESTING, _rest_cells(resting, unusable, now))
    if live:
        _tell_if_asleep(watchdog)
    return False


def _show_one(store: SqliteStore, name: str, as_json: bool, watch: bool) -> bool:
    job, now = store.job(name), time.time()
    attempts, machines = store.attempts(name), store.machines(name)
    line = overview.one_job(job, attempts, machines, now)
    resting, unusable = _rest(store, [job], now)
    alive = not job.over or any(m.state != "ended" for m in machines)
    watchdog = _watchdog(store, now) if alive or as_json else {}
    if as_json:
        found = {
            "job": overview.job_json(line, now),
            "attempts": [overview.attempt_json(a) for a in attempts],
            "machines": [overview.machine_json(m, now) for m in machines],
            "resting": _rest_json(resting, unusable, now),
            "watchdog": watchdog,
        }
        render.as_json(found, line=watch)
        return job.over
    render.table(_JOBS, [_job_cells(line, now)])
    _tell_deadline(line, now)
    _section("attempts", _ATTEMPTS, [_attempt_cells(a, now) for a in attempts])
    _section("machines", _MACHINES, [_machine_cells(m, now) for m in machines])
    _section("how often to save", _INTERVALS, [_interval_cells(a) for a in attempts if a.live and a.every_s])
    _section("resting", _RESTING, _rest_cells(resting, unusable, now))
    if alive:
        _tell_if_asleep(watchdog)
    return job.over


def _tell_deadline(line: JobLine, now: float) -> None:
    """What the job's policy does and why, and how it stands to its deadline."""
    due = line.due(now)
    if due is not None:
        left_s = due.deadline_at - now
        text = f"in {render.duration(left_s)}" if left_s > 0 else f"over since {render.duration(-left_s)}"
        print(f"\ndeadline  {render.clock(due.deadline_at)}, {text}; {_expected(due)}")
    if line.job.steered and line.job.decision and not line.job.over:
        print(f"policy    {policy_name(line.job)}: {render.one_line(line.job.decision)}")


def _expected(due: Due) -> str:
    if due.work_left_s is None or due.slack_s is None or due.ends_at is None:
        return "how much work is left is not known yet"
    work, slack = render.duration(due.work_left_s), render.duration(abs(due.slack_s))
    spare = f"{slack} to spare" if due.slack_s >= 0 else f"{slack} too late"
    return f"{work} of work left, done at {render.clock(due.ends_at)} if it runs on: {spare}"


def _section(title: str, head: list[render.Column], rows: list[list[str]]) -> None:
    if rows:
        print(f"\n{title}")
        render.table(head, rows, indent="  ")


def _job_cells(line: JobLine, now: float) -> list[str]:
    job = line.job
    return [
        job.name,
        line.state,
        str(job.last_attempt or ""),
        str(line.pool or ""),
        render.progress(job.step, job.total_steps),
        render.duration(now - job.submitted_at),
        render.usd(line.bill.spent_usd),
        render.usd(line.bill.saved_usd),
        line.note(now),
    ]


def _attempt_cells(a: Attempt, now: float) -> list[str]:
    return [
        str(a.number),
        a.market,
        a.outcome or a.phase or "launching",
        render.duration((now if a.ended_at is None else a.ended_at) - a.started_at),
        "" if a.resumed_step is None else str(a.resumed_step),
        str(a.step or ""),
        str(a.commits or ""),
        a.reason or ("its machine is about to be taken away" if a.live and a.noticed_at else ""),
    ]


def _interval_cells(a: Attempt) -> list[str]:
    return [str(a.number), render.duration(a.every_s), a.every_why]


def _machine_cells(m: Machine, now: float) -> list[str]:
    bill = machine_bill(m, now)
    return [
        str(m.attempt),
        str(m.pool),
        f"{m.gpu}:{m.gpu_count}" if m.gpu else "",
        (m.outcome or m.state) if m.state == "ended" else m.state,
        f"{m.price_usd_hour.normalize():f}",
        "" if m.up_at is None else render.duration(machine_seconds(m, now)),
        render.usd(bill.spent_usd),
        render.usd(bill.saved_usd),
        m.instance_id,
        m.reason,
    ]


def _rest(store: SqliteStore, jobs: Sequence[Job], now: float) -> tuple[list[Refusal], list[Unusable]]:
    """Who rests of those that jobs which are not over may use: for a time, and until their settings change."""
    live = [job for job in jobs if not job.over]
    return overview.resting(store.refusals(), live, now), overview.unusable(read_unusable(Home.find()), live, now)


def _rest_cells(resting: Sequence[Refusal], unusable: Sequence[Unusable], now: float) -> list[list[str]]:
    pools = [r for r in resting if str(r.scope) != r.scope.provider]
    hidden = set(pools[POOLS_SHOWN:])
    shown = [r for r in resting if r not in hidden]
    rows = [[str(r.scope), r.error, str(r.count), _back_in(r, now), _with_hint(r.reason, r.hint)] for r in shown]
    if len(shown) < len(resting):
        rows.append([f"and {len(resting) - len(shown)} more", "", "", "", "--json shows them"])
    return rows + [[u.provider, u.error, "", _asked_in(u, now), _with_hint(u.reason, u.hint)] for u in unusable]


def _back_in(r: Refusal, now: float) -> str:
    # An order that a provider calls invalid is one for as long as there is the job.
    return "" if r.until - now >= FOR_EVER_S / 2 else render.duration(r.until - now)


def _asked_in(u: Unusable, now: float) -> str:
    return "" if u.until is None else render.duration(u.until - now)


def _with_hint(reason: str, hint: str) -> str:
    return f"{reason} (hint: {hint})" if hint else reason


def _rest_json(resting: Sequence[Refusal], unusable: Sequence[Unusable], now: float) -> list[dict[str, Any]]:
    return [overview.refusal_json(r, now) for r in resting] + [overview.unusable_json(u, now) for u in unusable]


def _watchdog(store: SqliteStore, now: float) -> dict[str, Any]:
    """Who is awake. Nobody is: all values but ``awake`` are null."""
    lease = store.lease()
    awake = False
    if lease is not None:
        from spotlaunch.watchdog.holder import is_awake  # late: it asks the system about processes

        awake = is_awake(lease, now)
    if lease is None or not awake:
        return {"awake": False, "host": None, "pid": None}
    return {"awake": True, "host": lease.host, "pid": lease.pid}


def _tell_if_asleep(watchdog: dict[str, Any]) -> None:
    if not watchdog["awake"]:
        sys.stdout.flush()
        render.warn("no watchdog is awake: nothing is started, replaced or ended", hint="spotlaunch watch")
