"""`spotlaunch rehearse` for real: the demo passes, each broken job is caught for its own reason, nothing is left."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.support import SPOTLAUNCH
from tests.fakes.waiting import eventually

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
JOBS = ROOT / "tests" / "rehearsing" / "jobs"
HOME_OF = "SPOTLAUNCH_HOME"


def command(file: Path, *words: object) -> list[str]:
    return [*SPOTLAUNCH, "rehearse", str(file), *map(str, words)]


def environment() -> dict[str, str]:
    """`python3` is the one that numpy is installed for; the user's own market must not matter."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "SPOTLAUNCH_LOCAL_MARKET": "/no/such/market.yaml"}


def rehearse(file: Path, *words: object) -> dict[str, Any]:
    """The verdict; nothing of the rehearsal is left when it is there."""
    done = subprocess.run(
        command(file, "--json", *words),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode in (0, 1), done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    assert verdict["good"] == (done.returncode == 0)
    nothing_is_left()
    return verdict


def nothing_is_left() -> None:
    """No process, no machine, no book: in the user's home there is an empty folder."""
    home = Path(os.environ[HOME_OF])
    eventually(lambda: not processes(home), within_s=30)
    eventually(lambda: [p.relative_to(home).as_posix() for p in home.rglob("*")] == ["rehearsals"], within_s=30)


def processes(home: Path) -> list[str]:
    """All that belong to a rehearsal in that home: they have its path among their words, or in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            words, env = process.cmdline(), process.environ()
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if any(str(home / "rehearsals") in text for text in (*words, env.get(HOME_OF, ""), env.get("HOME", ""))):
                found.append(f"{process.pid} {' '.join(words)}")
        except psutil.Error:
            continue
    return found


def levels(verdict: dict[str, Any]) -> dict[str, str]:
    return {f["check"]: f["level"] for f in verdict["findings"]}


def test_the_demo_passes_and_makes_the_same_weights() -> None:
    # Both kills in a quarter of it, for it is slow to start on a crowded computer.
    words = ["--kills", 2, "--minutes", 2, "--seed", 1, "--env", "EPOCHS=8", "--env", "EPOCH_SECONDS=0.3"]
    last = 'tail -1 "$ALONE/output.log" >a; tail -1 "$REHEARSED/output.log" >b; grep -q sha256 a && cmp a b'
    verdict = rehearse(ROOT / "configs/demo/job.yaml", *words, "--compare", "checkpoints", "--compare-command", last)
    assert verdict["good"], verdict
    assert verdict["kills"] == 2
    assert [f["level"] for f in verdict["findings"] if f["check"] == "compare"] == ["ok", "ok"]
    measures = verdict["measures"]
    assert measures["rate_per_hour"] == 0.008  # a V100's
    assert measures["checkpoint_bytes"] > 10_000 and measures["interval_s"] > measures["bad_interval_s"] > 1


BROKEN = [
    ("never_checkpoints", "checkpoints", "$SPOTLAUNCH_CHECKPOINT_DIR", ["--minutes", 0.3, "--env", "STEPS=100000"]),
    ("does_not_resume", "resume", "$SPOTLAUNCH_RESUME", ["--minutes", 1]),
    ("wrong_step", "resume", "step-9 comes after step-10", ["--minutes", 1]),
    ("half_files", "whole", "rename", ["--minutes", 1]),
    ("ignores_sigterm", "stop", "checkpoint.grace", ["--minutes", 1]),
]


@pytest.mark.parametrize(("job", "check", "hint", "words"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_broken_job_is_caught_for_its_own_reason(job: str, check: str, hint: str, words: list[object]) -> None:
    verdict = rehearse(JOBS / job / "job.yaml", "--kills", 2, "--seed", 3, *words)
    assert not verdict["good"]
    bad = [f for f in verdict["findings"] if f["level"] == "bad"]
    assert bad[0]["check"] == check, bad
    assert hint in bad[0]["hint"] and bad[0]["where"].startswith("attempt ")
    # A half-written file may also be one that cannot be loaded.
    assert {f["check"] for f in bad} <= {check, "resume"} if job == "half_files" else len(bad) == 1, bad
    if job == "does_not_resume":
        assert "began anew" in bad[0]["text"]
    if job == "wrong_step":
        assert "began anew" not in bad[0]["text"]


# Where the end is far it is not waited for.
GOOD = [
    ("good", ["--minutes", 1, "--no-notice"], "ok"),
    ("saves_on_sigterm", ["--minutes", 0.3, "--env", "STEPS=100000"], "note"),
    ("saves_rarely", ["--minutes", 0.6], "ok"),
    ("no_progress", ["--minutes", 0.6], "ok"),
    ("short", ["--minutes", 0.6], "ok"),
]


@pytest.mark.parametrize(("job", "words", "end"), GOOD, ids=[g[0] for g in GOOD])
def test_a_good_job_of_an_unusual_kind_raises_no_alarm(job: str, words: list[object], end: str) -> None:
    verdict = rehearse(JOBS / job / "job.yaml", "--kills", 2, "--seed", 4, *words)
    assert verdict["good"], verdict
    found = levels(verdict)
    assert (verdict["kills"], found["resume"], found["exit"]) == (2, "ok", end)
    assert found["checkpoints"] == ("note" if job == "saves_on_sigterm" else "ok")
    assert any(a["first_step"] is not None for a in verdict["attempts"]) == (job != "no_progress")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_a_rehearsal_nothing_of_it_is_left(sig: signal.Signals, tmp_path: Path) -> None:
    home = Path(os.environ[HOME_OF])
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            command(JOBS / "good" / "job.yaml", "--env", "STEPS=100000"),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        eventually(lambda: any("train.py" in line for line in processes(home)), within_s=60)
        process.send_signal(sig)
        code = process.wait(timeout=60)
    finally:
        process.kill()
    assert code == (-signal.SIGKILL if sig == signal.SIGKILL else 130)
    nothing_is_left()
    said = (tmp_path / "out").read_text()
    assert "Traceback" not in said and ("nothing of it is left" in said) == (code == 130)


def test_what_was_left_when_all_were_killed_is_cleared_by_the_next_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    rehearsals = Path(os.environ[HOME_OF]) / "rehearsals"
    locks = []
    for name in ("left", "used"):
        (rehearsals / name).mkdir(parents=True)
        locks.append((rehearsals / name / "lock").open("w"))
    fcntl.flock(locks[1], fcntl.LOCK_EX)
    file = tmp_path / "job.yaml"
    file.write_text("run: exit 3\n")
    done = subprocess.run(command(file), env=environment(), capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "exit code 3" in done.stdout
    assert [p.name for p in rehearsals.iterdir()] == ["used"]
