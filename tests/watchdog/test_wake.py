from __future__ import annotations

import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotlaunch.watchdog.wake import Bell, poke


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wake"


@pytest.fixture
def bell(path: Path) -> Iterator[Bell]:
    made = Bell(path)
    yield made
    made.close()


def test_a_poke_ends_the_sleep(bell: Bell, path: Path) -> None:
    threading.Timer(0.05, poke, [path]).start()
    began = time.monotonic()
    assert bell.wait(30.0) is True
    assert time.monotonic() - began < 10.0


def test_without_a_poke_the_sleep_ends_by_itself(bell: Bell) -> None:
    assert bell.wait(0.01) is False
    assert bell.wait(-5.0) is False


def test_pokes_before_the_sleep_count_once(bell: Bell, path: Path) -> None:
    assert [poke(path) for _ in range(5)] == [True] * 5
    assert bell.wait(30.0) is True
    assert bell.wait(0.0) is False


def test_a_ring_from_within_ends_the_sleep_too(bell: Bell) -> None:
    bell.ring()
    assert bell.wait(30.0) is True
    assert bell.wait(0.0) is False


def test_a_ring_from_a_signal_handler_ends_the_sleep(bell: Bell) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: bell.ring())
    try:
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        assert bell.wait(30.0) is True
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_more_pokes_than_the_pipe_holds_block_nobody(bell: Bell, path: Path) -> None:
    for _ in range(70_000):
        bell.ring()
    assert poke(path) is True
    assert bell.wait(30.0) is True
    assert bell.wait(0.0) is False


def test_a_poke_where_nobody_sleeps_says_so(path: Path) -> None:
    assert poke(path) is False
    Bell(path).close()
    assert path.exists()
    assert poke(path) is False


def test_the_pipe_outlives_the_sleeper_and_serves_the_next(path: Path) -> None:
    first = Bell(path)
    first.close()
    first.close()
    first.ring()
    second = Bell(path)
    assert poke(path) is True
    assert second.wait(30.0) is True
    second.close()


def test_the_pipe_is_its_owners_only(bell: Bell, path: Path) -> None:
    mode = path.stat().st_mode
    assert stat.S_ISFIFO(mode)
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_something_else_of_that_name_is_left_alone(path: Path, kind: str) -> None:
    target = path.with_name("target")
    target.write_text("mine")
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(target)
    assert poke(path) is False
    bell = Bell(path)
    bell.ring()
    assert bell.wait(30.0) is True
    bell.close()
    assert target.read_text() == "mine"
    if kind == "file":
        assert path.read_text() == "mine"
