"""Checkpoints in the store: saving, pruning, and telling what is there.

A checkpoint is a snapshot of the whole checkpoint folder. Payload first, then the manifest, then the register:
whatever is cut off in between was never there. A file whose bytes the last checkpoint holds already is not
sent again; the new manifest names the old object.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from spotlaunch.core import wire
from spotlaunch.core.wire import Entry, Manifest, ManifestFile
from spotlaunch.errors import BlobsUnavailable, Superseded
from spotlaunch.storage import manifests
from spotlaunch.storage.committed import committed, object_sizes
from spotlaunch.storage.listing import Listing, listing
from spotlaunch.storage.register import Register
from spotlaunch.storage.restore import Restored, download, restore
from spotlaunch.storage.snapshot import Changed, Digests, HeldFile, Snapshot

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

__all__ = ["Listing", "Restored", "Saver", "download", "listing", "restore"]

UPLOADS_AT_ONCE = 4


class Saver:
    """Saves the checkpoints of one agent that has claimed the job. Not for several threads at once.

    ``head`` is the agent's newest register entry. ``base`` is the manifest that may be built upon: the one
    restored, if that was the newest, else None. Had an older one been restored, a ghost that still believes
    the newest to be good might be pruning the older at this moment; so then everything is sent anew.
    ``bad`` are manifests known to be damaged, which do not count among those kept.
    """

    def __init__(
        self,
        blobs: Blobs,
        job: str,
        head: Entry,
        *,
        keep: int,
        base: Manifest | None = None,
        bad: frozenset[str] = frozenset(),
    ) -> None:
        self.head = head
        self._blobs = blobs
        self._job = job
        self._register = Register(blobs, job)
        self._keep = max(1, keep)
        self._base = base
        self._bad = bad
        self._digests = Digests()
        self._folders: set[str] = set()
        self._pending: tuple[str, Manifest] | None = None
        self._kept: list[tuple[str, Manifest]] | None = None
        self._sent_bytes = 0

    def take_sent_bytes(self) -> int:
        """How many bytes of files were sent since this was last asked, in vain or not."""
        sent, self._sent_bytes = self._sent_bytes, 0
        return sent

    def save(self, snapshot: Snapshot, step: int, now: Callable[[], float], *, carry: Collection[str] = ()) -> Entry:
        """Upload a snapshot and commit it as ``step``; returns the new head.

        ``carry`` names entries of the checkpoint folder that are not in the snapshot because they are being
        written: they stay as they were in the checkpoint before.
        Safe to repeat with the same or another snapshot. Raises `Changed` when a file changed meanwhile,
        `Superseded` when another attempt has claimed, and `BlobsUnavailable`.
        """
        self._catch_up()
        folder = self._new_folder(step)
        held = self._held()
        files = self._uploaded(snapshot, folder, held)
        self._sent_bytes += sum(f.size for f in files if f.object.startswith(folder + "/"))
        snapshot.check()
        files += [f for f in self._base_files() if f.path.partition("/")[0] in carry]
        self._verify(folder, [f for f in files if f.object.startswith(folder + "/")])
        key, manifest = f"{folder}/{manifests.NAME}", Manifest(epoch=self.head.epoch, step=step, at=now(), files=files)
        self._blobs.put(key, wire.encode(manifest))
        self._pending = (key, manifest)
        self._settle(self._register.commit(self.head, step, key, now()))
        self._digests.forget_others(snapshot.files)
        return self.head

    def prune(self) -> int:
        """Delete what no kept checkpoint refers to; returns how many objects.

        To be called after a successful `save`, by nobody else. Objects of later attempts are not touched: if
        we are a ghost and do not know it yet, they belong to our successor.
        """
        sizes = object_sizes(self._blobs, self._job)
        kept = self._newest(sizes)
        if not kept:
            return 0
        needed = {f.object for _, m in kept for f in m.files} | {key for key, _ in kept}
        doomed = [key for key in sizes if key not in needed and self._ours(key)]
        self._blobs.delete(doomed)
        return len(doomed)

    # -- saving ------------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Look at the register before uploading: has a commit of ours arrived after all, is another in charge?"""
        found = self._register.head(known=self.head.number)
        if found is None:
            return
        if found.epoch != self.head.epoch or found.by != self.head.by:
            raise Superseded(f"attempt {found.epoch} has claimed the job; this is attempt {self.head.epoch}")
        self._settle(found)

    def _settle(self, entry: Entry) -> None:
        """``entry`` is the truth now, and it is ours."""
        self.head = entry
        if self._pending is not None and self._pending[0] == entry.manifest:
            self._base = self._pending[1]
            if self._kept is not None:
                self._kept.insert(0, self._pending)
        self._pending = None

    def _new_folder(self, step: int) -> str:
        """A folder that was never used: one whose commit seemed to fail may be the truth all the same."""
        first = wire.checkpoint_key(self._job, self.head.epoch, step, self.head.number + 1)
        folder, again = first, 1
        while folder in self._folders:
            again += 1
            folder = f"{first}-{again}"
        self._folders.add(folder)
        return folder

    def _held(self) -> dict[tuple[int, str], str]:
        """Objects of the last checkpoint by their content (size, digest)."""
        return {(f.size, f.sha256): f.object for f in self._base_files() if not f.link}

    def _base_files(self) -> list[ManifestFile]:
        return self._base.files if self._base is not None else []

    def _uploaded(self, snapshot: Snapshot, folder: str, held: dict[tuple[int, str], str]) -> list[ManifestFile]:
        def upload(file: HeldFile) -> ManifestFile:
            return self._upload(file, folder, held)

        if len(snapshot.files) <= 1:
            return [upload(file) for file in snapshot.files]
        from concurrent.futures import ThreadPoolExecutor  # late: slow to import

        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            return list(pool.map(upload, snapshot.files))

    def _upload(self, file: HeldFile, folder: str, held: dict[tuple[int, str], str]) -> ManifestFile:
        state = file.state
        if state.link:
            return ManifestFile(state.path, 0, "", "", state.mode, state.mtime_ns / 1e9, state.link)
        try:
            digest = self._digests.of(file)
        except OSError as e:
            raise Changed(f"{state.path} cannot be read: {e.strerror or e}") from e
        key = held.get((state.size, digest), "")
        if not key:
            key = manifests.payload_key(folder, state.path)
            self._blobs.put_file(key, file.source)
        return ManifestFile(state.path, state.size, digest, key, state.mode, state.mtime_ns / 1e9)

    def _verify(self, folder: str, files: list[ManifestFile]) -> None:
        """One listing tells whether everything arrived whole."""
        if not files:
            return
        sizes = {info.key: info.size for info in self._blobs.list(folder)}
        for file in files:
            if sizes.get(file.object) != file.size:
                found = sizes.get(file.object, "none")
                raise BlobsUnavailable(
                    f"{self._blobs.url} holds {found} of the {file.size} bytes of {file.path}",
                    hint="it is tried again",
                )

    # -- pruning -----------------------------------------------------------------------------------------

    def _newest(self, sizes: Mapping[str, int]) -> list[tuple[str, Manifest]]:
        """The ``keep`` newest checkpoints that are not known to be bad, newest first."""
        if self._kept is None:
            self._kept = list(islice(self._committed(sizes), self._keep))
        self._kept = self._kept[: self._keep]
        return self._kept

    def _committed(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, Manifest]]:
        for entry in committed(self._blobs, self._job, sizes):
            manifest = None if entry.manifest in self._bad else manifests.load(self._blobs, self._job, entry.manifest)
            if manifest is not None:
                yield entry.manifest, manifest

    def _ours(self, key: str) -> bool:
        attempt = manifests.attempt_of(self._job, key)
        return attempt is not None and attempt <= self.head.epoch
