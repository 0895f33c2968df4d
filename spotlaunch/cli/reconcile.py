"""`spotlaunch cost --reconcile`: what was booked for each machine beside what its provider has billed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from spotlaunch.cli import billing as figures
from spotlaunch.cli import render
from spotlaunch.config import settings_of
from spotlaunch.core.account import Account, Line
from spotlaunch.core.facts import Billing, Charge
from spotlaunch.core.ledger import Billed
from spotlaunch.core.reconcile import Reconciled, billed_of, compare
from spotlaunch.core.settings import Settings
from spotlaunch.home import Home
from spotlaunch.market.charges import Told, ask_charges
from spotlaunch.registry import billing, charges, provider_names
from spotlaunch.storage.store import SqliteStore
from spotlaunch.workers import Workers

_HEAD = render.columns(
    "job", ">attempt", "pool", ">booked $", ">billed $", ">difference $", ">disk $", ">traffic $", "agrees", ""
)  # fmt: skip


def run(store: SqliteStore, made: Account, *, as_json: bool) -> int:
    """Ask, keep the answers in the book, and show both figures. Returns 1 when one that tells did not answer."""
    now, names = made.until_at, set(provider_names())
    by_provider: dict[str, list[Line]] = {}
    for line in made.lines:
        by_provider.setdefault(line.machine.pool.provider, []).append(line)
    kinds = {name: billing(name) if name in names else Billing(why_not="it is not installed") for name in by_provider}
    told = _ask(by_provider, kinds, now)
    found: dict[str, Billed] = {}
    for answer in told:
        for b in billed_of(by_provider[answer.provider], answer.charges, kinds[answer.provider], now):
            found[b.launch_key] = b
    store.note_billed(found.values())
    answered = {t.provider for t in told if not t.problem}
    compared = [
        compare(line, found.get(line.machine.launch_key), kinds[name], now)
        for name, lines in by_provider.items()
        if name in answered
        for line in lines
    ]
    silent = [t for t in told if t.problem]
    untold = [Told(provider=n, problem=k.why_not, hint=k.hint) for n, k in kinds.items() if k.why_not]
    if as_json:
        render.as_json(_json(compared, [*silent, *untold], by_provider, now))
    else:
        _show(compared, [*silent, *untold], by_provider)
    return 1 if silent else 0


def _ask(by_provider: Mapping[str, Sequence[Line]], kinds: Mapping[str, Billing], now: float) -> list[Told]:
    home = Home.find()
    settings = {name: settings_of(home, name) for name, kind in kinds.items() if not kind.why_not}
    since = {n: min(line.spans[0].from_at for line in by_provider[n]) for n in settings}
    until = {n: max(line.spans[-1].until_at for line in by_provider[n]) for n in settings}

    def ask(name: str, told: Settings, ids: Collection[str]) -> Sequence[Charge]:
        return charges(name, settings=told, instance_ids=ids, since_at=since[name], until_at=min(now, until[name]))

    instances = {n: {line.machine.instance_id for line in by_provider[n]} for n in settings}
    return ask_charges(settings, ask, instances, workers=Workers(len(settings), name="bill"))


def _json(
    compared: Sequence[Reconciled], silent: Sequence[Told], by_provider: Mapping[str, Sequence[Line]], now: float
) -> dict[str, Any]:
    return {
        "until": now,
        "machines": [compared_json(c) for c in compared],
        "unasked": [
            {"provider": t.provider, "reason": t.problem, "hint": t.hint, "machines": len(by_provider[t.provider])}
            for t in silent
        ],
    }


def compared_json(c: Reconciled) -> dict[str, Any]:
    """A machine's two figures. Amounts are exact decimals, as text; null where its provider says nothing."""
    m, b, gap = c.line.machine, c.billed, c.difference_usd
    return {
        "launch_key": m.launch_key,
        "job": m.job,
        "attempt": m.attempt,
        "pool": str(m.pool),
        "provider": m.pool.provider,
        "instance_id": m.instance_id,
        "booked_usd": figures.exact(c.line.totals.spent_usd),
        "billed_usd": None if b is None else figures.exact(b.machine_usd),
        "difference_usd": None if gap is None else figures.exact(gap),
        "estimated_storage_usd": figures.exact(c.line.totals.storage_usd),
        "billed_storage_usd": None if b is None else figures.exact(b.storage_usd),
        "estimated_egress_usd": figures.exact(c.line.totals.egress_usd),
        "billed_traffic_usd": None if b is None else figures.exact(b.traffic_usd),
        "settled": b is not None and b.settled,
        "agrees": c.agrees,
        "why": c.why,
    }


def _show(compared: Sequence[Reconciled], silent: Sequence[Told], by_provider: Mapping[str, Sequence[Line]]) -> None:
    if compared:
        rows = [_cells(c) for c in compared]
        if len(rows) > 1:
            rows.append(_total(compared))
        render.table(_HEAD, rows)
    elif not silent:
        render.say("no machine has been billed yet")
    for t in silent:
        count = len(by_provider[t.provider])
        render.warn(f"{t.provider}: {count} machine{'' if count == 1 else 's'} not compared: {t.problem}", hint=t.hint)


def _cells(c: Reconciled) -> list[str]:
    m, b, gap = c.line.machine, c.billed, c.difference_usd
    return [
        m.job,
        str(m.attempt),
        str(m.pool),
        render.usd(c.line.totals.spent_usd),
        "" if b is None else render.usd(b.machine_usd),
        "" if gap is None else render.usd(gap),
        "" if b is None or not b.storage_usd else render.usd(b.storage_usd),
        "" if b is None or not b.traffic_usd else render.usd(b.traffic_usd),
        "yes" if c.agrees else "no",
        c.why,
    ]


def _total(compared: Sequence[Reconciled]) -> list[str]:
    """Of those that both sides know."""
    both = [(c.line.totals.spent_usd, c.billed) for c in compared if c.billed is not None]
    booked = sum((usd for usd, _ in both), Decimal(0))
    billed = sum((b.machine_usd for _, b in both), Decimal(0))
    disk = sum((b.storage_usd for _, b in both), Decimal(0))
    traffic = sum((b.traffic_usd for _, b in both), Decimal(0))
    sums = [render.usd(usd) for usd in (booked, billed, billed - booked, disk, traffic)]
    return ["total", "", f"{len(both)} of {len(compared)} machines", *sums, "", ""]
