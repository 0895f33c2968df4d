"""Reads what a pool's ``availability`` says: a trace file, or a list in the market file itself."""

from __future__ import annotations

import json
from pathlib import Path

from spotlaunch.core.units import read_duration_s, read_whole
from spotlaunch.core.yamltree import found
from spotlaunch_providers.local.fate import Trace
from spotlaunch_providers.local.table import Table, flag, read_scalar, text

KEYS = ("trace", "tick", "gap", "data", "wrap")
MOST_TICKS = 1_000_000
MOST_MACHINES = 100_000
FORM = '{"metadata": {"gap_seconds": 600}, "data": [0, 1, 1]}'


def read_trace(table: Table, file: Path) -> tuple[Trace | None, bytes]:
    """The trace, and the content of its file if it is in one. None after a problem was put down.

    ``file`` is the market file: paths are relative to it.
    """
    if ("trace" in table.values) == ("data" in table.values):
        table.problem(None, "needs either `trace` (a file) or `data` (a list)")
        return None, b""
    in_file = "trace" in table.values
    length, other = ("tick", "gap") if in_file else ("gap", "tick")
    if other in table.values:
        kind = "a trace file" if in_file else "data"
        table.problem(other, f"does not go with {kind}", f"the length of one tick is `{length}` here", of_key=True)
    data, gap_s, content = _from_file(table, file) if in_file else (_from_list(table), 0.0, b"")
    tick_s = table.get(length, read_duration_s, gap_s)
    if data and not tick_s > 0:
        table.problem(length, "one tick must last longer than nothing", f"write {length}: 1s", of_key=True)
    if not data or not tick_s > 0:
        return None, content
    return Trace(data=data, tick_s=tick_s, wrap=table.get("wrap", flag, True)), content


def _from_list(table: Table) -> list[int]:
    raw = table.raw("data")
    if not isinstance(raw, list) or not raw:
        table.problem("data", f"expected a list of whole numbers, found {found(raw)}", "write it like [1, 1, 0]")
        return []
    at = (*table.at, "data")
    values = [read_scalar(table.tree, value, (*at, i), _machines) for i, value in enumerate(raw)]
    return [v for v in values if v is not None]


def _machines(value: str) -> int:
    return read_whole(value, least=0, most=MOST_MACHINES)


def _from_file(table: Table, file: Path) -> tuple[list[int], float, bytes]:
    """Values, seconds per tick and content of a file like `FORM`."""
    said = table.get("trace", text, "")
    if not said:
        return [], 0.0, b""
    path = file.parent / Path(said).expanduser()
    try:
        content = path.read_bytes()
        raw = json.loads(content)
        data, gap_s = raw["data"], float(raw.get("metadata", {}).get("gap_seconds", 0))
        if not isinstance(data, list) or not 0 < len(data) <= MOST_TICKS:
            raise ValueError(f"`data` must be a list of 1 to {MOST_TICKS} numbers")
        if not all(type(v) is int and 0 <= v <= MOST_MACHINES for v in data):
            raise ValueError("`data` holds something else than whole numbers of machines")
    except OSError as e:
        table.problem("trace", f"cannot read {path}: {e.strerror}", "the path is relative to the market file")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        why = f"it has no {e}" if isinstance(e, KeyError) else str(e)
        table.problem("trace", f"{path} is not a trace: {why}", f"a trace file looks like {FORM}")
    else:
        return data, gap_s, content
    return [], 0.0, b""
