"""How pool statistics look: the cells of the table, and the keys of JSON and CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Any

from spotlaunch.cli import render
from spotlaunch.core.lessons import IMPORTED
from spotlaunch.core.poolstats import PlaceStats, PoolStats

HEAD = render.columns(
    "provider", "zone", "type", "market", "gpu", ">hours", ">taken", ">interrupted %/h", ">90% sure", ">granted",
    ">refused", ">available %", ">start", "note",
)  # fmt: skip


def cells(stats: PoolStats) -> list[str]:
    """One line of the table."""
    pool = stats.pool
    return [
        pool.provider,
        _zone(stats),
        pool.instance_type,
        pool.market,
        f"{stats.gpu}:{stats.gpu_count}" if stats.gpu else "",
        f"{stats.hours:.1f}" if stats.hours else "",
        f"{stats.interruptions:.0f}" if stats.hours or stats.interruptions else "",
        percent(stats.rate),
        f"{percent(stats.low)}..{percent(stats.high)}",
        f"{stats.granted:.0f}",
        f"{stats.refused:.0f}",
        f"{100 * stats.availability:.0f}",
        "" if stats.start_s is None else render.duration(stats.start_s),
        _note(stats),
    ]


def _zone(stats: PoolStats) -> str:
    pool = stats.pool
    if not pool.zone:
        return pool.region or "anywhere"
    return pool.zone if pool.zone.startswith(pool.region) else f"{pool.region}/{pool.zone}"


def _note(stats: PoolStats) -> str:
    parts = []
    if stats.imported_hours or stats.imported_interruptions:
        parts.append(f"others: {stats.imported_hours:.1f} h, {stats.imported_interruptions:.0f} taken")
    elif not stats.hours and not stats.interruptions:
        parts.append("no hours yet: the rate is what is said or usual, or of its kin")
    if stats.on_sale is not None:
        parts.append(f"on sale {stats.on_sale.percent:.0f}% of 30 days, gone {stats.on_sale.went} times")
    return "; ".join(parts)


def percent(rate: float) -> str:
    """Interruptions an hour as percent, with two digits that say something: ``0.05``, ``4.1``, ``15``."""
    value = 100 * rate
    if 0 < value < 0.01:
        return "<0.01"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def footnotes(pools: Sequence[PoolStats]) -> list[str]:
    """What to know about the lines shown."""
    notes = [
        "interrupted %/h: interruptions per 100 hours as believed, from the provider's word, kin and what was seen; "
        "it lies in the range with 90% certainty",
        "available %: the chance that a launch now is granted; start: the median from launch to useful work",
    ]
    if any(s.imported_hours for s in pools):
        notes.append(f"an hour that others saw counts as {IMPORTED:g} of our own")
    return notes


# -- for scripts ------------------------------------------------------------------------------------------


def pool_json(stats: PoolStats) -> dict[str, Any]:
    """One pool with stable keys (docs/reference.md)."""
    pool, on_sale = stats.pool, stats.on_sale
    return {
        "provider": pool.provider,
        "region": pool.region,
        "zone": pool.zone,
        "instance_type": pool.instance_type,
        "market": pool.market,
        "gpu": stats.gpu,
        "gpu_count": stats.gpu_count,
        "hours": round(stats.hours, 4),
        "interruptions": round(stats.interruptions),
        "interruptions_per_hour": _short(stats.rate),
        "low_per_hour": _short(stats.low),
        "high_per_hour": _short(stats.high),
        "prior_per_hour": _short(stats.prior),
        "granted": round(stats.granted),
        "refused": round(stats.refused),
        "availability": _short(stats.availability),
        "boots": stats.boots,
        "start_s": stats.start_s,
        "imported_hours": round(stats.imported_hours, 4),
        "imported_interruptions": round(stats.imported_interruptions),
        "on_sale_percent": None if on_sale is None else round(on_sale.percent, 1),
        "went_off_sale": None if on_sale is None else on_sale.went,
    }


def place_json(stats: PlaceStats) -> dict[str, Any]:
    """One region and market by hour of the week, with stable keys."""
    provider, region, market = stats.place
    return {
        "provider": provider,
        "region": region,
        "market": market,
        "hours": [round(h, 4) for h in stats.hours],
        "interruptions": [round(n) for n in stats.interruptions],
        "factors": [_short(f) for f in stats.factors],
        "granted": [round(n) for n in stats.granted],
        "refused": [round(n) for n in stats.refused],
    }


def stats_json(
    pools: Sequence[PoolStats], places: Sequence[PlaceStats], *, since: float | None, now: float
) -> dict[str, Any]:
    """All of it."""
    return {
        "since": since,
        "until": now,
        "pools": [pool_json(s) for s in pools],
        "weeks": [place_json(s) for s in places],
    }


def print_csv(pools: Sequence[PoolStats]) -> None:
    """The pools of the JSON as a table with a header; what is not known is empty."""
    rows = [pool_json(s) for s in pools]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    writer.writerows(tuple(row.values()) for row in rows)


CSV_HEAD = (
    "provider", "region", "zone", "instance_type", "market", "gpu", "gpu_count", "hours", "interruptions",
    "interruptions_per_hour", "low_per_hour", "high_per_hour", "prior_per_hour", "granted", "refused", "availability",
    "boots", "start_s", "imported_hours", "imported_interruptions", "on_sale_percent", "went_off_sale",
)  # fmt: skip


def _short(number: float) -> float:
    return float(f"{number:.5g}")
