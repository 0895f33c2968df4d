"""Proof that a store can be trusted with the register: creating the same name twice must fail there."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from spotlaunch.errors import AlreadyExists, BlobsUnavailable, NoSuchObject

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs


def prove_create_only(blobs: Blobs) -> None:
    """Write, read, list and delete probe objects under ``probe/``; nothing is left behind.

    Raises `BlobsUnavailable` with a hint when the store cannot be used, and when it lets an object be
    created twice: some S3-compatible servers ignore conditions without a word, and would let two attempts
    both believe that they committed.
    """
    folder = f"probe/{secrets.token_hex(8)}"
    once, other = f"{folder}/once", f"{folder}/other"
    try:
        _prove_create(blobs, once)
        _prove_roundtrip(blobs, folder, once, other)
    finally:
        blobs.delete([once, other])
    _prove_gone(blobs, folder, once)


def _prove_create(blobs: Blobs, key: str) -> None:
    blobs.create(key, b"first")
    try:
        blobs.create(key, b"second")
    except AlreadyExists:
        if blobs.get(key) == b"first":
            return
    raise BlobsUnavailable(
        f"{blobs.url} lets the same object be created twice: checkpoints would not be safe there",
        hint="use a store that honours If-None-Match (AWS S3, Cloudflare R2, Google, Azure, a local folder)",
    )


def _prove_roundtrip(blobs: Blobs, folder: str, once: str, other: str) -> None:
    blobs.put(other, b"1")
    blobs.put(other, b"2")
    found = [info.key for info in blobs.list(folder)]
    if blobs.get(other) != b"2" or found != [once, other]:
        raise BlobsUnavailable(
            f"{blobs.url} does not give back what was just written to it",
            hint="use a store that is strongly consistent, without a cache in between",
        )


def _prove_gone(blobs: Blobs, folder: str, key: str) -> None:
    try:
        blobs.get(key)
    except NoSuchObject:
        if not list(blobs.list(folder)):
            return
    raise BlobsUnavailable(f"{blobs.url} keeps objects that were deleted", hint="allow deleting under this prefix")
