"""Availability traces as they are published: ``metadata.gap_seconds``, and ``data``, instances available at each tick.

A pool is up at a tick where there is at least one. Several traces are pools seen at the same ticks: their gaps must be
the same, and what is beyond the end of the shortest is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlaunch.errors import UsageError

FORM = 'a trace is {"metadata": {"gap_seconds": 600}, "data": [0, 1, 1]}: instances available at each tick'

# The published ones have 150 kB; ten years of minutes have 16 MB.
MOST_BYTES = 64 * 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """One or more pools at the same ticks of ``tick_s``. ``up``: a byte for each tick, 0 is down.

    ``left_out``: ticks of the longest trace beyond the end of the shortest.
    """

    files: tuple[Path, ...]
    tick_s: float
    up: tuple[bytes, ...]
    left_out: int = 0

    @property
    def ticks(self) -> int:
        return len(self.up[0])


def read_traces(files: Sequence[Path]) -> Traces:
    """All files as pools of one market. Raises `UsageError` with the file, the key and what is wrong there."""
    read = [_read(file) for file in files]
    gaps = [gap_s for gap_s, _ in read]
    for file, gap_s in zip(files, gaps, strict=True):
        if gap_s != gaps[0]:
            raise UsageError(
                f"{file}: metadata.gap_seconds is {gap_s:g}, and {gaps[0]:g} in {files[0]}",
                hint="traces to choose from together must have the same ticks; take those of one set",
            )
    shortest = min(len(up) for _, up in read)
    return Traces(
        files=tuple(files),
        tick_s=gaps[0],
        up=tuple(up[:shortest] for _, up in read),
        left_out=max(len(up) for _, up in read) - shortest,
    )


def _read(file: Path) -> tuple[float, bytes]:
    """Seconds of a tick, and whether there was an instance at each."""
    trace = _parsed(file)
    if not isinstance(trace, dict):
        raise _wrong(file, "", f"is {_kind(trace)}, not an object")
    metadata = trace.get("metadata")
    if not isinstance(metadata, dict):
        raise _wrong(file, "metadata", "is missing" if metadata is None else f"is {_kind(metadata)}, not an object")
    gap_s = metadata.get("gap_seconds")
    if gap_s is None:
        raise _wrong(file, "metadata.gap_seconds", "is missing")
    if not _is_number(gap_s) or gap_s <= 0:
        raise _wrong(file, "metadata.gap_seconds", f"is {_shown(gap_s)}, not a number of seconds above 0")
    data = trace.get("data")
    if not isinstance(data, list):
        raise _wrong(file, "data", "is missing" if data is None else f"is {_kind(data)}, not a list")
    if not data:
        raise _wrong(file, "data", "is empty")
    for n, count in enumerate(data):
        if not _is_number(count) or count < 0 or count != int(count):
            raise _wrong(file, f"data[{n}]", f"is {_shown(count)}, not a number of instances (0, 1, 2, ...)")
    return float(gap_s), bytes(count > 0 for count in data)


def _parsed(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError as e:
        hint = "published traces: https://github.com/skypilot-org/spot-traces"
        raise UsageError(f"{file}: cannot be read: {(e.strerror or str(e)).lower()}", hint=hint) from e
    if len(raw) > MOST_BYTES:
        raise UsageError(f"{file}: is larger than {MOST_BYTES // 1024**2} MB", hint=FORM)
    try:
        return json.loads(raw)
    except UnicodeDecodeError as e:
        raise UsageError(f"{file}: is not text", hint=FORM) from e
    except json.JSONDecodeError as e:
        raise UsageError(f"{file}:{e.lineno}:{e.colno}: is not JSON: {e.msg.lower()}", hint=FORM) from e
    except (ValueError, RecursionError) as e:  # a number of thousands of digits; brackets thousands deep
        raise UsageError(f"{file}: holds something that no trace has", hint=FORM) from e


def _is_number(value: object) -> bool:
    """Finite, and not one of JSON's true and false, which Python counts among numbers."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # whole, and larger than any float
        return False


def _wrong(file: Path, key: str, what: str) -> UsageError:
    return UsageError(f"{file}: {key}{' ' if key else ''}{what}", hint=FORM)


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _shown(value: object) -> str:
    """A wrong value as it stands in the file, if it is short; else what it is."""
    text = json.dumps(value) if not isinstance(value, (dict, list)) else ""
    return text if 0 < len(text) <= 30 else _kind(value)
