"""The market's memory on disk: `MarketMemory` of ports.py on SQLite, and the history of prices read back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

from spotlaunch.core.answers import Answer, covers, serves
from spotlaunch.core.facts import Offer, Want
from spotlaunch.core.gpus import gpu_matches
from spotlaunch.core.pricehistory import PoolPrices
from spotlaunch.home import Home
from spotlaunch.storage import pricebook
from spotlaunch.storage.columns import pack, unpack
from spotlaunch.storage.database import Database, Kind
from spotlaunch.storage.queries import FOLDER, migrations, queries

# Answers are kept for so long. Who asks says how fresh they must be, which is minutes.
KEEP_ANSWERS_S = 3600.0

MARKET = Kind(
    name="the market's memory",
    steps=partial(migrations, FOLDER / "market"),
    damaged="remove market.db (and market.db-wal, market.db-shm): it holds prices to look at, and no job. "
    "The history of prices begins anew",
    synced=False,
)


def open_market(home: Home) -> MarketStore:
    """The market's memory of this home, made if it is missing. Raises `StoreUnavailable` when it cannot be used."""
    return MarketStore(home.prepare().market)


class MarketStore:
    """A `MarketMemory` in one file (or in memory), for several threads and processes at once.

    Raises `StoreUnavailable`, here and in every method.
    """

    def __init__(self, path: Path | Literal[":memory:"]) -> None:
        self._db = Database(path, kind=MARKET)
        self._q = queries(FOLDER / "market")

    def close(self) -> None:
        """Let go of the file. A second time does nothing."""
        self._db.close()

    # -- answers ----------------------------------------------------------------------------------------

    def recall(self, want: Want, *, settings: Mapping[str, str], since: float, until: float) -> dict[str, Answer]:
        found: dict[str, Answer] = {}
        with self._db.reading() as sql:
            kept = sql.execute(self._q["fresh_answers"], (since, until)).fetchall()
            # The same want's answer first, then the newest of wider ones.
            kept = sorted(((_want(r[3]) != want, n, *r) for n, r in enumerate(kept)), key=lambda r: r[:2])
            for wider, _, row, provider, fingerprint, asked in kept:
                if provider in found or settings.get(provider) != fingerprint:
                    continue
                wide = _want(asked)
                if wide is not None and covers(wide, want):
                    with suppress(ValueError):  # of another version, or damaged: as if it were not there
                        found[provider] = self._answer(sql, row, want if wider else None)
        return found

    def _answer(self, sql: sqlite3.Connection, row: int, narrow: Want | None) -> Answer:
        found = sql.execute(self._q["answer"], (row,)).fetchone()
        provider, asked_at, start_s, prices_only, missing, count, head, codes = found
        keep = None if narrow is None or not narrow.gpus else partial(serves, narrow.gpus)
        return Answer(
            provider=provider,
            asked_at=asked_at,
            offers=tuple(unpack(head, codes, count, keep=keep)),
            start_s=start_s,
            prices_only=prices_only,
            missing=tuple(json.loads(missing)),
        )

    def remember(self, answer: Answer, want: Want, *, settings: str) -> None:
        head, codes = pack(answer.offers)
        key = (answer.provider, settings, json.dumps(asdict(want)))
        missing = json.dumps(answer.missing)
        cells = (answer.asked_at, answer.start_s, answer.prices_only, missing, len(answer.offers), head, codes)
        with self._db.writing() as sql:
            sql.execute(self._q["put_answer"], (*key, *cells))
            now = answer.asked_at
            sql.execute(self._q["forget_answers"], (now - KEEP_ANSWERS_S, now + KEEP_ANSWERS_S))

    # -- prices -----------------------------------------------------------------------------------------

    def note_prices(self, offers: Iterable[Offer], *, now: float) -> int:
        with self._db.writing() as sql:
            changed = pricebook.note(sql, self._q, offers, now=now)
            pricebook.prune(sql, self._q, now=now)
        return changed

    def history(self, gpu: str, *, since: float, until: float) -> tuple[PoolPrices, ...]:
        """What each pool of ``gpu`` (a canonical name or a family) cost between two times, in seconds.

        Each begins with the change that was in force at ``since``, where the pool was known by then.
        """
        with self._db.reading() as sql:
            names = sorted(name for (name,) in sql.execute(self._q["gpus"]) if gpu_matches(gpu, name))
            found = [pricebook.read(sql, self._q, name, since=since, until=until) for name in names]
        return tuple(pool for pools in found for pool in pools)

    def gpus(self) -> list[str]:
        """Every GPU in the history, by name."""
        with self._db.reading() as sql:
            return sorted(name for (name,) in sql.execute(self._q["gpus"]))


def _want(text: str) -> Want | None:
    """A want as it was written down. None for one of another version."""
    try:
        found: dict[str, Any] = json.loads(text)
        gpus = tuple((str(name), int(count)) for name, count in found.pop("gpus"))
        return Want(**{**found, "gpus": gpus, "markets": tuple(found["markets"])})
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
