"""The last thing that happens to a machine: its disk is wiped, its bill is written, its folder goes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spotlaunch_providers.local.files import write_json

KEPT_BILLS = 2000
CONSOLE_END = 2000  # bytes of what the machine printed last that are kept with its bill


def finish(machine: Path, record: Mapping[str, Any], *, why: str, ended_at: float) -> None:
    """Wipe the machine and leave ``ended/<id>.json``. Safe to repeat; the first reason stays.

    The order matters: when the folder is gone the machine is off the listing, and by then the bill is there.
    """
    wipe(machine / "disk")
    ended = machine.parent.parent / "ended"
    ended.mkdir(exist_ok=True, mode=0o700)
    bill = ended / f"{machine.name}.json"
    if not bill.exists():
        said = {"console": _end_of(machine / "console.log"), "host_log": _end_of(machine / "host.log")}
        write_json(bill, {**record, "phase": "ended", "why": why, "ended_at": ended_at, **said})
    wipe(machine)


def wipe(folder: Path) -> None:
    """Delete a folder with all that is in it, also what a program made read-only."""

    def let_and_retry(function: Callable[[str], object], path: str, error: object) -> None:
        try:
            for p in (Path(path).parent, Path(path)):
                if p.is_dir() and not p.is_symlink():
                    p.chmod(0o700)
            if Path(path).is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                function(path)
        except OSError:
            return  # somebody else is wiping the same folder

    if folder.exists():
        shutil.rmtree(folder, onerror=let_and_retry)


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as f:
            f.seek(max(0, log.stat().st_size - CONSOLE_END))
            return f.read().decode(errors="replace")
    except OSError:
        return ""
