"""The register: who may commit checkpoints of a job, and what was committed last.

A row of numbered create-only objects, each ``{epoch, step, manifest, by}``; the highest number is the truth.
Creating number n+1 is the compare-and-swap: of all who saw n as the highest, exactly one succeeds, and the
others read what it wrote. Entries are never deleted, or a ghost could create a low number again.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spotlaunch.core import wire
from spotlaunch.core.wire import Entry
from spotlaunch.errors import AlreadyExists, BlobsUnavailable, NoSuchObject, Superseded
from spotlaunch.storage.documents import parse

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

# Each turn of a loop below means that somebody else wrote in between; so many in a row is not contention.
TURNS = 1000


class Twin(Superseded):
    """Another agent of the very same attempt has claimed: the order was started twice."""


class Register:
    """The register of one job. Every method raises `BlobsUnavailable` when the store cannot be used."""

    def __init__(self, blobs: Blobs, job: str) -> None:
        self._blobs = blobs
        self._job = job

    def head(self, known: int = 0) -> Entry | None:
        """The entry with the highest number above ``known``; None when there is none above it.

        Passing the number last seen keeps the listing short however long the register is.
        """
        numbers = self._numbers(known)
        return self._read(numbers[-1]) if numbers else None

    def claim(self, epoch: int, by: str, now: float) -> Entry:
        """Become the one who may commit, as attempt ``epoch`` and agent ``by``: a new entry, step carried over.

        Safe to repeat: an agent whose answer was lost finds its own entry. Raises `Superseded` when a later
        attempt has claimed, or another agent of the same attempt.
        """
        for _ in range(TURNS):
            head = self.head()
            if head is not None and head.epoch == epoch and head.by == by:
                return head
            if head is not None and head.epoch >= epoch:
                raise _superseded(head, epoch)
            entry = Entry(
                number=head.number + 1 if head else 1,
                epoch=epoch,
                step=head.step if head else 0,
                manifest=head.manifest if head else "",
                by=by,
                at=now,
            )
            if self._create(entry):
                return entry
        raise self._contended()

    def commit(self, head: Entry, step: int, manifest: str, now: float) -> Entry:
        """Make ``manifest`` the truth, from ``head``: the claim, or what the last commit returned.

        Safe to repeat: a commit whose answer was lost is found and returned. Raises `Superseded` when
        another has claimed since.
        """
        last = head
        for _ in range(TURNS):
            entry = Entry(number=last.number + 1, epoch=head.epoch, step=step, manifest=manifest, by=head.by, at=now)
            if self._create(entry):
                return entry
            found = self._read(entry.number)
            if found.epoch != head.epoch or found.by != head.by:
                raise _superseded(found, head.epoch)
            if found.manifest == manifest:
                return found
            # An earlier commit of ours, believed to have failed: go on from there.
            last = found
        raise self._contended()

    def entries(self) -> Iterator[Entry]:
        """All entries, newest first, each read when it is asked for."""
        for number in reversed(self._numbers(0)):
            yield self._read(number)

    def history(self) -> list[Entry]:
        """All entries, newest first. One read per entry: `entries` is cheaper for those who stop early."""
        return list(self.entries())

    def _numbers(self, after: int) -> list[int]:
        folder = wire.register_key(self._job, 0).rpartition("/")[0]
        known = wire.register_key(self._job, after) if after else ""
        names = (info.key.rpartition("/")[2] for info in self._blobs.list(folder, after=known))
        return [int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdecimal()]

    def _create(self, entry: Entry) -> bool:
        try:
            self._blobs.create(wire.register_key(self._job, entry.number), wire.encode(entry))
        except AlreadyExists:
            return False
        return True

    def _read(self, number: int) -> Entry:
        key = wire.register_key(self._job, number)
        try:
            entry = parse(Entry, self._blobs.get(key))
        except NoSuchObject as e:
            raise BlobsUnavailable(
                f"{self._blobs.url} has {key} and has it not: it is not consistent, or somebody deleted it",
                hint="use a store that is strongly consistent, and leave its register/ folders alone",
            ) from e
        if entry is None or entry.number != number:
            # Skipping it could let a ghost commit; so nothing goes on until a person has looked.
            raise BlobsUnavailable(
                f"{key} in {self._blobs.url} is damaged",
                hint="look at it; deleting it makes the entry before it the truth again",
            )
        return entry

    def _contended(self) -> BlobsUnavailable:
        return BlobsUnavailable(
            f"the register of {self._job} in {self._blobs.url} moves faster than it can be read",
            hint="see who else writes there",
        )


def _superseded(found: Entry, epoch: int) -> Superseded:
    if found.epoch == epoch:
        return Twin(f"another agent of attempt {epoch} has claimed the job")
    return Superseded(f"attempt {found.epoch} has claimed the job; this is attempt {epoch}")
