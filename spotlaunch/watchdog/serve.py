"""A watchdog for real: the book of this home, the providers that are set up, the time of this computer."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from spotlaunch.config import store_settings
from spotlaunch.core.book import OVER, Book, Event, Job
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.errors import StoreUnavailable
from spotlaunch.home import Home
from spotlaunch.ports import Blobs, Lease, Store
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.links import link
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.passes import make_pass
from spotlaunch.storage.places import parse, whereabouts
from spotlaunch.storage.pricenotes import PriceNotes
from spotlaunch.storage.shellkeys import forget_key, jobs_with_keys
from spotlaunch.storage.store import open_store
from spotlaunch.storage.unusable import note_unusable
from spotlaunch.watchdog.act import Prepare
from spotlaunch.watchdog.boots import Boots
from spotlaunch.watchdog.clouds import Clouds
from spotlaunch.watchdog.holder import is_dead, own_lease
from spotlaunch.watchdog.loop import LEASE_S, Outside, Watchdog
from spotlaunch.watchdog.passes import Passes
from spotlaunch.watchdog.passkeys import PassKeys
from spotlaunch.watchdog.wake import Bell

# Threads each for looking and for calling. They wait for the network, not for a core.
WORKERS = 16

# A background watchdog goes home when there has been nothing to watch for so long.
IDLE_EXIT_S = 5.0

# `watch --once` looks at most so often: each look may cause calls whose answers the next one uses.
ONCE_LOOKS = 5
ONCE_WAIT_S = 120.0

# Kept secrets that belong to no job are removed after so long: a `submit` writes them shortly before its job.
JOBLESS_S = 86_400.0


class SystemClock:
    """The time of this computer. With a bell, a sleep ends early when it rings."""

    def __init__(self, bell: Bell | None = None) -> None:
        self._bell = bell

    def now(self) -> float:
        return time.time()

    def sleep_until(self, at: float) -> None:
        # Capped, so that a clock that was set back cannot stretch a nap into hours.
        nap_s = min(60.0, max(0.0, at - time.time()))
        if self._bell is not None:
            self._bell.wait(nap_s)
        else:
            time.sleep(nap_s)


class Mailboxes:
    """Opens each store once and keeps it: connections are worth keeping."""

    def __init__(self) -> None:
        self._stores: dict[tuple[str, str, str], Blobs] = {}

    def __call__(self, job: Job) -> Mailbox:
        key = (job.store_url, job.store_endpoint, job.store_region)
        if key not in self._stores:
            self._stores[key] = open_blobs(job.store_url, endpoint=job.store_endpoint, region=job.store_region)
        return Mailbox(self._stores[key], job.name)


def serve(
    home: Home,
    *,
    told: Callable[[Event], None],
    once: bool = False,
    idle_exit_s: float | None = None,
    only: Collection[str] = (),
) -> bool:
    """Run the watchdog until SIGTERM, SIGINT, or (``idle_exit_s``) until there has been nothing to do.

    ``only``: the providers to use; all if empty. Says whether it was told to end. Raises `LeaseHeld` when another one
    is awake.
    """
    store = open_store(home)
    bell = Bell(home.wake)
    notes = PriceNotes(home, complain=_complain)
    try:
        with (
            ThreadPoolExecutor(WORKERS, thread_name_prefix="look") as lookers,
            ThreadPoolExecutor(WORKERS, thread_name_prefix="call") as callers,
            _lease(store) as lease,
        ):
            clouds = Clouds(home, owner=store.owner, mono=time.monotonic, complain=_complain, only=only)
            clean_secrets(home, store, now=time.time())
            mailboxes = Mailboxes()
            prepare, renew = _outfit(home, mailboxes, callers)
            outside = Outside(
                providers=clouds.usable,
                mailbox=mailboxes,
                secrets=lambda job: read_secrets(home, job),
                forget_secrets=lambda job: _forget(home, job),
                told=told,
                complain=_complain,
                ring=bell.ring,
                lookers=lookers,
                callers=callers,
                reconnect=clouds.reconnect,
                note_prices=notes,
                note_silent=lambda silent: note_unusable(home, clouds.usable, silent, passing=True),
                prepare=prepare,
                renew=renew,
                list_every_s=_list_every_s(),
            )
            watchdog = Watchdog(store, SystemClock(bell), lease, outside, owner=store.owner)
            for sig in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sig, lambda *_: watchdog.stop())
            if once:
                _once(watchdog)
            else:
                watchdog.run(idle_exit_s=idle_exit_s)
                watchdog.settle(ONCE_WAIT_S)
            return watchdog.stopped
    finally:
        bell.close()
        notes.close()
        store.close()


def _list_every_s() -> float:
    """``SPOTLAUNCH_LIST_INTERVAL_S``: machines are listed at least so often. Without it each provider's own pace."""
    try:
        return max(0.1, float(os.environ["SPOTLAUNCH_LIST_INTERVAL_S"]))
    except (KeyError, ValueError):
        return float("inf")


