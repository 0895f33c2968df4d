"""The book on disk: `Store` of ports.py on SQLite. Invents nothing, and guards each change."""

from __future__ import annotations

import difflib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from spotlaunch.core.book import Attempt, Book, Event, Job, Machine, Refusal, Wanted
from spotlaunch.core.facts import Pool
from spotlaunch.core.ledger import Bill, Billed, machine_bill
from spotlaunch.core.lessons import Learned
from spotlaunch.core.plan import AddAttempt, AddEvent, AddMachine, PutRefusal, SetAttempt, SetJob, SetMachine, Write
from spotlaunch.core.rates import Lived
from spotlaunch.errors import AlreadyExists, NoSuchJob, StaleWrite
from spotlaunch.home import Home
from spotlaunch.ports import Lease
from spotlaunch.storage import lease as leases
from spotlaunch.storage import rows
from spotlaunch.storage.database import Database
from spotlaunch.storage.learning import Learning
from spotlaunch.storage.queries import queries

_NANO = Decimal("1e-9")
_TAKEN = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


def open_store(home: Home) -> SqliteStore:
    """The book of this home, made if it is missing. Raises `StoreUnavailable` when it cannot be used."""
    # The seed marks our machines in every cloud; it counts only when the book is first made.
    return SqliteStore(home.prepare().database, owner_seed=os.urandom(16).hex())


