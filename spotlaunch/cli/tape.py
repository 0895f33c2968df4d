"""A job's output as the mailbox holds it: chunks of bytes, attempt by attempt, made into lines."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field

from spotlaunch.storage.mailbox import Mailbox

# For the last lines of a long log: begin with so many chunks from its end, and take more until they suffice.
_TAIL_CHUNKS = 4


@dataclass
class _Reading:
    """How far one attempt has been read. A chunk may end within a line, and within a letter."""

    after: int = 0
    rest: str = ""
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )


class Tape:
    """Reads a job's log onwards: each line comes out once."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._readings: dict[int, _Reading] = {}

    def lines(self, attempt: int, *, whole: bool) -> Iterator[str]:
        """The lines that are new since the last call. ``whole``: nothing follows, so the last line is one too.

        Raises `BlobsUnavailable`; what had been read until then is not read again.
        """
        reading = self._readings.setdefault(attempt, _Reading())
        for index, data in self._mailbox.logs(attempt, after=reading.after):
            reading.after = index
            *complete, reading.rest = (reading.rest + reading.decoder.decode(data)).split("\n")
            yield from complete
        if whole and reading.rest:
            rest, reading.rest = reading.rest, ""
            yield rest

    def resumed_step(self, attempt: int) -> int:
        """The step it restored, as its agent says; 0 for none, or not known yet."""
        status = self._mailbox.status(attempt)
        return (status.resumed_step if status is not None else None) or 0

    def tail(self, attempt: int, count: int, *, whole: bool) -> list[str]:
        """The last ``count`` lines of an attempt so far, without fetching all of a long log.

        `lines` goes on behind them.
        """
        status = self._mailbox.status(attempt)
        total = status.log_chunks if status is not None else 0
        chunks = _TAIL_CHUNKS
        while True:
            after = max(0, total - chunks)
            self._readings[attempt] = _Reading(after=after)
            found = list(self.lines(attempt, whole=whole))
            # Not from the first chunk on: the first line may be the end of one, so one more is needed.
            if count == 0:
                return []
            if after == 0 or len(found) > count:
                return found[-count:]
            chunks *= 4
