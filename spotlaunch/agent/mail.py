"""The agent's letters, in a thread of its own: reports, what is asked of us, output, and whether we are a ghost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from spotlaunch.agent.logs import Spool
from spotlaunch.agent.report import Report
from spotlaunch.core.wire import Ask, Entry
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.register import Register

# The register is looked at once in so many rounds: a ghost can do no harm, it only costs money.
ROUNDS_PER_LOOK = 3
CHUNKS_PER_ROUND = 16
SHORTEST_GAP_S = 1.0  # between two reports about ordinary changes
FIRST_RETRY_S, LONGEST_RETRY_S = 0.2, 15.0
LONG_OUTAGE_S = 30.0


class Mail:
    """Sends what there is to send every ``every_s``, and at once when something important changes.

    ``work`` is for a `Task`; it ends when `finish` was asked and everything is delivered. ``on_ask`` is
    called when something new is asked of us, ``on_successor`` when a later attempt has claimed. The file ``sign`` is
    touched whenever the store has taken a report.
    """

    def __init__(
        self,
        *,
        mailbox: Mailbox,
        attempt: int,
        report: Report,
        spool: Spool,
        every_s: float,
        on_ask: Callable[[Ask], None],
        on_successor: Callable[[], None],
        sign: Path | None = None,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mailbox = mailbox
        self._register = Register(mailbox.blobs, mailbox.job)
        self._attempt = attempt
        self._report = report
        self._spool = spool
        self._every_s = every_s
        self._on_ask = on_ask
        self._on_successor = on_successor
        self._sign = sign
        self._mono = mono
        self._bell = threading.Event()
        self._sending = threading.Lock()
        self._hurry = threading.Event()
        self._finishing = False
        self._last: dict[str, Any] = {}
        self._claimed: Entry | None = None
        self._asked: Ask | None = None
        self._rounds = 0
        self._retry_s = FIRST_RETRY_S
        self._sent_at = 0.0
        self._fine_at = mono()
        report.changed = self.ring

    def ring(self) -> None:
        """Something worth telling has changed."""
        self._bell.set()

    def claimed(self, entry: Entry) -> None:
        """From now on it matters whether a later attempt claims."""
        self._claimed = entry

    def finish(self, **last: Any) -> None:
        """Deliver all output, then the report with these last changes, then end.

        In this order: whoever reads that we have left may take the machine away.
        """
        self._last = last
        self._finishing = True
        self._hurry.set()
        self._bell.set()

    def send_now(self) -> None:
        """Report from another thread, without waiting for what this one is just sending."""
        threading.Thread(target=self._send_quietly, name="urgent", daemon=True).start()

    def last_word(self, **last: Any) -> None:
        """The report with these last changes, from another thread, once. Raises `BlobsUnavailable`."""
        self._report.set(**last)
        self._send()

    def work(self) -> None:
        """Until finished, however long the store is away."""
        while True:
            finishing = self._finishing
            delivered = self._round(finishing)
            if finishing and delivered:
                return
            if delivered:
                self._pause()
            else:
                time.sleep(self._retry_s)
                self._retry_s = min(LONGEST_RETRY_S, max(self._every_s, FIRST_RETRY_S), 2 * self._retry_s)

    def _pause(self) -> None:
        """Until the next report is due, or something changes; but not several reports a second."""
        if self._bell.wait(self._every_s):
            self._hurry.wait(max(0.0, min(SHORTEST_GAP_S, self._every_s) - (self._mono() - self._sent_at)))

    def _round(self, finishing: bool) -> bool:
        self._bell.clear()
        try:
            if finishing:
                self._send_output(None)
                self._report.set(**self._last)
            self._send()
            if not finishing:
                self._read_ask()
                self._look_for_successor()
                self._send_output(CHUNKS_PER_ROUND)
        except BlobsUnavailable:
            return False
        self._tell_outage()
        return True

    def _send(self) -> None:
        # One at a time, each with the newest status: an older one must never overwrite a newer.
        with self._sending:
            self._mailbox.put_status(self._report.status)
            self._sent_at = self._mono()
        if self._sign is not None:
            with suppress(OSError):  # a full disk: the guard then believes that the store is away, and is right to
                self._sign.touch()

    def _send_quietly(self) -> None:
        try:
            self._send()
        except BlobsUnavailable:
            return  # the thread of the mail tries it again

    def _read_ask(self) -> None:
        ask = self._mailbox.ask(self._attempt)
        if ask is not None and ask != self._asked:
            self._asked = ask
            self._on_ask(ask)

    def _look_for_successor(self) -> None:
        mine, self._rounds = self._claimed, self._rounds + 1
        if mine is None or self._rounds % ROUNDS_PER_LOOK:
            return
        head = self._register.head(known=mine.number)
        if head is None:
            return
        if head.epoch != mine.epoch or head.by != mine.by:
            self._claimed = None
            self._on_successor()
        else:
            self._claimed = head

    def _send_output(self, most: int | None) -> None:
        sent = 0
        while most is None or sent < most:
            chunk = self._spool.chunk()
            if not chunk:
                return
            self._mailbox.put_log(self._attempt, self._spool.taken + 1, chunk)
            self._spool.took(chunk)
            self._report.logged(self._spool.taken)
            sent += 1

    def _tell_outage(self) -> None:
        away_s, self._fine_at = self._mono() - self._fine_at - self._every_s, self._mono()
        self._retry_s = FIRST_RETRY_S
        if away_s >= LONG_OUTAGE_S:
            self._report.note("store", f"the store could not be reached for {away_s:.0f} s; the program went on")
