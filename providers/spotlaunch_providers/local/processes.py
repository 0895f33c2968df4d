"""Finding and killing every process of a machine, also those that left its session or its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

MARKER = "SPOTLAUNCH_MACHINE"  # an environment variable which every process of a machine inherits


def become_reaper() -> bool:
    """Let orphans of this process's descendants come to it instead of to init. Whether that worked.

    Then a program cannot escape its machine by daemonizing: whoever loses its parent becomes our child.
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    pr_set_child_subreaper = 36
    failed: int = ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)
    return not failed


def own_children() -> list[int]:
    """Process ids of this process's direct children. Cheap on Linux, where the kernel keeps the list."""
    pid = os.getpid()
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        import psutil

        return [p.pid for p in psutil.Process().children()]


def own_descendants() -> list[int]:
    """Process ids of all descendants of this process."""
    import psutil

    return [p.pid for p in psutil.Process().children(recursive=True)]


def of_machine(name: str, disk: Path) -> list[int]:
    """Process ids of a machine whose host is gone: whoever bears its name or stands on its disk, and theirs."""
    import psutil

    found: set[int] = set()
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MARKER) == name
            if marked or Path(process.cwd()).is_relative_to(disk):
                found |= {process.pid, *(p.pid for p in process.children(recursive=True))}
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or another user's: not a process of ours
    return sorted(found - {os.getpid()})


def kill_machine(name: str, disk: Path, *, patience_s: float = 5.0) -> bool:
    """Kill all of `of_machine`, again until none is left. False if some still live after ``patience_s``."""
    deadline = time.monotonic() + patience_s
    while left := of_machine(name, disk):
        if time.monotonic() > deadline:
            return False
        kill(left)
        time.sleep(0.01)
    return True


def kill(pids: list[int], sig: signal.Signals = signal.SIGKILL) -> None:
    """Signal all; those that are gone, or not ours, are passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, sig)
