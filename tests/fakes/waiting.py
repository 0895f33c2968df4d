"""For tests with real processes: wait for something to become true, not for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, within_s: float = 10.0) -> T:
    """What ``look`` returns once it is true. Fails with what it last returned."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s: last was {found!r}"
        time.sleep(0.02)
    return found
