"""Machines as providers list them beside what the book says: who keeps each, and which nobody keeps.

The sweep (`core.machines`) judges the same things inside a look. This is for a person who looks from outside, maybe
with no watchdog awake: every machine gets a verdict with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from spotlaunch.core.book import Job, Machine
from spotlaunch.core.facts import Listing, SeenMachine, Traits

# `missing`: the book thinks that it is up, and no listing shows it.
Verdict = Literal["kept", "ending", "stray", "missing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One machine with its verdict. ``seen`` is None for a missing one, ``machine`` for one the book does not know.

    ``since`` is when it began to cost, as far as anybody knows.
    """

    provider: str
    verdict: Verdict
    reason: str
    launch_key: str
    instance_id: str
    since: float | None
    price_usd_hour: Decimal | None
    seen: SeenMachine | None = None
    machine: Machine | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What the book says, read *after* the listings: machines by launch key, jobs by name.

    ``awake``: whether a watchdog is, so that what it is about to mend is left to it. ``owner`` marks our machines.
    """

    owner: str
    now: float
    machines: Mapping[str, Machine]
    jobs: Mapping[str, Job]
    traits: Mapping[str, Traits]
    awake: bool


def compare(listings: Iterable[Listing], book: Remembered) -> list[Standing]:
    """Every machine of ours that good listings show and that is not gone, then the missing ones."""
    standing: list[Standing] = []
    for listing in listings:
        if not listing.ok:
            continue
        mine = [s for s in listing.machines if s.launch_key.startswith(f"sl-{book.owner}-") and s.phase != "gone"]
        standing += [_standing(listing.provider, s, book) for s in mine]
        standing += _missing(listing, {(s.launch_key, s.instance_id) for s in mine}, book)
    return standing


def _standing(provider: str, seen: SeenMachine, book: Remembered) -> Standing:
    machine = book.machines.get(seen.launch_key)
    verdict, reason = _verdict(seen, machine, book)
    own = machine if machine is not None and machine.instance_id in ("", seen.instance_id) else None
    return Standing(
        provider=provider,
        verdict=verdict,
        reason=reason,
        launch_key=seen.launch_key,
        instance_id=seen.instance_id,
        since=seen.started_at or (own.up_at if own is not None else None),
        price_usd_hour=machine.price_usd_hour if machine is not None else None,
        seen=seen,
        machine=machine,
    )


def _verdict(seen: SeenMachine, machine: Machine | None, book: Remembered) -> tuple[Verdict, str]:
    """Who keeps it, or why nobody does."""
    stray = _why_stray(seen, machine, book)
    if stray:
        # What is going anyway needs nobody; should it stay, the next look finds it again.
        return ("ending", stray) if seen.phase == "ending" else ("stray", stray)
    assert machine is not None
    whose = f"attempt {machine.attempt} of {machine.job}"
    if machine.state == "ending":
        return "ending", f"{whose} is over: it was asked to end"
    if machine.state in ("intended", "launching"):
        return "kept", f"{whose} is being launched"
    if machine.job in book.jobs and book.jobs[machine.job].over:
        return "ending", f"{machine.job} is over: the watchdog ends it"
    return "kept", whose


def _why_stray(seen: SeenMachine, machine: Machine | None, book: Remembered) -> str:
    """Why nobody keeps it, or an empty text."""
    if machine is None:
        return "the book does not know it"
    whose = f"attempt {machine.attempt} of {machine.job}"
    if machine.state == "ended":
        return f"the book says that it has ended ({whose}: {machine.reason or machine.outcome or 'no reason'})"
    if machine.instance_id and machine.instance_id != seen.instance_id:
        return f"a second machine for {whose}, which has {machine.instance_id}"
    if seen.phase == "stopped" and machine.state != "ending":
        return f"it is stopped ({whose}): nothing runs there, and what is left of it may bill"
    if book.awake:
        return ""
    if machine.state in ("intended", "launching") and book.now - _called_at(machine) >= _settle_s(machine, book):
        return f"the launch for {whose} was never answered, and no watchdog is awake to take it up"
    if machine.state == "ending":
        return f"it was asked to end ({whose}) and stands, and no watchdog is awake to ask again"
    if machine.job not in book.jobs or book.jobs[machine.job].over:
        return f"{machine.job} is over, and no watchdog is awake to end it"
    return ""


def _missing(listing: Listing, shown: set[tuple[str, str]], book: Remembered) -> list[Standing]:
    """Machines at a provider of which the book thinks that they are up, and which its listing should show."""
    found = []
    for machine in book.machines.values():
        if machine.pool.provider != listing.provider or machine.state not in ("up", "ending"):
            continue
        late = listing.started_at <= _called_at(machine) + _settle_s(machine, book)
        if late or (machine.launch_key, machine.instance_id) in shown:
            continue
        found.append(
            Standing(
                provider=listing.provider,
                verdict="missing",
                reason=f"the book has it as `{machine.state}`, and {listing.provider} does not list it: it is gone",
                launch_key=machine.launch_key,
                instance_id=machine.instance_id,
                since=machine.up_at,
                price_usd_hour=machine.price_usd_hour,
                machine=machine,
            )
        )
    return found


def _called_at(machine: Machine) -> float:
    return machine.intended_at if machine.tried_at is None else machine.tried_at


def _settle_s(machine: Machine, book: Remembered) -> float:
    traits = book.traits.get(machine.pool.provider)
    return traits.settle_s if traits is not None else 0.0
