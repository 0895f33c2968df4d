"""The guard: when it ends a machine, and when it must not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spotlaunch.agent import ending, guard
from spotlaunch.agent.ending import end_machine
from spotlaunch.agent.guard import GONE_S, LATE_S, Guard, Rules, encode, read_line
from tests.fakes.machine import ROOT, soon


class World:
    """A clock that goes on by five seconds a look, and a pipe that ends at a time."""

    def __init__(self, sign: Path, *, ends_at: float = float("inf")) -> None:
        self.time = 1000.0
        self.ends_at = ends_at
        self.sign = sign
        self.touch_until = 0.0
        self.clock_of_files = 10**18

    def gone(self, seconds: float) -> bool:
        self.time += seconds
        if self.time <= self.touch_until:
            self.clock_of_files += 10**9
            self.sign.touch()
            os.utime(self.sign, ns=(self.clock_of_files, self.clock_of_files))
        return self.time >= self.ends_at

    def watch(self, monkeypatch: pytest.MonkeyPatch, **rules: float) -> str:
        monkeypatch.setattr(guard.time, "sleep", lambda s: setattr(self, "time", self.time + s))
        told = Rules(end_command="true", sign=str(self.sign), up="", **rules)
        return Guard(told, gone=self.gone, mono=lambda: self.time).watch()


def test_a_machine_ends_after_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "sign")
    assert "has lived for 600 s" in world.watch(monkeypatch, ttl_s=600.0, lived_s=100.0)
    assert 500 + LATE_S <= world.time - 1000.0 < 500 + LATE_S + 10, "its agent has had time to leave before"


def test_a_machine_ends_when_its_store_is_silent_for_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "sign")
    world.touch_until = 5000.0
    assert "could not reach the store for 300 s" in world.watch(monkeypatch, silent_s=300.0)
    assert 5300 <= world.time < 5310


def test_a_store_that_was_never_reached_is_silent_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "sign")
    assert "could not reach" in world.watch(monkeypatch, silent_s=300.0)
    assert world.time < 1310


def test_a_clock_that_is_set_right_does_not_end_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "sign")
    world.touch_until, world.clock_of_files = 3000.0, 10**9  # files of 1970
    world.watch(monkeypatch, silent_s=300.0)
    assert world.time >= 3300


def test_a_machine_without_anybody_left_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "sign", ends_at=1500.0)
    assert "agent is gone" in world.watch(monkeypatch, ttl_s=0.0)
    assert 1500 + GONE_S <= world.time < 1500 + GONE_S + 10


def test_the_guard_takes_its_rules_and_leaves_the_pipe_alone() -> None:
    rules = Rules(end_command="a\nb", sign="s", up="u", ttl_s=1.5)
    read, write = os.pipe()
    os.write(write, encode(rules) + b"more")
    assert Rules(**json.loads(read_line(read))) == rules
    assert os.read(read, 10) == b"more"
    os.close(write)
    assert guard.gone_on(read)(5.0)
    os.close(read)


@pytest.mark.e2e
def test_a_real_guard_ends_the_machine_when_its_pipe_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "import spotlaunch.agent.guard as g, spotlaunch.agent.ending as e\n"
        "g.GONE_S = g.LOOK_S = 0.1; e.PAUSES_S = (0.05,)\ng.main()"
    )
    rules = Rules(end_command=f"echo $NAME >> {tmp_path}/ended", sign=str(tmp_path / "s"), up=str(tmp_path / "up"))
    process = subprocess.Popen(
        [sys.executable, "-c", source], cwd=ROOT, stdin=subprocess.PIPE, env={**os.environ, "NAME": "x"}
    )
    try:
        assert process.stdin is not None
        process.stdin.write(encode(rules))
        process.stdin.flush()
        soon((tmp_path / "up").exists, "the guard's waking")
        assert not (tmp_path / "ended").exists()
        process.stdin.close()
        soon(lambda: (tmp_path / "ended").exists() and (tmp_path / "ended").read_text().count("x") >= 3, "three tries")
    finally:
        process.kill()
        process.wait()


def test_the_end_is_tried_again_and_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    slept: list[float] = []
    count = tmp_path / "count"
    end_machine(f"echo x >> {count}; exit 1", who="test", sleep=slept.append, tries=7)
    assert count.read_text().count("x") == 7
    assert slept == [10.0, 20.0, 30.0, 60.0, 60.0, 60.0]
    assert "ending this machine (try 7)" in capfd.readouterr().err


def test_an_end_command_that_hangs_does_not_stop_the_next_try(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ending, "COMMAND_TIMEOUT_S", 0.2)
    end_machine(f"echo x >> {tmp_path}/count; exec sleep 1000", who="test", sleep=lambda s: None, tries=2)
    assert (tmp_path / "count").read_text() == "x\nx\n"
