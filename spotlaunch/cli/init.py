"""`spotlaunch init [FILE]`: a job file to begin with."""

from __future__ import annotations

from pathlib import Path

from spotlaunch.cli import render
from spotlaunch.core.template import JOB_TEMPLATE
from spotlaunch.errors import SpotlaunchError, UsageError


def run(file: Path, *, force: bool, as_json: bool) -> None:
    """Write the template. Raises `UsageError` when there is such a file and ``force`` is not given."""
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(JOB_TEMPLATE)
    except FileExistsError as e:
        raise UsageError(f"{file} is there already", hint="--force overwrites it") from e
    except OSError as e:
        raise SpotlaunchError(
            f"cannot write {file}: {e.strerror or e}", hint="name a file in a folder that you can write to"
        ) from e
    if as_json:
        render.as_json({"file": str(file)})
    else:
        render.say(f"wrote {file}\nnext: spotlaunch submit {file}")
