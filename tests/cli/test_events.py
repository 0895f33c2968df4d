from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from spotlaunch.cli.events import read
from spotlaunch.core.facts import EndReason
from spotlaunch.core.plan import AddEvent, SetJob
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.core.worlds import a_job as a_live_job
from tests.core.worlds import a_machine as a_live_machine
from tests.core.worlds import an_attempt as a_live_attempt
from tests.core.worlds import look, seen
from tests.storage.samples import a_job, an_event


@pytest.fixture(autouse=True)
def in_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


def test_the_story_is_told_in_order(cli: Cli, store: SqliteStore) -> None:
    store.add_job(a_job(), an_event(at=0.0, text="digits submitted"))
    store.apply([AddEvent(event=an_event(at=61.9, kind="launch", text="attempt 1: the best of 3 offers"))])
    done = cli("events", "digits")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "1970-01-01 00:00:00  submitted   digits submitted\n"
        "1970-01-01 00:01:01  launch      attempt 1: the best of 3 offers\n"
    )


def test_as_json_it_is_a_list(cli: Cli, store: SqliteStore) -> None:
    store.add_job(a_job(), an_event(data={"a": 1}))
    store.add_job(a_job("other"), an_event("other"))
    store.apply([AddEvent(event=an_event(kind="lost", data={}))])
    assert cli("events", "digits", "--json").json == [
        {"number": 1, "job": "digits", "at": 1000.0, "kind": "submitted", "text": "submitted", "data": {"a": 1}},
        {"number": 3, "job": "digits", "at": 1000.0, "kind": "lost", "text": "submitted", "data": {}},
    ]


def test_a_job_there_is_not_is_an_error(cli: Cli) -> None:
    assert cli("events", "nobody").code == 1


def test_following_tells_all_until_the_job_is_over(store: SqliteStore) -> None:
    store.add_job(a_job(state="running"), an_event(kind="1"))
    moments = iter([["2"], [], ["3", "4"]])

    def a_moment_later(_: float) -> None:
        kinds = next(moments)
        writes = [AddEvent(event=an_event(kind=k)) for k in kinds]
        over = [SetJob(name="digits", frm="running", changes={"state": "failed"})] if "4" in kinds else []
        store.apply([*over, *writes])

    told = [event.kind for _, event in read(store, "digits", follow=True, sleep=a_moment_later)]
    assert told == ["1", "2", "3", "4"]


def test_following_a_job_that_is_over_ends_at_once(cli: Cli, store: SqliteStore) -> None:
    store.add_job(a_job(state="finished"), an_event())
    assert len(cli("events", "digits", "--follow").out.splitlines()) == 1


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("preempted", "preempted: taken away by its provider (spot interruption)"),
        ("by-hand", "cancelled: ended by hand, and not by spotlaunch (spot interruption)"),
        ("out-of-funds", "refused: the account has no money left (spot interruption)"),
        ("host-lost", "lost: its host is lost (spot interruption)"),
    ],
)
def test_why_an_attempt_ended_is_told_in_words_and_in_the_providers_own(
    cli: Cli, store: SqliteStore, why: EndReason, words: str
) -> None:
    machine = a_live_machine()
    gone = seen(machine, phase="gone", ending_reason=why, detail="spot interruption")
    told = look(a_live_job(), [a_live_attempt()], [machine], listed=[gone]).told
    store.add_job(a_job(), an_event())
    store.apply([AddEvent(event=e) for e in told])
    assert words in cli("events", "digits").out
