"""Object storage behind one small door: `open_blobs` gives the port `Blobs` for a URL.

Behind it is obstore (S3 and its likes, Google, Azure, local folders), imported when a store is opened.
No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.errors import BlobsUnavailable, NoSuchObject
from spotlaunch.storage.opening import Credentials
from spotlaunch.storage.places import Clients, clients, parse
from spotlaunch.storage.trouble import explain, in_words

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

SMALL_BYTES = 1024 * 1024
PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 9_000  # S3 allows 10,000 parts of one object
AT_ONCE = 4  # parts in flight: enough to fill a link, few enough that each ends before its timeout


@dataclass(frozen=True)
class Info:
    """An object as a listing tells of it: key, bytes, seconds since the epoch."""

    key: str
    size: int
    modified_at: float


def open_blobs(url: str, *, endpoint: str = "", region: str = "", credentials: Credentials | None = None) -> Blobs:
    """The store at ``url``: ``file:///path``, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``.

    A local folder is made if it is missing. ``endpoint`` (else ``AWS_ENDPOINT_URL``) names an S3-compatible
    server. ``credentials`` gives the `core.wire.Pass` that opens it, anew for each request; without it they are
    found where the cloud's own tools find theirs. Nothing is asked of a cloud yet. Raises `BlobsUnavailable` with a
    hint when the URL is of no known kind, the folder cannot be made, or there are no credentials.
    """
    place = parse(url)
    made = clients(place, endpoint=endpoint, region=region, credentials=credentials)
    # Only a local folder is listed in no order.
    return StoredBlobs(url, made, ordered=place.scheme != "file", narrow=credentials is not None)


class StoredBlobs:
    """The port `Blobs` over obstore. Safe to use from several threads.

    ``narrow``: what opens it opens a part of it only. Then some servers answer "you may not" where there is nothing.
    """

    def __init__(self, url: str, clients: Clients, *, ordered: bool, narrow: bool = False) -> None:
        self.url = url
        self._clients = clients
        self._ordered = ordered
        self._narrow = narrow

    def put(self, key: str, data: bytes) -> None:
        client = self._clients.quick if len(data) <= SMALL_BYTES else self._clients.writer
        with in_words(self.url, "write", key):
            client.put(key, data, use_multipart=False)

    def create(self, key: str, data: bytes) -> None:
        client = self._clients.quick if len(data) <= SMALL_BYTES else self._clients.writer
        with in_words(self.url, "write", key):
            client.put(key, data, mode="create", use_multipart=False)

    def get(self, key: str) -> bytes:
        with self._reading(key):
            return bytes(self._clients.reader.get(key).bytes())

    def put_file(self, key: str, path: Path) -> None:
        with in_words(self.url, "write", key):
            part = max(PART_BYTES, -(-path.stat().st_size // MAX_PARTS))
            self._clients.writer.put(key, path, chunk_size=part, max_concurrency=AT_ONCE)

    def get_file(self, key: str, path: Path) -> None:
        with self._reading(key):
            size = int(self._clients.reader.head(key)["size"])
        try:
            with path.open("wb") as file:
                self._get_parts(key, file.fileno(), size)
        except OSError as e:
            raise explain(e, str(path), "write", key) from e

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        """As `in_words`; and whoever may not be told that there is no such object finds out by a list.

        S3 and Google say 404 only to those who may list, and not all servers heed that we may list our own part.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        try:
            with in_words(self.url, "read", key):
                yield
        except BlobsUnavailable as e:
            if self._narrow and _is_refusal(e.__cause__) and not self._is_listed(key):
                raise NoSuchObject(f"{self.url}: there is no {key}") from e
            raise

    def _is_listed(self, key: str) -> bool:
        return any(info.key == key for info in self.list(key.rpartition("/")[0]))

    def _get_parts(self, key: str, fd: int, size: int) -> None:
        """Part by part: one request for a large object would run into its time limit."""

        def get_part(start: int) -> None:
            with in_words(self.url, "read", key):
                data = self._clients.reader.get_range(key, start=start, end=min(start + PART_BYTES, size))
            _write_at(fd, start, memoryview(data))

        starts = range(0, size, PART_BYTES)
        if len(starts) <= 1:
            for start in starts:
                get_part(start)
            return
        from concurrent.futures import ThreadPoolExecutor  # late: slow to import, and rarely needed

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(get_part, starts):
                pass

    def list(self, prefix: str, *, after: str = "") -> Iterator[Info]:
        found = self._listed(prefix.strip("/"), after)
        return found if self._ordered else iter(sorted(found, key=lambda info: info.key))

    def _listed(self, prefix: str, after: str) -> Iterator[Info]:
        with in_words(self.url, "list", prefix):
            for chunk in self._clients.quick.list(prefix or None, offset=after or None, chunk_size=1000):
                for meta in chunk:
                    yield Info(meta["path"], meta["size"], meta["last_modified"].timestamp())

    def delete(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        try:
            with in_words(self.url, "delete", keys[0]):
                (self._clients.eraser or self._clients.reader).delete([*keys])
        except NoSuchObject:
            # Some stores stop at the first absent one: then one by one.
            for key in keys:
                self._delete_one(key)

    def _delete_one(self, key: str) -> None:
        try:
            with in_words(self.url, "delete", key):
                self._clients.quick.delete(key)
        except NoSuchObject:
            return


def _is_refusal(e: BaseException | None) -> bool:
    from obstore.exceptions import PermissionDeniedError

    return isinstance(e, PermissionDeniedError)


def _write_at(fd: int, offset: int, data: memoryview) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written
