"""What the cloud counts: machines and calls of each pool, and when each market was first used.

Kept in ``clock.json`` of the cloud's folder, under a lock, so that neither time nor luck starts over when a
watchdog is killed: machine 7 of a pool has the same life whoever launches it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spotlaunch_providers.local.files import read_json, write_json

KEEP_MARKETS = 20


class Counters:
    """Use inside `locked` only. A market is known by the digest of its content: an edited one starts over."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.changed = False

    def zero_at(self, market: str, now: float) -> float:
        """When the market was first used (seconds since the epoch): ``now``, if this is the first time."""
        zero_at: float = self._market(market, now)["zero_at"]
        return zero_at

    def next(self, market: str, what: str, now: float) -> int:
        """1 for the first call with ``what``, then 2, and so on."""
        counts = self._market(market, now)["counts"]
        counts[what] = int(counts.get(what, 0)) + 1
        self.changed = True
        return int(counts[what])

    def serial(self) -> int:
        """A number that no machine of this folder has had."""
        self.raw["serial"] = int(self.raw.get("serial", 0)) + 1
        self.changed = True
        return int(self.raw["serial"])

    def _market(self, digest: str, now: float) -> dict[str, Any]:
        markets = self.raw.setdefault("markets", {})
        if digest not in markets:
            markets[digest] = {"zero_at": now, "counts": {}}
            for old in list(markets)[:-KEEP_MARKETS]:
                del markets[old]
            self.changed = True
        market: dict[str, Any] = markets[digest]
        return market


@contextmanager
def locked(folder: Path) -> Iterator[Counters]:
    """Hold the cloud's lock, against threads and processes alike; write the counters if they changed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        path = folder / "clock.json"
        try:
            counters = Counters(read_json(path))
        except (FileNotFoundError, ValueError):
            counters = Counters({})  # never there, or spoilt from outside: only luck and traces start over
        try:
            yield counters
        finally:  # also after a refusal: the next call must draw other luck
            if counters.changed:
                write_json(path, counters.raw)
    finally:
        os.close(fd)
