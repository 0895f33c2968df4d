"""Finding obstore for the agent on a machine of which nothing is known but that it has a Python.

In this order: the one that came with our code, if it fits this machine; one that is installed; one that pip installs
now, into a folder of ours. The machine's own Python is left as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from spotlaunch.agent.console import say
from spotlaunch.errors import SpotlaunchError

# 0.11 is the last that knows Python 3.10; what we call of it has not changed since.
WANTED = "obstore>=0.11,<0.13"
PROBE = "import sys; sys.path[:0] = sys.argv[1:]; import obstore, obstore.store, obstore.exceptions"
# How the systems of images get pip, for those whose Python came without.
MANAGERS = (
    ("apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "python3-pip"),
    ("dnf", "install", "-y", "python3-pip"),
    ("yum", "install", "-y", "python3-pip"),
    ("apk", "add", "py3-pip"),
)
PROBE_TIMEOUT_S, INSTALL_TIMEOUT_S = 60.0, 300.0
PATIENCE_S, PAUSE_S = 600.0, 10.0


class NoLibrary(SpotlaunchError):
    """obstore cannot be had on this machine. Reaction: it cannot reach the store, and ends itself."""


def find_library(bundled: Path, root: Path) -> str:
    """The folder to put first on the agent's path; an empty text where an installed obstore serves.

    Raises `NoLibrary` when pip does not get one within ten minutes.
    """
    made = root / "library"
    for folder in (str(bundled) if bundled.is_dir() else "", str(made) if made.is_dir() else ""):
        if folder and works(folder):
            return folder
    if works(""):
        return ""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        for command in _installers(root, made):
            say("start", f"installing {WANTED} with {Path(command[0]).name}")
            if _ran(command, INSTALL_TIMEOUT_S) and works(str(made)):
                return str(made)
        if time.monotonic() >= give_up_at:
            raise NoLibrary(
                f"{WANTED} could not be installed on this machine (Python {sys.version.split()[0]})",
                hint="choose an image that has pip or python3-venv, or obstore itself",
            )
        time.sleep(PAUSE_S)


def works(folder: str) -> bool:
    """Whether obstore can be imported from ``folder`` (empty: as it is installed), tried in a process of its own."""
    return _ran([sys.executable, "-c", PROBE, *([folder] if folder else [])], PROBE_TIMEOUT_S, quiet=True)


def _installers(root: Path, made: Path) -> Iterator[Sequence[str]]:
    """Commands that may install it, each tried only when those before have failed."""
    target = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--upgrade", "--target", str(made)]
    yield [sys.executable, "-m", "pip", *target, WANTED]
    venv = root / "venv"
    if _ran([sys.executable, "-m", "venv", "--clear", str(venv)], INSTALL_TIMEOUT_S):
        yield [str(venv / "bin" / "python"), "-m", "pip", *target, WANTED]
    if _ran_first(MANAGERS):
        yield [sys.executable, "-m", "pip", *target, WANTED]
        if shutil.which("pip3"):  # of another Python, perhaps: told which one to install for
            yield ["pip3", *target, "--python-version", _version(), "--only-binary", ":all:", WANTED]


def _ran_first(commands: Sequence[Sequence[str]]) -> bool:
    """Run the first of ``commands`` that this machine has; whether it did its work."""
    for command in commands:
        if shutil.which(command[0]):
            if command[0] == "apt-get":
                _ran(["apt-get", "update", "-q"], INSTALL_TIMEOUT_S)
            return _ran(command, INSTALL_TIMEOUT_S)
    return False


def _version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _ran(command: Sequence[str], timeout_s: float, *, quiet: bool = False) -> bool:
    out = subprocess.DEVNULL if quiet else None
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        ended = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=timeout_s, env=env, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
