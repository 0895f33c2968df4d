"""Which checkpoints a job has committed and still has: the register's story, and what the store holds.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from spotlaunch.core.wire import Entry
from spotlaunch.storage import manifests
from spotlaunch.storage.register import Register

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

# The register is never pruned, checkpoints are: after so many that are gone there are no older ones.
MOST_GONE = 20


def object_sizes(blobs: Blobs, job: str) -> dict[str, int]:
    """All objects of the job's checkpoints: key to bytes."""
    return {info.key: info.size for info in blobs.list(manifests.checkpoints_key(job))}


def committed(blobs: Blobs, job: str, sizes: Mapping[str, int]) -> Iterator[Entry]:
    """Register entries of checkpoints whose manifest is among ``sizes``, newest first, each checkpoint once.

    The newest of all comes in any case: that it is gone is worth knowing, while an older one was pruned.
    Raises `BlobsUnavailable`.
    """
    newest, gone = "", 0
    for entry in _distinct(Register(blobs, job)):
        newest = newest or entry.manifest
        if entry.manifest in sizes or entry.manifest == newest:
            yield entry
        else:
            gone += 1
            if gone == MOST_GONE:
                return


def _distinct(register: Register) -> Iterator[Entry]:
    """One entry for each checkpoint: the commit itself, not the claims that carried it over."""
    later: Entry | None = None
    for entry in register.entries():
        if later is not None and entry.manifest != later.manifest:
            yield later
        later = entry if entry.manifest else None
    if later is not None:
        yield later
