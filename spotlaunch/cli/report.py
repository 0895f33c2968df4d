"""`spotlaunch report [JOB] --html FILE`: a page for a browser, made of what the book and the market's memory hold."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.cli.cost import read_account
from spotlaunch.cli.period import read_since, zone
from spotlaunch.core.account import Account, Period
from spotlaunch.core.facts import Pool
from spotlaunch.core.pricecurve import HOLDS_S
from spotlaunch.core.pricehistory import PoolPrices
from spotlaunch.errors import StoreUnavailable, UsageError
from spotlaunch.home import Home
from spotlaunch.report.page import BEGINS, Report, page
from spotlaunch.storage.market import open_market


def run(job: str, *, since: str, html: Path) -> None:
    """Write the page of one job, or of all. Nobody is asked.

    Raises `NoSuchJob`, and `UsageError` for a file that cannot be written, or holds something else.
    """
    now = time.time()
    since_at = read_since(since, now)
    refuse_other_files(html)
    with open_book() as store:
        account = read_account(store, job, Period(since_at=since_at, until_at=now))
    if not job and since_at:
        account = without_silent(account)
    prices, trouble = _read_prices(account)
    write_page(html, page(Report(account=account, zone=zone(now), prices=prices, prices_trouble=trouble)))
    t, count = account.totals, len(account.jobs)
    told = f"{count} job{'' if count == 1 else 's'}, ${render.usd(t.spent_usd)} spent, ${render.usd(t.saved_usd)} saved"
    render.say(f"wrote {render.one_line(str(html))}: {told}")


def without_silent(account: Account) -> Account:
    """Less the jobs that were over before the period, and cost nothing in it."""
    since_at = account.since_at
    heard = (j for j in account.jobs if j.lines or j.job.over_at is None or j.job.over_at >= since_at)
    return replace(account, jobs=tuple(heard))


def _read_prices(account: Account) -> tuple[dict[Pool, PoolPrices], str]:
    """What is remembered of the pools that were used. A memory that cannot be read costs the page only this."""
    lines = account.lines
    if not lines:
        return {}, ""
    # Also a pool that was last seen a while before may have been there: that is written down once an hour.
    since = max(account.since_at, min(j.job.submitted_at for j in account.jobs)) - HOLDS_S
    pools = {line.machine.pool for line in lines}
    try:
        memory = open_market(Home.find())
    except StoreUnavailable as e:
        return {}, e.message
    try:
        gpus = sorted({line.machine.gpu for line in lines})
        return _of_pools(pools, (p for g in gpus for p in memory.history(g, since=since, until=account.until_at))), ""
    except StoreUnavailable as e:
        return {}, e.message
    finally:
        memory.close()


def _of_pools(pools: Iterable[Pool], found: Iterable[PoolPrices]) -> dict[Pool, PoolPrices]:
    wanted = set(pools)
    return {prices.pool: prices for prices in found if prices.pool in wanted}


def refuse_other_files(path: Path) -> None:
    """Raise `UsageError` where a page may not be put: over what is no page, into no folder."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder", hint=f"name a file, such as {path / 'report.html'}")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is no ordinary file", hint="choose another name")
        if path.exists() and not _is_page(path):
            raise UsageError(f"{path} is there already, and is no web page", hint="choose another name, or remove it")
        if not path.parent.is_dir():
            raise UsageError(f"{path} cannot be written: there is no folder {path.parent}", hint="make it first")
    except OSError as e:
        raise _not_written(path, e) from e


def _is_page(path: Path) -> bool:
    with path.open("rb") as there:
        head = there.read(len(BEGINS))
    return not head or head.lower() == BEGINS.encode()


def write_page(path: Path, text: str) -> None:
    """Put the page there, whole or not at all. Raises `UsageError` when that cannot be done."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        try:
            new.write_text(text, encoding="utf-8")
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as e:
        raise _not_written(path, e) from e


def _not_written(path: Path, e: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written: {e.strerror or e}", hint="choose another place")
