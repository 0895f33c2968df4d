"""The loop: observe -> decide -> write -> act -> sleep. Each look starts from scratch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass

from spotlaunch.core.book import OVER, Book, Event, Job
from spotlaunch.core.choosing import is_file_store
from spotlaunch.core.decide import decide, exposed, hungry, uprooted
from spotlaunch.core.facts import Offer, Unusable, Want
from spotlaunch.core.lessons import NOTHING_LEARNED
from spotlaunch.core.plan import AddEvent, Asked, Call, Launch, Plan, PutAsk, SetJob, Terminate, World, Write, job_of
from spotlaunch.core.rules import OFFER_MAX_AGE_S
from spotlaunch.errors import StaleWrite, StoreUnavailable
from spotlaunch.market.room import DEADLINE_S, Room
from spotlaunch.ports import Clock, Lease, Provider, Store
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.watchdog.act import Actor, Prepare, with_secrets
from spotlaunch.watchdog.observe import Listings, Post

# A lease outlives the longest look; a watchdog that was killed is succeeded at once all the same, because
# its successor sees that the process is gone.
LEASE_S = 60.0

# How often mailboxes are looked into while an attempt is live: a notice must be heard at once, and a folder
# on this computer costs nothing to read.
MAIL_FILE_S = 0.5
MAIL_BUCKET_S = 1.0

# Offers of this age are good enough for a job that loses its machine: a survey of all clouds takes seconds.
AT_HAND_S = OFFER_MAX_AGE_S * 0.9

# How often agents are told what has changed in the danger their machines are in.
AT_HAND_EVERY_S = 60.0

# After a look whose plan was stale for some job: its state has moved, so look again, but never in a hot loop.
STALE_S = 0.2

# With the store broken (a full disk), look again after this.
BROKEN_STORE_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """What a watchdog is given of the world, so that a simulation can give it another.

    ``mailbox`` opens a job's mailbox; ``secrets`` reads a job's secret values and ``forget_secrets`` removes
    them; ``told`` is called with each event that was written; ``complain`` takes a line for the log; ``ring``
    wakes the clock. ``lookers`` run listings, mail and prices side by side, ``callers`` make launches and
    ends: apart, so that slow launches do not make us blind. ``reconnect`` is called at the beginning of each
    look and may add to ``providers`` those that could not be used before. ``note_prices`` is given all offers
    seen, by the looker that asked; ``note_silent`` all providers that told none, whenever these change.
    ``list_every_s``: machines are listed at least so often, also where a provider's own pace is slower.
    """

    providers: Mapping[str, Provider]
    mailbox: Callable[[Job], Mailbox]
    secrets: Callable[[str], Mapping[str, str]]
    forget_secrets: Callable[[str], None]
    told: Callable[[Event], None]
    complain: Callable[[str], None]
    ring: Callable[[], None]
    lookers: Executor
    callers: Executor
    reconnect: Callable[[], None] = lambda: None
    note_prices: Callable[[Sequence[Offer]], None] = lambda offers: None
    note_silent: Callable[[Sequence[Unusable]], None] = lambda silent: None
    prepare: Prepare = with_secrets
    renew: Callable[[Book], None] = lambda book: None
    list_every_s: float = float("inf")


class Watchdog:
    """Runs looks under a lease. One at a time is awake for a book."""

    def __init__(self, store: Store, clock: Clock, lease: Lease, outside: Outside, *, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._out = outside
        self._owner = owner
        self._listings = Listings(
            outside.providers, now=clock.now, workers=outside.lookers, most_s=outside.list_every_s
        )
        self._post = Post(outside.mailbox, now=clock.now, workers=outside.lookers)
        self._room = Room(outside.providers, now=clock.now, workers=outside.lookers, note=outside.note_prices)
        self._actor = Actor(
            outside.providers,
            mailbox=outside.mailbox,
            apply=self.write,
            secrets=outside.secrets,
            prepare=outside.prepare,
            now=clock.now,
            workers=outside.callers,
            done=outside.ring,
            complain=outside.complain,
        )
        self._silent: tuple[Unusable, ...] = ()
        self._at_hand_at = float("-inf")
        self._stop = False

    def run(self, *, idle_exit_s: float | None = None) -> None:
        """Look and sleep until `stop`, or until there has been nothing to watch for ``idle_exit_s``.

        Raises `LeaseHeld` when another watchdog took the lease.
        """
        idle_since: float | None = None
        while not self._stop:
            began = self._clock.now()
            wake_at, idle = self._guarded_look()
            now = self._clock.now()
            idle_since = (idle_since or now) if idle else None
            if idle_exit_s is not None and idle_since is not None and now - idle_since >= idle_exit_s:
                return
            if idle_exit_s is not None and idle_since is not None:
                wake_at = min(wake_at, idle_since + idle_exit_s)
            # At most half of the time goes into looking: this machine may be the one that trains.
            wake_at = max(wake_at, now + (now - began))
            if not self._stop and wake_at > now:
                self._clock.sleep_until(wake_at)

    def stop(self) -> None:
        """End `run` after the present look."""
        self._stop = True
        self._out.ring()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop

    def settle(self, timeout_s: float) -> bool:
        """Wait until calls under way have been answered. Says whether there were any."""
        pending = self._actor.pending()
        wait(pending, timeout=timeout_s)
        return bool(pending)

    def _guarded_look(self) -> tuple[float, bool]:
        """One look. A broken disk is told and waited out: machines and agents go on without us."""
        try:
            return self.look()
        except StoreUnavailable as e:
            self._out.complain(f"the book cannot be used: {e.message}" + (f" (hint: {e.hint})" if e.hint else ""))
            return self._clock.now() + BROKEN_STORE_S, False

    def look(self, *, patient: bool = False) -> tuple[float, bool]:
        """Observe, decide, write, act. Says when to look again at the latest, and whether all was idle.

        ``patient``: slow listings are waited for, as there may be no later look.
        """
        self._store.renew_lease(self._lease.token, until=self._clock.now() + LEASE_S)
        self._out.reconnect()
        # This tells whom to ask; where nothing moves meanwhile, reading it again below costs nothing.
        before = self._store.read_book()
        busy = frozenset(m.pool.provider for m in before.machines)
        in_flight = self._actor.in_flight()
        # The cloud first, then the mail, then the book: what a listing lacks was then surely not written
        # down before it began, and a farewell is read after the machine was seen gone.
        listings = self._listings.take(busy, patient=patient)
        mail = self._post.take(before.jobs, before.attempts)
        book = self._store.read_book()
        self._out.renew(book)
        now = self._clock.now()
        asked = self._ask_market(book, now)
        at_hand = self._at_hand(book, now, asked)
        world = World(
            now=now,
            owner=self._owner,
            book=book,
            traits={n: p.traits for n, p in self._out.providers.items()},
            listings=listings,
            mail=mail,
            asked=asked,
            at_hand=at_hand,
            in_flight=in_flight | self._actor.in_flight(),
            learned=self._store.learned(now=now) if asked or at_hand else NOTHING_LEARNED,
        )
        plan = decide(world)
        stale = self._write_plan(world, plan)
        self._actor.act(world, [c for c in plan.calls if _job_of_call(c) not in stale])
        self._listings.hurry(c.provider for c in plan.calls if isinstance(c, Terminate))
        wake_at = now + STALE_S if stale else self._next_look(book, plan, busy)
        return wake_at, not book.jobs and not book.machines

    def _write_plan(self, world: World, plan: Plan) -> frozenset[str]:
        """Write a plan in one transaction. Returns the jobs for which it came too late: no call of theirs is made.

        When somebody (a command, a call's answer) moved the book meanwhile, each job is written by itself, so
        that one whose state is in dispute never holds up the others. Raises `LeaseHeld` when it was the lease.
        """
        try:
            self.write(plan.writes)
        except StaleWrite as e:
            # Or the lease went to another watchdog meanwhile: then this raises, and no call is made.
            self._store.renew_lease(self._lease.token, until=self._clock.now() + LEASE_S)
            self._out.complain(f"the book moved during the look: {e.message}")
        else:
            return frozenset()
        job_of_machine = {m.launch_key: m.job for m in world.book.machines}
        by_job: dict[str, list[Write]] = {}
        for w in plan.writes:
            by_job.setdefault(job_of(w, job_of_machine), []).append(w)
        stale = set()
        for job, writes in by_job.items():
            try:
                self.write(writes)
            except StaleWrite:
                stale.add(job)
        return frozenset(stale)

    def write(self, writes: Sequence[Write]) -> None:
        """Apply under the lease, then tell the story and forget what is no longer needed."""
        # Also with nothing to write: calls follow, and only the holder of the lease may make them.
        self._store.apply(writes, token=self._lease.token)
        for w in writes:
            if isinstance(w, AddEvent):
                self._out.told(w.event)
            elif isinstance(w, SetJob) and w.changes.get("state") in OVER:
                self._out.forget_secrets(w.name)

    def _ask_market(self, book: Book, now: float) -> dict[str, Asked]:
        wants, soon = hungry(book, now), uprooted(book)
        # One deadline for all: with a cloud that hangs, a hundred different wishes must not take a hundred
        # deadlines, while the lease runs out and notices go unheard.
        give_up_at = self._clock.now() + DEADLINE_S
        answers: dict[tuple[Want, bool], Asked] = {}
        for job, want in wants.items():
            key = (want, job in soon)
            if key not in answers:
                deadline_s = max(0.0, give_up_at - self._clock.now())
                answers[key] = self._room.ask(want, deadline_s=deadline_s, at_hand_s=AT_HAND_S if key[1] else 0.0)
        for want in dict.fromkeys(exposed(book).values()):
            self._room.keep_warm(want)
        if (silent := self._room.silent()) != self._silent:
            self._silent = silent
            self._out.note_silent(silent)
        return {job: answers[want, job in soon] for job, want in wants.items()}

    def _at_hand(self, book: Book, now: float, asked: Mapping[str, Asked]) -> dict[str, Asked]:
        """Once in a while, what is known of the pools that machines may be taken from."""
        if 0 <= now - self._at_hand_at < AT_HAND_EVERY_S:
            return {}
        self._at_hand_at = now
        return {job: self._room.at_hand(want) for job, want in exposed(book).items() if job not in asked}

    def _next_look(self, book: Book, plan: Plan, busy: frozenset[str]) -> float:
        wake_at = min(plan.wake_at, self._listings.next_at(busy))
        live = {a.job for a in book.attempts if a.live}
        for job in book.jobs:
            if job.name in live:
                every_s = MAIL_FILE_S if is_file_store(job.store_url) else MAIL_BUCKET_S
                wake_at = min(wake_at, self._clock.now() + every_s)
        return wake_at


def _job_of_call(call: Call) -> str | None:
    """Whose call it is; None for an end, which is right whatever became of the job."""
    if isinstance(call, Launch):
        return call.order.job
    return call.job if isinstance(call, PutAsk) else None
