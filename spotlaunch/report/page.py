"""The page: one file of HTML with what jobs have cost, and how they went. It holds no script and fetches nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from spotlaunch.core.account import Account, JobAccount
from spotlaunch.core.facts import Pool
from spotlaunch.core.pricehistory import PoolPrices
from spotlaunch.core.totals import Totals
from spotlaunch.report.costs import costs
from spotlaunch.report.markup import Child, Html, element
from spotlaunch.report.prices import prices
from spotlaunch.report.progress import progress
from spotlaunch.report.scales import Times
from spotlaunch.report.style import STYLE
from spotlaunch.report.tables import of_jobs, of_machines, of_providers, of_time
from spotlaunch.report.timeline import timeline
from spotlaunch.report.words import count, duration, moment, money, share, usd, when

# What every page begins with: by this a file is known to be one.
BEGINS = "<!doctype html>"

_UNKNOWN: Mapping[Pool, PoolPrices] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What the page tells of. Its account tells no days apart.

    ``prices``: what is remembered of the pools that were used; ``prices_trouble``: why nothing could be read.
    ``zone``: the name of the time zone that moments are told in.
    """

    account: Account
    zone: str
    prices: Mapping[Pool, PoolPrices] = field(default_factory=lambda: _UNKNOWN)
    prices_trouble: str = ""


def page(report: Report) -> str:
    """The whole file, as text to be written in UTF-8."""
    account = report.account
    links = {j.job.name: f"job-{n}" for n, j in enumerate(account.jobs, start=1)}
    title = f"spotlaunch: {account.jobs[0].job.name}" if len(account.jobs) == 1 else "spotlaunch: all jobs"
    several = [of_jobs(account, links), of_providers(account)] if len(account.jobs) > 1 else []
    body = element(
        "body",
        element("header", element("h1", title), _period(report)),
        element(
            "main",
            _headline(account.totals) if several else None,
            *several,
            *(_job(j, links[j.job.name], report) for j in account.jobs),
            element("p", "There is no job yet.") if not account.jobs else None,
        ),
        _about(report),
    )
    return f"{BEGINS}\n{element('html', _head(title), body, lang='en').text}\n"


def _head(title: str) -> Html:
    # The style is let in by its hash: nothing else may be one, and nothing may be fetched or run.
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    rules = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=rules),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Html(STYLE)),
    )


def _period(report: Report) -> Html:
    account = report.account
    begin: Child = when(account.since_at) if account.since_at else "the beginning"
    return element(
        "p", "Made ", when(account.until_at), ", for what was billed from ", begin, " until then. Times are those of ",
        f"{report.zone}.", class_="dim",
    )  # fmt: skip


# -- one job ------------------------------------------------------------------------------------------------------


def _job(job: JobAccount, link: str, report: Report) -> Html:
    head: list[Child] = [element("h2", job.job.name), _state(job), _headline(job.totals)]
    if not job.lines:
        return element("section", *head, element("p", "No machine was billed in this period."), id=link)
    times = _times(job, report.account)
    return element(
        "section",
        *head,
        timeline(job.lines, times),
        element("div", costs(job, times), progress(job, times), prices(job, times, report.prices), class_="figures"),
        of_time(job),
        of_machines(job),
        id=link,
    )


def _times(job: JobAccount, account: Account) -> Times:
    """From its submission until its last machine went, as far as that lies in the period."""
    begin = min(job.job.submitted_at, *(x.spans[0].from_at for x in job.lines))
    end = max(x.spans[-1].until_at for x in job.lines)
    if not job.job.over:
        end = account.until_at
    return Times.over(max(begin, account.since_at), end)


def _state(job: JobAccount) -> Html:
    j = job.job
    state = "cancelling" if j.wanted != "run" and not j.over else j.state
    total = f" of {j.total_steps:,} ({share(j.step, j.total_steps)})" if j.total_steps else ""
    said = [state, f"step {j.step:,}{total}" if j.step or total else ""]
    refused = sum(1 for a in job.attempts if a.outcome == "refused")
    taken = sum(1 for a in job.attempts if a.outcome in ("preempted", "lost"))
    said += [count(len(job.attempts) - refused, "attempt"), f"{count(taken, 'interruption')}"]
    said += [f"{refused} more {'was' if refused == 1 else 'were'} refused a machine"] if refused else []
    said += [f"due {moment(j.deadline_at)}"] if j.deadline_at is not None else []
    over = element("span", ", over ", when(j.over_at)) if j.over_at is not None else None
    facts = element("p", "; ".join(filter(None, said)), ". Submitted ", when(j.submitted_at), over, ".")
    why = j.reason if j.over else j.note
    return element("div", facts, element("p", why, class_="dim") if why else None)


def _headline(t: Totals) -> Html:
    """The figures that matter, each with what it means."""
    hour = t.effective_usd_hour
    lost = f"{share(t.lost_usd, t.spent_usd) or '0%'} of spent, {duration(t.lost_us / 1e6)}"
    tiles: list[tuple[str, Html, str]] = [
        ("spent", money(t.spent_usd), f"{duration(t.seconds)} of machines"),
        ("on-demand", money(t.on_demand_usd), "would have cost, at the cheapest"),
        ("saved", money(t.saved_usd), f"{share(t.saved_usd, t.on_demand_usd) or '0%'} of on-demand"),
        ("per useful hour", money(hour), f"{duration(t.work_us / 1e6)} of work that is kept"),
        ("lost to interruptions", money(t.lost_usd), lost),
    ]
    if t.estimated_usd:
        disk = f"disk {usd(t.storage_usd)}, traffic {usd(t.egress_usd)}"
        tiles.append(("beside, estimated", element("span", "~", money(t.estimated_usd)), disk))
    return element(
        "dl", *(element("div", element("dt", n), element("dd", v, element("small", m))) for n, v, m in tiles)
    )


# -- the end ------------------------------------------------------------------------------------------------------


def _about(report: Report) -> Html:
    up = sum(1 for line in report.account.lines if line.machine.ended_at is None)
    running = f" {count(up, 'machine')} still up: counted until this page was made." if up else ""
    said = [
        f"Spent is each machine's time at the price agreed, to the second.{running} Prices that move afterwards, taxes"
        " and discounts are not followed.",
        "On-demand is the same time at the cheapest on-demand offer that would have done when each machine was ordered."
        " Where none was known, it is the price of the same machine on demand; where that is unknown too, its own.",
        "Lost to interruptions are boots after the first, and work that was not stored when its machine went. Per"
        " useful hour: all that was spent, for an hour of work that is kept.",
        "Estimates, marked with ~ and in no other figure: disk and traffic beside the price of machines.",
        "In figures, a machine's cost grows evenly over its time, and steps between two known ones lie on a line.",
    ]
    if report.prices_trouble:
        said.append(f"No price history: {report.prices_trouble}.")
    return element("footer", element("h2", "About these figures"), element("ul", *(element("li", s) for s in said)))
