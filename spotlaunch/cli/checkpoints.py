"""`spotlaunch checkpoints JOB`: what is stored, and bringing it here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.errors import SpotlaunchError, UsageError
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.listing import Listing, listing
from spotlaunch.storage.restore import Damaged, download

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

_COLUMNS = render.columns(">step", ">epoch", ">size", ">files", ">age", "verified", "key")


def run(name: str, *, as_json: bool, download: Path | None) -> None:
    """List a job's checkpoints, newest first; with ``download`` copy the newest whole one there.

    Raises `NoSuchJob`, `BlobsUnavailable`, and `SpotlaunchError` when there is none to copy.
    """
    if download is not None:
        _refuse_to_overwrite(download)
    with open_book() as store:
        job, attempts = store.job(name), store.attempts(name)
    told = next((a for a in reversed(attempts) if a.live and a.every_s), None)
    blobs = open_blobs(job.store_url, endpoint=job.store_endpoint, region=job.store_region)
    found = listing(blobs, name)
    taken = None if download is None else _bring(blobs, name, found, download)
    if as_json:
        result: dict[str, Any] = {"job": name, "store_url": job.store_url, "checkpoints": [_json(c) for c in found]}
        result |= {"every_s": told.every_s if told else None, "every_why": told.every_why if told else ""}
        if taken is not None:
            result["downloaded"] = {"step": taken.step, "key": taken.key, "to": str(download)}
        render.as_json(result)
    elif taken is not None:
        render.say(f"copied the checkpoint of step {taken.step} into {download}")
    elif found:
        now = time.time()
        render.table(_COLUMNS, [_cells(c, now) for c in found])
    else:
        render.say(f"{name} has no checkpoint yet in {job.store_url}")
    if told is not None and not as_json and taken is None:
        render.say(
            f"attempt {told.number} is to save every {render.duration(told.every_s)}: {render.one_line(told.every_why)}"
        )


def _refuse_to_overwrite(folder: Path) -> None:
    """A checkpoint takes the place of all that is in its folder, so here the folder must be new or empty."""
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as e:
        raise UsageError(f"{folder} cannot be read: {e.strerror or e}", hint="name another folder") from e
    if taken:
        raise UsageError(f"{folder} is there already and not empty", hint="name a new or an empty folder")


def _bring(blobs: Blobs, job: str, found: list[Listing], to: Path) -> Listing:
    """The newest that proves whole when every byte is read; those that do not are told."""
    for checkpoint in found:
        try:
            download(blobs, job, checkpoint, to)
        except Damaged as e:
            render.warn(f"the checkpoint of step {checkpoint.step} is damaged: {e.message}")
        else:
            return checkpoint
    raise SpotlaunchError(
        f"{job} has no checkpoint that is whole" if found else f"{job} has no checkpoint yet",
        hint=f"`spotlaunch events {job}` tells what happened",
    )


def _cells(c: Listing, now: float) -> list[str]:
    return [
        str(c.step),
        str(c.epoch),
        render.size(c.size),
        str(c.files),
        render.duration(now - c.at),
        "yes" if c.verified else f"no: {c.problem}",
        c.key,
    ]


def _json(c: Listing) -> dict[str, Any]:
    return {
        "step": c.step,
        "epoch": c.epoch,
        "number": c.number,
        "size_bytes": c.size,
        "files": c.files,
        "at": c.at,
        "verified": c.verified,
        "problem": c.problem,
        "key": c.key,
    }
