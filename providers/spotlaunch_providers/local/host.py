"""The process that is one machine's hypervisor: boots it, runs its agent, takes it away, cleans up.

It decides by itself when the machine is preempted, so the cloud goes on while the watchdog is dead. It sleeps
until something can happen, and imports little, because five hundred of these share a small computer.

Arguments: the machine's folder, and the number of its door (an open file). Standard input: its order, JSON.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from spotlaunch_providers.local.fate import Fate
from spotlaunch_providers.local.files import older_in_pool, read_json, write_json
from spotlaunch_providers.local.processes import (
    MARKER,
    become_reaper,
    kill,
    kill_machine,
    own_children,
    own_descendants,
)

CREATE = os.O_WRONLY | os.O_CREAT | os.O_APPEND
PATROL_S = 5.0  # at least so often: is the machine's folder still there?


class Host:
    """One machine. ``order`` is what `adapter` sent; the record on disk is this object's to write."""

    def __init__(self, machine: Path, door: int, order: dict[str, Any]) -> None:
        self.machine, self.order = machine, order
        self.record = read_json(machine / "record.json")
        self.fate = Fate(order, started_at=self.record["started_at"])
        self.agent: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None
        self.asked_to_end = False
        self.taken_notice_s: float | None = None  # somebody asked to have it taken away, with so long a notice
        self.frozen = False
        self.reaper = become_reaper()
        self.door = door
        self.bell = self._ring_on_signals()
        self.poll = select.poll()
        self.poll.register(self.door, select.POLLIN)
        self.poll.register(self.bell, select.POLLIN)

    def run(self) -> None:
        """Live, and leave nothing behind: whatever goes wrong here (a full disk, say), the processes end."""
        try:
            why = self._live()
        finally:
            self._pull_the_plug()
        from spotlaunch_providers.local.ending import finish, wipe  # late: only needed once, and not quick

        if why == "forgotten":
            wipe(self.machine)
        else:
            finish(self.machine, self.record, why=why, ended_at=time.time())

    def _live(self) -> str:
        """Until something ends the machine. Returns what it was."""
        while True:
            now = time.time()
            if not (self.machine / "record.json").exists():
                return "forgotten"
            if self.asked_to_end:
                self._tell(phase="ending")
                return "terminated"
            if self.taken_notice_s is not None:
                self._give_notice(now, reason="preempted", notice_s=self.taken_notice_s)
                return "preempted"
            older = older_in_pool(self.machine.parent, self.machine.name) if self.fate.trace else 0
            if self.fate.taken(now, older=older):
                self._give_notice(now, reason="preempted", notice_s=self.order["notice_s"])
                return "preempted"
            if now >= self.fate.ttl_at:
                # A last sync, when nobody else has ended it in time.
                self._give_notice(now, reason="", notice_s=self.order["notice_s"])
                return "too old"
            if self.exit_code is not None:
                return f"agent left with exit code {self.exit_code}"
            if self.agent is None and now >= self.fate.ready_at:
                try:
                    self._boot()
                except OSError as e:
                    return f"could not start the agent: {e}"
            if not self.frozen and now >= self.fate.hangs_at:
                self.frozen = True
                kill(own_descendants(), signal.SIGSTOP)
            self._wait(self.fate.next_at(now, older=older))

    def _boot(self) -> None:
        disk = self.machine / "disk"
        disk.mkdir(mode=0o700)
        env = {**os.environ, **self.order["agent_env"], **self.order["secret_env"]}
        env |= {"HOME": str(disk), "SPOTLAUNCH_NOTICE_FILE": str(self.machine / "notice.json")}
        env[MARKER] = self.machine.name
        with os.fdopen(os.open(self.machine / "console.log", CREATE, 0o600), "ab") as console:
            self.agent = subprocess.Popen(
                self.order["agent_command"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=disk,
                env=env,
                start_new_session=True,
            )
        now = time.time()
        self.fate.booted(now)
        self._tell(phase="running", running_at=now)

    def _give_notice(self, now: float, *, reason: str, notice_s: float) -> None:
        """Say that the machine will be taken; return when the time is over or the agent has left."""
        self._tell(phase="ending", ending_reason=reason)
        deadline = now + notice_s
        if self.agent is None or deadline <= now:
            return
        write_json(self.machine / "notice.json", {"deadline_at": deadline})
        while time.time() < deadline and self.exit_code is None and not self.asked_to_end:
            self._wait(deadline)

    def _pull_the_plug(self) -> None:
        """Kill every process of the machine, also those that left the agent's session or lost their parent.

        Killing a child hands its own children to us, so killing our children until there are none gets all.
        """
        deadline = time.monotonic() + 10.0
        while not self._reap() and time.monotonic() < deadline:
            kill(own_children() if self.reaper else own_descendants())
            time.sleep(0.005)
        if not self.reaper:
            kill_machine(self.machine.name, self.machine / "disk")

    def _tell(self, **changes: Any) -> None:
        self.record |= changes
        write_json(self.machine / "record.json", self.record)

    # -- waiting -----------------------------------------------------------------------------------------

    def _wait(self, until: float) -> None:
        """Until then, or until a child ends, somebody knocks, or it is time for a patrol."""
        left_s = min(max(0.0, until - time.time()), PATROL_S)
        for fd, _ in self.poll.poll(left_s * 1000 + 1 if left_s else 0):
            said = os.read(fd, 4096)
            if fd == self.door:
                self._hear(said)
        self._reap()

    def _hear(self, said: bytes) -> None:
        """What came through the door: ``take 2.5`` is the cloud's hand, with a notice; all else asks for the end."""
        for line in said.splitlines():
            word, _, notice_s = line.partition(b" ")
            try:
                taken_s = float(notice_s) if word == b"take" else None
            except ValueError:
                taken_s = None
            if taken_s is None:
                self.asked_to_end = True
            elif self.taken_notice_s is None:
                self.taken_notice_s = max(0.0, taken_s)

    def _reap(self) -> bool:
        """Take note of every child that has ended. True when there is no child left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if self.agent is not None and pid == self.agent.pid:
                self.exit_code = self.agent.returncode = os.waitstatus_to_exitcode(status)

    def _ring_on_signals(self) -> int:
        """A file that becomes readable when a child ends or when we are told to end."""

        def end(*_: object) -> None:
            self.asked_to_end = True

        listen, ring = os.pipe()
        os.set_blocking(ring, False)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, end)
        return listen


def main() -> None:
    machine, door = Path(sys.argv[1]), int(sys.argv[2])
    try:
        order = json.loads(sys.stdin.buffer.read())
    except ValueError:
        sys.exit("the launcher died before it had told the order; whoever lists the machines next buries this one")
    Host(machine, door, order).run()


if __name__ == "__main__":
    main()
