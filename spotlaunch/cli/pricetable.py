"""How offers look: the cells of the table, and the keys of JSON and CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from spotlaunch.cli import render
from spotlaunch.core.answers import Answer
from spotlaunch.core.effective import Work
from spotlaunch.core.facts import Offer, Pool
from spotlaunch.core.pricelist import Row

LIVE = "live"

# Of what a provider could not be asked, a person is told so much; JSON has it all.
MISSING_SHOWN = 3

HEAD = render.columns(
    "provider", "zone", "type", "market", "gpu", ">$/h", ">$/GPU-h", ">on-demand $/h", ">saving %", ">effective $/h",
    ">available", ">interrupted %/h", ">age", "note",
)  # fmt: skip


def cells(row: Row, now: float, *, mark: str = "") -> list[str]:
    """One line of the table. ``mark`` says what moved since the last draw."""
    offer, saving = row.offer, row.saving_percent
    pool = offer.pool
    return [
        pool.provider,
        _place(pool),
        pool.instance_type,
        pool.market,
        f"{offer.gpu}:{offer.gpu_count}" if offer.gpu else "",
        render.usd(offer.price_usd_hour),
        render.usd(row.price_usd_gpu_hour),
        "" if offer.on_demand_usd_hour is None else render.usd(offer.on_demand_usd_hour),
        "" if saving is None else f"{saving:.0f}",
        render.usd(row.effective_usd_hour),
        _available(offer),
        _percent(row.interruptions_per_hour),
        render.duration(row.age_s(now)),
        "; ".join(filter(None, (mark, offer.why, "" if offer.source == LIVE else offer.source))),
    ]


def _place(pool: Pool) -> str:
    """The zone, which on most clouds says its region as well; else both."""
    if not pool.zone or pool.zone.startswith(pool.region):
        return pool.zone or pool.region
    return f"{pool.region}/{pool.zone}"


def _available(offer: Offer) -> str:
    """Yes, no or unknown; or the chance that the provider itself gives."""
    if offer.available != "no" and offer.obtainability is not None:
        return f"{100 * offer.obtainability:.0f}%"
    return offer.available


def _percent(rate: float) -> str:
    """Two digits that say something: ``0.05``, ``4.1``, ``15``."""
    percent = 100 * rate
    if 0 < percent < 0.01:
        return "<0.01"
    return f"{percent:.2f}" if percent < 1 else f"{percent:.1f}" if percent < 10 else f"{percent:.0f}"


def footnotes(rows: Sequence[Row], answers: Iterable[Answer], work: Work) -> list[str]:
    """What to know about the lines shown: what effective cost reckons with, and what is no live price."""
    notes = []
    if rows:
        every = "as often as is best" if work.every_s is None else f"every {render.duration(work.every_s)}"
        notes.append(
            f"effective $/h: an hour of useful work, interruptions included, with checkpoints of "
            f"{work.checkpoint_gb:g} GB that take {work.write_s:g} s to write, written {every}"
        )
    shown = {row.offer.pool.provider for row in rows}
    fed = {row.offer.pool.provider for row in rows if row.offer.source != LIVE}
    for a in answers:
        if a.missing:
            more = f"; and {len(a.missing) - MISSING_SHOWN} more" if len(a.missing) > MISSING_SHOWN else ""
            notes.append(f"{a.provider}: incomplete: {'; '.join(a.missing[:MISSING_SHOWN])}{more}")
        if a.provider not in shown:
            continue
        if a.rehearsal:
            notes.append(f"{a.provider}: a rehearsal, whose prices are not real")
        elif a.provider in fed:
            notes.append(f"{a.provider}: public feed, not what your account is told")
        if a.prices_only:
            notes.append(f"{a.provider}: prices only: {a.prices_only}")
    return [render.one_line(n) for n in notes]


# -- for scripts ------------------------------------------------------------------------------------------


def offer_json(row: Row, now: float) -> dict[str, Any]:
    """One offer with stable keys (docs/reference.md)."""
    offer = row.offer
    saving = row.saving_percent
    return {
        "provider": offer.pool.provider,
        "region": offer.pool.region,
        "zone": offer.pool.zone,
        "instance_type": offer.pool.instance_type,
        "market": offer.pool.market,
        "gpu": offer.gpu,
        "gpu_count": offer.gpu_count,
        "gpu_memory_gb": offer.gpu_memory_gb,
        "vcpus": offer.vcpus,
        "memory_gb": offer.memory_gb,
        "disk_gb": offer.disk_gb,
        "price_usd_hour": _number(offer.price_usd_hour),
        "price_usd_gpu_hour": _number(row.price_usd_gpu_hour),
        "on_demand_usd_hour": _number(offer.on_demand_usd_hour),
        "saving_percent": None if saving is None else round(saving, 1),
        "effective_usd_hour": _number(row.effective_usd_hour),
        "effective_usd_gpu_hour": _number(row.effective_usd_gpu_hour),
        "storage_usd_hour": _number(row.storage_usd_hour),
        "egress_usd_gb": _number(offer.egress_usd_gb),
        "restart_s": row.restart_s,
        "available": offer.available,
        "why": offer.why,
        "obtainability": offer.obtainability,
        "interruptions_per_hour": row.interruptions_per_hour,
        "seen_at": offer.seen_at,
        "age_s": round(row.age_s(now), 3),
        "source": offer.source,
    }


def provider_json(answer: Answer, now: float) -> dict[str, Any]:
    """What one provider said, or why it said nothing, with stable keys."""
    return {
        "provider": answer.provider,
        "ok": not answer.failure,
        "offers": len(answer.offers),
        "reason": answer.failure,
        "hint": answer.hint,
        "prices_only": answer.prices_only,
        "missing": list(answer.missing),
        "asked_at": answer.asked_at,
        "age_s": round(max(0.0, now - answer.asked_at), 3),
    }


def _number(amount: Decimal | None) -> float | None:
    """Dollars as a number of JSON, to the millionth."""
    return None if amount is None else round(float(amount), 6)


def print_json(rows: Iterable[Row], answers: Iterable[Answer], now: float, *, line: bool = False) -> None:
    """``{"offers": [...], "providers": [...]}``: an element a line, or all as one ``line`` of many.

    Written as it is made (a market may have 100,000 offers), and laid out by hand: json's own indentation takes
    ten times as long.
    """
    between = "," if line else ",\n"
    dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    write = sys.stdout.write
    opening = '{"offers":[' if line else '{\n"offers": [\n'
    for row in rows:
        write(opening + dumps(offer_json(row, now)))
        opening = between
    write(("" if opening == between else opening) + ('],"providers":[' if line else '\n],\n"providers": [\n'))
    write(between.join(dumps(provider_json(a, now)) for a in answers))
    write("]}\n" if line else "\n]\n}\n")


def print_csv(rows: Iterable[Row], now: float) -> None:
    """The offers of the JSON as a table with a header; what is not known is empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    writer.writerows(tuple(offer_json(row, now).values()) for row in rows)


CSV_HEAD = (
    "provider", "region", "zone", "instance_type", "market", "gpu", "gpu_count", "gpu_memory_gb", "vcpus",
    "memory_gb", "disk_gb", "price_usd_hour", "price_usd_gpu_hour", "on_demand_usd_hour", "saving_percent",
    "effective_usd_hour", "effective_usd_gpu_hour", "storage_usd_hour", "egress_usd_gb", "restart_s", "available",
    "why", "obtainability", "interruptions_per_hour", "seen_at", "age_s", "source",
)  # fmt: skip
