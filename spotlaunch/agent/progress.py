"""What the program says of its progress, in the file `SPOTLAUNCH_PROGRESS_FILE`.

It may append a JSON object per line, or write one object anew each time: ``{"step": 40, "total": 60}``.
``"checkpoint": "step-40"`` says that this entry of the checkpoint folder is complete, ``"write_s": 2.5`` for how long
the program stood still to write one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spotlaunch.agent.masks import Masker

TAIL_BYTES = 64 * 1024
MOST_KEYS = 50
LONGEST_TEXT = 500
# Larger numbers are no steps, and neither the names of objects nor the book have room for them.
LARGEST = 10**15


class Progress:
    """Reads the file when it has changed. ``latest`` is the newest object in it that could be read, ``first`` was the
    first. ``write_s`` is what it last said that saving takes (None: nothing). ``masker`` keeps secrets out of them.
    """

    def __init__(self, path: Path, masker: Masker | None = None) -> None:
        self.latest: dict[str, Any] = {}
        self.first: dict[str, Any] = {}
        self.write_s: float | None = None
        self.masker = masker or Masker([])
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._texts: set[str] = set()

    def read(self) -> set[str]:
        """Look again; returns the entries newly said to be complete."""
        try:
            info = self._path.stat()
            state = (info.st_mtime_ns, info.st_size, info.st_ino)
            if state == self._seen:
                return set()
            with self._path.open("rb") as file:
                file.seek(max(0, info.st_size - TAIL_BYTES))
                text = self.masker.mask(file.read(TAIL_BYTES)).decode(errors="replace")
        except OSError:
            return set()
        self._seen = state
        return self._take(text)

    @property
    def step(self) -> int | None:
        """The step it says it is at."""
        step = self.latest.get("step")
        return int(step) if isinstance(step, (int, float)) and not isinstance(step, bool) else None

    def _take(self, text: str) -> set[str]:
        told, texts = set(), set()
        for part in [text, *text.splitlines()]:
            said = _object(part)
            if said is None:
                continue
            self.first = self.first or said
            self.latest = said
            texts.add(part.strip())
            write_s = said.get("write_s")
            if isinstance(write_s, (int, float)) and not isinstance(write_s, bool) and write_s >= 0:
                self.write_s = float(write_s)
            name = said.get("checkpoint")
            if isinstance(name, str) and part.strip() not in self._texts:
                told.add(name.strip("/").rpartition("/")[2])
        self._texts = texts
        return told


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return dict(_sound(found)) if isinstance(found, dict) else None


def _sound(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Only what a status may carry: short text, numbers within reason."""
    for key, value in list(found.items())[:MOST_KEYS]:
        if isinstance(value, str):
            yield key, value[:LONGEST_TEXT]
        elif (
            value is None
            or isinstance(value, bool)
            or (isinstance(value, (int, float)) and -LARGEST <= value <= LARGEST)
        ):
            yield key, value
