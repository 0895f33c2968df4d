"""Renewing passes: when, with which key, and what is kept of it on disk."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.agent.unseal import open_sealed
from spotlaunch.core import wire
from spotlaunch.core.book import Attempt, Book, Job
from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.home import Home
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.watchdog.passes import RETRY_S, Passes
from spotlaunch.watchdog.passkeys import Kept, PassKeys
from tests.core.worlds import JOB, a_job, an_attempt
from tests.fakes.blobs import MemoryBlobs
from tests.sim.clock import AtOnce

KEY = b"k" * 32
LASTS_S = 3600.0


class Late(Executor):
    """Does what it is given when told to."""

    def __init__(self) -> None:
        self.work: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.work.append((future, lambda: fn(*args, **kwargs)))
        return future

    def go(self) -> None:
        while self.work:
            future, do = self.work.pop()
            future.set_result(do())


class Bench:
    def __init__(self, home: Home, workers: Executor | None = None) -> None:
        self.at = 0.0
        self.blobs = MemoryBlobs()
        self.complaints: list[str] = []
        self.made = 0
        self.broken: set[str] = set()
        self.lasts_s = LASTS_S
        self.keys = PassKeys(home)
        self.passes = Passes(
            make=self._make,
            mailbox=lambda job: Mailbox(self.blobs, job.name),
            keys=self.keys,
            now=lambda: self.at,
            workers=workers or AtOnce(),
            complain=self.complaints.append,
        )

    def _make(self, job: Job) -> Pass:
        if job.name in self.broken:
            raise BlobsUnavailable("no network", hint="wait")
        self.made += 1
        return Pass(env={"WORD": f"secret-{self.made}"}, expires_at=self.at + self.lasts_s if self.lasts_s else 0.0)

    def launch(self, job: Job, attempt: int = 1) -> None:
        self.passes.keep(job, attempt, KEY, self.passes.current(job))

    def look(self, at: float, *jobs: Job, attempts: tuple[Attempt, ...] | None = None) -> None:
        self.at = at
        if attempts is None:
            attempts = tuple(an_attempt(job=j.name) for j in jobs)
        self.passes.renew(Book(jobs=jobs, attempts=attempts, machines=(), refusals=()))

    def renewed(self, job: str = JOB, attempt: int = 1) -> Pass | None:
        key = wire.pass_key(job, attempt)
        if key not in self.blobs.objects:
            return None
        return wire.decode(Pass, open_sealed(KEY, self.blobs.objects[key][0], about=key))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_pass_is_renewed_when_half_of_its_life_is_over_and_not_before(home: Home) -> None:
    bench, job = Bench(home), a_job()
    bench.launch(job)
    bench.look(LASTS_S / 2 - 1, job)
    assert bench.renewed() is None
    bench.look(LASTS_S / 2, job)
    assert bench.renewed() == Pass(env={"WORD": "secret-2"}, expires_at=LASTS_S / 2 + LASTS_S)
    assert b"secret" not in bench.blobs.objects[wire.pass_key(JOB, 1)][0]
    bench.look(LASTS_S / 2 + 1, job)
    assert bench.made == 2
    bench.look(LASTS_S + 1, job)
    assert bench.renewed() == Pass(env={"WORD": "secret-3"}, expires_at=LASTS_S + 1 + LASTS_S)


def test_a_pass_that_never_ends_is_never_renewed(home: Home) -> None:
    bench, job = Bench(home), a_job()
    bench.lasts_s = 0
    bench.launch(job)
    bench.look(10 * LASTS_S, job)
    assert (bench.renewed(), bench.made) == (None, 1)


def test_two_attempts_of_a_job_share_a_pass_each_sealed_for_itself(home: Home) -> None:
    bench, job = Bench(home), a_job()
    bench.launch(job, 1)
    bench.launch(job, 2)
    bench.look(LASTS_S, job, attempts=(an_attempt(1), an_attempt(2)))
    assert (
        bench.renewed(attempt=1) == bench.renewed(attempt=2) == Pass(env={"WORD": "secret-2"}, expires_at=2 * LASTS_S)
    )
    assert bench.made == 2


def test_a_new_watchdog_renews_at_once_with_the_keys_that_the_old_one_kept(home: Home) -> None:
    Bench(home).launch(a_job())
    bench = Bench(home)
    for second in range(3):
        bench.look(second, a_job())
    assert bench.renewed() is not None
    assert bench.made == 1, "and has one at hand for the next machine"


def test_keys_are_kept_for_their_owner_only_and_forgotten_when_the_attempt_is_over(home: Home) -> None:
    bench, job = Bench(home), a_job()
    bench.launch(job, 1)
    bench.launch(job, 2)
    path = home.passes(JOB)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert base64.b64encode(KEY).decode() in path.read_text()
    assert base64.b64encode(KEY).decode() not in repr(bench.keys.all())
    bench.look(1, job, attempts=(an_attempt(1, outcome="preempted", ended_at=1.0), an_attempt(2)))
    assert list(json.loads(path.read_text())) == ["2"]
    bench.look(2)
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


def test_keys_of_a_job_that_ended_unseen_are_removed_at_the_first_look(home: Home) -> None:
    Bench(home).launch(a_job())
    Bench(home).look(1)
    assert not home.passes(JOB).exists()


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"1": {"key": 1}}', b'{"x": {}}', b"\xff"])
def test_a_damaged_file_of_keys_is_dropped_and_harms_no_other(home: Home, content: bytes) -> None:
    Bench(home).launch(a_job())
    home.passes("broken").write_bytes(content)
    bench = Bench(home)
    assert [job for job, _ in bench.keys.all()] == [JOB]
    assert not home.passes("broken").exists()


def test_one_jobs_trouble_is_told_and_does_not_stop_the_others(home: Home) -> None:
    bench, jobs = Bench(home), (a_job(), a_job(name="other"))
    for job in jobs:
        bench.launch(job)
    bench.broken = {JOB}
    bench.look(LASTS_S, *jobs)
    assert (bench.renewed(), bench.renewed("other") is None) == (None, False)
    assert bench.complaints == ["digits: the pass of attempt 1 could not be renewed yet: no network (hint: wait)"]


def test_after_trouble_it_is_tried_again_but_not_in_a_hot_loop(home: Home) -> None:
    bench, job = Bench(home), a_job()
    bench.launch(job)
    bench.broken = {JOB}
    for second in range(30):
        bench.look(LASTS_S + second, job)
    assert len(bench.complaints) == 1
    bench.broken = set()
    bench.look(LASTS_S + RETRY_S, job)
    assert bench.renewed() is not None


def test_a_renewal_under_way_is_not_begun_twice_and_one_that_comes_too_late_is_not_kept(home: Home) -> None:
    workers = Late()
    bench, job = Bench(home, workers), a_job()
    bench.launch(job)
    for second in range(200):
        bench.look(LASTS_S + second, job)
    assert len(workers.work) == 1
    bench.look(LASTS_S + 300)
    workers.go()
    assert bench.keys.all() == {}
    assert not home.passes(JOB).exists()


def test_a_disk_that_takes_nothing_stops_no_look(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(home)
    bench.launch(a_job())

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "unlink", full)
    bench.look(1)
    assert "No space left" in bench.complaints[0]


def test_what_is_kept_shows_no_key() -> None:
    assert "abc" not in repr(Kept(key="abc", made_at=0, expires_at=0))
