"""Manifests: what a checkpoint consists of, which names are allowed in it, and how objects are named.

A manifest comes from a place that others can write to. Before a path of it touches the disk, or a key of it
is fetched, it is checked here.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from spotlaunch.core import wire
from spotlaunch.core.wire import Manifest, ManifestFile
from spotlaunch.errors import NoSuchObject
from spotlaunch.storage.documents import parse

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

NAME = "manifest.json"
LONGEST_NAME = 200  # of a part of a key: local folders allow 255


def payload_key(folder: str, path: str) -> str:
    """The key for the file at ``path``. Plain letters only: stores differ in which others they keep."""
    return f"{folder}/files/" + "/".join(map(_plain, path.split("/")))


def _plain(name: str) -> str:
    quoted = quote(name, safe=" +=@,", errors="surrogateescape")
    # No file name can be so long and contain a "%": two names never meet here.
    return quoted if len(quoted) <= LONGEST_NAME else "%" + hashlib.sha256(quoted.encode()).hexdigest()


def checkpoints_key(job: str) -> str:
    """The folder of all checkpoints of a job."""
    return f"{wire.job_key(job)}/ckpt"


def attempt_of(job: str, key: str) -> int | None:
    """Which attempt wrote the object ``key`` of a checkpoint; None when the name is not one of ours."""
    name = key[len(checkpoints_key(job)) + 1 :].partition("-")[0]
    return int(name) if name.isdecimal() else None


def load(blobs: Blobs, job: str, key: str) -> Manifest | None:
    """The manifest at ``key``; None when it is gone, damaged, or names what it must not."""
    if not _within(job, key):
        return None
    try:
        manifest = parse(Manifest, blobs.get(key))
    except NoSuchObject:
        return None
    return manifest if manifest is not None and is_safe(job, manifest) else None


def is_safe(job: str, manifest: Manifest) -> bool:
    """Whether every file stays inside the checkpoint folder, and every object is one of this job's."""
    paths = [f.path for f in manifest.files]
    links = {f.path for f in manifest.files if f.link}
    return (
        len(set(paths)) == len(paths)
        and all(map(_safe_path, paths))
        and all(stays_inside(f.path, f.link) if f.link else _within(job, f.object) for f in manifest.files)
        # Nothing may be written through a link.
        and not any(parent in links for path in paths for parent in _parents(path))
    )


def stays_inside(path: str, target: str) -> bool:
    """Whether a link at ``path`` to ``target`` leads to a place in the checkpoint folder."""
    if target.startswith("/") or "\0" in target:
        return False
    names = [part for part in target.split("/") if part not in ("", ".")]
    # Behind a name, `..` may lead elsewhere than it seems (the name may itself be a link).
    if ".." in names[names.count("..") :]:
        return False
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return reached != ".." and not reached.startswith("../")


def _safe_path(path: str) -> bool:
    parts = path.split("/")
    return bool(path) and "\0" not in path and not any(part in ("", ".", "..") for part in parts)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def _within(job: str, key: str) -> bool:
    return key.startswith(checkpoints_key(job) + "/") and _safe_path(key)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as content:
        sha = hashlib.sha256()
        while block := content.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def same_bytes(file: ManifestFile, path: Path) -> bool:
    """Whether the file at ``path`` is what the manifest says: size first, which is cheap, then the digest."""
    return path.stat().st_size == file.size and digest_of(path) == file.sha256


def number_in(name: str) -> int | None:
    """The last whole number in a file's name: the step, by custom. ``ckpt-000040.pt`` is 40."""
    found = re.findall(r"\d+", name)
    return int(found[-1][-9:]) if found else None
