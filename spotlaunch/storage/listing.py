"""What checkpoints a job has in the store, and whether they are whole."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.core.wire import Entry, Manifest, ManifestFile
from spotlaunch.errors import NoSuchObject
from spotlaunch.storage import manifests
from spotlaunch.storage.committed import committed, object_sizes

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs


@dataclass(frozen=True)
class Listing:
    """One committed checkpoint.

    ``key`` is its folder, ``manifest`` the key of its manifest, ``at`` when it was committed (seconds since
    the epoch), ``size`` its bytes. ``problem`` says what is wrong with it; empty: verified.
    """

    key: str
    manifest: str
    number: int
    epoch: int
    step: int
    size: int
    files: int
    at: float
    problem: str = ""

    @property
    def verified(self) -> bool:
        return not self.problem


def listing(blobs: Blobs, job: str, *, deep: bool = False) -> list[Listing]:
    """The committed checkpoints of ``job`` that are kept, newest first.

    Verified means: the manifest is there and all objects are, with the right sizes. ``deep`` reads every
    object and compares digests too. The newest is listed even if its manifest is gone; others that are gone
    were pruned. Raises `BlobsUnavailable`.
    """
    sizes = object_sizes(blobs, job)
    return [_one(blobs, job, entry, sizes, deep) for entry in committed(blobs, job, sizes)]


def _one(blobs: Blobs, job: str, entry: Entry, sizes: dict[str, int], deep: bool) -> Listing:
    manifest = manifests.load(blobs, job, entry.manifest)
    gone = "its manifest is missing or unreadable"
    problem = gone if manifest is None else _problem(blobs, manifest, sizes, deep)
    return Listing(
        key=entry.manifest.rpartition("/")[0],
        manifest=entry.manifest,
        number=entry.number,
        epoch=entry.epoch,
        step=entry.step,
        size=manifest.size if manifest is not None else 0,
        files=len(manifest.files) if manifest is not None else 0,
        at=entry.at,
        problem=problem,
    )


def _problem(blobs: Blobs, manifest: Manifest, sizes: dict[str, int], deep: bool) -> str:
    """The first thing wrong with a checkpoint, or nothing."""
    for file in manifest.files:
        if file.link:
            continue
        if file.object not in sizes:
            return f"{file.path} is missing"
        if sizes[file.object] != file.size:
            return f"{file.path} has {sizes[file.object]} bytes, should have {file.size}"
        if deep and not _digest_fits(blobs, file):
            return f"{file.path} is not what was saved"
    return ""


def _digest_fits(blobs: Blobs, file: ManifestFile) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object"
        try:
            blobs.get_file(file.object, path)
        except NoSuchObject:
            return False
        return manifests.same_bytes(file, path)
