"""Several calls to one cloud at a time: a region each, a page each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from typing import TypeVar

from spotlaunch.errors import ProviderError, Transient
from spotlaunch.workers import Workers
from spotlaunch_providers.shared.deadline import Deadline

T = TypeVar("T")


def side_by_side(
    calls: Sequence[Callable[[], T]], *, deadline: Deadline, most: int = 16, name: str = "cloud"
) -> list[T | ProviderError]:
    """What each call gave, in order: its result, or the `ProviderError` it raised.

    One that has not come back at ``deadline`` is a `Transient`. Any other exception travels.
    """
    workers = Workers(min(most, len(calls)), name=name)
    futures = [workers.submit(call) for call in calls]
    wait(futures, timeout=deadline.left_s())
    workers.shutdown(wait=False, cancel_futures=True)
    outcomes: list[T | ProviderError] = []
    for future in futures:
        if future.cancelled() or not future.done():
            outcomes.append(Transient(f"did not answer within {deadline.seconds:.3g} s", hint="try again"))
            continue
        error = future.exception()
        if error is not None and not isinstance(error, ProviderError):
            raise error
        outcomes.append(error if error is not None else future.result())
    return outcomes
