"""The mailbox: one job's folder in object storage, through which agent and watchdog talk.

The watchdog writes orders and asks, agent n writes its report; nobody writes what another owns.
No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from spotlaunch.core import wire
from spotlaunch.core.wire import Ask, OrderDoc, Status
from spotlaunch.errors import AlreadyExists, NoSuchObject
from spotlaunch.storage.documents import parse

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

T = TypeVar("T")


class Mailbox:
    """Letters of one job. Every method raises `BlobsUnavailable` when the store cannot be used.

    A document that does not parse counts as absent; ``unreadable`` keeps its key, for whoever wants to tell.
    """

    def __init__(self, blobs: Blobs, job: str) -> None:
        self.blobs = blobs
        self.job = job
        self.unreadable: set[str] = set()

    def claim_name(self, owner: str) -> None:
        """Take the job's name in this store for ``owner`` (JSON text).

        Raises `AlreadyExists` when another has it; the same owner may take it again.
        """
        self._create(wire.owner_key(self.job), owner.encode())

    def put_order(self, doc: OrderDoc) -> None:
        """Write the order of attempt ``doc.attempt``, once. The same order again is fine.

        Raises `AlreadyExists` when there is a different one.
        """
        self._create(wire.order_key(self.job, doc.attempt), wire.encode(doc))

    def order(self, attempt: int) -> OrderDoc | None:
        """The order of that attempt; None when there is none (yet)."""
        return self._read(OrderDoc, wire.order_key(self.job, attempt))

    def put_status(self, status: Status) -> None:
        """Overwrite the report of attempt ``status.attempt``."""
        self.blobs.put(wire.status_key(self.job, status.attempt), wire.encode(status))

    def status(self, attempt: int) -> Status | None:
        """What that attempt's agent last said of itself; None when it never did."""
        return self._read(Status, wire.status_key(self.job, attempt))

    def statuses(self, attempts: Iterable[int]) -> dict[int, Status]:
        """The reports of several attempts, without those that never reported."""
        found = ((n, self.status(n)) for n in attempts)
        return {n: status for n, status in found if status is not None}

    def put_ask(self, attempt: int, ask: Ask) -> None:
        """Ask something of that attempt's agent; the newest ask is the one that counts."""
        self.blobs.put(wire.ask_key(self.job, attempt), wire.encode(ask))

    def ask(self, attempt: int) -> Ask | None:
        """What is asked of that attempt's agent, if anything."""
        return self._read(Ask, wire.ask_key(self.job, attempt))

    def put_log(self, attempt: int, index: int, data: bytes) -> None:
        """Write chunk ``index`` (from 1) of that attempt's output."""
        self.blobs.put(wire.log_key(self.job, attempt, index), data)

    def logs(self, attempt: int, *, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """Chunks of that attempt's output in order, with their indices, those after index ``after``."""
        folder = wire.log_key(self.job, attempt, 0).rpartition("/")[0]
        known = wire.log_key(self.job, attempt, after) if after else ""
        for info in self.blobs.list(folder, after=known):
            name = info.key.rpartition("/")[2]
            if name.isdecimal():
                yield int(name), self.blobs.get(info.key)

    def _create(self, key: str, data: bytes) -> None:
        try:
            self.blobs.create(key, data)
        except AlreadyExists:
            # It may be ours: written before the answer was lost, or before a crash.
            if self._get(key) != data:
                raise

    def _read(self, kind: type[T], key: str) -> T | None:
        data = self._get(key)
        if data is None:
            return None
        document = parse(kind, data)
        if document is None:
            self.unreadable.add(key)
        return document

    def _get(self, key: str) -> bytes | None:
        try:
            return self.blobs.get(key)
        except NoSuchObject:
            return None
