"""The bundle: the user's working directory as one archive, the same bytes for the same content."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from spotlaunch.errors import StoreUnavailable, UsageError
from spotlaunch.storage.content import Content, Entry
from spotlaunch.storage.ignore import rules_above
from spotlaunch.storage.unbundle import digest_of

MAX_BYTES = 1_000_000_000
MAX_FILES = 200_000


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
    kept_out = [Path(os.path.normpath(root / path)) for path in (str(to.absolute()), *exclude)]
    content = Content(root=root, exclude=frozenset([*kept_out, *(p.resolve() for p in kept_out)]), max_files=max_files)
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


def _write(entries: Sequence[Entry], root: Path, file: IO[bytes]) -> None:
    # No name and no time in the gzip header, nobody's name and no times in the archive: the bytes are a
    # function of the content, so that submitting the same folder twice uploads it once.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            _add(tar, entry, entry.path.relative_to(root).as_posix())


def _add(tar: tarfile.TarFile, entry: Entry, name: str) -> None:
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
