"""Links: addresses by which a machine that has nothing yet reads one object of the store, for an hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.passes import boundary, sas
from spotlaunch.storage.passes.folder import Folder, folder_of
from spotlaunch.storage.places import clients
from spotlaunch.storage.trouble import explain

# A machine must have booted within it.
LASTS_S = 3600.0

# The script that holds a link has its own limit; see `core.facts.SCRIPT_MOST_BYTES`.
MOST_BYTES = 2200


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A GET of ``url``, with the line ``header`` (``Name: value``, or nothing) sent along, gives the object.

    It holds no secret that outlives the hour. Still it opens something, and so stays out of ``repr``.
    """

    url: str = field(repr=False)
    header: str = field(default="", repr=False)


def link(ref: BlobStoreRef, job: str, key: str, told: Settings, *, now: float) -> Link:
    """A link to the object ``key`` (of the job ``job``) in the store ``ref``, good for an hour from ``now``.

    Raises `BlobsUnavailable`, with a hint, where none can be made.
    """
    folder = folder_of(ref, job, told)
    made = _made(folder, key, now)
    size = len(made.url.encode()) + len(made.header.encode())
    if size > MOST_BYTES:
        raise BlobsUnavailable(
            f"a link into {folder.place.url} has {size} bytes, and a boot script holds {MOST_BYTES}",
            hint="use a shorter prefix in checkpoint.store, or credentials without a session token",
        )
    return made


def _made(folder: Folder, key: str, now: float) -> Link:
    whole = f"{folder.place.prefix}/{key}".strip("/")
    match folder.place.scheme:
        case "file":
            raise BlobsUnavailable(
                f"no machine of a cloud can read {folder.place.url}, a folder of this computer",
                hint="name a bucket in checkpoint.store",
            )
        case "az":
            return Link(url=sas.object_link(folder, whole, lasts_s=LASTS_S, now=now))
        case "gs" if not boundary.can_sign(folder):
            url, header = boundary.object_link(folder, whole)
            return Link(url=url, header=header)
    return Link(url=_signed(folder, key))


def _signed(folder: Folder, key: str) -> str:
    """By obstore, with this computer's own credentials: the signature is all that leaves it."""
    import obstore  # late: slow to import
    from obstore.exceptions import BaseError

    store = clients(folder.place, endpoint=folder.endpoint, region=folder.region).quick
    try:
        return obstore.sign(store, "GET", key, timedelta(seconds=LASTS_S))
    except (BaseError, OSError, ValueError) as e:
        raise explain(e, folder.place.url, "sign a link to", key) from e
