"""The machines of a fake cloud: what is rented, what it bills, and the processes that play them.

A fake keeps its machines here, in its own shapes beside. With ``run`` each machine's boot script runs as a process on
this computer, in a scratch folder of its own; without, machines only pass through their states (for tests of the API).
Everything that must not outlive its owner (disks, addresses, groups, contracts) is counted by `hold` and `release`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import psutil

MARKER = "SPOTLAUNCH_FAKE_MACHINE"
# What a machine finds as commands beside those of this computer: see `_tools`.
SHUTDOWN = """#!/bin/sh
: > "$SPOTLAUNCH_FAKE_POWER"
"""


@dataclass
class Rented:
    """One machine, as its cloud bills it: from ``billed_from`` to ``ended_at``, at ``price_usd_hour``."""

    id: str
    key: str
    market: str
    price_usd_hour: Decimal
    script: str = field(default="", repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    beside_usd_hour: Decimal = Decimal(0)  # the part of the price that a bill shows apart: RunPod's disk
    billed_from: float = 0.0
    boots_at: float = 0.0
    ended_at: float | None = None
    why: str = ""
    notice_at: float | None = None  # since when the metadata service tells of the end
    taken_at: float | None = None  # when it is taken away
    booted: bool = False
    exit_code: int | None = None  # of its script
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def alive(self) -> bool:
        return self.ended_at is None

    def billed_s(self, now: float) -> float:
        return (self.ended_at if self.ended_at is not None else now) - self.billed_from


class Fleet:
    """All machines of one fake. Safe to use from several threads.

    ``on_exit(machine)``: its script has ended (``exit_code``); ``on_power_off(machine)``: it was shut down from
    inside; ``on_taken(machine)``: its notice is over. What these mean is the cloud's own matter, which calls `end`.
    """

    def __init__(
        self,
        *,
        run: bool = False,
        boot_s: float = 0.0,
        now: Callable[[], float] = time.time,
        on_exit: Callable[[Rented], None] = lambda machine: None,
        on_power_off: Callable[[Rented], None] = lambda machine: None,
        on_taken: Callable[[Rented], None] = lambda machine: None,
    ) -> None:
        self.run = run
        self.boot_s = boot_s
        self.now = now
        self.on_exit, self.on_power_off, self.on_taken = on_exit, on_power_off, on_taken
        self.machines: dict[str, Rented] = {}
        self.held: set[str] = set()  # disks, addresses, groups: "disk:abc"
        self.never_boot = False  # from now on machines stay at their start-up for ever
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None

    # -- what a cloud does -------------------------------------------------------------------------------

    def rent(self, machine: Rented) -> Rented:
        """A machine begins, and so does its bill."""
        with self._lock:
            machine.billed_from = machine.billed_from or self.now()
            machine.boots_at = float("inf") if self.never_boot else self.now() + self.boot_s
            self.machines[machine.id] = machine
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, daemon=True)
                self._watcher.start()
        return machine

    def end(self, machine_id: str, why: str) -> None:
        """The machine is no more, and bills no more. Repeating it changes nothing."""
        with self._lock:
            machine = self.machines.get(machine_id)
            if machine is None or not machine.alive:
                return
            machine.ended_at, machine.why = self.now(), why
        _kill(machine)

    def pause(self, machine_id: str) -> None:
        """Its processes are killed; it exists on, and the cloud decides what it bills."""
        with self._lock:  # after a boot that is on its way, and no boot comes after it
            machine = self.machines[machine_id]
            machine.boots_at = float("inf")
        _kill(machine)

    def start_again(self, machine_id: str) -> None:
        """A container that is woken up: its script begins anew, in the folder that it left."""
        with self._lock:
            machine = self.machines[machine_id]
            machine.booted, machine.exit_code, machine.boots_at = False, None, self.now() + self.boot_s

    def hold(self, *what: str) -> None:
        with self._lock:
            self.held.update(what)

    def release(self, *what: str) -> None:
        with self._lock:
            self.held.difference_update(what)

    # -- what a test does --------------------------------------------------------------------------------

    def up(self) -> list[Rented]:
        """Machines that bill now, oldest first."""
        with self._lock:
            return [m for m in self.machines.values() if m.alive]

    def booted(self) -> list[Rented]:
        with self._lock:
            return [m for m in self.machines.values() if m.alive and m.booted]

    def take(self, machine_id: str, *, notice_s: float) -> None:
        """The machine will be taken away in ``notice_s``; its metadata service tells so from now on."""
        with self._lock:
            machine = self.machines[machine_id]
            machine.notice_at, machine.taken_at = self.now(), self.now() + notice_s

    def left(self) -> list[str]:
        """All that still exists and should not: for the end of a test."""
        with self._lock:
            return [f"machine:{m.id}" for m in self.machines.values() if m.alive] + sorted(self.held)

    def bills(self) -> dict[str, tuple[float, Decimal]]:
        """By launch key: seconds billed, and USD at the machine's price (what stands beside it in a bill left out)."""
        now, found = self.now(), {}
        with self._lock:
            for m in self.machines.values():
                before = found.get(m.key, (0.0, Decimal(0)))
                seconds = m.billed_s(now)
                usd = (m.price_usd_hour - m.beside_usd_hour) * Decimal(str(seconds)) / 3600
                found[m.key] = (before[0] + seconds, before[1] + usd)
        return found

    def close(self) -> None:
        """Kill every process and remove every folder."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join(timeout=5)
        for machine in self.machines.values():
            _kill(machine)
            if machine.folder is not None:
                shutil.rmtree(machine.folder, ignore_errors=True)

    # -- how it works ------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._closed.wait(0.02):
            for machine in self.up():
                self._step(machine)

    def _step(self, machine: Rented) -> None:
        if not machine.booted and self.now() >= machine.boots_at:
            machine.booted = True
            if self.run and machine.script:
                self._boot(machine)
        if machine.booted and machine.process is not None and machine.exit_code is None:
            machine.exit_code = machine.process.poll()
            if machine.exit_code is not None:
                self.on_exit(machine)
        if machine.folder is not None and (machine.folder / "power").exists():
            (machine.folder / "power").unlink()
            self.on_power_off(machine)
        if machine.taken_at is not None and self.now() >= machine.taken_at:
            machine.taken_at = None
            self.on_taken(machine)

    def _boot(self, machine: Rented) -> None:
        if machine.folder is None:
            machine.folder = Path(tempfile.mkdtemp(prefix="fake-machine-"))
            _tools(machine.folder / "bin")
            for name in ("root", "home", "tmp"):
                (machine.folder / name).mkdir()
        script = machine.folder / "script.sh"
        script.write_text(machine.script)
        # Under the lock: the script's first line may be seen, and the machine taken for it, before Popen returns here.
        with self._lock, (machine.folder / "console.log").open("ab") as console:
            if not machine.alive or machine.boots_at == float("inf"):
                return
            machine.process = subprocess.Popen(
                ["/bin/sh", str(script)],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=machine.folder / "home",
                env=self._env(machine),
                start_new_session=True,
            )

    def _env(self, machine: Rented) -> dict[str, str]:
        """What a fresh machine knows: nothing of this shell but the way to commands."""
        assert machine.folder is not None
        # This Python's folder comes last: on a bare machine `python3` is there, our packages are not.
        path = os.pathsep.join([str(machine.folder / "bin"), os.environ.get("PATH", os.defpath)])
        return {
            "PATH": path,
            "HOME": str(machine.folder / "home"),
            "TMPDIR": str(machine.folder / "tmp"),
            "LANG": "C.UTF-8",
            "SPOTLAUNCH_ROOT": str(machine.folder / "root"),
            "SPOTLAUNCH_FAKE_POWER": str(machine.folder / "power"),
            MARKER: machine.id,
            **machine.env,
        }


def _tools(folder: Path) -> None:
    """`shutdown` and its likes turn this machine off; `python3` is a bare one, without our packages."""
    folder.mkdir(parents=True)
    for name in ("shutdown", "poweroff", "halt"):
        (folder / name).write_text(SHUTDOWN)
        (folder / name).chmod(0o755)
    base = Path(getattr(sys, "_base_executable", "") or sys.executable)
    (folder / "python3").write_text(f'#!/bin/sh\nexec "{base}" "$@"\n')
    (folder / "python3").chmod(0o755)


def _kill(machine: Rented) -> None:
    """All processes of a machine, at once, also those that left its session: they carry its mark."""
    if machine.process is None:
        return
    mark = machine.id
    for _ in range(50):
        alive = False
        for p in psutil.process_iter():
            try:
                if p.environ().get(MARKER) == mark and p.status() != psutil.STATUS_ZOMBIE:
                    alive = True
                    p.send_signal(signal.SIGKILL)
            except (psutil.Error, OSError):
                continue
        if not alive:
            break
        time.sleep(0.01)
    machine.process.wait(timeout=5)
