"""Rows and the dataclasses of the book: which column holds which field, both ways.

Columns bear the names of fields. The exceptions: a `Pool` or a `Scope` is five columns, money is text, a
spec, the alternatives of an order and the data of an event are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from functools import cache, lru_cache, partial
from typing import Any, get_args

from spotlaunch.core.book import (
    Alternative,
    Attempt,
    Event,
    Job,
    JobState,
    Machine,
    MachineState,
    Outcome,
    Refusal,
    Wanted,
)
from spotlaunch.core.facts import Pool, Scope
from spotlaunch.core.ledger import Billed
from spotlaunch.core.spec import Spec, spec_from_dict, spec_to_dict
from spotlaunch.core.spells import Spell

Row = tuple[Any, ...]

# Decimals of a machine.
_MONEY = (
    "price_usd_hour",
    "on_demand_usd_hour",
    "cheapest_usd_hour",
    "storage_usd_gb_month",
    "egress_usd_gb",
)

_PLACE = ("provider", "region", "zone", "instance_type", "market")


def _columns(kind: type) -> tuple[str, ...]:
    names: list[str] = []
    for f in fields(kind):
        names.extend(_PLACE if f.name in ("pool", "scope") else (f.name,))
    return tuple(names)


JOB = _columns(Job)
ATTEMPT = _columns(Attempt)
MACHINE = _columns(Machine)
REFUSAL = _columns(Refusal)
EVENT = _columns(Event)
BILLED = _columns(Billed)

_PLAIN = frozenset({str, int, float})

# What must never change once written, because other rows and other computers know it by that.
_FIXED = {
    Job: frozenset({"name", "spec", "submitted_at"}),
    Attempt: frozenset({"job", "number"}),
    Machine: frozenset({"launch_key", "job", "attempt", "rank"}),
}
_WORDS = {
    (Job, "state"): frozenset(get_args(JobState)),
    (Job, "wanted"): frozenset(get_args(Wanted)),
    (Attempt, "outcome"): frozenset(get_args(Outcome)) | {None},
    (Machine, "state"): frozenset(get_args(MachineState)),
    (Machine, "outcome"): frozenset(get_args(Outcome)) | {None},
}

# -- from a row -----------------------------------------------------------------------------------------


# All nouns are frozen, and a look finds most rows as the look before it did: what a row was read as is remembered.
MOST = 10_000


@lru_cache(MOST)
def job_of(row: Row) -> Job:
    values = dict(zip(JOB, row, strict=True))
    values["spec"] = _spec(values["spec"])
    values["policy_memory"] = tuple(json.loads(values["policy_memory"] or "[]"))
    values["spells"] = tuple(_spell(raw) for raw in json.loads(values["spells"] or "[]"))
    return Job(**values)


@lru_cache(MOST)
def _spec(text: str) -> Spec:
    return spec_from_dict(json.loads(text))


def _spell(raw: Mapping[str, Any]) -> Spell:
    return Spell(**{**raw, "pool": Pool(**raw["pool"])})


@lru_cache(MOST)
def attempt_of(row: Row) -> Attempt:
    return Attempt(**dict(zip(ATTEMPT, row, strict=True)))


@lru_cache(MOST)
def machine_of(row: Row) -> Machine:
    values = dict(zip(MACHINE, row, strict=True))
    values["pool"] = Pool(**{name: values.pop(name) for name in _PLACE})
    for name in _MONEY:
        if values[name] is not None:
            values[name] = Decimal(values[name])
    values["alternatives"] = tuple(_alternative(raw) for raw in json.loads(values["alternatives"] or "[]"))
    return Machine(**values)


def _alternative(raw: Mapping[str, Any]) -> Alternative:
    on_demand = raw["on_demand_usd_hour"]
    return Alternative(
        pool=Pool(**raw["pool"]),
        gpu=raw["gpu"],
        gpu_count=raw["gpu_count"],
        price_usd_hour=Decimal(raw["price_usd_hour"]),
        on_demand_usd_hour=None if on_demand is None else Decimal(on_demand),
        # Those written down before there was a bill for disks have none.
        storage_usd_gb_month=Decimal(raw.get("storage_usd_gb_month", "0")),
        egress_usd_gb=Decimal(raw.get("egress_usd_gb", "0")),
    )


@lru_cache(MOST)
def refusal_of(row: Row) -> Refusal:
    values = dict(zip(REFUSAL, row, strict=True))
    return Refusal(scope=Scope(**{name: values.pop(name) for name in _PLACE}), **values)


def billed_of(row: Row) -> Billed:
    values = dict(zip(BILLED, row, strict=True))
    for name in ("machine_usd", "storage_usd", "traffic_usd"):
        values[name] = Decimal(values[name])
    values["settled"] = bool(values["settled"])
    return Billed(**values)


def event_of(row: Row) -> Event:
    values = dict(zip(EVENT, row, strict=True))
    values["data"] = json.loads(values["data"])
    return Event(**values)


# -- into a row -----------------------------------------------------------------------------------------


def row_of(value: Job | Attempt | Machine | Refusal | Event) -> list[Any]:
    """The values of all its columns, in order."""
    row: list[Any] = []
    for f in fields(value):
        row.extend(_cells(f.name, getattr(value, f.name)))
    return row


def billed_row(value: Billed) -> list[Any]:
    """The same of what a provider says."""
    return [str(cell) if isinstance(cell, Decimal) else cell for cell in map(partial(getattr, value), BILLED)]


@cache
def assignments(kind: type, names: tuple[str, ...], sql: str) -> str:
    """``sql`` with ``{changes}`` as ``a = ?, b = ?``. Raises ValueError for a field that cannot be changed.

    Remembered, because the same few changes are made for ever and SQLite reuses what it compiled.
    """
    known = {f.name for f in fields(kind)} - _FIXED[kind]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ValueError(f"no field of {kind.__name__} that may change: {', '.join(wrong)}")
    columns = [c for name in names for c in (_PLACE if name == "pool" else (name,))]
    # Nothing to change is still a guard: it must fail when the state is another one.
    return sql.replace("{changes}", ", ".join(f"{c} = ?" for c in columns) or "rowid = rowid")


def cells_of(kind: type, changes: Mapping[str, Any]) -> list[Any]:
    """The values that belong to `assignments`. Raises ValueError for a state or outcome there is not."""
    row: list[Any] = []
    for name, value in changes.items():
        words = _WORDS.get((kind, name))
        if words is not None and value not in words:
            raise ValueError(f"{kind.__name__}.{name} cannot be {value!r}")
        row.extend(_cells(name, value))
    return row


def _cells(name: str, value: Any) -> list[Any]:
    if value is None or type(value) in _PLAIN:
        return [value]
    match value:
        case ():
            return [""]
        case (float() | int(), *_):
            return [json.dumps(value)]
        case Pool() | Scope():
            return [getattr(value, part) for part in _PLACE]
        case Spec():
            return [json.dumps(spec_to_dict(value), separators=(",", ":"))]
        case Decimal():
            return [str(value)]
        case Mapping():
            # A story must never stop the loop: what JSON does not know is told as text.
            return [json.dumps(dict(value), default=str, separators=(",", ":"))]
        case tuple():
            return [json.dumps([asdict(item) for item in value], default=str, separators=(",", ":"))]
    return [value]
