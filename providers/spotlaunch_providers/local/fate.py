"""When the cloud takes a machine: pure functions of the machine's order, the time and its elders.

No clock and no chance in here: life times were drawn when the machine was launched. Plain classes, because
each machine's host imports this and `dataclasses` would double the time it takes to start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NEVER = float("inf")


class Trace:
    """How many machines a pool can hold at a time: ``data[i]`` during tick i, each ``tick_s`` long.

    After its end a trace begins again if it wraps; else its last value holds for ever.
    """

    __slots__ = ("data", "tick_s", "wrap")

    def __init__(self, *, data: Sequence[int], tick_s: float, wrap: bool = True) -> None:
        self.data, self.tick_s, self.wrap = tuple(data), tick_s, wrap

    def value(self, elapsed_s: float) -> int:
        """How many there may be, ``elapsed_s`` seconds after the market was first used."""
        return self.data[self._index(int(max(0.0, elapsed_s) / self.tick_s))]

    def when_at_most(self, level: int, *, from_s: float) -> float:
        """When the value is ``level`` or less: ``from_s`` itself if it is so now, `NEVER` if it never is."""
        first = int(max(0.0, from_s) / self.tick_s)
        for tick in range(first, first + len(self.data) + 1):
            if self.data[self._index(tick)] <= level:
                return from_s if tick == first else tick * self.tick_s
        return NEVER

    def _index(self, tick: int) -> int:
        return tick % len(self.data) if self.wrap else min(tick, len(self.data) - 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the machine's host."""
        return {"data": self.data, "tick_s": self.tick_s, "wrap": self.wrap}


class Fate:
    """What becomes of one machine. Times are seconds since the epoch.

    ``order`` holds ``boot_s``, ``never_boots``, ``life_s`` and ``hang_after_s`` (None: never), ``ttl_s`` (0:
    none), ``trace`` (None, or as `Trace.to_dict`) and ``zero_at``. Lives count from when the machine was really
    up, so that a crowded computer does not make them shorter.
    """

    def __init__(self, order: Mapping[str, Any], *, started_at: float) -> None:
        self.ready_at = NEVER if order["never_boots"] else started_at + order["boot_s"]
        self.dies_at = self.hangs_at = NEVER
        self.life_s, self.hang_after_s = order["life_s"], order["hang_after_s"]
        self.ttl_at = _after(started_at, order["ttl_s"] or None)
        self.zero_at: float = order["zero_at"]
        self.trace = Trace(**order["trace"]) if order["trace"] else None

    def booted(self, now: float) -> None:
        """The machine is up since now."""
        self.dies_at = _after(now, self.life_s)
        self.hangs_at = _after(now, self.hang_after_s)

    def taken(self, now: float, *, older: int) -> bool:
        """Whether the cloud takes it away now. ``older``: how many older machines its pool has.

        Where a trace says that there is room for n, the n oldest stay.
        """
        if now >= self.dies_at:
            return True
        return self.trace is not None and self.trace.value(now - self.zero_at) <= older

    def next_at(self, now: float, *, older: int) -> float:
        """The earliest time after ``now`` at which any of this may change. Elders leave, they never come."""
        times = [t for t in (self.ready_at, self.dies_at, self.hangs_at, self.ttl_at) if t > now]
        if self.trace is not None:
            times.append(self.zero_at + self.trace.when_at_most(older, from_s=now - self.zero_at))
        return min(times, default=NEVER)


def _after(start: float, seconds: float | None) -> float:
    return NEVER if seconds is None else start + seconds
