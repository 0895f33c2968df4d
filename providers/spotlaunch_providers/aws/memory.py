"""What this process knows of machines beside what EC2 lists: where they are, when they were made, who asked for
their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from spotlaunch.core.facts import Launched

V = TypeVar("V")

# EC2 may not know a machine yet that it has just given.
FRESH_S = 60.0
# Machines are remembered in the order in which they came up; of more than this, the oldest are forgotten.
MOST = 20_000


class Memory:
    """Safe to use from several threads. ``mono`` gives seconds that never jump."""

    def __init__(self, *, mono: Callable[[], float] = time.monotonic) -> None:
        self._mono = mono
        self._lock = threading.Lock()
        self._regions: dict[str, str] = {}
        self._made_at: dict[str, float] = {}
        self._asked: dict[str, None] = {}
        self._alive: dict[str, None] = {}
        self._keys: dict[str, Launched | None] = {}

    def tried(self, launch_key: str) -> bool:
        """Whether a launch of that key was tried before; from now on it was."""
        with self._lock:
            before = launch_key in self._keys
            _put(self._keys, launch_key, self._keys.get(launch_key))
            return before

    def launched(self, launch_key: str, launched: Launched) -> None:
        """That launch gave a machine."""
        with self._lock:
            _put(self._keys, launch_key, launched)

    def fresh(self, launch_key: str) -> Launched | None:
        """The machine of a launch, where it is so new that EC2 may not list it yet."""
        with self._lock:
            launched = self._keys.get(launch_key)
        return launched if launched is not None and self.is_fresh(launched.instance_id) else None

    def made(self, instance_id: str, region: str) -> None:
        """A machine exists since now."""
        with self._lock:
            _put(self._made_at, instance_id, self._mono())
            _put(self._regions, instance_id, region)

    def seen(self, instance_id: str, region: str, *, alive: bool) -> None:
        """EC2 has listed it."""
        with self._lock:
            _put(self._regions, instance_id, region)
            if alive:
                _put(self._alive, instance_id, None)

    def asked(self, instance_ids: Iterable[str]) -> None:
        """We ask for their end."""
        with self._lock:
            for instance_id in instance_ids:
                _put(self._asked, instance_id, None)

    def ended(self, instance_ids: Iterable[str]) -> None:
        """EC2 has taken the word that they shall end, so it knew them."""
        with self._lock:
            for instance_id in instance_ids:
                self._made_at.pop(instance_id, None)

    def region(self, instance_id: str) -> str:
        """Where it is; empty where that is not known."""
        with self._lock:
            return self._regions.get(instance_id, "")

    def is_fresh(self, instance_id: str) -> bool:
        """Whether it was made so short ago that EC2 may not know it everywhere."""
        with self._lock:
            return self._mono() - self._made_at.get(instance_id, float("-inf")) < FRESH_S

    def ended_by(self, instance_id: str) -> str:
        """Who ended one that was ended by a call: ``asked`` (we), ``by-hand``, or an empty text.

        By hand only if it lived under our eyes: else an earlier process of ours may have asked.
        """
        with self._lock:
            if instance_id in self._asked:
                return "asked"
            return "by-hand" if instance_id in self._alive else ""


def _put(where: dict[str, V], key: str, value: V) -> None:
    where.pop(key, None)
    where[key] = value
    if len(where) > MOST:
        del where[next(iter(where))]
