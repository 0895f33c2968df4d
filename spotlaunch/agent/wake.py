"""A bell for the main thread, which signals, the end of a child and other threads may ring."""

from __future__ import annotations

import os
import select
import signal


class Wake:
    """A pipe, because ringing it is safe inside a signal handler, where a lock would not be."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def on_signals(self) -> None:
        """Ring on every signal that has a handler. Main thread only."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        # A handler there must be, or the end of a child rings no bell.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def ring(self) -> None:
        """From any thread."""
        try:
            os.write(self._write, b"!")
        except BlockingIOError:
            return  # it is ringing already

    def wait(self, timeout_s: float) -> None:
        """Return when rung, or after so many seconds."""
        ready, _, _ = select.select([self._read], [], [], max(0.0, timeout_s))
        if ready:
            try:
                os.read(self._read, 65536)
            except BlockingIOError:
                return
