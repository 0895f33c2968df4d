"""The machines of the rehearsal cloud: a folder each, with a record, a door, and a disk.

``record.json`` is written whole by one writer at a time: first the launch, then the machine's host. The
*door* is a named pipe that the host holds open for as long as it lives: whoever can open it for writing knows
that the host is alive, and a line through it asks for the end. No process number, which could be somebody
else's by now, is ever trusted.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from spotlaunch.core.facts import Pool, SeenMachine
from spotlaunch_providers.local.ending import KEPT_BILLS, finish, wipe
from spotlaunch_providers.local.files import parse_name, read_json, write_json
from spotlaunch_providers.local.processes import kill_machine

HOST = "spotlaunch_providers.local.host"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """What the cloud itself says an ended machine cost, and why it ended. Times in seconds since the epoch."""

    instance_id: str
    launch_key: str
    owner: str
    pool: str
    price_usd_hour: Decimal
    started_at: float
    ended_at: float
    why: str

    @property
    def cost_usd(self) -> Decimal:
        """Exact, to the second."""
        return self.price_usd_hour * Decimal(str(round(self.ended_at - self.started_at, 3))) / 3600


def names(folder: Path) -> list[str]:
    """Names of all machines that are not yet gone, of all owners."""
    try:
        return [n for n in os.listdir(folder / "machines") if parse_name(n)]  # noqa: PTH208
    except FileNotFoundError:
        return []


def taken(found: Sequence[str]) -> Counter[str]:
    """How many machines each pool has, by pool name."""
    parsed = (parse_name(n) for n in found)
    return Counter(p[0] for p in parsed if p is not None)


def create(folder: Path, record: Mapping[str, Any]) -> int:
    """Make a machine's folder, which appears at once and whole. Returns its door, open: close it.

    While the door is open the machine counts as alive, although its host has not been started yet.
    """
    machines = folder / "machines"
    machines.mkdir(exist_ok=True, mode=0o700)
    fresh = machines / f".new-{record['instance_id']}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    write_json(fresh / "record.json", dict(record))
    os.mkfifo(fresh / "door", 0o600)
    door = os.open(fresh / "door", os.O_RDWR | os.O_NONBLOCK)
    fresh.rename(machines / record["instance_id"])
    return door


def start_host(
    machine: Path, door: int, *, order: Mapping[str, Any], env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a machine's host and tell it its order, secrets included, through a pipe. Raises OSError."""
    log = os.open(machine / "host.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        host = subprocess.Popen(
            [sys.executable, "-P", "-m", HOST, str(machine), str(door)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=dict(env),
            cwd="/",
            pass_fds=(door,),
            start_new_session=True,
        )
    finally:
        os.close(log)
    assert host.stdin is not None
    with host.stdin as pipe:
        pipe.write(json.dumps(dict(order)).encode())
    return host


def read_record(machine: Path) -> dict[str, Any] | None:
    """A machine's record; None once it is gone. Raises OSError or ValueError when it cannot be read."""
    try:
        record: dict[str, Any] = read_json(f"{machine}/record.json")
        return record
    except (FileNotFoundError, NotADirectoryError):
        return None


def knock(machine: Path, *, ask_end: bool = False) -> bool | None:
    """Whether a machine's host is alive, asking it for the end on the way; None if there is no machine."""
    return _say(machine, b"end\n" if ask_end else b"")


def take(machine: Path, *, notice_s: float) -> bool:
    """Have the cloud take a machine away, with so long a notice (0: none). False if it is gone or going already."""
    return _say(machine, f"take {notice_s}\n".encode()) is True


def _say(machine: Path, line: bytes) -> bool | None:
    try:
        door = os.open(f"{machine}/door", os.O_WRONLY | os.O_NONBLOCK)
    except OSError as e:
        if e.errno == errno.ENXIO:
            return False  # a pipe that nobody reads
        if e.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise
    try:
        if line:
            os.write(door, line)
    except (BlockingIOError, BrokenPipeError):
        pass  # it has been asked a thousand times already, or has just gone
    finally:
        os.close(door)
    return True


def bury(machine: Path) -> bool:
    """End a machine whose host is gone: processes, disk, record. False while some process still lives."""
    if not kill_machine(machine.name, machine / "disk"):
        return False
    try:
        record = read_record(machine)
    except ValueError:
        record = None  # spoilt, by a power cut for instance: the machine is dead all the same
    if record is None:
        wipe(machine)
    else:
        finish(machine, record, why="host lost", ended_at=time.time())
    return True


def seen(record: Mapping[str, Any]) -> SeenMachine:
    """A record as a listing shows it."""
    return SeenMachine(
        launch_key=record["launch_key"],
        instance_id=record["instance_id"],
        pool=pool_of(record),
        phase=record["phase"],
        started_at=record["started_at"],
        ending_reason=record["ending_reason"],
    )


def pool_of(record: Mapping[str, Any]) -> Pool:
    """The pool that a machine was taken from."""
    return Pool(provider="local", **record["pool"])


def price_of(record: Mapping[str, Any]) -> Decimal:
    """US dollars an hour."""
    return Decimal(record["price_usd_hour"])


def bills(folder: Path) -> list[Bill]:
    """The cloud's own account of the machines that have ended, in the order of their end (the newest 2000)."""
    found = []
    for path in (folder / "ended").glob("*.json"):
        raw = read_json(path)
        found.append(
            Bill(
                instance_id=raw["instance_id"],
                launch_key=raw["launch_key"],
                owner=raw["owner"],
                pool=str(pool_of(raw)),
                price_usd_hour=price_of(raw),
                started_at=raw["started_at"],
                ended_at=raw["ended_at"],
                why=raw["why"],
            )
        )
    return sorted(found, key=lambda b: (b.ended_at, b.instance_id))


def forget_old_bills(folder: Path) -> None:
    """Keep the newest `KEPT_BILLS`. Looks at dates only when there are clearly more than that."""
    paths = list((folder / "ended").glob("*.json"))
    if len(paths) < KEPT_BILLS * 1.1:
        return
    paths.sort(key=lambda p: p.stat().st_mtime)
    for path in paths[:-KEPT_BILLS]:
        path.unlink(missing_ok=True)
