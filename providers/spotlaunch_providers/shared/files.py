"""A memory in one small JSON file: worth having, never worth an error."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any | None:
    """What is in the file; None where it is missing, damaged, or may not be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all, for its owner only; makes the folder. A disk that is full or read-only costs the memory.

    Processes that write at a time do not mix: the last one's file stays.
    """
    text = json.dumps(value, separators=(",", ":"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
            Path(fresh).replace(path)
        except OSError:
            Path(fresh).unlink(missing_ok=True)
    except OSError:
        return
