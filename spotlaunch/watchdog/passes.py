"""Passes to the store: made once for a job, shared by its attempts, and renewed while these live."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from threading import Lock

from spotlaunch.core import wire
from spotlaunch.core.book import Book, Job
from spotlaunch.core.wire import Pass
from spotlaunch.errors import SpotlaunchError, StoreUnavailable
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.seal import seal
from spotlaunch.watchdog.passkeys import Kept, PassKeys

# After trouble it is tried again so often.
RETRY_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A pass, and when it was made (seconds since the epoch)."""

    found: Pass
    at: float

    def fresh(self, now: float) -> bool:
        """Whether at least half of its life is left."""
        return _fresh(self.at, self.found.expires_at, now)


def _fresh(made_at: float, expires_at: float, now: float) -> bool:
    return expires_at == 0 or now < made_at + (expires_at - made_at) / 2


class Passes:
    """Makes, keeps and renews them.

    ``make`` asks the store's cloud for a pass to a job's folder and raises a `SpotlaunchError` where there is none;
    ``workers`` do what takes time; ``complain`` takes a line for the log. Passes are kept in memory only.
    """

    def __init__(
        self,
        *,
        make: Callable[[Job], Pass],
        mailbox: Callable[[Job], Mailbox],
        keys: PassKeys,
        now: Callable[[], float],
        workers: Executor,
        complain: Callable[[str], None],
    ) -> None:
        self._make = make
        self._mailbox = mailbox
        self._keys = keys
        self._now = now
        self._workers = workers
        self._complain = complain
        self._lock = Lock()
        self._made: dict[str, Made] = {}
        self._busy: set[tuple[str, int]] = set()
        self._retry_at: dict[tuple[str, int], float] = {}

    def current(self, job: Job) -> Made:
        """A pass with at least half of its life left: the one at hand, else a new one. Raises `SpotlaunchError`."""
        with self._lock:
            made = self._made.get(job.name)
        if made is not None and made.fresh(self._now()):
            return made
        at = self._now()
        made = Made(found=self._make(job), at=at)
        with self._lock:
            self._made[job.name] = made
        return made

    def keep(self, job: Job, attempt: int, key: bytes, made: Made) -> None:
        """An attempt begins with this pass, and opens later ones with ``key``. Raises `StoreUnavailable`."""
        text = base64.b64encode(key).decode()
        self._keys.keep(job.name, attempt, Kept(key=text, made_at=made.at, expires_at=made.found.expires_at))

    def renew(self, book: Book) -> None:
        """Forget what is over, and have renewed what is more than half over. Does not wait for that.

        ``book`` must have been read after the last call that this watchdog made: what is not in it is over.
        """
        jobs = {j.name: j for j in book.jobs}
        live = {(a.job, a.number) for a in book.attempts if a.live}
        now = self._now()
        with self._lock:
            self._made = {name: made for name, made in self._made.items() if name in jobs}
            at_hand = set(self._made)
        for (name, attempt), kept in self._keys.all().items():
            if name not in jobs or (name, attempt) not in live:
                self._forget(name, attempt)
                self._retry_at.pop((name, attempt), None)
            elif self._retry_at.get((name, attempt), 0.0) > now or kept.expires_at == 0:
                continue
            # A new watchdog renews at once, so that it has a pass at hand when that machine is taken: a notice leaves
            # no time to make one.
            elif name not in at_hand or not _fresh(kept.made_at, kept.expires_at, now):
                self._begin(jobs[name], attempt, kept)

    def _forget(self, job: str, attempt: int) -> None:
        try:
            self._keys.forget(job, attempt)
        except StoreUnavailable as e:
            self._complain(f"{job}: the key of attempt {attempt} could not be removed: {e.message}")

    def _begin(self, job: Job, attempt: int, kept: Kept) -> None:
        with self._lock:
            if (job.name, attempt) in self._busy:
                return
            self._busy.add((job.name, attempt))
        self._retry_at[job.name, attempt] = self._now() + RETRY_S
        future = self._workers.submit(self._renew, job, attempt, kept)
        future.add_done_callback(partial(self._done, job.name, attempt))

    def _renew(self, job: Job, attempt: int, kept: Kept) -> None:
        made = self.current(job)
        about = wire.pass_key(job.name, attempt)
        sealed = seal(base64.b64decode(kept.key), wire.encode(made.found), about=about)
        self._mailbox(job).blobs.put(about, sealed)
        again = Kept(key=kept.key, made_at=made.at, expires_at=made.found.expires_at)
        self._keys.renewed(job.name, attempt, again)

    def _done(self, job: str, attempt: int, future: Future[None]) -> None:
        with self._lock:
            self._busy.discard((job, attempt))
        error = future.exception()
        if isinstance(error, SpotlaunchError):
            hint = f" (hint: {error.hint})" if error.hint else ""
            self._complain(f"{job}: the pass of attempt {attempt} could not be renewed yet: {error.message}{hint}")
        elif error is not None:
            self._complain("a renewal broke: " + "".join(traceback.format_exception(error)))
