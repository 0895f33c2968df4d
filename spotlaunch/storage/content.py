"""What is in a working directory, once all that stays out of the bundle is left out."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from spotlaunch.core.units import quoted, write_size
from spotlaunch.errors import UsageError
from spotlaunch.storage.ignore import Ignore
from spotlaunch.storage.unbundle import plain_link

MAX_DEPTH = 200
HINT = "leave data and environments out with patterns in .spotlaunchignore; large data belongs in a bucket"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file (``size`` in bytes), a folder, or a link and where it points (never outside)."""

    path: Path
    is_folder: bool = False
    size: int = 0
    link: str = ""


@dataclass(slots=True)
class Content:
    """Collects the entries of ``root`` in the order of their names, and what is wrong with them.

    ``warnings`` are sentences on what had to stay out, ``unreadable`` the files that nobody may read.
    """

    root: Path
    exclude: frozenset[Path]
    max_files: int
    entries: list[Entry] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def folder(self, path: Path, above: Ignore) -> None:
        """Collect all that is in ``path``. Raises `UsageError` for folders without end."""
        try:
            rules = above.inside(path)
            found = sorted(os.scandir(path), key=lambda e: os.fsencode(e.name))
        except OSError:
            self.unreadable.append(self.shown(path) + "/")
            return
        if len(path.parts) - len(self.root.parts) > MAX_DEPTH:
            raise UsageError(f"{self.root} holds folders nested more than {MAX_DEPTH} deep", hint=HINT)
        for entry in found:
            child = path / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == ".git" or child in self.exclude or rules.leaves_out(child, is_folder=is_folder):
                continue
            if len(self.entries) > self.max_files:
                return  # enough to refuse it: the whole of a home folder need not be walked
            if is_folder:
                self.entries.append(Entry(child, is_folder=True))
                self.folder(child, rules)
            elif entry.is_symlink():
                self.link(child)
            else:
                self.file(child)

    def file(self, path: Path) -> None:
        """Collect a file, if it is one."""
        try:
            seen = path.lstat()
        except FileNotFoundError:
            return  # gone since its folder was listed, as the files of editors and logs are
        if not stat.S_ISREG(seen.st_mode):
            self.warnings.append(f"{self.shown(path)} is left out: it is a socket, a pipe or a device")
        elif not _readable(path):
            self.unreadable.append(self.shown(path))
        else:
            self.entries.append(Entry(path, size=seen.st_size))

    def link(self, path: Path) -> None:
        """Collect a link, if it stays inside: another machine has nothing of what is outside."""
        target, real = str(path.readlink()), Path(os.path.realpath(path))
        if not real.is_relative_to(self.root):
            self.warnings.append(f"{self.shown(path)} is left out: it is a link to {quoted(target)}, outside")
            return
        folder = path.parent.relative_to(self.root).as_posix()
        if not plain_link(target, folder):
            target = os.path.relpath(real, path.parent)  # the same place, without this computer's folders
        self.entries.append(Entry(path, link=target))

    def shown(self, path: Path) -> str:
        """A path as it can be printed, whatever bytes its name has."""
        return os.fsencode(path.relative_to(self.root)).decode("utf-8", "backslashreplace")

    def complain(self, max_bytes: int) -> None:
        """Raise `UsageError` for what makes a bundle impossible."""
        if self.unreadable:
            more = f" and {len(self.unreadable) - 10} more" if len(self.unreadable) > 10 else ""
            names = ", ".join(self.unreadable[:10]) + more
            hint = "make them readable, or leave them out with patterns in .spotlaunchignore"
            raise UsageError(f"these files of {self.root} cannot be read: {names}", hint=hint)
        if len(self.entries) > self.max_files:
            raise UsageError(f"{self.root} holds more than {self.max_files} files: {self.heaviest()}", hint=HINT)
        size = sum(e.size for e in self.entries)
        if size > max_bytes:
            limit = write_size(max_bytes / 1e9)
            size_gb = write_size(round(size / 1e9, 3))
            message = f"{self.root} holds {size_gb}, and a bundle may hold {limit}; the largest: {self.heaviest()}"
            raise UsageError(message, hint=HINT)

    def heaviest(self) -> str:
        """The five largest files and folders, as text.

        A folder stands for all that is in it, unless most of its weight is in one thing: then that is named,
        so that people read `data/raw/images.tar` rather than `data`.
        """
        weight: dict[Path, int] = {}
        children: dict[Path, list[Path]] = {}
        for entry in self.entries:
            children.setdefault(entry.path.parent, []).append(entry.path)
            for path in (entry.path, *entry.path.parents):
                if path == self.root:
                    break
                weight[path] = weight.get(path, 0) + entry.size
        named = []
        for top in sorted(children.get(self.root, []), key=lambda p: -weight[p])[:5]:
            path = top
            while inside := children.get(path):
                largest = max(inside, key=lambda p: weight[p])
                if weight[largest] * 10 < weight[path] * 9:
                    break
                path = largest
            named.append(f"{self.shown(path)}{'/' if path in children else ''} ({_megabytes(weight[path])})")
        return ", ".join(named)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}MB" if size < 1e9 else f"{size / 1e9:.2f}GB"


def _readable(path: Path) -> bool:
    """Tried rather than asked: permissions are not the only thing that keeps a file shut."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
