"""The user's program: a shell in a process group of its own, and everything that it starts."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from spotlaunch.agent.logs import Spool

_SET_CHILD_SUBREAPER = 36
PIPE_BYTES = 65536
KILL_ROUNDS = 1000  # five seconds: what the kernel cannot kill by then (a broken disk, a driver) stays

# A shell that is asked to end dies at once, and nobody learns how the program it started took it. With this it
# waits for the command in the foreground, starts no other, and ends with that one's exit code.
PATIENT_SHELL = "trap 'exit $?' TERM; "


def calm(signal_name: str) -> str:
    """What precedes a command that will be sent this signal (``USR1``), so that it is no harm before it is expected.

    Ignored by the shell, it is ignored by what that starts until it says otherwise: a program that still imports its
    libraries would die of it.
    """
    return f"trap '' {signal_name}; " if signal_name else ""


def adopt_orphans() -> None:
    """Become the parent of what our children leave behind, so that it can be found and ended (Linux)."""
    try:
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return


class Box(Protocol):
    """Where a command runs instead of right here (`agent.container`)."""

    def argv(self, command: str) -> list[str]: ...

    def kill(self) -> None: ...


class Program:
    """One command, from start to the end of its last process.

    It stays in the agent's session, so that the machine's host finds it, but in its own process group, so
    that signals reach all of it and not us. Output goes to ``spool``. ``box``: a container to run it in.
    """

    def __init__(
        self,
        command: str,
        *,
        cwd: Path,
        env: Mapping[str, str],
        spool: Spool,
        umask: int,
        box: Box | None = None,
    ) -> None:
        self._box = box
        self._process = subprocess.Popen(
            box.argv(command) if box is not None else ["/bin/sh", "-c", PATIENT_SHELL + command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            umask=umask,
            **_own_group(),
        )
        self._spool = spool
        self._gone = False
        self._pump = threading.Thread(target=self._copy_output, name="output", daemon=True)
        self._pump.start()

    @property
    def exit_code(self) -> int | None:
        """The shell's exit code, 128 + n if signal n ended it; None while it runs."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def ended(self) -> bool:
        """Whether nothing of it is left: the shell has ended, and every process of its group."""
        if self._process.poll() is None:
            return False
        _reap_adopted()
        return not self._signal(0)

    def terminate(self) -> None:
        """Ask all of it to end."""
        self._signal(signal.SIGTERM)
        # A program that was stopped would not hear.
        self._signal(signal.SIGCONT)

    def tell(self, number: int) -> None:
        """Send all of it a signal that it expects."""
        self._signal(number)

    def kill(self) -> None:
        """End all of it, now, also what has left the group. Returns when it is gone."""
        if self._gone:
            return  # its number may be another's by now
        if self._box is not None:
            self._box.kill()
        self._signal(signal.SIGKILL)
        self._process.wait()
        for _ in range(KILL_ROUNDS):
            _reap_adopted()
            left = _children()
            for pid in left:
                _kill(pid)
            if not left and not self._signal(0):
                break
            self._pump.join(0.005)
        self._gone = True

    def end_output(self) -> None:
        """Take the last of the output. A stranger that holds the pipe open is not waited for."""
        self._pump.join(2.0)
        self._spool.end()

    def _copy_output(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        while data := os.read(pipe.fileno(), PIPE_BYTES):
            self._spool.write(data)

    def _signal(self, number: int) -> bool:
        """Send to the whole group. False: there is nobody."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # macOS: only dead ones are left
            return False
        return True


def _own_group() -> dict[str, Any]:
    if sys.version_info >= (3, 11):  # noqa: UP036  (the agent also runs on 3.10)
        return {"process_group": 0}
    return {"preexec_fn": os.setpgrp}


def _reap_adopted() -> None:
    """Bury the dead that were left to us; a dead process still counts as one of its group."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _children() -> list[int]:
    """Our own children, as the kernel lists them (Linux; elsewhere none)."""
    found: list[int] = []
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
