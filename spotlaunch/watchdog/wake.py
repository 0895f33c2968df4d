"""Waking the watchdog: a named pipe in the home. Commands write a byte, the watchdog's sleep ends.

A wake-up carries nothing: what is wanted is in the book, and the next look reads all of it. So a lost one
costs a little time and never a decision, and many are as good as one.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from contextlib import suppress
from pathlib import Path

_DRAIN_BYTES = 4096


def poke(path: Path) -> bool:
    """Wake the watchdog that sleeps on ``path``. False when none does."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False  # no pipe, or nobody at its other end
    try:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            return False
        with suppress(BlockingIOError):  # full: it has been woken often enough
            os.write(fd, b"!")
        return True
    except OSError:
        return False  # it went away in between
    finally:
        os.close(fd)


class Bell:
    """The sleeper's end of the pipe. One thread waits; any thread, process or signal handler may ring."""

    def __init__(self, path: Path) -> None:
        """Makes the pipe (0600) if it is missing; the folder must exist."""
        self._read, self._write = _open(path)
        # Held while a descriptor's number is in use: after `close` the same number may be the book's file,
        # and a late ring must not be written there. Reentrant, because signal handlers ring too.
        self._open = threading.RLock()

    def wait(self, timeout_s: float) -> bool:
        """Sleep until somebody rings (True) or the time is over (False). Rings before the call count."""
        ready, _, _ = select.select([self._read], [], [], max(0.0, timeout_s))
        if ready:
            with suppress(BlockingIOError):
                while os.read(self._read, _DRAIN_BYTES):
                    pass
        return bool(ready)

    def ring(self) -> None:
        """End the sleep, from within this process. After `close`, nothing happens."""
        with self._open, suppress(OSError):  # full (it will wake), or closed
            os.write(self._write, b"!")

    def close(self) -> None:
        """Let go of the pipe. A second time does nothing."""
        with self._open:
            fds, self._read, self._write = {self._read, self._write}, -1, -1
            for fd in fds - {-1}:
                os.close(fd)


def _open(path: Path) -> tuple[int, int]:
    with suppress(OSError):
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Reading *and* writing: with a writer of its own the pipe never reports an end, which would make
        # `select` return at once for ever after the first poke.
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            return fd, fd
        os.close(fd)
    # This file system has no pipes, or something else bears that name. Then nobody outside can wake this
    # watchdog: it is slower by one sleep, not less safe.
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
