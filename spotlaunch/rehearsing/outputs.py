"""What two runs made, held against each other: files byte for byte, or by a command of the user's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spotlaunch.core.observed import Comparison
from spotlaunch.errors import SpotlaunchError, UsageError
from spotlaunch.ports import Blobs
from spotlaunch.storage.register import Register
from spotlaunch.storage.restore import download

LOG = "output.log"
BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """``paths`` as seen from the working directory; ``command`` for the shell, empty: none."""

    paths: tuple[str, ...] = ()
    command: str = ""

    def __bool__(self) -> bool:
        return bool(self.paths or self.command)


def wanted(paths: Sequence[str], command: str, *, checkpoint_dir: str) -> Wanted:
    """Checked: raises `UsageError` for a path that is not kept, because it is outside of the checkpoint folder."""
    top = PurePosixPath(checkpoint_dir)
    for path in paths:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or not (pure == top or pure.is_relative_to(top)):
            raise UsageError(
                f"--compare {path}: it is not in the checkpoint folder",
                hint=f"only what is in {checkpoint_dir}/ outlives its machine: write it there, or compare what the"
                " program prints, with --compare-command",
            )
    return Wanted(paths=tuple(paths), command=command)


def fetch(blobs: Blobs, job: str, to: Path, *, checkpoint_dir: str, output: str) -> None:
    """The newest checkpoint of a run and what it printed, into the folder ``to``. Raises `SpotlaunchError`."""
    to.mkdir(parents=True)
    (to / LOG).write_text(output)
    head = Register(blobs, job).head()
    if head is not None and head.manifest:
        download(blobs, job, head, to / checkpoint_dir)


def compare(want: Wanted, alone: Path, rehearsed: Path, *, longest_s: float) -> Iterator[Comparison]:
    """One for each thing that was asked for."""
    for path in want.paths:
        yield _same(path, alone / path, rehearsed / path)
    if want.command:
        yield _by_command(want.command, alone, rehearsed, longest_s)


def _same(what: str, left: Path, right: Path) -> Comparison:
    """Two files, or two folders with all that is in them."""
    if not left.exists():
        return Comparison(what=what, equal=None, detail="the undisturbed run did not make it")
    if not right.exists():
        return Comparison(what=what, equal=False, detail="the interrupted run did not make it")
    if left.is_dir() and right.is_dir():
        names = sorted(_files(left) | _files(right))
        wrong = [n for n in names if not _equal(left / n, right / n)]
        detail = f"{len(wrong)} of {len(names)} files differ, the first is {wrong[0]}" if wrong else ""
        return Comparison(what=what, equal=not wrong, detail=detail)
    equal = _equal(left, right)
    sizes = "" if equal else f"{_size(left)} and {_size(right)} bytes"
    return Comparison(what=what, equal=equal, detail=sizes)


def _files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _equal(left: Path, right: Path) -> bool:
    if not (left.is_file() and right.is_file()) or _size(left) != _size(right):
        return False
    with left.open("rb") as a, right.open("rb") as b:
        while block := a.read(BLOCK):
            if block != b.read(BLOCK):
                return False
    return True


def _by_command(command: str, alone: Path, rehearsed: Path, longest_s: float) -> Comparison:
    """Exit code 0 means equal. It finds the two folders in ``ALONE`` and ``REHEARSED``."""
    env = {**os.environ, "ALONE": str(alone), "REHEARSED": str(rehearsed)}
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=env,
            cwd=alone.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=longest_s,
        )
    except subprocess.TimeoutExpired:
        return Comparison(what=command, equal=None, detail=f"the command took longer than {longest_s:.0f} s")
    except OSError as e:
        raise SpotlaunchError(f"the command to compare with cannot be run: {e.strerror or e}") from e
    said = done.stdout.decode(errors="replace").strip().splitlines()
    detail = "" if done.returncode == 0 else "; ".join([f"exit code {done.returncode}", *said[-3:]])
    return Comparison(what=command, equal=done.returncode == 0, detail=detail)
