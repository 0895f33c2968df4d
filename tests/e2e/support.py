"""A rehearsal: a home, a market, a folder with a small training job, and the real command on them all.

The training job is a few lines of the standard library. Its state is a number folded through its steps, so the
digest that it prints at the end tells whether any step was skipped, or done twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from spotlaunch.core.book import Job
from spotlaunch.core.wire import Entry
from spotlaunch.home import Home
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.register import Register
from spotlaunch.storage.store import SqliteStore, open_store
from tests.fakes.local_machines import end_everything, processes_under
from tests.fakes.waiting import eventually

SPOTLAUNCH = [sys.executable, "-P", "-m", "spotlaunch"]

MULTIPLIER, INCREMENT, FIRST = 6364136223846793005, 1442695040888963407, 42

TRAIN = f"""
import hashlib, json, os, sys, time
from pathlib import Path

steps, every, nap_s = int(os.environ["STEPS"]), int(os.environ["EVERY"]), float(os.environ["NAP"])
folder, resume = Path(os.environ["SPOTLAUNCH_CHECKPOINT_DIR"]), os.environ["SPOTLAUNCH_RESUME"]
step, state = json.loads(Path(resume).read_text()) if resume else (0, {FIRST})
print("from step", step, flush=True)
while step < steps:
    state = (state * {MULTIPLIER} + {INCREMENT} + step) % 2**64
    step += 1
    time.sleep(0 if os.path.exists(os.environ.get("HURRY", "")) else nap_s)
    if step % every == 0:
        part = folder / "state.tmp"
        part.write_text(json.dumps([step, state]))
        part.rename(folder / f"step-{{step}}.json")
        Path(folder / f"step-{{step - every}}.json").unlink(missing_ok=True)
        progress = os.environ["SPOTLAUNCH_PROGRESS_FILE"]
        Path(progress + ".tmp").write_text(json.dumps({{"step": step, "total": int(os.environ.get("TOTAL", steps))}}))
        os.replace(progress + ".tmp", progress)
