"""Rehearsal machines in tests: their market, and proof that no process of them is left."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from spotlaunch_providers.local import machines
from tests.fakes.waiting import eventually

SLEEPER = ("/bin/sh", "-c", "exec sleep 600")  # an agent that does nothing until it is killed


def python_agent(code: str) -> tuple[str, ...]:
    """An agent of a few lines of Python, which starts quickly (no site packages)."""
    return (sys.executable, "-I", "-S", "-c", code)


def processes_under(folder: Path) -> list[str]:
    """Every live process that belongs to a cloud in ``folder``: hosts, agents and whatever those started."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            disk = process.environ().get("HOME", "")  # a program keeps it, and so does whatever it starts
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            is_host = "local.host" in " ".join(words) and any(str(folder) in w for w in words)
            if is_host or str(folder / "machines") in disk:
                found.append(f"{process.pid}: {' '.join(words)[:200]}")
        except psutil.Error:
            continue
    return found


def end_everything(folder: Path) -> list[str]:
    """Pull the plug of all machines in ``folder``. Returns the processes that were there, none being left now."""
    before = processes_under(folder)
    for name in machines.names(folder):
        machine = folder / "machines" / name
        if machines.knock(machine, ask_end=True) is False:
            machines.bury(machine)
    eventually(lambda: not processes_under(folder), within_s=15)
    return before
