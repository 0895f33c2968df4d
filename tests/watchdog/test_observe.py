from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from spotlaunch.core.book import Job
from spotlaunch.core.wire import Status, status_key
from spotlaunch.errors import BlobsUnavailable, Transient
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.watchdog import observe
from spotlaunch.watchdog.observe import QUIET_LISTING_S, STORE_REST_S, Listings, Post
from tests.core.worlds import CLOUD, JOB, NOW, a_job, a_machine, an_attempt, says, seen
from tests.fakes.blobs import MemoryBlobs
from tests.sim.clock import AtOnce, SimClock
from tests.watchdog.ground import Cloud

BUSY = frozenset({"cloud"})


@pytest.fixture
def clock() -> SimClock:
    return SimClock(NOW)


@pytest.fixture
def workers() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def listings(clock: SimClock, *clouds: Cloud, workers: Executor | None = None) -> Listings:
    return Listings({c.name: c for c in clouds}, now=clock.now, workers=workers or AtOnce())


# -- listings -------------------------------------------------------------------------------------------


def test_a_listing_says_when_it_was_begun_and_what_is_there(clock: SimClock) -> None:
    cloud = Cloud()
    cloud.machines = {"i-1": seen(a_machine())}
    cloud.before = lambda _: clock.advance(7)
    [found] = listings(clock, cloud).take(BUSY)
    assert (found.started_at, found.ok, found.machines) == (NOW, True, (seen(a_machine()),))


@pytest.mark.parametrize(("busy", "every_s"), [(BUSY, CLOUD.list_interval_s), (frozenset(), QUIET_LISTING_S)])
def test_each_provider_is_listed_at_its_own_pace(clock: SimClock, busy: frozenset[str], every_s: float) -> None:
    mine = listings(clock, Cloud())
    assert len(mine.take(busy)) == 1
    clock.advance(every_s - 0.1)
    assert mine.take(busy) == ()
    assert mine.next_at(busy) == NOW + every_s
    clock.advance(0.1)
    assert len(mine.take(busy)) == 1


@pytest.mark.parametrize(
    ("error", "words"), [(Transient("no network"), "no network"), (KeyError("Name"), "KeyError: 'Name'")]
)
def test_a_provider_that_fails_gives_a_failed_listing_and_never_an_empty_one(
    clock: SimClock, error: Exception, words: str
) -> None:
    bad, good = Cloud("bad"), Cloud("good")

    def fail(_: str) -> None:
        raise error

    bad.before = fail
    found = {li.provider: li for li in listings(clock, bad, good).take(BUSY)}
    assert (found["bad"].ok, found["bad"].error, found["good"].ok) == (False, words, True)


def test_a_slow_listing_is_used_by_a_later_look_with_the_moment_it_was_begun(
    clock: SimClock, workers: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "LISTING_DEADLINE_S", 0.05)
    gate, cloud = threading.Event(), Cloud()

    def slow(_: str) -> None:
        gate.wait(30)

    cloud.before = slow
    mine = listings(clock, cloud, workers=workers)
    try:
        assert mine.take(BUSY) == ()
        clock.advance(100)
        assert mine.take(BUSY) == ()
    finally:
        gate.set()
    monkeypatch.setattr(observe, "LISTING_DEADLINE_S", 10.0)
    [found] = mine.take(BUSY)
    assert (found.started_at, cloud.calls) == (NOW, ["list"])


# -- mail -----------------------------------------------------------------------------------------------


class Office:
    """A post over one store in memory."""

    def __init__(self, clock: SimClock, workers: Executor | None = None) -> None:
        self.blobs = MemoryBlobs()
        self.post = Post(self._mailbox, now=clock.now, workers=workers or AtOnce())

    def _mailbox(self, job: Job) -> Mailbox:
        return Mailbox(self.blobs, job.name)

    def put(self, status: Status) -> None:
        self._mailbox(a_job()).put_status(status)


def test_mail_is_read_for_live_attempts_only(clock: SimClock) -> None:
    office = Office(clock)
    for n in (1, 2, 3):
        office.put(says(n))
    attempts = [an_attempt(1, outcome="preempted"), an_attempt(2), an_attempt(3)]
    found = office.post.take([a_job(), a_job(name="idle")], attempts)
    assert set(found) == {JOB}
    assert (found[JOB].ok, set(found[JOB].statuses)) == (True, {2, 3})


def test_an_agent_that_has_not_spoken_or_cannot_be_understood_says_nothing(clock: SimClock) -> None:
    office = Office(clock)
    office.blobs.put(status_key(JOB, 2), b"{half a docu")
    found = office.post.take([a_job()], [an_attempt(1), an_attempt(2)])
    assert (found[JOB].ok, dict(found[JOB].statuses)) == (True, {})


def test_a_store_that_is_down_is_left_alone_for_a_while(clock: SimClock) -> None:
    office, calls = Office(clock), 0

    def down(*_: str) -> None:
        nonlocal calls
        calls += 1
        raise BlobsUnavailable("no network")

    office.blobs.fail = down
    for at_s, asked in ((0.0, 1), (STORE_REST_S - 1, 1), (1.0, 2)):
        clock.advance(at_s)
        mail = office.post.take([a_job()], [an_attempt()])[JOB]
        assert (mail.ok, mail.error, calls) == (False, "no network", asked)


def test_a_slow_store_says_nothing_and_holds_no_other_job_up(
    clock: SimClock, workers: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "MAIL_DEADLINE_S", 0.1)
    gate, office = threading.Event(), Office(clock, workers)

    def slow(_: str, key: str) -> None:
        if "slow" in key:
            gate.wait(30)

    office.blobs.fail = slow
    try:
        found = office.post.take([a_job(name="slow"), a_job()], [an_attempt(job="slow"), an_attempt()])
    finally:
        gate.set()
    assert (found["slow"].ok, found[JOB].ok) == (False, True)


def test_where_something_was_asked_to_end_it_is_looked_for_soon_and_only_for_a_while(clock: SimClock) -> None:
    mine = listings(clock, Cloud())
    mine.take(BUSY)
    mine.hurry(["cloud"])
    assert mine.next_at(BUSY) == NOW + min(CLOUD.list_interval_s, observe.ENDING_LISTING_S)
    clock.advance(observe.ENDING_HURRY_S + 1)
    mine.take(BUSY)
    assert mine.next_at(BUSY) == clock.now() + CLOUD.list_interval_s


def test_a_listing_that_is_late_holds_nobody_up_and_is_looked_for_again(clock: SimClock, workers: Executor) -> None:
    go_on = threading.Event()
    cloud = Cloud()
    cloud.before = lambda _: go_on.wait(20)
    mine = listings(clock, cloud, workers=workers)
    try:
        assert mine.take(BUSY) == ()
        assert mine.next_at(BUSY) == NOW + observe.LATE_LOOK_S
    finally:
        go_on.set()
    assert [listing.started_at for listing in mine.take(BUSY, patient=True)] == [NOW]


def test_a_pace_of_our_own_makes_listings_more_frequent_and_never_rarer(clock: SimClock) -> None:
    for most_s, every_s in ((0.5, 0.5), (900.0, CLOUD.list_interval_s)):
        mine = Listings({"cloud": Cloud()}, now=clock.now, workers=AtOnce(), most_s=most_s)
        mine.take(BUSY)
        assert mine.next_at(BUSY) == clock.now() + every_s
