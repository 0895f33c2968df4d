"""Ground that breaks: a small disk that can be filled and made read-only, and a wire that can be cut."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fakes.waiting import eventually


class SmallDisk:
    """A file system of a few megabytes of its own, mounted at ``at``."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self._ballast = at / "ballast"

    def fill(self) -> None:
        """Leave not one block free."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                with suppress(OSError):
                    while file.write(b"x" * size):
                        pass

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink()

    def read_only(self, yes: bool = True) -> None:
        """Refuse every write. A file that is open for writing prevents it: whoever has one must end soon."""
        eventually(lambda: self._remounted("ro" if yes else "rw"))

    def _remounted(self, mode: str) -> bool:
        try:
            _mount("-o", f"remount,{mode}", str(self.at))
        except subprocess.CalledProcessError:
            return False
        return True


@contextmanager
def small_disk(at: Path, *, megabytes: int = 4) -> Iterator[SmallDisk]:
    """Such a disk for as long as the context lasts. Skips the test where one may not mount."""
    at.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "none", str(at))
    except (OSError, subprocess.CalledProcessError) as e:
        pytest.skip(f"this user may not mount a small disk here: {e}")
    try:
        yield SmallDisk(at)
    finally:
        # Lazily: a process that is just ending may still stand in it.
        subprocess.run(["umount", "-l", str(at)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


class Wire:
    """A TCP proxy on 127.0.0.1 in front of ``target``; while it is cut, nobody is there."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.mend()

    def mend(self) -> None:
        """Let connections through (again)."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # A thread that waits in `accept` keeps the port open until it is woken.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with suppress(OSError), near, socket.create_connection(self._target, timeout=10) as far:
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()
        with self._lock:
            self._open.discard(near)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def wire(endpoint: str) -> Iterator[Wire]:
    """A wire to an ``http://host:port`` endpoint, cut at the end."""
    host, _, port = endpoint.removeprefix("http://").partition(":")
    made = Wire((host, int(port)))
    try:
        yield made
    finally:
        made.cut()


def closed_port() -> int:
    """A port of 127.0.0.1 where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
