"""What `cost` shows: its rows, as cells for a person, and as JSON and CSV with every digit."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from spotlaunch.cli import render
from spotlaunch.core.account import Line
from spotlaunch.core.totals import Totals

# What rows may be told apart by: the titles of the first columns, and what stands there.
KEYS: Mapping[str, tuple[tuple[str, ...], Callable[[Line], tuple[str, ...]]]] = {
    "job": (("job",), lambda line: (line.machine.job,)),
    "attempt": ((">attempt", "pool"), lambda line: (str(line.machine.attempt), str(line.machine.pool))),
    "provider": (("provider",), lambda line: (line.machine.pool.provider,)),
    "gpu": (("gpu",), lambda line: (gpu_of(line),)),
    "day": (("day",), lambda line: (line.day,)),
    "pool": (("pool",), lambda line: (str(line.machine.pool),)),
}
_SUMS = (
    ">machines", ">billed", ">work", ">spent $", ">on-demand $", ">saved $", ">lost $", ">$/work h", ">beside, est. $"
)  # fmt: skip
_PARTS = render.columns("where it went", ">time", ">$", ">%", "")
_HOUR_US = 3600 * 1_000_000
_MICRO = Decimal("0.000001")


def gpu_of(line: Line) -> str:
    """The GPUs of a machine, ``H100:8``."""
    return f"{line.machine.gpu}:{line.machine.gpu_count}" if line.machine.gpu else "no GPU"


def head(by: str) -> list[render.Column]:
    """The columns of the table."""
    return render.columns(*KEYS[by][0], *_SUMS)


def groups(lines: Iterable[Line], by: str) -> dict[tuple[str, ...], list[Line]]:
    """The lines of each row, in the order of their first machine; days in their own."""
    found: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        found.setdefault(KEYS[by][1](line), []).append(line)
    return dict(sorted(found.items())) if by == "day" else found


def total_of(lines: Iterable[Line]) -> Totals:
    return sum((line.totals for line in lines), Totals())


def cells(name: Sequence[str], lines: Sequence[Line]) -> list[str]:
    """A row of the table."""
    t = total_of(lines)
    hour = t.effective_usd_hour
    return [
        *name,
        str(len({line.machine.launch_key for line in lines})),
        render.duration(t.microseconds / 1e6),
        render.duration(t.work_us / 1e6),
        render.usd(t.spent_usd),
        render.usd(t.on_demand_usd),
        render.usd(t.saved_usd) + _share(t.saved_usd, t.on_demand_usd),
        render.usd(t.lost_usd) + _share(t.lost_usd, t.spent_usd),
        "" if hour is None else render.usd(hour),
        "" if not t.estimated_usd else f"~{render.usd(t.estimated_usd)}",
    ]


def _share(part: Decimal, whole: Decimal) -> str:
    return f" ({round(100 * part / whole)}%)" if part and whole else ""


def parts(t: Totals) -> tuple[list[render.Column], list[list[str]]]:
    """What the time that was billed went into: title and rows of a table."""
    told = [
        ("work that is kept", t.work_us, t.work_usd, ""),
        ("first boots", t.boot_us, t.boot_usd, "from the launch until the program ran, once a job"),
        ("boots again", t.restart_us, t.restart_usd, "the same on each later machine: lost to interruptions"),
        ("work done again", t.redone_us, t.redone_usd, "it was not stored when its machine went: lost, too"),
        ("leaving", t.leaving_us, t.leaving_usd, "the program had ended, the machine had not"),
    ]
    rows = [
        [what, render.duration(us / 1e6), render.usd(usd), str(round(100 * us / t.microseconds)), note]
        for what, us, usd, note in told
        if us or not note
    ]
    return _PARTS, rows


# -- with every digit: amounts are exact decimals, as text -------------------------------------------------------


def totals_json(t: Totals) -> dict[str, Any]:
    """Dollars and seconds as text, so that nothing is lost on the way. The two estimates are named so."""
    hour = t.effective_usd_hour
    return {
        "spent_usd": exact(t.spent_usd),
        "on_demand_usd": exact(t.on_demand_usd),
        "saved_usd": exact(t.saved_usd),
        "lost_usd": exact(t.lost_usd),
        "effective_usd_hour": None if hour is None else exact(hour),
        "work_usd": exact(t.work_usd),
        "boot_usd": exact(t.boot_usd),
        "restart_usd": exact(t.restart_usd),
        "redone_usd": exact(t.redone_usd),
        "leaving_usd": exact(t.leaving_usd),
        "machine_s": _seconds(t.microseconds),
        "work_s": _seconds(t.work_us),
        "boot_s": _seconds(t.boot_us),
        "restart_s": _seconds(t.restart_us),
        "redone_s": _seconds(t.redone_us),
        "leaving_s": _seconds(t.leaving_us),
        "lost_s": _seconds(t.lost_us),
        "estimated_storage_usd": exact(t.storage_usd),
        "estimated_egress_usd": exact(t.egress_usd),
    }


def exact(amount: Decimal) -> str:
    """All its digits, and no exponent."""
    return f"{amount:f}"


def _seconds(microseconds: int) -> str:
    return exact(microseconds * _MICRO)


def row_json(name: Sequence[str], lines: Sequence[Line]) -> dict[str, Any]:
    """A row: what its lines have in common, and their sums."""
    machines = len({line.machine.launch_key for line in lines})
    return {"key": name[0] if name else "total", "machines": machines, **totals_json(total_of(lines))}


def machine_json(line: Line) -> dict[str, Any]:
    """One machine (or its share of a day), and what its provider says, if it was asked."""
    m, told = line.machine, line.billed
    return {
        "launch_key": m.launch_key,
        "job": m.job,
        "attempt": m.attempt,
        "day": line.day or None,
        "pool": str(m.pool),
        "provider": m.pool.provider,
        "gpu": m.gpu,
        "gpu_count": m.gpu_count,
        "instance_id": m.instance_id,
        "price_usd_hour": exact(m.price_usd_hour),
        "cheapest_usd_hour": None if m.cheapest_usd_hour is None else exact(m.cheapest_usd_hour),
        "cheapest_pool": m.cheapest_pool or None,
        "up_at": m.up_at,
        "ended_at": m.ended_at,
        "outcome": m.outcome,
        "billed_usd": None if told is None else exact(told.machine_usd),
        "billed_storage_usd": None if told is None else exact(told.storage_usd),
        "billed_traffic_usd": None if told is None else exact(told.traffic_usd),
        "billed_asked_at": None if told is None else told.asked_at,
        **totals_json(line.totals),
    }


def print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows of the JSON as a table with a header; what is not known is empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    writer.writerows(tuple(row.values()) for row in rows)


CSV_HEAD = ("key", "machines", *totals_json(Totals()))
