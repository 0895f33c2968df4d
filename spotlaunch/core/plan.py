"""The plan: what a look at the world makes of it. `World` in, `Plan` out: what to write, then what to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from spotlaunch.core.book import Attempt, Book, Event, JobState, Machine, MachineState, Refusal
from spotlaunch.core.facts import Listing, Offer, Order, Traits
from spotlaunch.core.lessons import NOTHING_LEARNED, Learned
from spotlaunch.core.wire import Ask, OrderDoc, Status

# -- what to write --------------------------------------------------------------------------------------
# Each change names the state it leaves (`frm`). No row changed means that we were stale: `StaleWrite`.


@dataclass(frozen=True, kw_only=True, slots=True)
class AddAttempt:
    attempt: Attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class AddMachine:
    machine: Machine


@dataclass(frozen=True, kw_only=True, slots=True)
class SetJob:
    name: str
    frm: JobState
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAttempt:
    """Only a live attempt can be changed: the state it leaves is always "live"."""

    job: str
    number: int
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SetMachine:
    launch_key: str
    frm: MachineState
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class PutRefusal:
    refusal: Refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class AddEvent:
    event: Event


def job_of(write: Write, machines: Mapping[str, str]) -> str:
    """Whose state a write changes; an empty text for a refusal, which is everybody's.

    ``machines`` gives the job of each launch key that the book knows.
    """
    match write:
        case AddAttempt(attempt=a):
            return a.job
        case AddMachine(machine=m):
            return m.job
        case SetJob(name=name):
            return name
        case SetAttempt(job=job):
            return job
        case SetMachine(launch_key=key):
            return machines.get(key, "")
        case AddEvent(event=e):
            return e.job
        case PutRefusal():
            return ""


Write = AddAttempt | AddMachine | SetJob | SetAttempt | SetMachine | PutRefusal | AddEvent


# -- what to call ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """Write the order into the mailbox, then launch. ``doc`` is what the agent will read."""

    provider: str
    order: Order
    doc: OrderDoc


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminate:
    """End these machines of one provider, all in one call."""

    provider: str
    instance_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PutAsk:
    """Ask something of an agent, through the mailbox."""

    job: str
    attempt: int
    ask: Ask


Call = Launch | Terminate | PutAsk


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """What the mailbox of one job says. ``ok`` is false when it could not be read: then it says nothing."""

    ok: bool
    statuses: Mapping[int, Status] = field(default_factory=lambda: MappingProxyType({}))
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the market room got from the providers for one job: offers, and why some gave none.

    ``shut``: those of ``failures`` that will give none before a person has done something (no login, no funds).
    """

    offers: tuple[Offer, ...]
    failures: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    shut: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """The book and what was just seen. Listings were begun before the mail, the mail before the book.

    ``in_flight``: launch keys whose call is still under way in this process; they are left alone.
    ``asked``: fresh offers by job name, for those that `decide.hungry` named. ``listings`` holds only those
    begun in this look, at most one a provider. ``at_hand``: offers that were seen lately, for jobs on machines that may
    be taken; nothing is bought on them. ``learned`` is what is known of pools, where anything was asked.
    """

    now: float
    owner: str
    book: Book
    traits: Mapping[str, Traits]
    listings: tuple[Listing, ...] = ()
    mail: Mapping[str, Mail] = field(default_factory=lambda: MappingProxyType({}))
    asked: Mapping[str, Asked] = field(default_factory=lambda: MappingProxyType({}))
    at_hand: Mapping[str, Asked] = field(default_factory=lambda: MappingProxyType({}))
    in_flight: frozenset[str] = frozenset()
    learned: Learned = field(default_factory=lambda: NOTHING_LEARNED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to write, then what to call, and when to look again at the latest."""

    writes: tuple[Write, ...]
    calls: tuple[Call, ...]
    wake_at: float
