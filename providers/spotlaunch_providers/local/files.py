"""Small JSON files, whole or not at all, for their owner only; and the names of machines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` in one step: a reader sees the old file or the new one. Mode 0600."""
    fresh = f"{path}.{os.getpid()}.new"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as f:
        json.dump(value, f)
    os.replace(fresh, path)  # noqa: PTH105 (a Path object for it costs as much as the call)


def read_json(path: str | Path) -> Any:
    """The value in a file. Raises FileNotFoundError, and ValueError when it is not JSON."""
    with open(path, "rb") as f:  # noqa: PTH123 (500 of these make one listing)
        return json.loads(f.read())


def machine_name(pool: str, serial: int, tag: str) -> str:
    """``v100-a-00017-3f9a2c41d0``. Serials only grow, so in one pool the higher one is the newer machine."""
    return f"{pool}-{serial:05d}-{tag}"


def parse_name(name: str) -> tuple[str, int, str] | None:
    """Pool, serial and tag of a machine's name; None for anything else."""
    parts = name.rsplit("-", 2)
    if len(parts) != 3 or not parts[1].isdigit() or name.startswith("."):
        return None
    return parts[0], int(parts[1]), parts[2]


def older_in_pool(machines: Path, name: str) -> int:
    """How many machines of the same pool are there that are older than ``name``."""
    own = parse_name(name)
    if own is None:
        return 0
    others = (parse_name(n) for n in os.listdir(machines))  # noqa: PTH208 (names are all that is needed)
    return sum(1 for o in others if o is not None and o[0] == own[0] and o[1] < own[1])
