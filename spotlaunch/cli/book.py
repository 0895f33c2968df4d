"""The book of this home, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore, open_store


@contextmanager
def open_book(home: Home | None = None) -> Iterator[SqliteStore]:
    """Made if it is missing. Raises `StoreUnavailable` when it cannot be used."""
    store = open_store(home or Home.find())
    try:
        yield store
    finally:
        store.close()
