"""What went wrong in reviews of the loop around `decide`, each once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch import registry
from spotlaunch.core.book import Event, Job
from spotlaunch.core.facts import SeenMachine
from spotlaunch.core.plan import Mail, PutAsk, Terminate
from spotlaunch.core.wire import Ask, Status, encode, status_key
from spotlaunch.errors import NotAuthorized
from spotlaunch.home import Home
from spotlaunch.market.room import Room
from spotlaunch.ports import Lease
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog import loop, observe
from spotlaunch.watchdog.act import Actor
from spotlaunch.watchdog.clouds import RECONNECT_S, Clouds
from spotlaunch.watchdog.loop import LEASE_S, Outside, Watchdog
from spotlaunch.watchdog.observe import STORE_REST_S, Listings, Post
from tests.core.worlds import CLOUD, JOB, a_job, a_new_job, a_spec, a_world, an_attempt
from tests.fakes.blobs import MemoryBlobs


class Clock:
    """A time that only tests move."""

    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def sleep_until(self, at: float) -> None:
        self.at = max(self.at, at)


class Cloud:
    """Has no machines and sells nothing; counts what it is asked. ``slow_s`` passes at each offer."""

    name = "cloud"
    traits = CLOUD

    def __init__(self, clock: Clock | None = None, slow_s: float = 0.0) -> None:
        self.listed = self.asked = 0
        self._clock = clock
        self._slow_s = slow_s

    def offers(self, want: object) -> list[Any]:
        self.asked += 1
        return []

    def list_machines(self) -> Sequence[SeenMachine]:
        self.listed += 1
        return []

    def terminate(self, ids: Sequence[str]) -> dict[str, str]:
        return {}

    def launch(self, order: object) -> Any:
        raise AssertionError


class AtOnce(Executor):
    """Runs what it is given right here."""

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except BaseException as e:  # noqa: BLE001 - as an executor does
            future.set_exception(e)
        return future


class Never(Executor):
    """Keeps what it is given, for a test to finish."""

    def __init__(self) -> None:
        self.given: list[Future[Any]] = []

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given.append(Future())
        return self.given[-1]


def test_a_store_that_fails_in_a_way_nobody_foresaw_does_not_stop_the_mail_of_the_others() -> None:
    blobs = MemoryBlobs()

    def mailbox(job: Job) -> Mailbox:
        if job.name == "broken":
            raise RuntimeError("a credential helper of somebody else's")
        return Mailbox(blobs, job.name)

    broken = a_job(name="broken", spec=a_spec(name="broken"), store_url="s3://broken")
    attempts = [an_attempt(), an_attempt(job="broken")]
    mail = Post(mailbox, now=Clock().now, workers=AtOnce()).take([a_job(), broken], attempts)
    assert mail[JOB].ok
    assert not mail["broken"].ok
    assert "credential helper" in mail["broken"].error


def test_mail_that_is_late_is_neither_asked_for_again_nor_used_once_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "MAIL_DEADLINE_S", 0.0)
    workers = Never()
    post = Post(lambda job: Mailbox(MemoryBlobs(), job.name), now=Clock().now, workers=workers)
    for _ in range(3):
        assert not post.take([a_job()], [an_attempt()])[JOB].ok
    assert len(workers.given) == 1
    workers.given[0].set_result(Mail(ok=True))
    assert not post.take([a_job()], [an_attempt()])[JOB].ok, "it was asked before this look's listings"
    assert len(workers.given) == 2


def test_a_clock_set_back_by_hours_blinds_nobody() -> None:
    clock, cloud = Clock(), Cloud()
    listings = Listings({"cloud": cloud}, now=clock.now, workers=AtOnce())
    room = Room({"cloud": cloud}, now=clock.now, workers=AtOnce())
    listings.take(frozenset())
    room.ask(object())  # type: ignore[arg-type]
    clock.at -= 4 * 3600
    assert listings.take(frozenset())
    room.ask(object())  # type: ignore[arg-type]
    assert (cloud.listed, cloud.asked) == (2, 2)


def test_a_store_that_rests_is_asked_again_when_the_clock_was_set_back() -> None:
    clock, blobs = Clock(), MemoryBlobs()
    post = Post(lambda job: Mailbox(blobs, job.name), now=clock.now, workers=AtOnce())
    post._down_until["s3://bucket"] = (clock.at + 4 * 3600 + STORE_REST_S, "it was down")
    assert post.take([a_job()], [an_attempt()])[JOB].ok


def an_actor(rings: list[str], complaints: list[str], blobs: MemoryBlobs) -> Actor:
    return Actor(
        {"cloud": Cloud()},
        mailbox=lambda job: Mailbox(blobs, job.name),
        apply=lambda writes: None,
        secrets=lambda job: {},
        now=Clock().now,
        workers=AtOnce(),
        done=lambda: rings.append("ring"),
        complain=complaints.append,
    )


def test_asking_an_agent_does_not_wake_the_loop_which_would_only_ask_again() -> None:
    rings: list[str] = []
    blobs = MemoryBlobs()
    world = a_world(a_job())
    actor = an_actor(rings, [], blobs)
    actor.act(world, [PutAsk(job=JOB, attempt=1, ask=Ask(kind="leave", reason="r", at=1.0))])
    assert Mailbox(blobs, JOB).ask(1) is not None
    assert rings == []
    actor.act(world, [Terminate(provider="cloud", instance_ids=("i-1",))])
    assert rings == ["ring"]


def test_an_end_at_a_provider_that_cannot_be_used_is_told_in_one_line() -> None:
    complaints: list[str] = []
    an_actor([], complaints, MemoryBlobs()).act(a_world(), [Terminate(provider="gone", instance_ids=("i-1", "i-2"))])
    assert complaints == ["gone: i-1, i-2 did not end yet: it cannot be used now"]


def test_many_wishes_to_a_cloud_that_hangs_take_one_deadline_together(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(), []

    class Slow(Room):
        def ask(self, want: Any, *, deadline_s: float = 5.0, at_hand_s: float = 0.0) -> Any:
            asked.append(deadline_s)
            clock.at += deadline_s
            return super().ask(want, deadline_s=0.0)

    monkeypatch.setattr(loop, "Room", Slow)
    store = SqliteStore(":memory:", owner_seed="seed")
    for n in range(30):
        spec = a_spec(name=f"job-{n}")
        spec = replace(spec, resources=replace(spec.resources, cpus=float(n + 1)))
        job = a_new_job(name=spec.name, spec=spec)
        store.add_job(job, Event(job=job.name, at=1.0, kind="submitted", text=""))
    lease = Lease(token="t", host="h", pid=1, process_started_at=1.0, until=clock.at + LEASE_S)
    store.take_lease(lease, now=clock.at)
    blobs = MemoryBlobs()
    outside = Outside(
        providers={"cloud": Cloud()},
        mailbox=lambda job: Mailbox(blobs, job.name),
        secrets=lambda job: {},
        forget_secrets=lambda job: None,
        told=lambda event: None,
        complain=lambda line: None,
        ring=lambda: None,
        lookers=AtOnce(),
        callers=AtOnce(),
    )
    before = clock.at
    Watchdog(store, clock, lease, outside, owner=store.owner).look()
    assert len(asked) == 30
    assert clock.at - before <= 5.0
    store.close()


def test_a_provider_that_cannot_be_used_at_first_is_tried_again_while_the_watchdog_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    mono = Clock(0.0)
    works = False

    class Module:
        @staticmethod
        def connect(*, owner: str, folder: Path, settings: object) -> Cloud:
            if not works:
                raise NotAuthorized("no credentials yet")
            return Cloud()

    monkeypatch.setattr(registry, "BUILT_IN", {"cloud": "the.module"})
    monkeypatch.setattr(registry, "import_module", lambda name: Module)
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    clouds = Clouds(Home(tmp_path), owner="o", mono=mono.now, complain=log.append)
    usable = clouds.usable
    assert dict(usable) == {}
    works = True
    clouds.reconnect()
    assert dict(usable) == {}, "not in every look"
    mono.at += RECONNECT_S
    clouds.reconnect()
    assert list(usable) == ["cloud"]
    assert log == ["cloud is not used: no credentials yet", "cloud can be used now"]


def test_a_report_with_half_letters_and_endless_numbers_is_read_as_what_the_book_can_hold() -> None:
    blobs = MemoryBlobs()
    status = Status(
        attempt=1,
        at=1.0,
        phase="running",
        step=10**30,
        progress={"total": 10**30},
        error="caf\udce9",
        notes=[{"at": 1.0, "kind": "k", "text": "step-\udcff.pt is missing"}],
    )
    blobs.put(status_key(JOB, 1), encode(status))
    read = Mailbox(blobs, JOB).status(1)
    assert read is not None
    assert read.error == "caf?"
    assert read.notes[0]["text"] == "step-?.pt is missing"
    assert read.step == read.progress["total"] == 2**63 - 1
