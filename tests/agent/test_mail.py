"""Letters go out when they should, come in when they are there, and wait while the store is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spotlaunch.agent import mail as mail_module
from spotlaunch.agent.logs import Spool
from spotlaunch.agent.mail import Mail
from spotlaunch.agent.masks import Masker
from spotlaunch.agent.report import MOST_NOTES, Report
from spotlaunch.core import wire
from spotlaunch.core.wire import Ask, Status
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.register import Register
from tests.fakes.blobs import MemoryBlobs

JOB = "digits"


class Rig:
    def __init__(self, tmp_path: Path, every_s: float = 0.02) -> None:
        self.blobs = MemoryBlobs()
        self.box = Mailbox(self.blobs, JOB)
        self.report = Report(1)
        self.spool = Spool(tmp_path / "log", Masker([]))
        self.asks: list[Ask] = []
        self.successors = 0
        self.mail = Mail(
            mailbox=self.box,
            attempt=1,
            report=self.report,
            spool=self.spool,
            every_s=every_s,
            on_ask=self.asks.append,
            on_successor=self.succeeded,
            sign=tmp_path / "reached",
        )
        self.thread = threading.Thread(target=self.mail.work, daemon=True)

    def succeeded(self) -> None:
        self.successors += 1

    def status(self) -> Status:
        status = self.box.status(1)
        assert status is not None
        return status


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.blobs.fail = None
    if rig.thread.ident is not None:
        if not rig.mail._finishing:
            rig.mail.finish()
        rig.thread.join(10)
        assert not rig.thread.is_alive()


def soon(true: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)


def down(op: str, key: str) -> None:
    raise BlobsUnavailable("down")


def test_the_report_is_sent_again_and_again(rig: Rig) -> None:
    rig.thread.start()
    soon(lambda: rig.box.status(1))
    first = rig.status().at
    soon(lambda: rig.status().at > first)


def test_what_changes_is_sent_soon_however_seldom_reports_are(tmp_path: Path) -> None:
    rig = Rig(tmp_path, every_s=1000.0)
    rig.thread.start()
    soon(lambda: rig.box.status(1))
    rig.report.set(phase="running")
    soon(lambda: rig.status().phase == "running")
    rig.mail.finish()
    rig.thread.join(10)


def test_an_urgent_report_does_not_wait_for_output_that_is_being_sent(tmp_path: Path) -> None:
    rig = Rig(tmp_path, every_s=1000.0)
    stuck = threading.Event()
    rig.blobs.fail = lambda op, key: stuck.wait(10) and None if "/log/" in key and op == "put" else None
    rig.spool.write(b"output\n")
    rig.thread.start()
    soon(lambda: rig.blobs.calls.get("put", 0) >= 2)
    rig.report.set(notice_at=5.0)
    rig.mail.send_now()
    soon(lambda: rig.status().notice_at == 5.0)
    stuck.set()
    rig.mail.finish()
    rig.thread.join(10)


def test_what_is_asked_is_told_once(rig: Rig) -> None:
    rig.thread.start()
    rig.box.put_ask(1, Ask(kind="proceed", reason="a", at=1.0))
    soon(lambda: rig.asks)
    rig.box.put_ask(1, Ask(kind="leave", reason="b", at=2.0))
    soon(lambda: len(rig.asks) == 2)
    time.sleep(0.1)
    assert [a.kind for a in rig.asks] == ["proceed", "leave"]


def test_a_successor_is_noticed_but_ones_own_commits_are_not_taken_for_one(rig: Rig) -> None:
    register = Register(rig.blobs, JOB)
    head = register.claim(1, "me", 0.0)
    rig.mail.claimed(head)
    rig.thread.start()
    register.commit(head, 10, "m", 0.0)
    time.sleep(0.2)
    assert rig.successors == 0
    register.claim(2, "successor", 0.0)
    soon(lambda: rig.successors)
    time.sleep(0.1)
    assert rig.successors == 1


def test_while_the_store_is_away_nothing_is_lost(rig: Rig) -> None:
    rig.thread.start()
    soon(lambda: rig.box.status(1))
    rig.blobs.fail = down
    for n in range(100):
        rig.spool.write(f"line {n}\n".encode())
        rig.report.note("note", str(n))
    time.sleep(0.1)
    rig.blobs.fail = None
    soon(lambda: rig.status().log_chunks and len(rig.status().notes) == 100)
    assert b"".join(c for _, c in rig.box.logs(1)) == b"".join(f"line {n}\n".encode() for n in range(100))


def test_a_long_outage_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_module, "LONG_OUTAGE_S", 0.1)
    rig.blobs.fail = down
    rig.thread.start()
    time.sleep(0.3)
    rig.blobs.fail = None
    soon(lambda: rig.box.status(1) and rig.status().notes)
    assert "could not be reached" in rig.status().notes[0]["text"]


def test_that_it_has_left_is_told_after_all_output(rig: Rig) -> None:
    told_left: list[int] = []

    def note(op: str, key: str) -> None:
        if key == wire.status_key(JOB, 1) and op == "put" and rig.status().phase == "left":
            told_left.append(sum(len(c) for _, c in rig.box.logs(1)))

    rig.blobs.after = note
    rig.thread.start()
    soon(lambda: rig.box.status(1))
    rig.blobs.fail = down
    time.sleep(0.05)
    rig.spool.write(b"x" * 1_000_000)
    rig.mail.finish(phase="left", left_why="exited", exit_code=0)
    time.sleep(0.05)
    rig.blobs.fail = None
    rig.thread.join(10)
    assert (rig.status().phase, rig.status().log_chunks) == ("left", 4)
    assert told_left == [1_000_000]


def test_reports_are_bounded() -> None:
    report = Report(1)
    for n in range(MOST_NOTES + 10):
        report.note("note", str(n))
    report.set(error="x" * 100_000)
    assert len(report.status.notes) == MOST_NOTES
    assert len(report.status.error) == 2000


def test_the_guard_is_shown_whenever_the_store_answers_and_only_then(rig: Rig, tmp_path: Path) -> None:
    rig.blobs.fail = down
    rig.thread.start()
    time.sleep(0.2)
    assert not (tmp_path / "reached").exists()
    rig.blobs.fail = None
    soon((tmp_path / "reached").exists)
    seen = (tmp_path / "reached").stat().st_mtime_ns
    soon(lambda: (tmp_path / "reached").stat().st_mtime_ns > seen)
