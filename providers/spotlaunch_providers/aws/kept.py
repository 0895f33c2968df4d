"""What is found or made once and kept in memory: a region's subnets, its image, its security groups."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, each for ``keep_s``. Several threads that ask for the same make it once.

    ``mono`` gives seconds that never jump.
    """

    def __init__(self, keep_s: float, *, mono: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = keep_s
        self._mono = mono
        self._lock = threading.Lock()
        self._making: dict[K, threading.Lock] = {}
        self._found: dict[K, tuple[float, V]] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value, made now where there is none or an old one. Raises what ``make`` raises, and keeps nothing."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            found = self._found.get(key)
            if found is None or self._mono() >= found[0]:
                found = (self._mono() + self._keep_s, make())
                self._found[key] = found
            return found[1]

    def forget(self, key: K) -> bool:
        """Drop a value that turned out to be stale. Whether there was one."""
        return self._found.pop(key, None) is not None

    def known(self) -> list[K]:
        """The keys of what is kept."""
        return list(self._found)
