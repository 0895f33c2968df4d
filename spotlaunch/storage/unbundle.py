"""Opening a bundle on the rented machine.

Standard library only, and no newer syntax than Python 3.10. Nothing in the archive may reach outside the
folder it is unpacked into: checked here by hand, and by tarfile's own filter where this Python has it
(early releases of 3.10 do not).
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import posixpath
import tarfile
import zlib
from pathlib import Path

from spotlaunch.errors import SpotlaunchError

MAX_MEMBERS = 1_000_000

# What is unpacked bears this time (2 January 1980). The archive itself says 1970, which zip files cannot hold:
# a program that packs its own source, as experiment trackers and `pip install .` do, would fail.
UNPACKED_AT = 315_619_200


def digest_of(file: Path) -> str:
    """SHA-256 of a file's content, in hex: what a bundle is named by."""
    with file.open("rb") as content:
        sha = hashlib.sha256()
        while block := content.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def unpack(archive: Path, into: Path) -> int:
    """Unpack the bundle ``archive`` into the folder ``into`` (made if missing); how many entries there were.

    Raises `SpotlaunchError` when the archive is damaged, holds what a bundle never holds, or does not fit.
    """
    count = 0
    try:
        into.mkdir(parents=True, exist_ok=True)
        root = os.path.realpath(into)
        with gzip.open(archive) as raw, tarfile.open(fileobj=raw, mode="r:") as tar:
            for member in tar:
                count += 1
                if count > MAX_MEMBERS:
                    raise SpotlaunchError(f"the bundle holds more than {MAX_MEMBERS} files")
                _check(member, root)
                _extract(tar, member, root)
            while raw.read(1 << 20):
                pass  # to the end, where the checksum stands
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as e:
        hint = "submit the job again to upload it anew"
        raise SpotlaunchError(f"the bundle {archive.name} is damaged: {e}", hint=hint) from e
    except OSError as e:
        full = e.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "ask for a larger disk with resources.disk_gb" if full else ""
        raise SpotlaunchError(f"cannot unpack the bundle into {into}: {e.strerror or e}", hint=hint) from e
    return count


def _check(member: tarfile.TarInfo, root: str) -> None:
    """Raise for a member that could end up, or lead, outside ``root``."""
    name = posixpath.normpath(member.name)
    folder = posixpath.dirname(name)
    if _leads_out(name):
        raise SpotlaunchError(f"the bundle holds {member.name!r}, which is outside the working directory")
    # Through a link to a folder, `..` means another place than the path says.
    if os.path.realpath(f"{root}/{folder}") != os.path.normpath(f"{root}/{folder}"):
        raise SpotlaunchError(f"the bundle holds {member.name!r}, which lies behind a link")
    if member.issym():
        if not plain_link(member.linkname, folder):
            raise SpotlaunchError(f"the bundle holds the link {member.name!r}, which points outside")
    elif not (member.isreg() or member.isdir()):
        raise SpotlaunchError(f"the bundle holds {member.name!r}, which is neither file, folder nor link")


def plain_link(target: str, folder: str) -> bool:
    """Whether a link in ``folder`` stays inside: relative, and any ``..`` before the first name only."""
    parts = [p for p in target.split("/") if p not in ("", ".")]
    names = parts[parts.count("..") :]
    return not target.startswith("/") and ".." not in names and not _leads_out(posixpath.join(folder, target))


def _leads_out(path: str) -> bool:
    normal = posixpath.normpath(path)
    return normal == ".." or normal.startswith(("/", "../"))


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, root: str) -> None:
    member.mtime = UNPACKED_AT
    if hasattr(tarfile, "data_filter"):
        tar.extract(member, root, filter="data")
    else:
        tar.extract(member, root)
