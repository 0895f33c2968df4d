"""Observing: all listings side by side, then the mail. The book is read after both (see `loop`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import replace

from spotlaunch.core.book import Attempt, Job
from spotlaunch.core.facts import Listing
from spotlaunch.core.plan import Mail
from spotlaunch.errors import BlobsUnavailable, ProviderError
from spotlaunch.ports import Provider
from spotlaunch.storage.mailbox import Mailbox

# A look waits so long for slow answers; they are used by a later look, and hold nobody up. A cloud that is down must
# not keep us from hearing a notice on another. Who looks but once has more patience.
LISTING_DEADLINE_S, PATIENT_S = 1.0, 20.0
MAIL_DEADLINE_S = 5.0

# With an answer outstanding, look again after this.
LATE_LOOK_S = 1.0

# A provider on which nothing of ours should be up is listed this often all the same: strays bill.
QUIET_LISTING_S = 60.0

# What was asked to end is looked for so often at first: "ended" means gone from the listing, and it bills until then.
ENDING_LISTING_S, ENDING_HURRY_S = 2.0, 30.0

INF = float("inf")

# A store that did not answer is left alone for so long, so that its time-outs do not fill every look.
STORE_REST_S = 10.0


class Listings:
    """Asks providers for their machines, each at its own pace."""

    def __init__(
        self, providers: Mapping[str, Provider], *, now: Callable[[], float], workers: Executor, most_s: float = INF
    ) -> None:
        """``most_s``: no provider is listed more seldom than this."""
        self._providers = providers
        self._now = now
        self._workers = workers
        self._most_s = most_s
        self._asked_at: dict[str, float] = {}
        self._asking: dict[str, Future[Listing]] = {}
        self._hurry_until: dict[str, float] = {}
        self._good_at: dict[str, float] = {}

    def hurry(self, names: Iterable[str]) -> None:
        """On these providers machines were just asked to end: they are listed more often for a while."""
        for name in names:
            self._hurry_until[name] = self._now() + ENDING_HURRY_S

    def take(self, busy: frozenset[str], *, patient: bool = False) -> tuple[Listing, ...]:
        """Listings that are due and came in time. ``busy``: providers on which machines of the book are."""
        for name in self._providers:
            if name not in self._asking and self._now() >= self.due_at(name, busy):
                self._asked_at[name] = self._now()
                self._asking[name] = self._workers.submit(self._list_one, name)
        wait(list(self._asking.values()), timeout=PATIENT_S if patient else LISTING_DEADLINE_S)
        done = [n for n, f in self._asking.items() if f.done()]
        return tuple(self._result(n, self._asking.pop(n)) for n in done)

    def _result(self, name: str, future: Future[Listing]) -> Listing:
        error = future.exception()
        if error is None:
            listing = replace(future.result(), before_at=self._good_at.get(name))
            if listing.ok:
                self._good_at[name] = listing.started_at
            return listing
        # An adapter's bug must not blind the loop to the other clouds; as a failed listing it is shown.
        bug = f"{type(error).__name__}: {error}"
        return Listing(provider=name, started_at=self._asked_at[name], ok=False, error=bug)

    def due_at(self, name: str, busy: frozenset[str]) -> float:
        """When a provider should be listed next."""
        if name not in self._asked_at or self._asked_at[name] > self._now():
            return 0.0  # never asked, or the clock was set back since: by hours we would be blind
        every_s = self._providers[name].traits.list_interval_s if name in busy else QUIET_LISTING_S
        if self._now() < self._hurry_until.get(name, 0.0):
            every_s = min(every_s, ENDING_LISTING_S)
        return self._asked_at[name] + min(every_s, self._most_s)

    def next_at(self, busy: frozenset[str]) -> float:
        """When the first of all is due."""
        late = [self._now() + LATE_LOOK_S] if self._asking else []
        return min([*late, *(self.due_at(n, busy) for n in self._providers if n not in self._asking)], default=INF)

    def _list_one(self, name: str) -> Listing:
        started_at = self._now()
        try:
            machines = tuple(self._providers[name].list_machines())
        except ProviderError as e:
            return Listing(provider=name, started_at=started_at, ok=False, error=e.message)
        return Listing(provider=name, started_at=started_at, ok=True, machines=machines)


class Post:
    """Reads the mailboxes of live attempts, side by side."""

    def __init__(self, mailbox: Callable[[Job], Mailbox], *, now: Callable[[], float], workers: Executor) -> None:
        self._mailbox = mailbox
        self._now = now
        self._workers = workers
        self._down_until: dict[str, tuple[float, str]] = {}
        self._late: dict[str, Future[Mail]] = {}

    def take(self, jobs: Iterable[Job], attempts: Iterable[Attempt]) -> dict[str, Mail]:
        """The mail of each job that has live attempts. What could not be read is ``ok=False``."""
        live: dict[str, list[int]] = {}
        for a in attempts:
            if a.live:
                live.setdefault(a.job, []).append(a.number)
        # What an earlier look asked for and gave up waiting for: too old to be used, for it was asked before
        # this look's listings; and asking again beside it would only make the queue longer.
        self._late = {name: f for name, f in self._late.items() if not f.done()}
        mine = [j for j in jobs if j.name in live]
        reading = {j.name: self._workers.submit(self._read, j, live[j.name]) for j in mine if j.name not in self._late}
        wait(list(reading.values()), timeout=MAIL_DEADLINE_S)
        self._late |= {name: f for name, f in reading.items() if not f.done()}
        slow = Mail(ok=False, error="the checkpoint store has not answered yet")
        return {j.name: slow if j.name in self._late else _mail_of(reading[j.name]) for j in mine}

    def _read(self, job: Job, numbers: list[int]) -> Mail:
        until, error = self._down_until.get(job.store_url, (0.0, ""))
        if until - STORE_REST_S <= self._now() < until:  # not before either: then the clock was set back
            return Mail(ok=False, error=error)
        try:
            return Mail(ok=True, statuses=self._mailbox(job).statuses(numbers))
        except BlobsUnavailable as e:
            self._down_until[job.store_url] = (self._now() + STORE_REST_S, e.message)
            return Mail(ok=False, error=e.message)


def _mail_of(future: Future[Mail]) -> Mail:
    error = future.exception()
    if error is None:
        return future.result()
    # One store that fails in a way nobody foresaw must not stop the loop for the other jobs.
    return Mail(ok=False, error=f"{type(error).__name__}: {error}")
