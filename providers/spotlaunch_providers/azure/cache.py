"""A small file of ours that remembers slow answers: for each key what was said, and when."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Cache:
    """Answers in one file, which only its owner may read. ``of``: whose they are; others' are not seen.

    What is damaged is as if it were not there. Two processes that write at a time lose no more than an answer.
    """

    def __init__(self, path: Path, *, of: str, kept_s: float, now: Callable[[], float]) -> None:
        self._path = path
        self._of = of
        self._kept_s = kept_s
        self._now = now

    def read(self) -> dict[str, Any]:
        """What was said and still holds, by key."""
        now = self._now()
        found: dict[str, Any] = {}
        for key, entry in self._entries().items():
            if isinstance(entry, dict) and isinstance(entry.get("at"), int | float):
                age_s = now - entry["at"]
                if 0 <= age_s < self._kept_s and "said" in entry:
                    found[key] = entry["said"]
        return found

    def add(self, said: Mapping[str, Any]) -> None:
        """Remember more. A disk that is full or read-only costs the memory, not the answer."""
        if not said:
            return
        now = self._now()
        entries = {key: {"at": now, "said": value} for key, value in {**self.read(), **said}.items()}
        old = self._entries()
        for key in entries.keys() - said.keys():
            entries[key] = old[key]
        text = json.dumps({"of": self._of, "entries": entries})
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}-")
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(text)
                Path(name).replace(self._path)
            except OSError:
                Path(name).unlink(missing_ok=True)
        except OSError:
            return

    def _entries(self) -> dict[str, Any]:
        try:
            data = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(data, dict) or data.get("of") != self._of or not isinstance(data.get("entries"), dict):
            return {}
        entries: dict[str, Any] = data["entries"]
        return entries
