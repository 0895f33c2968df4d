"""Which entries of the checkpoint folder are complete. A half-written one must never be committed.

An entry (a file or folder right in the checkpoint folder) is complete when it was renamed into place, when the
program said so, or when nobody has touched the folder for a while. It stays complete until it changes.
Entries with temporary names are nobody's checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spotlaunch.agent.renames import Renames
from spotlaunch.storage.manifests import number_in
from spotlaunch.storage.snapshot import FileState, scan

_TEMPORARY = re.compile(r"^\.|~$|(^|[-_.])tmp([-_.].*)?$|\.(temp|part|partial|incomplete|swp)$", re.IGNORECASE)
# PyTorch's distributed checkpoints keep their index in a file of this name.
_NOT_TEMPORARY = frozenset({".metadata"})

Entry = tuple[FileState, ...]


def is_temporary(name: str) -> bool:
    """Whether an entry of this name is still being made, by custom."""
    return name not in _NOT_TEMPORARY and _TEMPORARY.search(name) is not None


@dataclass(frozen=True)
class Look:
    """What one look found: complete entries by name, and names of those being written at this moment.

    ``guessed``: those of the complete that nobody has touched for a while, and nothing else speaks for.
    """

    complete: Mapping[str, Entry]
    in_flux: frozenset[str] = frozenset()
    guessed: frozenset[str] = frozenset()

    @property
    def files(self) -> list[FileState]:
        return [state for entry in self.complete.values() for state in entry]

    def newest_number(self) -> int | None:
        """The number in the name of the newest entry that has one: its step, by custom."""
        numbered = [(_touched(entry), number_in(name) or 0, name) for name, entry in self.complete.items()]
        numbered = [found for found in numbered if number_in(found[2]) is not None]
        return max(numbered)[1] if numbered else None


class Settle:
    """Looks at one folder again and again. Times are wall-clock seconds, as files bear them."""

    def __init__(self, root: Path, *, still_s: float) -> None:
        self._root = root
        self._still_s = still_s
        self._renames = Renames(root)
        self._seen: dict[str, Entry] = {}
        self._complete: dict[str, Entry] = {}
        self._guessed: set[str] = set()
        self._temporary: set[int] = set()
        self._told: set[str] = set()
        self._touched_at = 0.0
        self._looked_at = 0.0
        self._begun: dict[int, float] = {}
        self._wrote_s: float | None = None

    def baseline(self, now: float) -> Look:
        """Before the program starts: everything there is complete."""
        self.look(now)
        result = self.all(now)
        self._wrote_s = None
        return result

    def take_wrote_s(self) -> float | None:
        """How long the program wrote what became complete since this was last asked; None if nothing did.

        As near as looks tell. Where nobody saw it being written, it took less than the time between two looks.
        """
        wrote_s, self._wrote_s = self._wrote_s, None
        return wrote_s

    def tell(self, names: Iterable[str]) -> None:
        """The program said that these entries are complete."""
        self._told |= set(names)

    def all(self, now: float) -> Look:
        """The program has ended, and not in the middle of writing: everything there is complete."""
        self.look(now)
        self._guessed.clear()
        self._complete = dict(self._seen)
        return self._result()

    def look(self, now: float) -> Look:
        """What is complete at ``now``."""
        moved = self._renames.take()
        names = self._names()
        entries = {name: tuple(scan(self._root, [name]).values()) for name in names if not is_temporary(name)}
        entries = {name: entry for name, entry in entries.items() if entry}
        self._note_touched(entries, now)
        before, begun = dict(self._complete), self._note_begun(names, entries, now)
        for name, entry in entries.items():
            steady = self._seen.get(name) == entry
            if name in moved or self._was_temporary(name) or (steady and name in self._told):
                self._complete[name] = entry
                self._told.discard(name)
                self._guessed.discard(name)
        if now - self._touched_at >= self._still_s:
            self._guessed |= {name for name, entry in entries.items() if self._complete.get(name) != entry}
            self._complete = dict(entries)
        self._temporary = {inode for name in names if is_temporary(name) for inode in [self._inode(name)] if inode}
        self._measure(before, begun, now)
        self._seen, self._looked_at = entries, now
        return self._result()

    def close(self) -> None:
        self._renames.close()

    def _result(self) -> Look:
        complete = {name: entry for name, entry in self._seen.items() if self._complete.get(name) == entry}
        return Look(
            complete, frozenset(self._seen.keys() - complete.keys()), frozenset(complete.keys() & self._guessed)
        )

    def _note_touched(self, entries: Mapping[str, Entry], now: float) -> None:
        """When the folder was last touched. Between two looks it was at a file's own time, if that is believable."""
        if self._seen.keys() - entries.keys():
            self._touched_at = now
        for name, entry in entries.items():
            if self._seen.get(name) != entry:
                touched = _touched(entry)
                # Tools that copy set old times afterwards; and a part may have been deleted.
                believable = self._looked_at < touched <= now
                self._touched_at = max(self._touched_at, touched if believable else now)

    def _note_begun(self, names: Iterable[str], entries: Mapping[str, Entry], now: float) -> dict[int, float]:
        """Since when each entry that is not complete is being written, by inode: renaming does not change that."""
        begun = {}
        for name in names:
            if name not in entries or self._complete.get(name) != entries[name]:
                inode = self._inode(name)
                # Between two looks, nobody knows when: in the middle.
                begun[inode] = self._begun.get(inode, (now + max(self._looked_at, now - self._still_s)) / 2)
        self._begun, before = begun, self._begun
        return {**before, **begun}

    def _measure(self, before: Mapping[str, Entry], begun: Mapping[int, float], now: float) -> None:
        """What became complete in this look: its writing ended when it was last touched, if that is believable."""
        for name, entry in self._complete.items():
            if before.get(name) == entry:
                continue
            inode = self._inode(name)
            began_at, touched = begun.get(inode, now), _touched(entry)
            self._begun.pop(inode, None)
            wrote_s = max(0.0, (touched if began_at < touched <= now else began_at) - began_at)
            self._wrote_s = max(self._wrote_s or 0.0, wrote_s)

    def _was_temporary(self, name: str) -> bool:
        """Without the kernel's word: it bore a temporary name when we last looked."""
        return not self._renames.told and self._inode(name) in self._temporary

    def _inode(self, name: str) -> int:
        try:
            return (self._root / name).lstat().st_ino
        except OSError:
            return 0

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in self._root.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []


def _touched(entry: Entry) -> float:
    return max(state.mtime_ns for state in entry) / 1e9
