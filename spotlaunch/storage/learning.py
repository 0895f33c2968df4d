"""What the book has learned of pools: counted from its machines, attempts and refusals, and imported from others."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from spotlaunch.core.book import Refusal
from spotlaunch.core.facts import Market, Pool
from spotlaunch.core.lessons import BOOTS_KEPT, Learned, Lesson, Source, learned_from, newer
from spotlaunch.core.rates import Lived
from spotlaunch.core.seasons import HOUR_S, WEEK_H, by_hour_of_week, hour_of_week
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
        self._counted: tuple[float, Learned] | None = None  # without hours of our own

    def learned(self, lived: Mapping[Pool, Lived], *, now: float) -> Learned:
        """Everything together. ``lived`` is fresh; the rest was counted within the last `COUNTED_EVERY_S`."""
        counted = self._counted
        if counted is None or not 0 <= now - counted[0] < COUNTED_EVERY_S:
            imported = [lesson for source in self.imported() for lesson in source.lessons]
            counted = self._counted = (now, learned_from(self.own(now=now), imported, lived={}))
        return counted[1].beside(lived)

    def own(self, *, now: float, since: float = 0.0) -> list[Lesson]:
        """What this book saw of each pool from ``since`` on, by pool."""
        # By the bare cells of a place: a book has many machines, and few pools.
        seen: defaultdict[tuple[str, ...], _Seen] = defaultdict(_Seen)
        gpus: dict[tuple[str, str], tuple[str, int]] = {}
        with self._db.reading() as sql:
            for row in sql.execute(self._q["lived"], {"now": now, "since": since}):
                place, (gpu, count, up_at, end, taken) = row[:5], row[5:]
                gpus[place[0], place[3]] = gpu, count
                seen[place].live(max(up_at, since), end, taken)
                if up_at >= since:
                    seen[place].ask(int(up_at // HOUR_S), granted=1)
            for *place, hour, count in sql.execute(self._q["refused"], (int(since // HOUR_S),)):
                seen[tuple(place)].ask(hour, refused=count)
            for *place, boot_s in sql.execute(self._q["boots"], (since,)):
                seen[tuple(place)].boots_s.append(boot_s)
        return [
            found.lesson(_pool(place), *gpus.get((place[0], place[3]), ("", 0)))
            for place, found in sorted(seen.items(), key=lambda x: x[0])
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
        self.hours = [0.0] * WEEK_H
        self.taken = [0] * WEEK_H
        self.tries: dict[int, tuple[float, float]] = {}
        self.boots_s: list[float] = []  # the newest first

    def live(self, since: float, until: float, taken: int) -> None:
        for hour, hours in by_hour_of_week(since, until):
            self.hours[hour] += hours
        if taken:
            self.taken[hour_of_week(until)] += 1

    def ask(self, hour: int, *, granted: int = 0, refused: int = 0) -> None:
        was = self.tries.get(hour, (0.0, 0.0))
        self.tries[hour] = (was[0] + granted, was[1] + refused)

    def lesson(self, pool: Pool, gpu: str, gpu_count: int) -> Lesson:
        both = enumerate(zip(self.hours, self.taken, strict=True))
        return Lesson(
            pool=pool,
            gpu=gpu,
            gpu_count=gpu_count,
            week={hour: (up, float(taken)) for hour, (up, taken) in both if up or taken},
            tries=self.tries,
            boots_s=tuple(round(s, 1) for s in reversed(self.boots_s[:BOOTS_KEPT])),
        )


def _pool(place: Sequence[str]) -> Pool:
    provider, region, zone, instance_type, market = place
    which: Market = "spot" if market == "spot" else "on-demand"
    return Pool(provider=provider, region=region, zone=zone, instance_type=instance_type, market=which)


def _read(text: str) -> Source:
    return read_source(json.loads(text), "imported")
