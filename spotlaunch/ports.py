"""The ports: what the loop needs of the world, and the contracts of those who provide it.

An interface serves its caller: every method here is called by the watchdog, the agent or a command today.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from spotlaunch.core.answers import Answer
from spotlaunch.core.book import Attempt, Book, Event, Job, Machine, Refusal, Wanted
from spotlaunch.core.facts import Launched, Offer, Order, SeenMachine, Traits, Want
from spotlaunch.core.lessons import Learned
from spotlaunch.core.plan import Write


class Clock(Protocol):
    """Time. Only the watchdog, the agent and the commands hold one."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep_until(self, at: float) -> None:
        """Return at ``at``, or earlier when somebody called for attention. Never before the call."""
        ...


class Provider(Protocol):
    """One cloud. Adapters never sleep for boot, never retry a launch and never read the store."""

    name: str
    traits: Traits

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every match with its price now, also those known to be unavailable. Over-returning is fine.

        Where only a part of the provider could be asked, it is `core.facts.Offers`, which tells what is missing.
        Raises a `ProviderError` when the provider cannot be asked; the market room turns it into a row.
        """
        ...

    def launch(self, order: Order) -> Launched:
        """Start ONE machine bearing ``order.launch_key``, from the first alternative that can be had.

        Everything that may outlive the machine (disk, address) is set to go with it. What was got is held against
        the offer (GPU, count, price) where the cloud tells, and ended if it is another.

        Returns when an id exists; does not wait for boot. Refused alternatives are told in the answer also
        when the call succeeded. When none could be had, raises the error of the last one with all of them
        in ``refused``. When it is not known whether a machine was made, raises `OutcomeUnknown`.
        A second call with a launch key that is already running must not start a second machine where
        ``traits.idempotent_launch`` is true; it returns the first one.
        """
        ...

    def list_machines(self) -> Sequence[SeenMachine]:
        """Every machine of this owner in all regions which is not yet gone: whole, or raise.

        What was launched less than ``traits.settle_s`` ago may be missing. O(pages) calls, not O(jobs).
        What can bill is listed, also a disk or an address that outlived its machine (as ``stopped``). One that is
        gone may be listed as ``gone`` for as long as the cloud tells why.
        """
        ...

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Ask for the end of all. An absent one counts as ended. Safe to repeat.

        Returns only the failures: instance id to what the provider said. "Ended" is seen in the listing, and not in
        the answer of this call. With a machine goes all that was made for it.
        """
        ...


@runtime_checkable
class RehearsalCloud(Provider, Protocol):
    """A provider whose machines cost nothing (``traits.rehearsal``), and can be lost at a moment of our choosing."""

    def sell(self, want: Want, *, notice_s: float) -> None:
        """From now on sell spot machines that hold what ``want`` wishes, which nobody takes away but `take_away`.

        ``notice_s`` is the warning that ``traits`` tell of (0: none). Raises `Transient` where that cannot be kept.
        """
        ...

    def take_away(self, instance_id: str, *, notice_s: float) -> bool:
        """Take a machine of this owner away as a cloud does, with a notice (0: none); returns before it is gone.

        False: there is none of that id. A second call changes nothing.
        """
        ...


