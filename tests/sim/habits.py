"""The safety habits of the design, taken away one at a time: that is how we know the simulation can fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from spotlaunch.core import decide as deciding
from spotlaunch.core import results
from spotlaunch.core.draft import Draft
from spotlaunch.core.plan import Launch, World, Write
from spotlaunch.errors import NoCapacity, OutcomeUnknown, SpotlaunchError
from spotlaunch.ports import Lease
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog.loop import Watchdog
from tests.sim.agents import Habits


class NoLease(SqliteStore):
    """A book that any number of watchdogs may be awake for."""

    def take_lease(self, lease: Lease, *, now: float, dead: str = "") -> None:
        pass

    def renew_lease(self, token: str, *, until: float) -> None:
        pass

    def apply(self, writes: Sequence[Write], *, token: str | None = None) -> None:
        super().apply(writes)


class BookFirst(Watchdog):
    """Reads the book, then the mail, and only then asks the cloud: what a listing shows is then news to it."""

    def look(self) -> tuple[float, bool]:
        store, book = self._store, self._store.read_book()
        mail = self._post.take(book.jobs, book.attempts)
        with (
            patch.object(store, "read_book", lambda: book),
            patch.object(self._post, "take", lambda jobs, attempts: mail),
        ):
            return super().look()


@contextmanager
def without(habit: str) -> Iterator[dict[str, Any]]:
    """Options for `run_world` under which one habit is missing, with what had to be replaced for that."""
    match habit:
        case "nothing":
            yield {}
        case "claim before read":
            yield {"habits": Habits(claim_before_read=False)}
        case "the epoch fence":
            yield {"habits": Habits(fence=False)}
        case "the lease":
            yield {"store_class": NoLease}
        case "cloud before book":
            yield {"watchdog_class": BookFirst}
        case "the sweep":
            with patch.object(deciding, "sweep", lambda draft: None):
                yield {}
        case "unknown is not failed":
            with patch.object(results, "not_launched", _unknown_is_failed):
                yield {}
        case "memory of refusals":
            with (
                patch.object(results, "_refusals", lambda *_: []),
                patch.object(Draft, "put_refusal", lambda *_, **__: None),
            ):
                yield {}
        case _:
            raise ValueError(habit)


_not_launched = results.not_launched


def _unknown_is_failed(world: World, call: Launch, error: SpotlaunchError, now: float) -> list[Write]:
    if isinstance(error, OutcomeUnknown):
        error = NoCapacity(error.message)
    return _not_launched(world, call, error, now)
