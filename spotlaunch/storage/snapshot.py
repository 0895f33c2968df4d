"""A snapshot: the files of a checkpoint folder held still while they are uploaded.

The program goes on while we upload: it may delete, rename or rotate files at any time. Hard links keep what
we saw (they cost nothing, and a deleted file stays as long as a link to it does). They do not protect from
being written into, so each file is looked at again at the end.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spotlaunch.errors import SpotlaunchError
from spotlaunch.storage.manifests import digest_of, stays_inside

# A file written again within the grain of the file system's clock bears the same time. So digests are
# remembered only for files that had not been touched for a while when they were read.
GRAIN_S = 2.0


class Changed(SpotlaunchError):
    """A file changed while it was read. Reaction: drop this snapshot and take another later."""


@dataclass(frozen=True)
class FileState:
    """One file as it was seen. Two equal states mean: the same bytes. ``link`` is a symbolic link's target."""

    path: str
    size: int
    mtime_ns: int
    inode: int
    mode: int
    link: str = ""


def scan(root: Path, names: Iterable[str] | None = None) -> dict[str, FileState]:
    """All files under ``root`` (or under those of its entries that are named), by path relative to it.

    Links that lead out of ``root``, sockets and devices are left out; a file that vanishes meanwhile too.
    """
    tops = sorted(_names(root)) if names is None else names
    return {state.path: state for top in tops for state in _walk(root, top)}


def _walk(root: Path, path: str) -> Iterator[FileState]:
    try:
        info = os.lstat(root / path)
        if stat.S_ISDIR(info.st_mode):
            for name in sorted(_names(root / path)):
                yield from _walk(root, f"{path}/{name}")
        elif stat.S_ISLNK(info.st_mode):
            yield from _link(root, path, info)
        elif stat.S_ISREG(info.st_mode):
            yield _state(path, info)
    except (FileNotFoundError, NotADirectoryError):
        return


def _link(root: Path, path: str, info: os.stat_result) -> Iterator[FileState]:
    target = str((root / path).readlink())
    if target.startswith("/"):  # it may still lead to a place inside
        target = os.path.relpath(target, (root / path).parent)
    if stays_inside(path, target):
        yield _state(path, info, link=target)
    elif (root / path).is_file():  # what it leads to is saved in its place
        yield _state(path, (root / path).stat())


def _state(path: str, info: os.stat_result, link: str = "") -> FileState:
    size = 0 if link else info.st_size
    return FileState(path, size, info.st_mtime_ns, info.st_ino, stat.S_IMODE(info.st_mode), link)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return []


@dataclass(frozen=True)
class HeldFile:
    """A file of a snapshot, and where its bytes can be read until the snapshot is released."""

    state: FileState
    source: Path


class Snapshot:
    """Files held still. Use as a context; on leaving it the links are taken away."""

    def __init__(self, files: list[HeldFile], staging: Path) -> None:
        self.files = files
        self._staging = staging

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)

    def check(self) -> None:
        """Raise `Changed` when a file is not what it was when the snapshot was taken."""
        for file in self.files:
            _same(file.source, file.state)


def hold(root: Path, states: Iterable[FileState], staging: Path) -> Snapshot:
    """A snapshot of the files in ``states``, as they were seen there.

    ``staging`` is a folder of ours, best on the same file system as ``root``: where linking is not possible
    the files are read where they lie. Raises `Changed` when one is no longer as it was seen.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    held = []
    for number, state in enumerate(states):
        source = root / state.path
        if not state.link:
            source = _linked(source, staging / str(number))
            _same(source, state)
        held.append(HeldFile(state, source))
    return Snapshot(held, staging)


def _linked(source: Path, link: Path) -> Path:
    try:
        # Of a symbolic link to a file, the file is meant.
        os.link(os.path.realpath(source), link)
    except FileNotFoundError as e:
        raise Changed(f"{source} vanished") from e
    except OSError:  # another file system, one without links, or too many links
        return source
    return link


def _same(source: Path, state: FileState) -> None:
    if state.link:
        return
    try:
        now = source.stat()
    except FileNotFoundError as e:
        raise Changed(f"{state.path} vanished") from e
    if (now.st_size, now.st_mtime_ns, now.st_ino) != (state.size, state.mtime_ns, state.inode):
        raise Changed(f"{state.path} changed while it was read")


class Digests:
    """SHA-256 of files, each read once for as long as it stays as it is."""

    def __init__(self) -> None:
        self._known: dict[FileState, str] = {}

    def of(self, file: HeldFile) -> str:
        """The digest in hex."""
        known = self._known.get(file.state)
        if known is not None:
            return known
        quiet = time.time() - file.state.mtime_ns / 1e9 > GRAIN_S
        digest = digest_of(file.source)
        if quiet:
            self._known[file.state] = digest
        return digest

    def forget_others(self, files: Iterable[HeldFile]) -> None:
        """Keep in mind only what is in the newest snapshot."""
        states = {file.state for file in files}
        self._known = {state: digest for state, digest in self._known.items() if state in states}
