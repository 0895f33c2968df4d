"""Small pieces of the agent: the bell, tasks, who it is, its settings, the program's environment."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from spotlaunch.agent.environment import container_names, program_env, secret_of, secret_values
from spotlaunch.agent.identity import take_identity
from spotlaunch.agent.prepare import newest_restored
from spotlaunch.agent.settings import read_settings
from spotlaunch.agent.task import Task
from spotlaunch.agent.wake import Wake
from spotlaunch.core.wire import OrderDoc
from spotlaunch.errors import BlobsUnavailable, LeaseHeld, UsageError

ENV = {"SPOTLAUNCH_STORE_URL": "file:///x", "SPOTLAUNCH_JOB": "j", "SPOTLAUNCH_ATTEMPT": "3"}


def test_a_ring_ends_the_wait_also_one_that_came_before() -> None:
    wake = Wake()
    for _ in range(100_000):
        wake.ring()  # never blocks, however often
    began = time.monotonic()
    for _ in range(3):
        wake.wait(10.0)
        wake.ring()
    threading.Timer(0.05, wake.ring).start()
    wake.wait(0.0)
    wake.wait(0.0)
    assert time.monotonic() - began < 5.0


def test_a_wait_ends_by_itself() -> None:
    wake = Wake()
    wake.wait(0.01)
    wake.wait(-1.0)


def test_a_signal_rings() -> None:
    wake = Wake()
    before = signal.getsignal(signal.SIGCHLD), signal.getsignal(signal.SIGUSR1)
    try:
        wake.on_signals()
        signal.signal(signal.SIGUSR1, lambda *_: None)
        os.kill(os.getpid(), signal.SIGUSR1)
        began = time.monotonic()
        wake.wait(10.0)
        assert time.monotonic() - began < 5.0
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, before[0])
        signal.signal(signal.SIGUSR1, before[1])


def test_a_task_gives_its_value_or_its_error_and_rings() -> None:
    wake = Wake()
    task = Task("fine", lambda: 7, wake).start()
    while not task.done:
        wake.wait(10.0)
    assert task.value == 7

    def fail() -> int:
        raise BlobsUnavailable("down")

    failing = Task("failing", fail, wake).start()
    while not failing.done:
        wake.wait(10.0)
    with pytest.raises(BlobsUnavailable):
        _ = failing.value


def test_a_defect_in_a_task_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(threading, "excepthook", shown.append)
    wake = Wake()
    task = Task("broken", lambda: 1 // 0, wake).start()
    task._thread.join(10)
    assert task.done
    assert isinstance(task.error, ZeroDivisionError)
    assert shown, "the console shows where"


def test_an_agent_is_the_same_after_a_restart_and_another_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "c/agent-id").write_text("from before\n")
    here, fresh = take_identity(tmp_path / "a")
    assert fresh
    assert take_identity(tmp_path / "b")[0] != here
    assert take_identity(tmp_path / "c") == ("from before", False)


def test_two_agents_in_one_folder_are_one_too_many(tmp_path: Path) -> None:
    take_identity(tmp_path)
    with pytest.raises(LeaseHeld):
        take_identity(tmp_path)


def test_settings_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings(ENV)
    assert (settings.job, settings.attempt, settings.notice_file, settings.still_s) == ("j", 3, None, 1.0)
    assert settings.work == tmp_path / "work"
    assert read_settings({**ENV, "SPOTLAUNCH_NOTICE_FILE": "/n"}).notice_file == Path("/n")


@pytest.mark.parametrize("name", list(ENV))
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        read_settings({k: v for k, v in ENV.items() if k != name})


def test_the_jobs_own_settings_win_over_the_machines_and_our_promises_over_both(tmp_path: Path) -> None:
    doc = OrderDoc(job="j", attempt=3, run="x", env={"A": "job", "SPOTLAUNCH_JOB": "not this"})
    ours = {"A": "machine", "PATH": "/bin", "TOKEN": "secret", **ENV, "SPOTLAUNCH_NOTICE_FILE": "/n"}
    env = program_env(read_settings(ENV), doc, folder=tmp_path, resume="", ours=ours)
    assert (env["A"], env["PATH"], env["TOKEN"], env["SPOTLAUNCH_JOB"]) == ("job", "/bin", "secret", "j")
    assert "SPOTLAUNCH_STORE_URL" not in env
    assert "SPOTLAUNCH_NOTICE_FILE" not in env
    assert env["PYTHONUNBUFFERED"] == "1"


def test_the_stores_keys_and_the_jobs_secrets_of_one_name_keep_out_of_each_others_way(tmp_path: Path) -> None:
    ours = {
        **ENV,
        "AWS_ACCESS_KEY_ID": "the store's",
        "AWS_SESSION_TOKEN": "the store's token",
        "SPOTLAUNCH_SECRET_AWS_ACCESS_KEY_ID": "the job's",
        "SPOTLAUNCH_PASS_NAMES": "AWS_ACCESS_KEY_ID,AWS_SESSION_TOKEN",
        "SPOTLAUNCH_PASS_KEY": "k",
    }
    doc = OrderDoc(job="j", attempt=3, run="x", secrets=["AWS_ACCESS_KEY_ID"])
    env = program_env(read_settings(ours), doc, folder=tmp_path, resume="", ours=ours)
    assert env["AWS_ACCESS_KEY_ID"] == "the job's"
    assert "AWS_SESSION_TOKEN" not in env
    assert not [name for name in env if name.startswith(("SPOTLAUNCH_SECRET_", "SPOTLAUNCH_PASS_"))]
    assert secret_of("AWS_ACCESS_KEY_ID", ours) == "the job's"
    assert secret_of("JOB", {"JOB": "as on this computer"}) == "as on this computer"
    assert "AWS_ACCESS_KEY_ID" in container_names(read_settings(ours), doc, ours)
    assert "AWS_SESSION_TOKEN" not in container_names(read_settings(ours), doc, ours)


def test_the_keys_of_the_store_and_of_the_machines_cloud_are_masked_too() -> None:
    ours = {
        "AWS_SECRET_ACCESS_KEY": "a" * 20,
        "AZURE_STORAGE_ACCOUNT_KEY": "f" * 20,
        "POD_API_KEY": "b" * 20,
        "PASS": "c" * 20,
        "PATH": "d" * 20,
        "X_TOKEN": "e",
    }
    found = secret_values(["T"], {"T": "job"}.get, more=["PASS"], ours=ours)
    assert sorted(found) == ["a" * 20, "b" * 20, "c" * 20, "f" * 20, "job"]


@pytest.mark.parametrize(
    ("names", "newest"),
    [
        ([], ""),
        (["step-9", "step-10", "last"], "step-10"),
        (["model.pt"], "model.pt"),
        (["model.pt", "optim.pt"], "."),
    ],
)
def test_what_to_resume_from(names: list[str], newest: str, tmp_path: Path) -> None:
    folder = tmp_path / "ckpt"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("")
    assert newest_restored(folder) == (str(folder / newest) if newest else "")
