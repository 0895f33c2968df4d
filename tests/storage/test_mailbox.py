"""What agent and watchdog leave for each other, over each kind of store."""

from __future__ import annotations

import json

import pytest

from spotlaunch.core import wire
from spotlaunch.core.wire import Ask, OrderDoc, Status
from spotlaunch.errors import AlreadyExists, BlobsUnavailable
from spotlaunch.ports import Blobs
from spotlaunch.storage.documents import parse
from spotlaunch.storage.mailbox import Mailbox
from tests.fakes.blobs import MemoryBlobs


def order(attempt: int = 1, run: str = "python train.py") -> OrderDoc:
    return OrderDoc(job="digits", attempt=attempt, run=run, env={"A": "b"}, secrets=["KEY"])


def test_letters_arrive_as_they_were_written(blobs: Blobs) -> None:
    ours, theirs = Mailbox(blobs, "digits"), Mailbox(blobs, "digits")
    status = Status(attempt=2, at=5.0, phase="running", progress={"step": 3}, notes=[{"at": 1.0, "text": "ü"}])
    ours.put_order(order(2))
    ours.put_ask(2, Ask(kind="leave", reason="cancelled", at=7.0))
    theirs.put_status(status)
    assert theirs.order(2) == order(2)
    assert theirs.ask(2) == Ask(kind="leave", reason="cancelled", at=7.0)
    assert ours.status(2) == status


def test_what_was_never_written_is_none(blobs: Blobs) -> None:
    mailbox = Mailbox(blobs, "digits")
    assert mailbox.order(1) is None
    assert mailbox.status(1) is None
    assert mailbox.ask(1) is None
    assert list(mailbox.logs(1)) == []
    assert not mailbox.unreadable


def test_jobs_do_not_see_each_other(blobs: Blobs) -> None:
    Mailbox(blobs, "digits").put_status(Status(attempt=1, at=0, phase="running"))
    Mailbox(blobs, "digits").put_log(1, 1, b"x")
    assert Mailbox(blobs, "digits-2").status(1) is None
    assert list(Mailbox(blobs, "digit").logs(1)) == []


def test_a_name_can_be_claimed_by_one_owner_only_but_by_them_again(blobs: Blobs) -> None:
    mailbox = Mailbox(blobs, "digits")
    mailbox.claim_name('{"owner": "ada"}')
    mailbox.claim_name('{"owner": "ada"}')
    with pytest.raises(AlreadyExists):
        mailbox.claim_name('{"owner": "bob"}')


def test_the_same_order_twice_is_fine_a_different_one_is_not(blobs: Blobs) -> None:
    mailbox = Mailbox(blobs, "digits")
    mailbox.put_order(order(1))
    mailbox.put_order(order(1))
    with pytest.raises(AlreadyExists):
        mailbox.put_order(order(1, run="rm -rf /"))
    assert mailbox.order(1) == order(1)


def test_an_order_whose_answer_was_lost_can_be_written_again() -> None:
    blobs = MemoryBlobs()
    mailbox = Mailbox(blobs, "digits")

    def lose(op: str, key: str) -> None:
        raise BlobsUnavailable("the answer was lost")

    blobs.after = lose
    with pytest.raises(BlobsUnavailable):
        mailbox.put_order(order(1))
    blobs.after = None
    mailbox.put_order(order(1))
    assert mailbox.order(1) == order(1)


def test_the_newest_status_and_ask_count(blobs: Blobs) -> None:
    mailbox = Mailbox(blobs, "digits")
    for n in range(3):
        mailbox.put_status(Status(attempt=1, at=n, phase="running", step=n))
        mailbox.put_ask(1, Ask(kind="proceed", reason=str(n), at=n))
    status, ask = mailbox.status(1), mailbox.ask(1)
    assert status is not None
    assert ask is not None
    assert (status.step, ask.reason) == (2, "2")


def test_reports_of_several_attempts_come_together() -> None:
    mailbox = Mailbox(MemoryBlobs(), "digits")
    for n in [1, 3]:
        mailbox.put_status(Status(attempt=n, at=0, phase="left"))
    assert sorted(mailbox.statuses([1, 2, 3])) == [1, 3]


def test_logs_come_in_order_and_from_where_one_left_off(blobs: Blobs) -> None:
    mailbox = Mailbox(blobs, "digits")
    for index in [2, 1, 11, 10, 3]:
        mailbox.put_log(4, index, f"chunk {index}\n".encode())
    mailbox.put_log(5, 1, b"another attempt")
    assert [index for index, _ in mailbox.logs(4)] == [1, 2, 3, 10, 11]
    assert list(mailbox.logs(4, after=3)) == [(10, b"chunk 10\n"), (11, b"chunk 11\n")]
    assert list(mailbox.logs(4, after=11)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"{}",
        b'{"attempt": "one", "at": 1, "phase": "running"}',
        b'{"attempt": 1, "at": null, "phase": "running"}',
        b'{"attempt": 1, "at": 1, "phase": "running", "notes": {}}',
        b"[" * 100_000,
    ],
)
def test_a_report_that_is_none_counts_as_absent_and_is_remembered(data: bytes) -> None:
    blobs = MemoryBlobs()
    mailbox = Mailbox(blobs, "digits")
    blobs.put(wire.status_key("digits", 1), data)
    assert mailbox.status(1) is None
    assert mailbox.unreadable == {wire.status_key("digits", 1)}


def test_keys_of_a_newer_version_are_ignored() -> None:
    raw = json.loads(wire.encode(Status(attempt=1, at=1.0, phase="running")))
    assert parse(Status, json.dumps({**raw, "colour": "blue"}).encode()) == Status(attempt=1, at=1.0, phase="running")


@pytest.mark.parametrize("files", [None, "x", [1], [{}], [{"path": 1, "size": 1, "sha256": "", "object": ""}]])
def test_a_manifest_with_strange_files_is_none(files: object) -> None:
    assert parse(wire.Manifest, json.dumps({"epoch": 1, "step": 1, "at": 1, "files": files}).encode()) is None


def test_a_manifest_survives_the_wire() -> None:
    file = wire.ManifestFile(path="a/b", size=3, sha256="0" * 64, object="jobs/j/ckpt/x/files/a/b")
    manifest = wire.Manifest(epoch=1, step=2, at=3.0, files=[file])
    assert parse(wire.Manifest, wire.encode(manifest)) == manifest
