"""What the boot script starts: opens the letter, wakes the guard, runs the agent, ends the machine.

The key to the letter comes through standard input, and what is in the letter goes into the agent's environment alone:
neither stands in an argument, on the disk in the clear, or on the console. The letter is kept as it came, sealed, so
that a machine that is started again goes on. Whatever fails here ends the machine: this process ends, and the boot
script that waits for it sees to that.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from spotlaunch.agent.console import say
from spotlaunch.agent.ending import end_machine
from spotlaunch.agent.guard import Rules, encode
from spotlaunch.agent.library import find_library
from spotlaunch.agent.settings import SECRET_PREFIX
from spotlaunch.agent.unseal import CannotOpen, key_from_text, open_sealed
from spotlaunch.core.wire import Letter, StartDoc, decode
from spotlaunch.errors import SpotlaunchError

# The object that the letter came from: what it was sealed for.
_NAME = re.compile(r"jobs/[^/?]+/start/\d+")


def enter(url: str, key: str) -> None:
    """From the boot script's Python to a process with a name of its own; the key goes on through a pipe."""
    name = _NAME.search(unquote(url))
    read, write = os.pipe()
    os.write(write, f"{name[0] if name else ''}\n{key}\n".encode())
    os.close(write)
    os.dup2(read, 0)
    os.close(read)
    os.execv(sys.executable, [sys.executable, "-u", "-m", "spotlaunch.agent.start"])


def main() -> int:
    """Live through one attempt, in the folder of our code; returns only when the start has failed."""
    os.umask(0o077)
    code = Path.cwd()
    name, key = (sys.stdin.readline().strip() for _ in range(2))
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  (a device)
        os.dup2(nothing.fileno(), 0)
    try:
        # Our parent is the boot script, which may have waited long for a package or the letter.
        doc = read_letter(code.parent / "letter", name, key)
        start = Start(code.parent, code, doc, script_s=age_s(os.getppid()))
        start.live()
    except SpotlaunchError as e:
        say("start", f"error: {e.message}" + (f"\nhint: {e.hint}" if e.hint else ""))
    return 1


def read_letter(file: Path, name: str, key: str) -> StartDoc:
    """What is sealed in the letter for the object ``name``. Raises `CannotOpen`."""
    try:
        letter = decode(Letter, file.read_bytes())
        return decode(StartDoc, open_sealed(key_from_text(key), base64.b64decode(letter.sealed), about=name))
    except OSError as e:
        raise CannotOpen(f"the letter cannot be read: {e.strerror or e}") from e
    except ValueError as e:
        raise e if isinstance(e, CannotOpen) else CannotOpen("the letter is not one") from e


class Start:
    """One machine from its letter to its end. ``root`` is our folder on it, ``code`` where our package lies,
    ``script_s`` for how long its boot script runs."""

    def __init__(self, root: Path, code: Path, doc: StartDoc, *, script_s: float = 0.0) -> None:
        self._root = root
        self._code = code
        self._doc = doc
        self._scratch = root / "job"
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        self._agent: subprocess.Popen[bytes] | None = None
        self._lived_s = lived_s(root, script_s=script_s)

    def live(self) -> None:
        """The attempt, then the end of the machine; does not return."""
        signal.signal(signal.SIGTERM, self._pass_on)
        guard, life = self._wake_guard()
        library = find_library(self._code / "lib", self._root)
        env = agent_env(self._doc, os.environ, root=self._root, library=library, lived_s=self._lived_s)
        command = [sys.executable, "-m", "spotlaunch.agent"]
        # The user's program gets the usual mask, which the agent hands on: ours is for our own files.
        self._agent = subprocess.Popen(
            command, cwd=self._code, env=env, stdin=subprocess.DEVNULL, pass_fds=(life,), umask=0o022
        )
        code = self._agent.wait()
        (self._root / "left").write_text(f"exit code {code}\n")
        say("start", f"the agent has ended with exit code {code}")
        end_machine(self._doc.end_command, who="start")
        guard.wait()

    def _wake_guard(self) -> tuple[subprocess.Popen[bytes], int]:
        """The guard, and the end of its pipe that is held as long as somebody works here."""
        rules = Rules(
            end_command=self._doc.end_command,
            sign=str(self._scratch / "reached"),
            up=str(self._root / "up"),
            ttl_s=self._doc.ttl_s,
            lived_s=self._lived_s,
            silent_s=self._doc.silent_s,
        )
        read, life = os.pipe()
        command = [sys.executable, "-m", "spotlaunch.agent.guard"]
        guard = subprocess.Popen(command, cwd=self._code, stdin=read, start_new_session=True)
        os.close(read)
        os.write(life, encode(rules))
        return guard, life

    def _pass_on(self, *_: object) -> None:
        """The machine goes down. While the agent lives that is a notice; afterwards there is nothing to wait for."""
        if self._agent is None or self._agent.returncode is not None:
            os._exit(1)
        self._agent.terminate()


def agent_env(doc: StartDoc, machine: Mapping[str, str], *, root: Path, library: str, lived_s: float) -> dict[str, str]:
    """The agent's environment: the machine's own, what the letter says, and the job's secrets under names of ours.

    Under names of ours because a job may bring its own ``AWS_ACCESS_KEY_ID``, which must not take the place of the
    store's, nor the store's come to the job.
    """
    ttl = {"SPOTLAUNCH_TTL_LEFT_S": f"{doc.ttl_s:g}"} if doc.ttl_s > 0 else {}
    return {
        **machine,
        **ttl,
        **doc.env,
        **doc.pass_env,
        **{SECRET_PREFIX + name: value for name, value in doc.secrets.items()},
        "SPOTLAUNCH_PASS_NAMES": ",".join(doc.pass_env),
        "SPOTLAUNCH_PASS_KEY": doc.pass_key,
        "SPOTLAUNCH_PASS_EXPIRES_AT": f"{doc.pass_expires_at:.0f}",
        "SPOTLAUNCH_PASS_FILE": str(root / "pass.json"),
        "SPOTLAUNCH_NOTICE_SOURCE": doc.notice_source,
        "SPOTLAUNCH_IMAGE": doc.image,
        "SPOTLAUNCH_SCRATCH": str(root / "job"),
        "SPOTLAUNCH_LIBRARY": library,
        "SPOTLAUNCH_LIVED_S": f"{lived_s:.0f}",
    }


def lived_s(root: Path, *, script_s: float = 0.0, now: float | None = None) -> float:
    """For how long this machine has lived, as far as can be told: it may have been started again meanwhile."""
    now = time.time() if now is None else now
    began = root / "began"
    try:
        known = float(began.read_text())
    except (OSError, ValueError):
        known = now - script_s
        began.write_text(f"{known}\n")
    return max(now - known, script_s)


def age_s(pid: int, proc: Path = Path("/proc")) -> float:
    """The age of a process. Not of the computer, which may be older than our machine. 0 where nobody tells."""
    try:
        up_s = float((proc / "uptime").read_text().split()[0])
        # After the name in brackets, the 20th field is when it started, in ticks since the boot (proc(5)).
        ticks = int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[19])
        return max(0.0, up_s - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0


if __name__ == "__main__":
    os._exit(main())
