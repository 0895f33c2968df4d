"""Simulated time: a queue of things that happen, and a clock that makes them happen as it moves."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class SimClock:
    """The port `Clock`. Time moves only in `advance` and `sleep_until`, running what is due on the way."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._now = start
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._rung = False

    def now(self) -> float:
        return self._now

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Have ``do`` happen at ``when`` (or now, if that is past)."""
        self._count += 1
        heapq.heappush(self._queue, (max(when, self._now), self._count, do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self.at(self._now + seconds, do)

    def ring(self) -> None:
        """End the present sleep early."""
        self._rung = True

    def sleep_until(self, at: float) -> None:
        self._run(at, until_rung=True)

    def advance(self, seconds: float) -> None:
        """Let time pass, whoever rings."""
        self._run(self._now + seconds, until_rung=False)

    def _run(self, until: float, *, until_rung: bool) -> None:
        while self._queue and self._queue[0][0] <= until:
            if until_rung and self._rung:
                break
            when, _, do = heapq.heappop(self._queue)
            self._now = max(self._now, when)
            do()
        else:
            self._now = max(self._now, until)
        if until_rung:
            self._rung = False


class AtOnce(Executor):
    """Runs what is submitted on the spot. A `Crash` (a BaseException) goes through, as a kill would."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as e:  # noqa: BLE001 - this is what an executor does
            future.set_exception(e)
        return future


class Later(Executor):
    """Runs what is submitted a little later in simulated time, as a slow cloud does.

    ``delay()`` draws the seconds. After `die` nothing of it runs any more: its process is gone. While
    ``frozen`` (its process is stopped) nothing runs either, and goes on afterwards.
    """

    def __init__(self, clock: SimClock, delay: Callable[[], float]) -> None:
        self._clock = clock
        self._delay = delay
        self._dead = False
        self.frozen = False

    def die(self) -> None:
        self._dead = True

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            if self._dead:
                return
            if self.frozen:
                self._clock.after(5.0, run)
                return
            try:
                result = fn(*args, **kwargs)
            except Exception as e:  # noqa: BLE001 - this is what an executor does
                future.set_exception(e)
            else:
                future.set_result(result)

        self._clock.after(self._delay(), run)
        return future
