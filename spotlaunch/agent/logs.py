"""The program's output: masked, spooled to disk, and handed on in chunks when the store can take them."""

from __future__ import annotations

import threading
from pathlib import Path

from spotlaunch.agent.masks import Masker

CHUNK_BYTES = 256 * 1024
CAP_BYTES = 200 * 1024 * 1024
FULL = "\n[spotlaunch] the output of this attempt is longer than {mb} MB; the rest is not kept\n"


class Spool:
    """A file between the program, which must never wait, and the store, which may be away for hours.

    One thread writes, another takes chunks. ``taken`` counts chunks handed on; their indices begin at 1.
    """

    def __init__(self, path: Path, masker: Masker, *, taken: int = 0, cap_bytes: int = CAP_BYTES) -> None:
        self.taken = taken
        self._path = path
        self._masker = masker
        self._cap = cap_bytes
        self._lock = threading.Lock()
        self._written = 0
        self._read = 0
        self._full = False
        path.write_bytes(b"")

    def write(self, data: bytes) -> None:
        """More output."""
        self._append(self._masker.feed(data))

    def end(self) -> None:
        """The program has ended: nothing is held back any more."""
        self._append(self._masker.rest())

    def chunk(self) -> bytes:
        """The next piece to hand on, ending with a line if it can; empty: there is none."""
        with self._lock:
            waiting = self._written - self._read
        if waiting == 0:
            return b""
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read(min(waiting, CHUNK_BYTES))
        end = data.rfind(b"\n") + 1
        return data[:end] if end and waiting > len(data) else data

    def took(self, data: bytes) -> None:
        """The chunk was handed on."""
        self._read += len(data)
        self.taken += 1

    def _append(self, data: bytes) -> None:
        if not data or self._full:
            return
        if self._written + len(data) > self._cap:
            data = data[: self._cap - self._written] + FULL.format(mb=self._cap // 2**20).encode()
            self._full = True
        try:
            with self._path.open("ab") as file:
                file.write(data)
        except OSError:  # a full disk: output is lost, the program goes on
            self._full = True
            return
        with self._lock:
            self._written += len(data)
