"""The book of this home, opened for one command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore


@contextmanager
def open_book(home: Home | None = None) -> Iterator[SqliteStore]:
    """Made if it is missing. Raises `StoreUnavailable` when it cannot be used."""
    home = home or Home.find()
    # The seed marks our machines in every cloud; it counts only when the book is first made.
    store = SqliteStore(home.prepare().database, owner_seed=os.urandom(16).hex())
    try:
        yield store
    finally:
        store.close()
