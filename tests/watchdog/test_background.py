"""Waking the watchdog and ending it, with the processes left out; `tests/e2e` has them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.errors import SpotlaunchError, StoreUnavailable
from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog import background
from spotlaunch.watchdog.background import LOG_MOST_BYTES, ensure_awake, stop
from spotlaunch.watchdog.holder import own_lease
from spotlaunch.watchdog.wake import Bell


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "state").prepare()


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    made = SqliteStore(":memory:", owner_seed="seed")
    yield made
    made.close()


class Child:
    """Stands for the process that would be started."""

    def __init__(self, code: int | None) -> None:
        self.code = code

    def poll(self) -> int | None:
        return self.code


def awake(store: SqliteStore, **changes: Any) -> None:
    now = time.time()
    store.take_lease(replace(own_lease(now + 60), **changes), now=now)


def starts(monkeypatch: pytest.MonkeyPatch, *, code: int | None, store: SqliteStore | None = None) -> list[Any]:
    """What is started, instead of a process; with ``store`` it takes the lease at once."""
    started: list[Any] = []

    def popen(command: Any, **how: Any) -> Child:
        started.append((command, how))
        if store is not None:
            awake(store)
        return Child(code)

    monkeypatch.setattr(subprocess, "Popen", popen)
    return started


def test_one_that_is_awake_is_poked_and_no_second_is_started(
    home: Home, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake(store)
    started, bell = starts(monkeypatch, code=None), Bell(home.wake)
    try:
        assert ensure_awake(home, store) is False
        assert (bell.wait(0.0), started) == (True, [])
    finally:
        bell.close()


def test_with_none_awake_one_is_started_in_a_session_of_its_own_and_waited_for(
    home: Home, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = starts(monkeypatch, code=None, store=store)
    assert ensure_awake(home, store) is True
    [(command, how)] = started
    assert command[1:] == ["-P", "-m", "spotlaunch", "watch", "--background"]
    assert (how["start_new_session"], how["env"]["SPOTLAUNCH_HOME"]) == (True, str(home.path))


def test_one_that_does_not_come_up_is_told_with_the_end_of_its_log(
    home: Home, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts(monkeypatch, code=1)
    home.watchdog_log.write_text("first line\nno room for me\n")
    with pytest.raises(SpotlaunchError, match=r"did not start \(exit code 1\): no room for me"):
        ensure_awake(home, store)


def test_one_that_found_nothing_left_to_do_was_started_well(
    home: Home, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts(monkeypatch, code=0)
    assert ensure_awake(home, store) is True


def test_a_log_that_has_grown_large_begins_anew(
    home: Home, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts(monkeypatch, code=0)
    home.watchdog_log.write_bytes(b"x" * (LOG_MOST_BYTES + 1))
    ensure_awake(home, store)
    assert home.watchdog_log.stat().st_size == 0


def test_a_log_that_cannot_be_written_is_said_to_be_the_reason(
    home: Home, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts(monkeypatch, code=0)
    home.watchdog_log.mkdir()
    with pytest.raises(StoreUnavailable, match="its log"):
        ensure_awake(home, store)


def test_with_none_awake_there_is_nothing_to_stop(store: SqliteStore) -> None:
    assert stop(store) is False


def test_one_on_another_host_is_not_ours_to_stop(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    awake(store, host="elsewhere")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("no signal crosses hosts"))
    with pytest.raises(SpotlaunchError, match="runs on elsewhere"):
        stop(store)


def test_stopping_asks_gently_and_waits_until_the_lease_is_given_up(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake(store, token="it")
    sent: list[tuple[int, int]] = []

    def kill(pid: int, sig: int) -> None:
        sent.append((pid, sig))
        store.release_lease("it")

    monkeypatch.setattr(os, "kill", kill)
    assert stop(store) is True
    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_one_that_does_not_end_is_told_with_what_can_be_done(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake(store)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    monkeypatch.setattr(background, "STOP_TIMEOUT_S", 0.0)
    with pytest.raises(SpotlaunchError, match="has not ended") as told:
        stop(store)
    assert "kill -9" in told.value.hint
