"""A small file of ours that remembers slow answers: for each key what was said, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spotlaunch_providers.shared.files import read_json, write_json


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
        return {key: entry["said"] for key, entry in self._valid().items()}

    def add(self, said: Mapping[str, Any]) -> None:
        """Remember more. A disk that is full or read-only costs the memory, not the answer."""
        if not said:
            return
        now = self._now()
        entries = {**self._valid(), **{key: {"at": now, "said": value} for key, value in said.items()}}
        write_json(self._path, {"of": self._of, "entries": entries})

    def _valid(self) -> dict[str, dict[str, Any]]:
        data = read_json(self._path)
        entries = data.get("entries") if isinstance(data, dict) and data.get("of") == self._of else None
        if not isinstance(entries, dict):
            return {}
        return {key: entry for key, entry in entries.items() if self._holds(entry)}

    def _holds(self, entry: Any) -> bool:
        if not isinstance(entry, dict) or "said" not in entry or not isinstance(entry.get("at"), int | float):
            return False
        return 0 <= self._now() - float(entry["at"]) < self._kept_s