class SqliteStore:
    """A `Store` in one file (or in memory), for several threads and processes at once.

    ``owner`` marks our machines in every cloud: six hex digits, made of ``owner_seed`` when the book is
    first made, and the book's ever after. Raises `StoreUnavailable`, here and in every method.
    """

    def __init__(self, path: Path | Literal[":memory:"], *, owner_seed: str) -> None:
        self._db = Database(path)
        self._q = queries()
        self.learning = Learning(self._db)
        # What was read last, and the mark of that moment (see the query `others`); None: we have moved it since.
        self._read: tuple[int, Book] | None = None
        try:
            self.owner = self._settle_owner(owner_seed)
        except BaseException:
            self._db.close()
            raise

    def _settle_owner(self, seed: str) -> str:
        with self._db.reading() as sql:
            row = sql.execute(self._q["meta"], ("owner",)).fetchone()
        if row is None:
            made = hashlib.sha256(seed.encode()).hexdigest()[:6]
            with self._db.writing() as sql:
                sql.execute(self._q["add_meta"], ("owner", made))
                row = sql.execute(self._q["meta"], ("owner",)).fetchone()
        return str(row[0])

    def close(self) -> None:
        """Let go of the file. A second time does nothing."""
        self._db.close()

    # -- the lease --------------------------------------------------------------------------------------

    def take_lease(self, lease: Lease, *, now: float, dead: str = "") -> None:
        with self._db.writing() as sql:
            leases.take(sql, lease, now=now, dead=dead)

    def renew_lease(self, token: str, *, until: float) -> None:
        with self._db.writing() as sql:
            leases.renew(sql, token, until=until)

    def release_lease(self, token: str) -> None:
        with self._db.writing() as sql:
            leases.release(sql, token)

    def lease(self) -> Lease | None:
        with self._db.reading() as sql:
            return leases.held(sql)

    # -- the loop ---------------------------------------------------------------------------------------

    def read_book(self) -> Book:
        with self._db.reading() as sql:
            mark = sql.execute(self._q["others"]).fetchone()[0]
            if self._read is None or self._read[0] != mark:
                self._read = mark, self._whole(sql)
            return self._read[1]

    def _whole(self, sql: sqlite3.Connection) -> Book:
        jobs = [rows.job_of(r) for r in sql.execute(self._q["live_jobs"])]
        bills = _bills(sql.execute(self._q["live_bills"]))
        nothing = Bill()
        return Book(
            jobs=tuple(jobs),
            attempts=tuple(map(rows.attempt_of, sql.execute(self._q["live_attempts"]))),
            machines=tuple(map(rows.machine_of, sql.execute(self._q["live_machines"]))),
            refusals=tuple(map(rows.refusal_of, sql.execute(self._q["all_refusals"]))),
            spent_usd={j.name: bills.get(j.name, nothing).spent_usd for j in jobs},
            ran_s={j.name: bills.get(j.name, nothing).seconds for j in jobs},
        )

    def apply(self, writes: Sequence[Write], *, token: str | None = None) -> None:
        if not writes and token is None:
            return
        with self._db.writing() as sql:
            if token is not None:
                leases.require(sql, token)
            if writes:
                self._read = None
            for write in writes:
                self._write(sql, write)

    def _write(self, sql: sqlite3.Connection, write: Write) -> None:
        match write:
            case SetJob(name=name, frm=frm, changes=changes):
                self._change(sql, Job, "set_job", changes, (name, frm), f"job {name} is no longer {frm}")
            case SetAttempt(job=job, number=number, changes=changes):
                stale = f"attempt {number} of {job} is no longer live"
                self._change(sql, Attempt, "set_attempt", changes, (job, number), stale)
            case SetMachine(launch_key=key, frm=frm, changes=changes):
                self._change(sql, Machine, "set_machine", changes, (key, frm), f"machine {key} is no longer {frm}")
                if changes.get("state", frm) == "ended":
                    self._settle_bill(sql, rows.machine_of(sql.execute(self._q["machine"], (key,)).fetchone()))
            case AddAttempt(attempt=a):
                self._add(sql, "add_attempt", a, StaleWrite(f"attempt {a.number} of {a.job} has been begun before"))
            case AddMachine(machine=m):
                self._add(sql, "add_machine", m, StaleWrite(f"machine {m.launch_key} has been written down before"))
                if m.state == "ended":
                    self._settle_bill(sql, m)
            case PutRefusal(refusal=refusal):
                sql.execute(self._q["put_refusal"], rows.row_of(refusal))
                self.learning.note(sql, refusal)
            case AddEvent(event=event):
                sql.execute(self._q["add_event"], rows.row_of(event))

    def _change(
        self,
        sql: sqlite3.Connection,
        kind: type,
        query: str,
        changes: Mapping[str, Any],
        where: tuple[Any, ...],
        stale: str,
    ) -> None:
        """A guarded update. No row changed: somebody was quicker, or there never was one."""
        statement = rows.assignments(kind, tuple(changes), self._q[query])
        if sql.execute(statement, [*rows.cells_of(kind, changes), *where]).rowcount != 1:
            raise StaleWrite(stale)

    def _add(self, sql: sqlite3.Connection, query: str, value: Job | Attempt | Machine, taken: Exception) -> None:
        """An insert. Raises ``taken`` when there is one of that name."""
        try:
            sql.execute(self._q[query], rows.row_of(value))
        except sqlite3.IntegrityError as e:
            if e.sqlite_errorcode in _TAKEN:
                raise taken from e
            raise

    def _settle_bill(self, sql: sqlite3.Connection, machine: Machine) -> None:
        if machine.up_at is not None and machine.ended_at is None:
            raise ValueError(f"machine {machine.launch_key} has ended, but when?")
        # The time of asking does not matter: an ended machine bills until it ended.
        bill = machine_bill(machine, machine.ended_at or 0.0)
        cells = (int(bill.spent_usd / _NANO), int(bill.on_demand_usd / _NANO), round(bill.seconds * 1_000_000))
        sql.execute(self._q["set_bill"], (*cells, machine.launch_key))

    # -- the commands -----------------------------------------------------------------------------------

    def add_job(self, job: Job, event: Event) -> None:
        taken = AlreadyExists(
            f"there is a job called {job.name} already",
            hint=f"choose another name, or look at it with `spotlaunch status {job.name}`",
        )
        with self._db.writing() as sql:
            self._read = None
            self._add(sql, "add_job", job, taken)
            sql.execute(self._q["add_event"], rows.row_of(event))

    def want(self, name: str, wanted: Wanted, *, at: float, event: Event) -> None:
        with self._db.writing() as sql:
            self._read = None
            if sql.execute(self._q["want"], (wanted, at, name)).rowcount == 0:
                row = sql.execute(self._q["job_state"], (name,)).fetchone()
                if row is None:
                    raise self._no_such_job(sql, name)
                raise StaleWrite(f"job {name} is over: {row[0]}")
            sql.execute(self._q["add_event"], rows.row_of(event))

    def job(self, name: str) -> Job:
        """One job. Raises `NoSuchJob`, with names that are close."""
        with self._db.reading() as sql:
            row = sql.execute(self._q["job"], (name,)).fetchone()
            if row is None:
                raise self._no_such_job(sql, name)
            return rows.job_of(row)

    def jobs(self, *, names: Sequence[str] = ()) -> list[Job]:
        with self._db.reading() as sql:
            found = [rows.job_of(r) for r in sql.execute(self._q["all_jobs"])] if not names else []
            for name in dict.fromkeys(names):
                found.extend(rows.job_of(r) for r in sql.execute(self._q["job"], (name,)))
        return sorted(found, key=lambda j: j.submitted_at)

    def attempts(self, job: str = "") -> list[Attempt]:
        with self._db.reading() as sql:
            found = sql.execute(self._q["attempts_of_job"], (job,)) if job else sql.execute(self._q["all_attempts"])
            return [rows.attempt_of(r) for r in found]

    def machines(self, job: str = "") -> list[Machine]:
        with self._db.reading() as sql:
            found = sql.execute(self._q["machines_of_job"], (job,)) if job else sql.execute(self._q["all_machines"])
            return [rows.machine_of(r) for r in found]

    def newest_machines(self) -> dict[str, Machine]:
        """By job, the machine intended last."""
        with self._db.reading() as sql:
            found = [rows.machine_of(r) for r in sql.execute(self._q["newest_machines"])]
        return {m.job: m for m in found}

    def bills(self) -> dict[str, Bill]:
        """By job, what its *ended* machines cost. Jobs without any are missing."""
        with self._db.reading() as sql:
            return _bills(sql.execute(self._q["all_bills"]))

    def note_billed(self, found: Iterable[Billed]) -> None:
        """Keep what providers say that machines have cost, each in the place of what they said before."""
        with self._db.writing() as sql:
            sql.executemany(self._q["put_billed"], map(rows.billed_row, found))

    def billed(self) -> dict[str, Billed]:
        """By launch key, what a provider said last. Machines that none was asked about are missing."""
        with self._db.reading() as sql:
            return {b.launch_key: b for b in map(rows.billed_of, sql.execute(self._q["all_billed"]))}

    def learned(self, *, now: float) -> Learned:
        return self.learning.learned(self.pool_history(now=now), now=now)

    def pool_history(self, *, now: float) -> Mapping[Pool, Lived]:
        """By pool, of all machines that were ever up: hours up until ``now``, and how many were taken or lost.

        One that we ended ourselves has hours and no interruption. Pools never used are missing.
        """
        with self._db.reading() as sql:
            return {
                Pool(provider=r[0], region=r[1], zone=r[2], instance_type=r[3], market=r[4]): Lived(
                    interruptions=r[5], hours=r[6]
                )
                for r in sql.execute(self._q["pool_history"], (now,))
            }

    def refusals(self) -> list[Refusal]:
        with self._db.reading() as sql:
            return [rows.refusal_of(r) for r in sql.execute(self._q["all_refusals"])]

    def events(self, job: str, *, after: int = 0) -> list[tuple[int, Event]]:
        with self._db.reading() as sql:
            return [(r[0], rows.event_of(r[1:])) for r in sql.execute(self._q["events_of_job"], (job, after))]

    def _no_such_job(self, sql: sqlite3.Connection, name: str) -> NoSuchJob:
        names = [r[0] for r in sql.execute(self._q["job_names"])]
        close = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "`spotlaunch status` lists all jobs"
        return NoSuchJob(f"there is no job called {name!r}", hint=hint)


def _bills(found: Iterable[tuple[str, int, int, int]]) -> dict[str, Bill]:
    return {
        job: Bill(spent_usd=spent * _NANO, on_demand_usd=on_demand * _NANO, seconds=microseconds / 1_000_000)
        for job, spent, on_demand, microseconds in found
    }
