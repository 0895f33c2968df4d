"""The bundle: the user's working directory as one archive, the same bytes for the same content."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from spotlaunch.core.units import quoted, write_size
from spotlaunch.errors import StoreUnavailable, UsageError
from spotlaunch.storage.ignore import Ignore, rules_above
from spotlaunch.storage.unbundle import digest_of, plain_link

MAX_BYTES = 1_000_000_000
MAX_FILES = 200_000
MAX_DEPTH = 200
HINT = "leave data and environments out with patterns in .spotlaunchignore; large data belongs in a bucket"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """An archive as it was packed. ``digest``: SHA-256 of the archive in hex; ``size``: its bytes.

    ``files`` counts the files in it and ``unpacked`` their bytes; ``warnings`` are sentences on what had to
    stay out (links that point outside, sockets and the like).
    """

    digest: str
    size: int
    files: int
    unpacked: int
    warnings: tuple[str, ...] = ()


def pack(
    workdir: Path,
    to: Path,
    *,
    exclude: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
) -> Bundle:
    """Pack ``workdir`` into the file ``to`` (a .tar.gz, mode 0600, written whole or not at all).

    Left out: what ``.gitignore`` and ``.spotlaunchignore`` say, ``.git``, ``to`` itself, and ``exclude``:
    paths relative to ``workdir`` or absolute (absolute ones elsewhere change nothing). Raises `UsageError`
    above ``max_bytes`` unpacked or ``max_files``, naming the largest, and for files that cannot be read,
    naming them; `StoreUnavailable` when ``to`` cannot be written.
    """
    root = workdir.resolve()
    if not root.is_dir():
        raise UsageError(f"the working directory {root} is not a folder", hint="correct `workdir` in the job file")
    kept_out = [Path(os.path.normpath(root / path)) for path in (to.absolute(), *exclude)]
    content = _Walk(root=root, exclude=frozenset([*kept_out, *(p.resolve() for p in kept_out)]), max_files=max_files)
    content.folder(root, rules_above(root))
    content.complain(max_bytes)
    with _written_whole(to) as file:
        _write(content.entries, root, file)
    return Bundle(
        digest=digest_of(to),
        size=to.stat().st_size,
        files=sum(not e.is_folder for e in content.entries),
        unpacked=sum(e.size for e in content.entries),
        warnings=tuple(content.warnings),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    is_folder: bool = False
    size: int = 0
    link: str = ""


@dataclass(slots=True)
class _Walk:
    """What is in a working directory: collects entries, in the order of their names."""

    root: Path
    exclude: frozenset[Path]
    max_files: int
    entries: list[_Entry] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def folder(self, path: Path, above: Ignore) -> None:
        try:
            rules = above.inside(path)
            found = sorted(os.scandir(path), key=lambda e: os.fsencode(e.name))
        except OSError:
            self.unreadable.append(self.shown(path) + "/")
            return
        if len(path.parts) - len(self.root.parts) > MAX_DEPTH:
            raise UsageError(f"{self.root} holds folders nested more than {MAX_DEPTH} deep", hint=HINT)
        for entry in found:
            child = path / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == ".git" or child in self.exclude or rules.leaves_out(child, is_folder=is_folder):
                continue
            if len(self.entries) > self.max_files:
                return  # enough to refuse it: the whole of a home folder need not be walked
            if is_folder:
                self.entries.append(_Entry(child, is_folder=True))
                self.folder(child, rules)
            elif entry.is_symlink():
                self.link(child)
            else:
                self.file(child)

    def file(self, path: Path) -> None:
        try:
            seen = path.lstat()
        except FileNotFoundError:
            return  # gone since its folder was listed, as the files of editors and logs are
        if not stat.S_ISREG(seen.st_mode):
            self.warnings.append(f"{self.shown(path)} is left out: it is a socket, a pipe or a device")
        elif not _readable(path):
            self.unreadable.append(self.shown(path))
        else:
            self.entries.append(_Entry(path, size=seen.st_size))

    def link(self, path: Path) -> None:
        target, real = str(path.readlink()), Path(os.path.realpath(path))
        if not real.is_relative_to(self.root):
            self.warnings.append(f"{self.shown(path)} is left out: it is a link to {quoted(target)}, outside")
            return
        folder = path.parent.relative_to(self.root).as_posix()
        if not plain_link(target, folder):
            target = os.path.relpath(real, path.parent)  # the same place, without this computer's folders
        self.entries.append(_Entry(path, link=target))

    def shown(self, path: Path) -> str:
        """A path as it can be printed, whatever bytes its name has."""
        return os.fsencode(path.relative_to(self.root)).decode("utf-8", "backslashreplace")

    def complain(self, max_bytes: int) -> None:
        """Raise `UsageError` for what makes a bundle impossible."""
        if self.unreadable:
            more = f" and {len(self.unreadable) - 10} more" if len(self.unreadable) > 10 else ""
            names = ", ".join(self.unreadable[:10]) + more
            hint = "make them readable, or leave them out with patterns in .spotlaunchignore"
            raise UsageError(f"these files of {self.root} cannot be read: {names}", hint=hint)
        if len(self.entries) > self.max_files:
            raise UsageError(f"{self.root} holds more than {self.max_files} files: {self.heaviest()}", hint=HINT)
        size = sum(e.size for e in self.entries)
        if size > max_bytes:
            limit = write_size(max_bytes / 1e9)
            size_gb = write_size(round(size / 1e9, 3))
            message = f"{self.root} holds {size_gb}, and a bundle may hold {limit}; the largest: {self.heaviest()}"
            raise UsageError(message, hint=HINT)

    def heaviest(self) -> str:
        """The five largest files and folders, as text.

        A folder stands for all that is in it, unless most of its weight is in one thing: then that is named,
        so that people read `data/raw/images.tar` rather than `data`.
        """
        weight: dict[Path, int] = {}
        children: dict[Path, list[Path]] = {}
        for entry in self.entries:
            children.setdefault(entry.path.parent, []).append(entry.path)
            for path in (entry.path, *entry.path.parents):
                if path == self.root:
                    break
                weight[path] = weight.get(path, 0) + entry.size
        named = []
        for top in sorted(children.get(self.root, []), key=lambda p: -weight[p])[:5]:
            path = top
            while inside := children.get(path):
                largest = max(inside, key=lambda p: weight[p])
                if weight[largest] * 10 < weight[path] * 9:
                    break
                path = largest
            named.append(f"{self.shown(path)}{'/' if path in children else ''} ({_megabytes(weight[path])})")
        return ", ".join(named)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}MB" if size < 1e9 else f"{size / 1e9:.2f}GB"


def _readable(path: Path) -> bool:
    """Tried rather than asked: permissions are not the only thing that keeps a file shut."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@contextmanager
