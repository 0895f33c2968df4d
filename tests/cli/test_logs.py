from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.cli.logs import Line, read
from spotlaunch.cli.tape import Tape
from spotlaunch.core.book import Outcome
from spotlaunch.core.plan import AddAttempt, AddMachine, SetAttempt, SetJob, Write
from spotlaunch.core.wire import Status
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.fakes.blobs import MemoryBlobs
from tests.storage.samples import a_job, a_machine, an_attempt, an_event


@pytest.fixture
def mailbox(store: SqliteStore, tmp_path: Path) -> Mailbox:
    """Of a job that is running; nothing has been printed yet."""
    url = (tmp_path / "blobs").as_uri()
    store.add_job(a_job(state="running", store_url=url), an_event())
    return Mailbox(open_blobs(url), "digits")


def attempt(store: SqliteStore, number: int, *, outcome: Outcome | None = None, **changes: Any) -> None:
    store.apply(
        [
            AddAttempt(attempt=an_attempt(number=number, outcome=outcome, **changes)),
            AddMachine(machine=a_machine(attempt=number)),
            SetJob(name="digits", frm="running", changes={"last_attempt": number}),
        ]
    )


def two_attempts(store: SqliteStore, mailbox: Mailbox) -> None:
    attempt(store, 1, outcome="preempted", step=40, reason="the provider took it")
    attempt(store, 2, resumed_step=40)
    mailbox.put_log(1, 1, b"epoch 1\nepo")
    mailbox.put_log(1, 2, b"ch 2\nepoch 3, cut o")
    mailbox.put_log(2, 1, b"epoch 3\n")


POOL = "aws:us-west-2a/p3.2xlarge/spot"


def test_all_attempts_are_shown_in_order_with_marks(cli: Cli, store: SqliteStore, mailbox: Mailbox) -> None:
    two_attempts(store, mailbox)
    done = cli("logs", "digits")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"--- attempt 1 on {POOL} ---\n"
        "epoch 1\n"
        "epoch 2\n"
        "epoch 3, cut o\n"
        "--- attempt 1 preempted at step 40: the provider took it ---\n"
        f"--- attempt 2 on {POOL} (resumed from step 40) ---\n"
        "epoch 3\n"
    )


def test_one_attempt_is_shown_without_marks(cli: Cli, store: SqliteStore, mailbox: Mailbox) -> None:
    two_attempts(store, mailbox)
    assert cli("logs", "digits", "--attempt", 1).out == "epoch 1\nepoch 2\nepoch 3, cut o\n"
    done = cli("logs", "digits", "--attempt", 3)
    assert (done.code, done.err) == (2, "error: digits has had 2 attempts, not 3\n")


def test_as_json_it_is_a_list(cli: Cli, store: SqliteStore, mailbox: Mailbox) -> None:
    two_attempts(store, mailbox)
    assert cli("logs", "digits", "--json").json == [
        {"attempt": 1, "text": "epoch 1"},
        {"attempt": 1, "text": "epoch 2"},
        {"attempt": 1, "text": "epoch 3, cut o"},
        {"attempt": 2, "text": "epoch 3"},
    ]


@pytest.mark.parametrize(
    ("count", "lines"),
    [
        (0, []),
        (1, ["epoch 3"]),
        (2, ["epoch 3, cut o", "epoch 3"]),
        (99, ["epoch 1", "epoch 2", "epoch 3, cut o", "epoch 3"]),
    ],
)
def test_the_tail_is_of_all_attempts_together(
    cli: Cli, store: SqliteStore, mailbox: Mailbox, count: int, lines: list[str]
) -> None:
    two_attempts(store, mailbox)
    found = cli("logs", "digits", "--tail", count).out.splitlines()
    assert [line for line in found if not line.startswith("---")] == lines


def test_the_tail_still_says_whose_lines_they_are(cli: Cli, store: SqliteStore, mailbox: Mailbox) -> None:
    two_attempts(store, mailbox)
    assert cli("logs", "digits", "--tail", 1).out == f"--- attempt 2 on {POOL} (resumed from step 40) ---\nepoch 3\n"


def test_an_attempt_that_got_no_machine_is_not_worth_a_mark(cli: Cli, store: SqliteStore, mailbox: Mailbox) -> None:
    attempt(store, 1, outcome="refused", reason="dry")
    attempt(store, 2, outcome="lost", reason="never came up")
    assert cli("logs", "digits").out == f"--- attempt 2 on {POOL} ---\n--- attempt 2 lost: never came up ---\n"


def test_a_job_that_has_printed_nothing_prints_nothing(cli: Cli, mailbox: Mailbox) -> None:
    assert cli("logs", "digits") == cli("logs", "digits", "--tail", 5)
    assert cli("logs", "digits").out == ""


def test_a_job_there_is_not_is_an_error(cli: Cli) -> None:
    assert cli("logs", "nobody").code == 1


