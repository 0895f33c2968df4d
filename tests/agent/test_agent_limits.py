"""Agents that keep their limits to the end: what is not delivered when money or time is up, is not waited for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spotlaunch.core.wire import Status
from tests.fakes.machine import Machine, order, python, soon
from tests.fakes.s3 import CREDENTIALS

pytestmark = pytest.mark.e2e

# A program that is deaf to being told to end.
DEAF = python("import signal as s, time\ns.signal(s.SIGTERM, s.SIG_IGN)\nprint('deaf')\nwhile 1: time.sleep(1)")


@contextmanager
def cut_off(tmp_path: Path) -> Iterator[None]:
    """The store is away."""
    store, away = tmp_path / "store", tmp_path / "away"
    store.rename(away)
    store.write_text("a file where the folder was")
    yield
    store.unlink()
    away.rename(store)


def lived(machine: Machine, started: Status) -> float:
    """Wait for the agent's end; its seconds since it began."""
    assert machine.agent.wait(timeout=30) == 0, machine.console.read_text()
    return time.time() - started.started_at


def test_a_limit_holds_when_the_store_is_away_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    env = {"SPOTLAUNCH_BUDGET_LEFT_S": "3"}
    with Machine(tmp_path, "s3://nowhere/x", order(), endpoint="http://127.0.0.1:1", env=env, put=False) as m:
        assert m.agent.wait(timeout=60) == 0
        assert "has left: budget" in m.console.read_text()


def test_a_machine_that_has_lived_long_enough_is_left_with_a_checkpoint(tmp_path: Path, store_url: str) -> None:
    doc = order(env={"STEPS": "100000"}, ttl_left_s=100.0)
    with Machine(tmp_path, store_url, doc, env={"SPOTLAUNCH_LIVED_S": "70"}) as m:
        began_at = time.time()
        status = m.left()
        assert status.left_why == "ttl"
        assert time.time() - began_at < 15.0
        assert m.head().step == status.step > 0


@pytest.mark.parametrize("limit", ["runtime", "budget"])
def test_a_result_is_not_waited_with_beyond_a_limit(limit: str, tmp_path: Path, store_url: str) -> None:
    doc = order(env={"STEPS": "60"}, **{f"{limit}_left_s": 6.0})
    with Machine(tmp_path, store_url, doc) as m:
        started = m.when(lambda s: s.step >= 5)
        with cut_off(tmp_path):
            progress = m.disk / "progress.json"
            soon(lambda: json.loads(progress.read_text())["step"] == 60, "the end of the program")
            time.sleep(1.0)
            assert m.agent.poll() is None, "it tries to deliver for as long as there is money"
            assert 5.0 < lived(m, started) < 14.0
        assert m.head().step < 60
        status = m.status
        assert status is not None
        assert status.phase != "left", "nobody may believe that it has finished"


def test_a_result_that_could_not_be_saved_in_time_is_told_as_the_limit(tmp_path: Path, store_url: str) -> None:
    # Letters arrive, checkpoints do not: a file lies where their folder would be.
    run = 'echo result > "$SPOTLAUNCH_CHECKPOINT_DIR/result-7"; echo done'
    (tmp_path / "store/jobs/digits").mkdir(parents=True)
    (tmp_path / "store/jobs/digits/ckpt").write_text("a file where the folder was")
    with Machine(tmp_path, store_url, order(run=run, budget_left_s=4.0)) as m:
        status = m.left()
        assert (status.phase, status.left_why, status.exit_code) == ("left", "budget", 0)
        assert "could not be saved" in status.error
        assert m.output == "done\n", "its last word is waited for"


def test_grace_ends_with_the_money(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(run=DEAF, grace_s=60.0, budget_left_s=6.0)) as m:
        started = m.phase("running")
        soon(lambda: "deaf" in m.output)
        assert lived(m, started) < 12.0
        status = m.status
        assert status is not None
        assert (status.phase, status.left_why, status.exit_code) == ("left", "budget", 137)


def test_a_container_started_again_is_not_given_its_money_again(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env={"STEPS": "100000"}, budget_left_s=8.0)) as m:
        started = m.when(lambda s: s.step >= 5)
        time.sleep(max(0.0, started.started_at + 4.0 - time.time()))
        m.pull_the_plug()
        m.boot()
        assert lived(m, started) < 11.0
        status = m.status
        assert status is not None
        assert (status.phase, status.left_why) == ("left", "budget")