print("digest", hashlib.sha256(str(state).encode()).hexdigest(), flush=True)
"""


def digest(steps: int) -> str:
    """What the training job prints at the end of an uninterrupted run."""
    state = FIRST
    for step in range(steps):
        state = (state * MULTIPLIER + INCREMENT + step) % 2**64
    return hashlib.sha256(str(state).encode()).hexdigest()


@dataclass
class Rehearsal:
    """One home and what happens in it. ``env`` is what every command is run with."""

    folder: Path
    home: Home
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    # -- commands ----------------------------------------------------------------------------------------

    def cli(
        self, *words: object, within_s: float = 60.0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*SPOTLAUNCH, *map(str, words)],
            cwd=self.folder,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
        )

    def ok(self, *words: object, within_s: float = 60.0, env: Mapping[str, str] | None = None) -> str:
        """Run a command that must succeed; gives its standard output."""
        done = self.cli(*words, within_s=within_s, env=env)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Start a command and do not wait. What it says goes to files in the folder."""
        n = len(self.started)
        with (self.folder / f"out-{n}").open("w") as out, (self.folder / f"err-{n}").open("w") as err:
            process = subprocess.Popen(
                [*SPOTLAUNCH, *map(str, words)],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def watch(self) -> subprocess.Popen[str]:
        """Start a watchdog that the test may kill: `submit` finds it awake and starts none of its own."""
        return self.start("watch", "--background")

    def submit(self, file: Path, *words: object, env: Mapping[str, str] | None = None) -> str:
        """Submit a job file; gives the job's name."""
        return self.ok("submit", file, "-y", *words, env=env).strip()

    # -- job files ---------------------------------------------------------------------------------------

    def job_file(self, name: str, run: str, **keys: Any) -> Path:
        """A job file that runs ``run``, without a working directory unless ``keys`` say one."""
        spec = {"name": name, "run": run, "resources": {}, **keys}
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps({k: v for k, v in spec.items() if v is not None}))  # JSON is YAML
        return path

    def training(self, name: str, *, steps: int, every: int = 10, nap_s: float = 0.02, **keys: Any) -> Path:
        """The job file of the training job."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        (work / "train.py").write_text(TRAIN)
        env = {"STEPS": str(steps), "EVERY": str(every), "NAP": str(nap_s), **keys.pop("env", {})}
        run = f"exec {sys.executable} -I -S train.py"
        return self.job_file(name, run, workdir=str(work), env=env, **keys)

    # -- looking -----------------------------------------------------------------------------------------

    @contextmanager
    def store(self) -> Iterator[SqliteStore]:
        """The book."""
        store = open_store(self.home)
        try:
            yield store
        finally:
            store.close()

    def job(self, name: str) -> Job:
        with self.store() as store:
            return store.job(name)

    def events(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ok("events", name, "--json"))
        return found

    def kinds(self, name: str) -> list[str]:
        """The kinds of a job's events, in order."""
        with self.store() as store:
            return [e.kind for _, e in store.events(name)]

    def logs(self, name: str) -> str:
        return self.ok("logs", name)

    def register(self, name: str) -> list[Entry]:
        """The register, oldest entry first."""
        job = self.job(name)
        blobs = open_blobs(job.store_url, endpoint=job.store_endpoint, region=job.store_region)
        return Register(blobs, name).history()[::-1]

    def processes(self) -> list[str]:
        """Every process of this rehearsal's machines."""
        return processes_under(self.home.provider("local"))

    def awake(self) -> list[int]:
        """Process ids of the watchdogs of this home."""
        return [p.pid for p in psutil.process_iter() if _is_watchdog(p, self.home)]

    def story(self, name: str) -> str:
        """All that is known of a job, for the message of a failing test."""
        log = self.home.watchdog_log
        said = [self.cli(word, name) for word in ("events", "status", "logs")]
        errors = [path.read_text() for path in self.folder.glob("err-*")]
        return "\n".join([*(d.stdout + d.stderr for d in said), *errors, log.read_text() if log.exists() else ""])

    # -- waiting and ending ------------------------------------------------------------------------------

    def await_over(self, name: str, *, within_s: float = 60.0, doing: Callable[[], object] = lambda: None) -> Job:
        """The job once it is over, ``doing`` something between looks."""
        give_up_at = time.monotonic() + within_s
        while not (job := self.job(name)).over:
            assert time.monotonic() < give_up_at, f"{name} is not over in {within_s} s\n{self.story(name)}"
            doing()
            time.sleep(0.1)
        return job

    def await_event(self, name: str, kind: str, *, within_s: float = 30.0) -> None:
        eventually(lambda: kind in self.kinds(name), within_s=within_s)

    def end(self) -> None:
        """End the watchdogs and all machines; nothing is left behind."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
        for pid in self.awake():
            kill_9(pid)
        end_everything(self.home.provider("local"))


def _is_watchdog(process: psutil.Process, home: Home) -> bool:
    try:
        words = process.cmdline()
        if process.status() == psutil.STATUS_ZOMBIE or "watch" not in words:
            return False
        return process.environ().get("SPOTLAUNCH_HOME") == str(home.path)
    except psutil.Error:
        return False


@contextmanager
def rehearsal(tmp_path: Path, market: str, *, home: Path | None = None) -> Iterator[Rehearsal]:
    """A rehearsal on the rehearsal cloud with that market file, ended with all its processes afterwards."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "market.yaml").write_text(market)
    place = Home(home or Path(os.environ["SPOTLAUNCH_HOME"]))
    env = {**os.environ, "SPOTLAUNCH_HOME": str(place.path), "SPOTLAUNCH_LOCAL_MARKET": str(folder / "market.yaml")}
    r = Rehearsal(folder=folder, home=place, env=env)
    try:
        yield r
    finally:
        r.end()


def kill_9(pid: int) -> bool:
    """Whether there was somebody to kill."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def one_at_a_time(entries: list[Entry]) -> None:
    """No two attempts committed at once: neither epoch nor step ever goes back, and no epoch has two agents."""
    assert [e.number for e in entries] == list(range(1, len(entries) + 1))
    agents: dict[int, str] = {}
    for before, after in pairwise(entries):
        assert after.epoch >= before.epoch, (before, after)
        assert after.step >= before.step, (before, after)
    for e in entries:
        assert agents.setdefault(e.epoch, e.by) == e.by, e
