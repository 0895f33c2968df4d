"""What a pass is for: one job's folder in a store, as the store itself names it."""

from __future__ import annotations

from dataclasses import dataclass

from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.core.wire import job_key
from spotlaunch.storage import places


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """``prefix`` ends with a slash, so that the folder of ``a`` is not the beginning of that of ``a-2``."""

    place: places.Place
    job: str
    endpoint: str
    region: str
    told: Settings

    @property
    def bucket(self) -> str:
        """The bucket, or the container."""
        return self.place.bucket

    @property
    def path(self) -> str:
        """The folder from the bucket's root, without a slash at either end."""
        return f"{self.place.prefix}/{job_key(self.job)}".strip("/")

    @property
    def prefix(self) -> str:
        """What all keys in it begin with, and no other job's."""
        return self.path + "/"


def folder_of(ref: BlobStoreRef, job: str, told: Settings) -> Folder:
    """Where ``job`` lives in the store ``ref``. Raises `BlobsUnavailable` when the URL names no store."""
    place = places.parse(ref.url)
    endpoint, region = places.whereabouts(place, ref.endpoint, ref.region)
    return Folder(place=place, job=job, endpoint=endpoint, region=region, told=told)