def test_a_store_that_cannot_be_reached_is_an_error_with_a_hint(cli: Cli, store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store.add_job(a_job(store_url=(tmp_path / "file" / "blobs").as_uri()), an_event())
    done = cli("logs", "digits")
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert "hint: " in done.err


# -- following ----------------------------------------------------------------------------------------


def ended(number: int, outcome: Outcome) -> Write:
    return SetAttempt(job="digits", number=number, changes={"outcome": outcome})


def told(lines: Iterator[Line]) -> list[str]:
    return [f"[{line.text}]" if line.mark else line.text for line in lines]


def in_turn(*moments: Callable[[], None]) -> Callable[[float], None]:
    """A sleep during which the next thing happens."""
    left = iter(moments)
    return lambda _: next(left)()


def test_following_goes_from_attempt_to_attempt_until_the_job_is_over(store: SqliteStore, mailbox: Mailbox) -> None:
    attempt(store, 1)
    mailbox.put_log(1, 1, b"one\ntw")

    def lost() -> None:
        mailbox.put_log(1, 2, b"o\nthr")
        store.apply([ended(1, "lost")])

    def next_one() -> None:
        attempt(store, 2)
        mailbox.put_status(Status(attempt=2, at=1.0, phase="running", resumed_step=7))
        mailbox.put_log(2, 1, b"four\n")

    def over() -> None:
        mailbox.put_log(2, 2, b"five")
        store.apply([ended(2, "finished"), SetJob(name="digits", frm="running", changes={"state": "finished"})])

    assert told(read(store, "digits", follow=True, sleep=in_turn(lambda: None, lost, next_one, over))) == [
        f"[attempt 1 on {POOL}]",
        "one",
        "two",
        "thr",
        "[attempt 1 lost]",
        f"[attempt 2 on {POOL} (resumed from step 7)]",
        "four",
        "five",
        "[attempt 2 finished]",
    ]


def test_an_old_attempt_that_still_speaks_is_told_apart(store: SqliteStore, mailbox: Mailbox) -> None:
    attempt(store, 1)
    attempt(store, 2)
    mailbox.put_log(1, 1, b"old\n")
    mailbox.put_log(2, 1, b"new\n")

    def both() -> None:
        mailbox.put_log(1, 2, b"saving\n")
        mailbox.put_log(2, 2, b"newer\n")

    def over() -> None:
        store.apply([ended(1, "preempted"), ended(2, "finished")])
        store.apply([SetJob(name="digits", frm="running", changes={"state": "finished"})])

    found = told(read(store, "digits", follow=True, sleep=in_turn(both, over)))
    assert [line for line in found if not line.startswith("[attempt 1 on")] == [
        "old",
        f"[attempt 2 on {POOL}]",
        "new",
        "[attempt 1 goes on]",
        "saving",
        "[attempt 2 goes on]",
        "newer",
        "[attempt 1 preempted]",
        "[attempt 2 finished]",
    ]


def test_following_one_attempt_ends_with_it(store: SqliteStore, mailbox: Mailbox) -> None:
    attempt(store, 1)

    def lost() -> None:
        mailbox.put_log(1, 1, b"one\n")
        store.apply([ended(1, "lost")])

    lines = read(store, "digits", follow=True, attempt=1, sleep=in_turn(lost))
    assert [line.text for line in lines if not line.mark] == ["one"]


def test_following_from_the_tail_on_repeats_nothing(store: SqliteStore, mailbox: Mailbox) -> None:
    two_attempts(store, mailbox)

    def over() -> None:
        mailbox.put_log(2, 2, b"epoch 4\n")
        store.apply([ended(2, "finished"), SetJob(name="digits", frm="running", changes={"state": "finished"})])

    lines = read(store, "digits", follow=True, tail=1, sleep=in_turn(over))
    assert [line.text for line in lines if not line.mark] == ["epoch 3", "epoch 4"]


# -- the tape -----------------------------------------------------------------------------------------


class Counting(MemoryBlobs):
    def __init__(self) -> None:
        super().__init__()
        self.gets = 0

    def get(self, key: str) -> bytes:
        self.gets += "/log/" in key
        return super().get(key)


@pytest.fixture
def long_log() -> Mailbox:
    """500 chunks, each holding two lines, the second of which goes on in the next chunk."""
    mailbox = Mailbox(Counting(), "digits")
    text = b"".join(b"line %d\n" % n for n in range(1000))
    step = len(text) // 500 + 1
    chunks = [text[i : i + step] for i in range(0, len(text), step)]
    for index, chunk in enumerate(chunks, 1):
        mailbox.put_log(1, index, chunk)
    mailbox.put_status(Status(attempt=1, at=1.0, phase="left", log_chunks=len(chunks)))
    return mailbox


@pytest.mark.parametrize("count", [0, 1, 7, 50, 999, 1000, 5000])
def test_the_tail_of_a_long_log_is_right(long_log: Mailbox, count: int) -> None:
    found = Tape(long_log).tail(1, count, whole=True)
    assert found == [f"line {n}" for n in range(1000)][1000 - min(count, 1000) :]


def test_the_tail_of_a_long_log_does_not_fetch_all_of_it(long_log: Mailbox) -> None:
    Tape(long_log).tail(1, 5, whole=True)
    assert isinstance(long_log.blobs, Counting)
    assert long_log.blobs.gets <= 8


def test_letters_cut_in_two_are_put_together_and_broken_ones_are_shown(long_log: Mailbox) -> None:
    long_log.put_log(2, 1, "ü".encode()[:1])
    long_log.put_log(2, 2, "ü".encode()[1:] + b"\xff\n")
    assert list(Tape(long_log).lines(2, whole=True)) == ["ü\ufffd"]
