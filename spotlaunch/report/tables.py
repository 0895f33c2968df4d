"""The tables of the page. Each can be scrolled by itself, so that none makes a phone's screen wider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from spotlaunch.core.account import Account, JobAccount, Kind, Line, grouped
from spotlaunch.core.totals import Totals
from spotlaunch.report.figure import field
from spotlaunch.report.markup import Child, Html, element
from spotlaunch.report.words import NOTHING, duration, money, share, usd, when

_SUMS = ("machines", "billed", "spent", "on-demand", "saved", "lost", "$ per work hour", "beside, estimated")


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Child]], *, foot: Sequence[Child] = ()) -> Html:
    """Rows under their heads, the first cell of each row is its head. Heads that begin with ``>`` are of numbers."""
    right = [h.startswith(">") for h in heads]
    head = element(
        "tr", *(element("th", h.lstrip(">"), scope="col", class_=_side(r)) for h, r in zip(heads, right, strict=True))
    )
    body = [_row(cells, right) for cells in rows]
    whole = element(
        "table",
        element("caption", title),
        element("thead", head),
        element("tbody", *body),
        element("tfoot", _row(foot, right)) if foot else None,
    )
    return element("div", whole, class_="scroll", role="region", aria_label=title, tabindex="0")


def _row(cells: Sequence[Child], right: Sequence[bool]) -> Html:
    first, *others = cells
    made = [element("td", c, class_=_side(r)) for c, r in zip(others, right[1:], strict=True)]
    return element("tr", element("th", first, scope="row", class_=_side(right[0])), *made)


def _side(right: bool) -> str | None:
    return "number" if right else None


# -- sums ---------------------------------------------------------------------------------------------------------


def of_jobs(account: Account, links: Mapping[str, str]) -> Html:
    """A row for each job, and their total. ``links``: where in the page each is told of."""
    rows: list[list[Child]] = [
        [element("a", j.job.name, href=f"#{links[j.job.name]}"), j.job.state, *_sums(j.lines, j.totals)]
        for j in account.jobs
    ]
    heads = ["job", "state", *(f">{s}" for s in _SUMS)]
    return table("Jobs", heads, rows, foot=["total", "", *_sums(account.lines, account.totals)])


def of_providers(account: Account) -> Html:
    """The same money by provider."""
    lines = account.lines
    rows: list[list[Child]] = [
        [name, *_sums([x for x in lines if x.machine.pool.provider == name], totals)]
        for name, totals in grouped(lines, lambda x: x.machine.pool.provider).items()
    ]
    return table("Providers", ["provider", *(f">{s}" for s in _SUMS)], rows)


def _sums(lines: Iterable[Line], t: Totals) -> list[Child]:
    return [
        str(sum(1 for _ in lines)),
        duration(t.seconds),
        money(t.spent_usd),
        money(t.on_demand_usd),
        element("span", money(t.saved_usd), _share(share(t.saved_usd, t.on_demand_usd))),
        element("span", money(t.lost_usd), _share(share(t.lost_usd, t.spent_usd))),
        money(t.effective_usd_hour),
        f"~{usd(t.estimated_usd)}" if t.estimated_usd else NOTHING,
    ]


def _share(told: str) -> str:
    return f" ({told})" if told else ""


# -- one job ------------------------------------------------------------------------------------------------------


def of_time(job: JobAccount) -> Html:
    """What the time of its machines went into; the colours are those of the timeline."""
    t = job.totals
    told: list[tuple[Kind, str, int, Html]] = [
        ("work", "work that is kept", t.work_us, money(t.work_usd)),
        ("boot", "first boot: until the program ran", t.boot_us, money(t.boot_usd)),
        ("restart", "boots again: on each later machine", t.restart_us, money(t.restart_usd)),
        ("redone", "work done again: lost with its machine", t.redone_us, money(t.redone_usd)),
        ("leaving", "leaving: the program had ended", t.leaving_us, money(t.leaving_usd)),
    ]
    rows: list[list[Child]] = [
        [element("span", field(kind), " ", words), duration(us / 1e6), usd_cell, share(us, t.microseconds)]
        for kind, words, us, usd_cell in told
        if us or kind == "work"
    ]
    foot: list[Child] = ["all", duration(t.seconds), money(t.spent_usd), share(t.microseconds, t.microseconds)]
    return table("Where the time went", ["what", ">time", ">cost", ">share of time"], rows, foot=foot)


def of_machines(job: JobAccount) -> Html:
    """A row for each machine that was billed."""
    billed = any(line.billed for line in job.lines)
    heads = [
        "attempt",
        "pool",
        "GPU",
        ">$/h",
        "from",
        "until",
        ">billed",
        ">work kept",
        ">spent",
        ">on-demand",
        ">lost",
    ]
    heads += [">provider billed"] if billed else []
    rows = [_machine(line, billed) for line in job.lines]
    return table("Machines", [*heads, "how it ended"], rows)


def _machine(line: Line, billed: bool) -> list[Child]:
    m, t = line.machine, line.totals
    ended = " – ".join(filter(None, (m.outcome or m.state, m.reason)))
    return [
        str(m.attempt),
        str(m.pool),
        f"{m.gpu}:{m.gpu_count}" if m.gpu else NOTHING,
        f"{m.price_usd_hour.normalize():f}",
        when(line.spans[0].from_at),
        when(m.ended_at),
        duration(t.seconds),
        duration(t.work_us / 1e6),
        money(t.spent_usd),
        money(t.on_demand_usd),
        money(t.lost_usd),
        *([money(line.billed.machine_usd if line.billed else None)] if billed else []),
        ended,
    ]
