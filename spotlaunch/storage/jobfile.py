"""Loading a job file from disk: what `core.jobfile` cannot do, as it touches no files."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from spotlaunch.core.jobfile import Examined, Overrides, examine_job
from spotlaunch.core.spec import Spec
from spotlaunch.core.units import quoted
from spotlaunch.core.yamlread import MAX_CHARACTERS, read_tree
from spotlaunch.errors import BadFile, Problem, UsageError

_MAX_BYTES = 4 * MAX_CHARACTERS  # no character of UTF-8 takes more than four


def load_job(
    path: str | Path,
    *,
    names: Collection[str],
    env: Mapping[str, str],
    overrides: Overrides | None = None,
) -> Spec:
    """The spec in the file ``path``, with ``workdir`` absolute: relative ones count from the file's folder.

    ``names`` are the known providers, ``env`` is the submitter's environment. Raises `BadFile` with all
    problems of the file at once, a missing working directory among them, and `UsageError` where there is no
    file that could be read.
    """
    shown = str(path)
    text = _decode(_read(Path(path).expanduser(), shown), shown)
    examined = examine_job(text, file=shown, names=names, env=env, overrides=overrides, now=time.time(), local=_local)
    folder = Path(path).expanduser().absolute().parent
    workdir = (folder / Path(examined.workdir).expanduser()).resolve()
    problems = [*examined.problems, *_missing(workdir, examined)]
    if examined.spec is None or problems:
        raise BadFile(shown, sorted(problems, key=lambda p: (p.line, p.column)))
    return replace(examined.spec, workdir=str(workdir))


def place_of(path: str | Path, key: str) -> tuple[int, int]:
    """Line and column of a key in a job file that was read before; its first line where it is not there any more."""
    try:
        text = Path(path).expanduser().read_text("utf-8-sig", errors="replace")
    except (OSError, ValueError):
        return 1, 1
    return read_tree(text[:MAX_CHARACTERS]).place((key,), of_key=True)


def _local(wall_s: float) -> float:
    """When the clock on this computer's wall shows that: its own zone, with summer time as it is then."""
    return datetime.fromtimestamp(wall_s, UTC).replace(tzinfo=None).timestamp()


def _read(path: Path, shown: str) -> bytes:
    """The file's bytes, or a little more than are allowed of them."""
    hint = "`spotlaunch init` writes one to start from"
    try:
        if path.is_dir():
            raise UsageError(f"{shown} is a folder, not a job file", hint=f"name the file in it, like {shown}/job.yaml")
        if path.exists() and not path.is_file():
            raise UsageError(f"{shown} is not a regular file", hint="write the job into a file")
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except FileNotFoundError as e:
        raise UsageError(f"there is no file {shown}", hint=hint) from e
    except (OSError, ValueError) as e:
        # ValueError: a path that holds a NUL.
        reason = (e.strerror if isinstance(e, OSError) else None) or str(e)
        raise UsageError(f"cannot read {quoted(shown)}: {reason}", hint="check the path and its permissions") from e


def _decode(data: bytes, shown: str) -> str:
    if len(data) > _MAX_BYTES:
        # Cut text may end within a character; it is refused for its size anyway.
        return data.decode("utf-8", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        before = data[: e.start]
        line, column = before.count(b"\n") + 1, e.start - (before.rfind(b"\n") + 1) + 1
        message = f"the byte 0x{data[e.start]:02X} is not UTF-8 text"
        hint = "save the file as UTF-8; is it a job file at all?"
        raise BadFile(shown, [Problem(line=line, column=column, key="", message=message, hint=hint)]) from e


def _missing(workdir: Path, examined: Examined) -> list[Problem]:
    line, column = examined.workdir_place
    if any(p.key == "workdir" for p in examined.problems):
        return []
    try:
        if workdir.is_dir():
            return []
        what = "is a file, not a folder" if workdir.exists() else "does not exist"
    except (OSError, ValueError) as e:
        what = f"cannot be looked at ({e})"
    message = f"the folder {quoted(str(workdir))} {what}"
    hint = "a relative workdir counts from the folder of the job file"
    return [Problem(line=line, column=column, key="workdir", message=message, hint=hint)]
