"""Object storage in memory, for tests: the port `Blobs` over a dict, with a hook to make it fail."""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from spotlaunch.errors import AlreadyExists, NoSuchObject
from spotlaunch.storage.blobs import Info


class MemoryBlobs:
    """Exact and fast. ``fail(op, key)`` is called before each operation and may raise what it likes.

    ``after(op, key)`` is called when the deed is done: raising there is an answer that was lost.
    ``now`` gives ``modified_at``. Operations are: put, create, get, put_file, get_file, list, delete.
    """

    def __init__(self, url: str = "memory://", *, now: Callable[[], float] = lambda: 0.0) -> None:
        self.url = url
        self.fail: Callable[[str, str], None] | None = None
        self.after: Callable[[str, str], None] | None = None
        self.now = now
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.calls: dict[str, int] = {}
        self._keys: list[str] = []
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes) -> None:
        self._before("put", key)
        self._write(key, data)
        self._after("put", key)

    def create(self, key: str, data: bytes) -> None:
        self._before("create", key)
        with self._lock:
            taken = key in self.objects
            if not taken:
                self._store(key, data)
        if taken:
            raise AlreadyExists(f"{self.url}: {key} exists already")
        self._after("create", key)

    def get(self, key: str) -> bytes:
        self._before("get", key)
        return self._read(key)

    def put_file(self, key: str, path: Path) -> None:
        self._before("put_file", key)
        self._write(key, path.read_bytes())
        self._after("put_file", key)

    def get_file(self, key: str, path: Path) -> None:
        self._before("get_file", key)
        path.write_bytes(self._read(key))

    def list(self, prefix: str, *, after: str = "") -> Iterator[Info]:
        self._before("list", prefix)
        folder = prefix.strip("/") + "/" if prefix.strip("/") else ""
        with self._lock:
            start = bisect_right(self._keys, max(after, folder)) if after or folder else 0
            found: list[Info] = []
            for key in self._keys[start:]:
                if not key.startswith(folder):
                    break
                data, at = self.objects[key]
                found.append(Info(key, len(data), at))
        return iter(found)

    def delete(self, keys: Sequence[str]) -> None:
        self._before("delete", keys[0] if keys else "")
        with self._lock:
            for key in keys:
                if self.objects.pop(key, None) is not None:
                    self._keys.remove(key)
        self._after("delete", keys[0] if keys else "")

    def _before(self, op: str, key: str) -> None:
        self.calls[op] = self.calls.get(op, 0) + 1
        if self.fail is not None:
            self.fail(op, key)

    def _after(self, op: str, key: str) -> None:
        if self.after is not None:
            self.after(op, key)

    def _write(self, key: str, data: bytes) -> None:
        with self._lock:
            self._store(key, data)

    def _store(self, key: str, data: bytes) -> None:
        if key not in self.objects:
            insort(self._keys, key)
        self.objects[key] = (bytes(data), self.now())

    def _read(self, key: str) -> bytes:
        with self._lock:
            if key not in self.objects:
                raise NoSuchObject(f"{self.url}: there is no {key}")
            return self.objects[key][0]
