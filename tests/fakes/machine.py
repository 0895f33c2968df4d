"""A rented machine, for tests of the agent: a folder, a session of processes, and a plug that can be pulled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from spotlaunch.core import wire
from spotlaunch.core.wire import Ask, OrderDoc, Status
from spotlaunch.ports import Blobs
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.mailbox import Mailbox

JOB = "digits"
ROOT = Path(__file__).resolve().parents[2]
SOON_S = 20.0  # every wait in a test ends by then, also on a busy computer

# A program that trains: step by step, a checkpoint every few, told of its end by SIGTERM, resuming where it was.
TRAIN = r"""
import json, os, signal, sys, time
folder, resume = os.environ["SPOTLAUNCH_CHECKPOINT_DIR"], os.environ["SPOTLAUNCH_RESUME"]
steps, every = int(os.environ.get("STEPS", "40")), int(os.environ.get("EVERY", "5"))
step_s = float(os.environ.get("STEP_S", "0.02"))
step, total = 0, 0
if resume:
    state = json.load(open(resume))
    step, total = state["step"], state["total"]
print("from", step)
def save():
    path = os.path.join(folder, f"step-{step:06d}.json")
    with open(path + ".tmp", "w") as f:
        json.dump({"step": step, "total": total}, f)
    os.replace(path + ".tmp", path)
    for old in sorted(n for n in os.listdir(folder) if n.endswith(".json"))[:-2]:
        os.unlink(os.path.join(folder, old))
def told(*_):
    save()
    print("told to end at", step)
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
while step < steps:
    time.sleep(step_s)
    step += 1
    total += step
    with open(os.environ["SPOTLAUNCH_PROGRESS_FILE"] + ".tmp", "w") as f:
        json.dump({"step": step, "total": steps}, f)
    os.replace(f.name, os.environ["SPOTLAUNCH_PROGRESS_FILE"])
    if step % every == 0:
        save()
print("sum", total)
"""


def python(source: str) -> str:
    """A shell command that runs ``source`` with this Python."""
    return f"{sys.executable} -c {_quoted(source)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def order(attempt: int = 1, run: str = "", **more: Any) -> OrderDoc:
    """An order with short times."""
    usual = OrderDoc(job=JOB, attempt=attempt, run=run or python(TRAIN), report_every_s=0.1, grace_s=5.0)
    return replace(usual, **more)


def soon(found: Callable[[], Any], what: str = "it", within_s: float = SOON_S) -> Any:
    """Wait until ``found`` gives something true."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {within_s} s")


class Machine:
    """One machine with its agent. As a context: whatever happens, nothing of it is left running."""

    def __init__(
        self,
        folder: Path,
        store_url: str,
        doc: OrderDoc,
        *,
        endpoint: str = "",
        env: Mapping[str, str] | None = None,
        put: bool = True,
        agent: Sequence[str] = ("-m", "spotlaunch.agent"),
    ) -> None:
        self.doc = doc
        self.agent_arguments = agent
        self.disk = folder / f"machine-{doc.attempt}-{len(list(folder.glob('machine-*')))}"
        self.disk.mkdir(parents=True)
        self.notice_file = folder / f"{self.disk.name}.notice"
        self.console = folder / f"{self.disk.name}.console"
        self.blobs: Blobs = open_blobs(store_url, endpoint=endpoint)
        self.mailbox = Mailbox(self.blobs, doc.job)
        if put:
            self.mailbox.put_order(doc)
        self.env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SPOTLAUNCH_STORE_URL": store_url,
            "SPOTLAUNCH_STORE_ENDPOINT": endpoint,
            "SPOTLAUNCH_JOB": doc.job,
            "SPOTLAUNCH_ATTEMPT": str(doc.attempt),
            "SPOTLAUNCH_NOTICE_FILE": str(self.notice_file),
            "SPOTLAUNCH_STILL_S": "0.3",
            **(env or {}),
        }
        self.agent: subprocess.Popen[bytes]

    def __enter__(self) -> Machine:
        self.boot()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        left = self.processes()
        self.pull_the_plug()
        if kind is not None:
            print(f"--- console of {self.disk.name}:\n{self.console.read_text()}")
            print(f"--- status: {self.status}")
        else:
            assert not left, f"left running: {left}"

    def boot(self) -> None:
        with self.console.open("ab") as console:
            self.agent = subprocess.Popen(
                [sys.executable, *self.agent_arguments],
                cwd=self.disk,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """Everything that runs on this machine, by its environment, wherever it may have gone."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("SPOTLAUNCH_NOTICE_FILE") == str(self.notice_file) or (
                    process.environ().get("SPOTLAUNCH_PROGRESS_FILE", "").startswith(str(self.disk) + "/")
                ):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    def pull_the_plug(self) -> None:
        """The machine is gone, without a word."""
        for _ in range(50):
            left = self.processes()
            for process in left:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            if not left:
                break
        self.agent.wait(timeout=SOON_S)

    def give_notice(self, seconds: float) -> None:
        self.notice_file.write_text(json.dumps({"deadline_at": time.time() + seconds}))

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.agent.send_signal(number)

    def ask(self, kind: str = "leave", reason: str = "cancelled") -> None:
        self.mailbox.put_ask(self.doc.attempt, Ask(kind=kind, reason=reason, at=time.time()))

    @property
    def status(self) -> Status | None:
        return self.mailbox.status(self.doc.attempt)

    def when(self, true: Callable[[Status], Any], what: str = "that status") -> Status:
        """Wait for a status of which something is true."""
        found: Status = soon(lambda: (s := self.status) is not None and true(s) and s, what)
        return found

    def phase(self, name: str) -> Status:
        return self.when(lambda s: s.phase == name, f"phase {name}")

    def left(self, within_s: float = SOON_S) -> Status:
        """Wait for the agent to leave; its last status."""
        assert self.agent.wait(timeout=within_s) == 0, self.console.read_text()
        status = self.status
        assert status is not None
        return status

    @property
    def output(self) -> str:
        return b"".join(chunk for _, chunk in self.mailbox.logs(self.doc.attempt)).decode()

    def head(self) -> wire.Entry:
        from spotlaunch.storage.register import Register

        head = Register(self.blobs, self.doc.job).head()
        assert head is not None
        return head
