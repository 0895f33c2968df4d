"""Bringing a checkpoint back: the newest that is whole, every byte checked before it is put in place.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.core.wire import Entry, Manifest, ManifestFile
from spotlaunch.errors import BlobsUnavailable, NoSuchObject, SpotlaunchError
from spotlaunch.storage import manifests
from spotlaunch.storage.committed import committed, object_sizes

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs
    from spotlaunch.storage.listing import Listing

DOWNLOADS_AT_ONCE = 4
# In the folder itself: so it is surely the same file system, and putting in place is a rename.
ARRIVING = ".spotlaunch-arriving"


class Damaged(SpotlaunchError):
    """A checkpoint is not whole. Reaction: take the one before it."""


@dataclass(frozen=True)
class Restored:
    """What was put in place. ``problems`` are sentences about newer checkpoints that were not whole.

    ``manifest`` None: there was nothing to restore; with ``problems``, nothing that was whole.
    ``newest`` tells whether it is the newest of all. ``bad`` are the keys of damaged manifests.
    """

    manifest: Manifest | None = None
    problems: tuple[str, ...] = ()
    bad: frozenset[str] = field(default_factory=frozenset)

    @property
    def newest(self) -> bool:
        return self.manifest is not None and not self.bad

    @property
    def step(self) -> int:
        return self.manifest.step if self.manifest is not None else 0

    @property
    def size(self) -> int:
        """Bytes that were fetched for it."""
        return self.manifest.size if self.manifest is not None else 0


def restore(blobs: Blobs, job: str, to: Path, *, stopped: Callable[[], bool] = lambda: False) -> Restored:
    """Put the newest whole checkpoint of ``job`` in place of what is in the folder ``to``.

    Call it after the claim, never before: only then is the newest entry surely the last. With nothing to
    restore, ``to`` is left as it is. ``stopped`` is asked between files; then what has come is dropped.
    Raises `BlobsUnavailable` when the store cannot be used; that says nothing of the checkpoint.
    """
    problems: list[str] = []
    bad: set[str] = set()
    for entry in committed(blobs, job, object_sizes(blobs, job)):
        try:
            manifest = _fetched(blobs, job, entry.manifest, to, stopped)
        except Damaged as e:
            bad.add(entry.manifest)
            problems.append(f"the checkpoint of step {entry.step} is damaged ({e.message})")
        else:
            return Restored(manifest, tuple(problems), frozenset(bad))
    return Restored(None, tuple(problems), frozenset(bad))


def download(blobs: Blobs, job: str, entry: Entry | Listing, to: Path) -> Manifest:
    """Bring the checkpoint of ``entry`` into the folder ``to``, replacing what is there.

    Raises `SpotlaunchError` when it is not whole, and `BlobsUnavailable`.
    """
    return _fetched(blobs, job, entry.manifest, to, lambda: False)


def _fetched(blobs: Blobs, job: str, key: str, to: Path, stopped: Callable[[], bool]) -> Manifest:
    manifest = manifests.load(blobs, job, key)
    if manifest is None:
        raise Damaged("its manifest is missing or unreadable")
    arriving = to / ARRIVING
    shutil.rmtree(arriving, ignore_errors=True)
    try:
        arriving.mkdir(parents=True)
        _fetch_files(blobs, manifest, arriving, stopped)
        _put_in_place(arriving, to)
    except OSError as e:
        raise BlobsUnavailable(
            f"cannot write the checkpoint into {to}: {e.strerror or e}",
            hint="see that there is room on this disk, and that the folder can be written to",
        ) from e
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    return manifest


def _fetch_files(blobs: Blobs, manifest: Manifest, into: Path, stopped: Callable[[], bool]) -> None:
    def fetch(file: ManifestFile) -> None:
        if stopped():
            raise BlobsUnavailable("told to stop while a checkpoint was fetched")
        _fetch(blobs, file, into / file.path)

    for file in manifest.files:
        (into / file.path).parent.mkdir(parents=True, exist_ok=True)
    if len(manifest.files) <= 1:
        for file in manifest.files:
            fetch(file)
    else:
        from concurrent.futures import ThreadPoolExecutor  # late: slow to import

        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            for _ in pool.map(fetch, manifest.files):
                pass


def _fetch(blobs: Blobs, file: ManifestFile, path: Path) -> None:
    if file.link:
        path.symlink_to(file.link)
        return
    for _ in range(2):  # bytes may also be bent on their way: once more before it is called damaged
        try:
            blobs.get_file(file.object, path)
        except NoSuchObject as e:
            raise Damaged(f"{file.path} is missing") from e
        if manifests.same_bytes(file, path):
            path.chmod(file.mode & 0o777 | 0o400)
            os.utime(path, ns=(round(file.mtime * 1e9),) * 2)
            return
    raise Damaged(f"{file.path} is not what was saved")


def _put_in_place(arriving: Path, to: Path) -> None:
    for old in to.iterdir():
        if old.name == ARRIVING:
            continue
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()
    for new in arriving.iterdir():
        new.rename(to / new.name)
