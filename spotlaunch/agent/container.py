"""The container that a job's commands run in on a virtual machine: `image:` of the job file, by the machine's docker.

One container for setup and command, made once and started for each, so that what setup installs is there. It sees the
same paths, the GPUs and the network of the machine, and its files belong to us. Values of variables reach docker by
its environment, never by an argument.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from spotlaunch.agent.program import PATIENT_SHELL
from spotlaunch.errors import SpotlaunchError

PULL_TRIES, FIRST_PAUSE_S = 5, 2.0
# What a registry says when asking again is of no use.
NEVER = ("not found", "manifest unknown", "denied", "unauthorized", "invalid reference format", "no matching manifest")
QUICK_S = 60.0
LEAST_SHM_MB = 64


class NoContainer(SpotlaunchError):
    """The image cannot be had, or docker cannot run it. Reaction: the attempt ends, and says why."""


class Container:
    """``image`` on this machine, under ``name``. ``folders`` are there at their own paths; ``scratch`` is ours."""

    def __init__(self, image: str, *, name: str, scratch: Path, stop: threading.Event) -> None:
        self.image = image
        self.name = name
        self._scratch = scratch
        self._script = scratch / "command.sh"
        self._stop = stop
        self._docker = ""

    def pull(self, tell: Callable[[str], None]) -> None:
        """Fetch the image, with patience for a registry that is busy. Raises `NoContainer`."""
        self._docker = shutil.which("docker") or ""
        if not self._docker:
            raise NoContainer(
                f"the job wants the image {self.image}, but there is no docker on this machine",
                hint="use a disk image that has docker (the usual ones do), or leave `image` out",
            )
        tell(f"fetching the image {self.image}")
        began_at, pause_s = time.monotonic(), FIRST_PAUSE_S
        for n in range(1, PULL_TRIES + 1):
            code, said = self._run(["pull", "--quiet", self.image], None)
            if code == 0:
                tell(f"the image {self.image} is here after {time.monotonic() - began_at:.0f} s")
                return
            if n == PULL_TRIES or any(word in said.lower() for word in NEVER) or self._stop.wait(pause_s):
                raise NoContainer(f"the image {self.image} cannot be fetched: {_last_line(said)}")
            pause_s *= 3

    def make(self, names: Sequence[str], env: Mapping[str, str], *, work: Path, folder: Path) -> None:
        """The container, not yet running. ``names``: the variables of ``env`` that it sees. Raises `NoContainer`."""
        self.remove()
        command = ["create", "--name", self.name, "--init", "--network", "host", "--shm-size", f"{_shm_mb()}m"]
        # The init that docker adds hands signals on to the whole group, as we do on the machine itself.
        command += ["--env", "TINI_KILL_PROCESS_GROUP=1"]
        command += ["--user", f"{os.getuid()}:{os.getgid()}", "--workdir", str(work)]
        if shutil.which("nvidia-smi"):
            command += ["--gpus", "all"]
        for path in _outermost([self._scratch, work, folder]):
            command += ["--volume", f"{path}:{path}"]
        for name in sorted(names):
            command += ["--env", name]
        code, said = self._run([*command, "--entrypoint", "/bin/sh", self.image, str(self._script)], QUICK_S, env)
        if code != 0:
            raise NoContainer(f"docker cannot make a container of {self.image}: {_last_line(said)}")

    def argv(self, command: str) -> list[str]:
        """What runs ``command`` in it, to its end: signals are passed on, and the exit code is the command's."""
        self._script.write_text(f"umask 022\n{PATIENT_SHELL}{command}\n")
        return [self._docker, "start", "--attach", self.name]

    def kill(self) -> None:
        """Whatever runs in it, now."""
        self._run(["kill", self.name], QUICK_S)

    def remove(self) -> None:
        """It and all that runs in it. Absent is fine."""
        if self._docker:
            self._run(["rm", "--force", "--volumes", self.name], QUICK_S)

    def _run(
        self, arguments: Sequence[str], timeout_s: float | None, env: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Exit code and words of one docker command. Ended early when we are told to stop."""
        try:
            process = subprocess.Popen(
                [self._docker, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
            )
        except OSError as e:
            return 127, f"docker cannot be started: {e.strerror or e}"
        give_up_at = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while True:
            try:
                out, _ = process.communicate(timeout=0.5)
                return process.returncode, out.decode(errors="replace")
            except subprocess.TimeoutExpired:
                if time.monotonic() >= give_up_at or (timeout_s is None and self._stop.is_set()):
                    process.kill()
                    process.communicate()
                    return 124, "docker did not answer in time"


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """``paths`` without those that lie inside another."""
    own = sorted({path.resolve() for path in paths} | {path.absolute() for path in paths})
    return [path for path in own if not any(other in path.parents for other in own)]


def _shm_mb() -> int:
    """Shared memory as on the machine itself: half of what it has. Docker's 64 MB starve data loaders."""
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return LEAST_SHM_MB
    return max(LEAST_SHM_MB, pages // 2 // 2**20)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "docker said nothing"