def serve_until_idle(home: Home, *, told: Callable[[Event], None]) -> None:
    """The background form: goes home when idle, unless a job came in while it was closing the door."""
    while True:
        if serve(home, told=told, idle_exit_s=IDLE_EXIT_S):
            return  # jobs or not: who ended it meant it
        store = open_store(home)
        try:
            book = store.read_book()
        finally:
            store.close()
        if not book.jobs and not book.machines:
            return


def _once(watchdog: Watchdog) -> None:
    """Look until a look makes no further call, for cron."""
    for _ in range(ONCE_LOOKS):
        watchdog.look(patient=True)
        if not watchdog.settle(ONCE_WAIT_S):
            return


@contextmanager
def _lease(store: Store) -> Iterator[Lease]:
    now = time.time()
    lease, other = own_lease(now + LEASE_S), store.lease()
    dead = other.token if other is not None and is_dead(other) else ""
    store.take_lease(lease, now=now, dead=dead)
    try:
        yield lease
    finally:
        # With a disk that takes nothing, the lease is left to whoever comes: our process will be seen gone.
        with suppress(StoreUnavailable):
            store.release_lease(lease.token)


def read_secrets(home: Home, job: str) -> Mapping[str, str]:
    """A job's secret values, as `submit` left them; empty when it has none."""
    path = home.secrets(job)
    if not path.exists():
        return {}
    values: dict[str, str] = json.loads(path.read_text())
    return values


def _forget(home: Home, job: str) -> None:
    """What a job that is over leaves in this home, beside its row in the book."""
    home.secrets(job).unlink(missing_ok=True)
    forget_key(home, job)


def clean_secrets(home: Home, store: Store, *, now: float) -> None:
    """Remove values of jobs that were over before anybody could: a watchdog may die at any line.

    And those of a `submit` that was killed before its job was in the book, once it is sure that none is under way.
    """
    for name in jobs_with_keys(home):
        known = store.jobs(names=[name])
        if known and known[0].state in OVER:
            forget_key(home, name)
    for path in home.secrets("x").parent.glob("*.json"):
        jobs = store.jobs(names=[path.stem])
        try:
            if jobs[0].state in OVER if jobs else now - path.stat().st_mtime > JOBLESS_S:
                path.unlink(missing_ok=True)
        except OSError as e:
            _complain(f"cannot remove {path}: {e.strerror or e}")


def _outfit(home: Home, mailboxes: Mailboxes, workers: Executor) -> tuple[Prepare, Callable[[Book], None]]:
    """What makes an order ready, and what each look keeps fresh of it."""
    passes = Passes(
        make=lambda job: make_pass(_store_of(job), job.name, store_settings(home), now=time.time()),
        mailbox=mailboxes,
        keys=PassKeys(home),
        now=time.time,
        workers=workers,
        complain=_complain,
    )
    boots = Boots(
        mailbox=mailboxes,
        passes=passes,
        link=lambda job, key: link(_store_of(job), job.name, key, store_settings(home), now=time.time()),
        whereabouts=lambda job: whereabouts(parse(job.store_url), job.store_endpoint, job.store_region),
        workers=workers,
    )

    def renew(book: Book) -> None:
        boots.warm(book)
        passes.renew(book)

    return boots.prepare, renew


def _store_of(job: Job) -> BlobStoreRef:
    return BlobStoreRef(url=job.store_url, endpoint=job.store_endpoint, region=job.store_region)


def _complain(line: str) -> None:
    # A log that cannot be written (its disk is full, say) must not end the watchdog: machines are running.
    with suppress(OSError):
        sys.stderr.write(time.strftime("%Y-%m-%d %H:%M:%S ") + line.rstrip() + "\n")
        sys.stderr.flush()
