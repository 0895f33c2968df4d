from __future__ import annotations

from typing import Any

import pytest

from spotlaunch.core.plan import AddMachine
from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.storage.samples import a_job, a_machine, an_event


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[Home]:
    """Instead of starting a watchdog: for which homes one would have been."""
    calls: list[Home] = []
    monkeypatch.setattr("spotlaunch.cli.cancel.ensure_awake", lambda home, store: calls.append(home))
    return calls


def add(store: SqliteStore, **changes: Any) -> None:
    store.add_job(a_job(**changes), an_event())


def test_it_says_what_is_wanted_and_wakes_the_watchdog(cli: Cli, store: SqliteStore, woken: list[Home]) -> None:
    add(store, state="running")
    done = cli("cancel", "digits")
    assert (done.code, done.out) == (0, "")
    assert done.err == "digits ends after a last checkpoint\nsee: spotlaunch status digits\n"
    job = store.job("digits")
    assert (job.wanted, job.state) == ("cancel", "running")
    assert job.wanted_at is not None
    assert [e.kind for _, e in store.events("digits")] == ["submitted", "wanted"]
    assert woken == [Home.find()]


def test_now_means_without_a_last_checkpoint(cli: Cli, store: SqliteStore) -> None:
    add(store)
    done = cli("cancel", "digits", "--now", "--json")
    assert done.json == {"job": "digits", "wanted": "cancel-now", "state": "queued"}
    assert store.job("digits").wanted == "cancel-now"


def test_now_after_all_is_heard_and_later_after_all_is_not(cli: Cli, store: SqliteStore) -> None:
    add(store)
    cli("cancel", "digits")
    cli("cancel", "digits", "--now")
    assert store.job("digits").wanted == "cancel-now"
    done = cli("cancel", "digits")
    assert store.job("digits").wanted == "cancel-now"
    assert "without a last checkpoint" in done.err


def test_asking_twice_is_told_once_and_wakes_again(cli: Cli, store: SqliteStore, woken: list[Home]) -> None:
    add(store)
    cli("cancel", "digits")
    assert cli("cancel", "digits").code == 0
    assert len(store.events("digits")) == 2
    assert len(woken) == 2


def test_a_job_that_is_over_stays_as_it_is(cli: Cli, store: SqliteStore, woken: list[Home]) -> None:
    add(store, state="finished")
    done = cli("cancel", "digits")
    assert (done.code, done.err) == (0, "digits is over: finished\n")
    assert cli("cancel", "digits", "--json").json == {"job": "digits", "wanted": "run", "state": "finished"}
    assert woken == []


def test_a_job_that_is_over_but_has_a_machine_gets_a_watchdog(cli: Cli, store: SqliteStore, woken: list[Home]) -> None:
    add(store, state="failed")
    store.apply([AddMachine(machine=a_machine(state="ending"))])
    cli("cancel", "digits")
    assert len(woken) == 1


def test_a_job_that_ends_in_that_very_moment_is_no_error(
    cli: Cli, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, state="running")
    real = SqliteStore.want

    def late(self: SqliteStore, *args: Any, **kwargs: Any) -> None:
        with self._db.writing() as sql:
            sql.execute("UPDATE jobs SET state = 'finished'")
        real(self, *args, **kwargs)

    monkeypatch.setattr(SqliteStore, "want", late)
    done = cli("cancel", "digits")
    assert (done.code, done.err) == (0, "digits is over: finished\n")


def test_a_job_there_is_not_is_an_error(cli: Cli, woken: list[Home]) -> None:
    done = cli("cancel", "nobody")
    assert done.code == 1
    assert "there is no job called 'nobody'" in done.err
    assert woken == []