def _written_whole(to: Path) -> Iterator[IO[bytes]]:
    """A file that appears at ``to`` when all went well, and leaves nothing when it did not."""
    part = ""
    try:
        fd, part = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
        with os.fdopen(fd, "wb") as file:
            yield file
        Path(part).replace(to)
        part = ""
    except OSError as e:
        hint = "free some space, or set TMPDIR or SPOTLAUNCH_HOME to a folder that you can write to"
        raise StoreUnavailable(f"cannot write the bundle {to}: {e.strerror or e}", hint=hint) from e
    finally:
        if part:
            Path(part).unlink(missing_ok=True)


def _write(entries: Sequence[_Entry], root: Path, file: IO[bytes]) -> None:
    # No name and no time in the gzip header, nobody's name and no times in the archive: the bytes are a
    # function of the content, so that submitting the same folder twice uploads it once.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            _add(tar, entry, entry.path.relative_to(root).as_posix())


def _add(tar: tarfile.TarFile, entry: _Entry, name: str) -> None:
    info = tarfile.TarInfo(name)
    if entry.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
        tar.addfile(info)
    elif entry.is_folder:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
    else:
        with _opened(entry.path) as content:
            seen = os.fstat(content.fileno())
            info.size = seen.st_size
            info.mode = 0o755 if seen.st_mode & stat.S_IXUSR else 0o644
            try:
                tar.addfile(info, content)
            except OSError as e:
                if e.errno is not None:
                    raise  # the disk's trouble, not the file's
                raise UsageError(f"{entry.path} became shorter while it was packed", hint="submit again") from e


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as e:
        raise UsageError(f"cannot read {path} any more: {e.strerror}", hint="submit again") from e
