"""What the book has learned of pools: counted from its machines, attempts and refusals, and imported from others."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress

from spotlaunch.core.book import Refusal
from spotlaunch.core.facts import Market, Pool
from spotlaunch.core.lessons import BOOTS_KEPT, Learned, Lesson, Source, learned_from, newer
from spotlaunch.core.rates import Lived
from spotlaunch.core.seasons import HOUR_S, by_hour_of_week, hour_of_week
from spotlaunch.storage.database import Database
from spotlaunch.storage.lessonfile import read_source, source_json
from spotlaunch.storage.queries import FOLDER, queries

# What is counted by the hour is counted anew so often: all machines there ever were are looked at for it.
COUNTED_EVERY_S = 300.0

_LEARNER = "learner"


class Learning:
    """Reads and keeps lessons in an open book. Raises `StoreUnavailable` in every method."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._q = queries(FOLDER / "learning")
        self._book = queries()
        self._counted: tuple[float, list[Lesson], list[Lesson]] | None = None

    def learned(self, lived: Mapping[Pool, Lived], *, now: float) -> Learned:
        """Everything together. ``lived`` is fresh; the rest was counted within the last `COUNTED_EVERY_S`."""
        counted = self._counted
        if counted is None or not 0 <= now - counted[0] < COUNTED_EVERY_S:
            imported = [lesson for source in self.imported() for lesson in source.lessons]
            counted = self._counted = (now, self.own(now=now), imported)
        return learned_from(counted[1], counted[2], lived=lived)

    def own(self, *, now: float, since: float = 0.0) -> list[Lesson]:
        """What this book saw of each pool from ``since`` on, by pool."""
        seen: dict[Pool, _Seen] = {}
        gpus: dict[tuple[str, str], tuple[str, int]] = {}
        with self._db.reading() as sql:
            for *place, gpu, count, up_at, end, taken in sql.execute(self._q["lived"], {"now": now, "since": since}):
                pool = _pool(place)
                gpus[(pool.provider, pool.instance_type)] = (gpu, count)
                _of(seen, pool).live(max(up_at, since), end, bool(taken))
                if up_at >= since:
                    _of(seen, pool).ask(int(up_at // HOUR_S), granted=1)
            for *place, hour, count in sql.execute(self._q["refused"], (int(since // HOUR_S),)):
                _of(seen, _pool(place)).ask(hour, refused=count)
            for *place, boot_s in sql.execute(self._q["boots"], (since,)):
                _of(seen, _pool(place)).boots_s.append(boot_s)
        return [
            seen[pool].lesson(pool, *gpus.get((pool.provider, pool.instance_type), ("", 0))) for pool in sorted(seen)
        ]

    def imported(self) -> list[Source]:
        """What others saw, as far as this version can read it."""
        found = []
        with self._db.reading() as sql:
            kept = sql.execute(self._q["imported"]).fetchall()
        for _, _, text in kept:
            with suppress(ValueError):  # of another version, or damaged: as if it had not been imported
                found.append(read_source(json.loads(text), "imported"))
        return found

    def export(self, learner: str, *, now: float, leave_out: Iterable[str] = ()) -> list[Source]:
        """What this book saw, and what was imported, each under its own id. ``learner``: see `learner`."""
        left_out = frozenset(leave_out)
        own = tuple(x for x in self.own(now=now) if x.pool.provider not in left_out)
        return [Source(id=learner, as_of=now, lessons=own), *self.imported()]

    def learner(self, drawn: str) -> str:
        """The id of this book in exports: ``drawn`` (hex, at random) when first needed, and the same ever after."""
        with self._db.writing() as sql:
            sql.execute(self._book["add_meta"], (_LEARNER, drawn))
            return str(sql.execute(self._book["meta"], (_LEARNER,)).fetchone()[0])

    def take(self, sources: Iterable[Source]) -> list[Source]:
        """Keep what others saw: of each the newest word, and nothing of our own. Returns those that were news."""
        news: list[Source] = []
        with self._db.writing() as sql:
            row = sql.execute(self._book["meta"], (_LEARNER,)).fetchone()
            kept = {source: text for source, _, text in sql.execute(self._q["imported"])}
            for source in sources:
                text = json.dumps(source_json(source), separators=(",", ":"), sort_keys=True)
                if (row is not None and source.id == row[0]) or text == kept.get(source.id):
                    continue
                with suppress(ValueError):
                    before = kept.get(source.id)
                    if before is not None and newer(_read(before), source) != source:
                        continue
                sql.execute(self._q["put_imported"], (source.id, source.as_of, text))
                kept[source.id] = text
                news.append(source)
        self._counted = None
        return news

    def note(self, sql: sqlite3.Connection, refusal: Refusal) -> None:
        """Count a refusal, inside a transaction of the book's. Only "no capacity" tells of the pool itself."""
        scope = refusal.scope
        if refusal.error == "NoCapacity" and scope.instance_type and scope.market:
            place = (scope.provider, scope.region, scope.zone, scope.instance_type, scope.market)
            sql.execute(self._q["note_refused"], (*place, int(refusal.since // HOUR_S)))


class _Seen:
    """A lesson in the making."""

    def __init__(self) -> None:
        self.week: dict[int, tuple[float, float]] = {}
        self.tries: dict[int, tuple[float, float]] = {}
        self.boots_s: list[float] = []  # the newest first

    def live(self, since: float, until: float, taken: bool) -> None:
        for hour, hours in by_hour_of_week(since, until):
            was = self.week.get(hour, (0.0, 0.0))
            self.week[hour] = (was[0] + hours, was[1])
        if taken:
            hour = hour_of_week(until)
            was = self.week.get(hour, (0.0, 0.0))
            self.week[hour] = (was[0], was[1] + 1)

    def ask(self, hour: int, *, granted: int = 0, refused: int = 0) -> None:
        was = self.tries.get(hour, (0.0, 0.0))
        self.tries[hour] = (was[0] + granted, was[1] + refused)

    def lesson(self, pool: Pool, gpu: str, gpu_count: int) -> Lesson:
        boots_s = tuple(round(s, 1) for s in reversed(self.boots_s[:BOOTS_KEPT]))
        return Lesson(pool=pool, gpu=gpu, gpu_count=gpu_count, week=self.week, tries=self.tries, boots_s=boots_s)


def _of(seen: dict[Pool, _Seen], pool: Pool) -> _Seen:
    found = seen.get(pool)
    if found is None:
        found = seen[pool] = _Seen()
    return found


def _pool(place: list[str]) -> Pool:
    provider, region, zone, instance_type, market = place
    which: Market = "spot" if market == "spot" else "on-demand"
    return Pool(provider=provider, region=region, zone=zone, instance_type=instance_type, market=which)


def _read(text: str) -> Source:
    return read_source(json.loads(text), "imported")