class BlobInfo(Protocol):
    """An object as a listing tells of it."""

    @property
    def key(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def modified_at(self) -> float: ...


class Blobs(Protocol):
    """Object storage under one prefix. Keys are ``/``-separated and relative to it.

    Every method raises `BlobsUnavailable` when the store cannot be reached or says no, with a hint.
    """

    url: str

    def put(self, key: str, data: bytes) -> None:
        """Write or overwrite, whole or not at all."""
        ...

    def create(self, key: str, data: bytes) -> None:
        """Write if there is nothing of that key, else raise `AlreadyExists`. Exactly one of many wins."""
        ...

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises `NoSuchObject`."""
        ...

    def put_file(self, key: str, path: Path) -> None:
        """Write a file's content, in parts where it is large; visible only when whole."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Stream an object into ``path`` (which is created or truncated). Raises `NoSuchObject`."""
        ...

    def list(self, prefix: str, *, after: str = "") -> Iterator[BlobInfo]:
        """Objects whose key starts with the folder ``prefix``, in order of key, those after ``after``."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Delete all; absent ones count as deleted."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to run the loop: who has it (token, host, process), and until when (seconds since epoch).

    ``process_started_at`` tells the process from a later one of the same number.
    """

    token: str
    host: str
    pid: int
    process_started_at: float
    until: float


class Store(Protocol):
    """The book on disk. Invents no ids, times or defaults that matter; every write is guarded.

    Raises `StoreUnavailable` (with a hint) when the disk is full, read-only or broken.
    """

    def close(self) -> None:
        """Let go of the file."""
        ...

    # the lease: one watchdog is awake at a time

    def take_lease(self, lease: Lease, *, now: float, dead: str = "") -> None:
        """Become the awake watchdog. Raises `LeaseHeld` naming the other, unless its lease ran out.

        ``dead`` is the token of a holder known to be dead (its process is gone from this host): that lease
        does not count, so that a killed watchdog is succeeded at once.
        """
        ...

    def renew_lease(self, token: str, *, until: float) -> None:
        """Hold it for longer. Raises `LeaseHeld` if it is no longer ours."""
        ...

    def release_lease(self, token: str) -> None:
        """Let it go. Not ours: nothing happens."""
        ...

    def lease(self) -> Lease | None:
        """Who holds it, also when it has run out."""
        ...

    # the loop

    def read_book(self) -> Book:
        """Jobs not over; machines not ended, with their jobs and attempts; live attempts with their machines;
        all refusals."""
        ...

    def apply(self, writes: Sequence[Write], *, token: str | None = None) -> None:
        """All writes in one transaction, or none.

        Raises `StaleWrite` when one of them leaves another state than it names, or when ``token`` is given
        and the lease is not held under it.
        """
        ...

    # the commands

    def add_job(self, job: Job, event: Event) -> None:
        """A new job. Raises `AlreadyExists` when the name is taken."""
        ...

    def want(self, name: str, wanted: Wanted, *, at: float, event: Event) -> None:
        """Change what is wanted of a job that is not over. Raises `NoSuchJob`, or `StaleWrite` if it is over."""
        ...

    def jobs(self, *, names: Sequence[str] = ()) -> list[Job]:
        """All jobs ever submitted (or those named), oldest first."""
        ...

    def attempts(self, job: str = "") -> list[Attempt]:
        """All attempts of a job (or of all jobs, by name), each job's in order."""
        ...

    def machines(self, job: str = "") -> list[Machine]:
        """All machines of a job (or of all jobs), in order of intent."""
        ...

    def learned(self, *, now: float) -> Learned:
        """All that is known of pools: what was seen here until ``now``, and what was imported, at a discount.

        What machines lived through (one that we ended ourselves has hours and no interruption) is counted anew each
        time, all else every few minutes.
        """
        ...

    def refusals(self) -> list[Refusal]:
        """Who rests, and until when. Also those whose rest is over and not yet forgotten."""
        ...

    def events(self, job: str, *, after: int = 0) -> list[tuple[int, Event]]:
        """The story of a job from event number ``after`` on (exclusive), with numbers."""
        ...


class MarketMemory(Protocol):
    """What the market room remembers: fresh answers, and what everything has cost. Losing it costs time only.

    Raises `StoreUnavailable` (with a hint) when the disk is full, read-only or broken.
    """

    def recall(self, want: Want, *, settings: Mapping[str, str], since: float, until: float) -> dict[str, Answer]:
        """The newest answer of each provider to ``want`` (or to a wider one), asked between the two times.

        ``settings``: the providers, each with the fingerprint of its settings now; answers that were given
        under other settings do not count. Offers come without ``extra``: nothing is launched from memory.
        """
        ...

    def remember(self, answer: Answer, want: Want, *, settings: str) -> None:
        """Keep an answer for a while, in the place of the one to the same want before it."""
        ...

    def note_prices(self, offers: Iterable[Offer], *, now: float) -> int:
        """Write down the prices that are not what they were when last seen; how many those were."""
        ...
