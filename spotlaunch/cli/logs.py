"""`spotlaunch logs JOB`: what the job printed, all attempts in order, marked where they begin and end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.cli.tape import Tape
from spotlaunch.core.book import Attempt
from spotlaunch.errors import UsageError
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore

# How often to look for more: a folder on this computer costs nothing, a bucket's listings do.
POLL_FILE_S = 0.5
POLL_BUCKET_S = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an attempt's output; or a ``mark``, which says where it begins or how it ended."""

    attempt: int
    text: str
    mark: bool = False


def run(name: str, *, follow: bool, attempt: int | None, tail: int | None, as_json: bool) -> None:
    """Print the log so far; with ``follow`` also what comes. Raises `NoSuchJob`, `BlobsUnavailable`."""
    with open_book() as store:
        lines = read(store, name, follow=follow, attempt=attempt, tail=tail)
        if as_json:
            said = ({"attempt": line.attempt, "text": line.text} for line in lines if not line.mark)
            render.json_list(said, endless=follow)
            return
        for line in lines:
            if not line.mark:
                print(line.text, flush=follow)
            elif attempt is None:
                print(f"--- {line.text} ---", flush=follow)


def read(
    store: SqliteStore,
    name: str,
    *,
    follow: bool,
    attempt: int | None = None,
    tail: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Line]:
    """The log's lines with marks; with ``follow`` until the job (or that one attempt) is over."""
    job = store.job(name)
    blobs = open_blobs(job.store_url, endpoint=job.store_endpoint, region=job.store_region)
    reader = _Reader(store, name, Tape(Mailbox(blobs, name)))
    attempts = _chosen(store, name, attempt)
    if attempt is not None and not attempts and not (follow and not job.over):
        raise UsageError(f"{name} has had {job.last_attempt} attempts, not {attempt}")
    if tail is not None:
        yield from reader.tail(attempts, tail)
    while True:
        # Over is asked before the log is read: what was written until then is in it.
        over = store.job(name).over
        attempts = _chosen(store, name, attempt)
        yield from reader.onwards(attempts, over)
        if over or not follow or (attempt is not None and attempts and not attempts[0].live):
            return
        sleep(POLL_FILE_S if job.store_url.startswith("file:") else POLL_BUCKET_S)


def _chosen(store: SqliteStore, name: str, attempt: int | None) -> list[Attempt]:
    return [a for a in store.attempts(name) if attempt in (None, a.number)]


class _Reader:
    """Which marks have been made, and which attempts are read to their end."""

    def __init__(self, store: SqliteStore, job: str, tape: Tape) -> None:
        self._store = store
        self._job = job
        self._tape = tape
        self._begun: set[int] = set()
        self._closed: set[int] = set()
        self._speaking = 0  # an old attempt may still speak while the next begins: then marks go to and fro

    def tail(self, attempts: list[Attempt], count: int) -> Iterator[Line]:
        """The last ``count`` lines of all attempts together. `onwards` goes on behind them."""
        parts: list[tuple[Attempt, list[str]]] = []
        for a in reversed(attempts):
            if count > 0 or a.live:
                lines = self._tape.tail(a.number, max(0, count), whole=not a.live)
                parts.insert(0, (a, lines))
                count -= len(lines)
            if not a.live:
                self._closed.add(a.number)
        for a, lines in parts:
            if lines:
                yield from self._begin(a)
                yield from (Line(a.number, text) for text in lines)
                yield from self._end(a)

    def onwards(self, attempts: list[Attempt], over: bool) -> Iterator[Line]:
        """All that is new."""
        for a in attempts:
            if a.number in self._closed:
                continue
            for text in self._tape.lines(a.number, whole=over or not a.live):
                yield from self._begin(a)
                yield Line(a.number, text)
            if not a.live:
                self._closed.add(a.number)
                if a.number not in self._begun:
                    if a.outcome == "refused":
                        continue  # it never had a machine, so it has no story here
                    yield from self._begin(a)
                yield from self._end(a)

    def _begin(self, a: Attempt) -> Iterator[Line]:
        if self._speaking == a.number:
            return
        self._speaking = a.number
        if a.number in self._begun:
            yield Line(a.number, f"attempt {a.number} goes on", mark=True)
            return
        self._begun.add(a.number)
        pools = [m.pool for m in self._store.machines(self._job) if m.attempt == a.number]
        step = a.resumed_step or self._tape.resumed_step(a.number)
        where = f" on {pools[-1]}" if pools else ""
        resumed = f" (resumed from step {step})" if step else ""
        yield Line(a.number, f"attempt {a.number}{where}{resumed}", mark=True)

    def _end(self, a: Attempt) -> Iterator[Line]:
        if a.outcome is None:
            return
        self._speaking = 0
        reached = f" at step {a.step}" if a.step else ""
        reason = f": {a.reason}" if a.reason else ""
        yield Line(a.number, f"attempt {a.number} {a.outcome}{reached}{reason}", mark=True)
