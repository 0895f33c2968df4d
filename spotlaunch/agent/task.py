"""Work in a thread of its own, whose end and errors the main thread gets to know."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from spotlaunch.agent.wake import Wake
from spotlaunch.errors import SpotlaunchError

T = TypeVar("T")


class Task(Generic[T]):
    """Runs ``work`` once, and rings when it has ended. A daemon: it never keeps the agent from leaving."""

    def __init__(self, name: str, work: Callable[[], T], wake: Wake) -> None:
        self.error: BaseException | None = None
        self._value: list[T] = []
        self._work = work
        self._wake = wake
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Task[T]:
        self._thread.start()
        return self

    @property
    def done(self) -> bool:
        return bool(self._value) or self.error is not None

    @property
    def value(self) -> T:
        """What ``work`` returned. Raises what it raised."""
        if self.error is not None:
            raise self.error
        return self._value[0]

    def _run(self) -> None:
        try:
            self._value.append(self._work())
        except SpotlaunchError as e:
            self.error = e
        except BaseException as e:
            self.error = e
            raise  # a defect of ours: let the console show where
        finally:
            self._wake.ring()
