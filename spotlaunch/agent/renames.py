"""Which names were renamed into a folder: the kernel tells (inotify), where there is one that does."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_MOVED_TO, _ONLY_DIR = 0x80, 0x01000000
_EVENT = struct.Struct("iIII")


class Renames:
    """Watches one folder. Where that is impossible it stays silent, and the caller falls back on looking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = -1
        self._inode = 0
        self._watch()

    @property
    def told(self) -> bool:
        """Whether the kernel tells."""
        return self._fd >= 0

    def take(self) -> set[str]:
        """Names that something was renamed to since the last call."""
        names: set[str] = set()
        while self._fd >= 0:
            try:
                names |= _names(os.read(self._fd, 65536))
            except BlockingIOError:
                break
        if self._folder_inode() != self._inode:  # the program made the folder anew
            self._watch()
        return names

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _watch(self) -> None:
        self.close()
        self._inode = self._folder_inode()
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if fd < 0:
                return
            if libc.inotify_add_watch(fd, os.fsencode(self._folder), _MOVED_TO | _ONLY_DIR) < 0:
                os.close(fd)
                return
        except (OSError, AttributeError):  # not Linux
            return
        self._fd = fd

    def _folder_inode(self) -> int:
        try:
            return self._folder.stat().st_ino
        except OSError:
            return 0


def _names(data: bytes) -> set[str]:
    found, at = set(), 0
    while at + _EVENT.size <= len(data):
        _, mask, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size
        if mask & _MOVED_TO:
            found.add(os.fsdecode(data[at : at + length].rstrip(b"\0")))
        at += length
    return found
