"""One SQLite file: opening it, bringing it up to date, transactions, and errors in words for people.

Knows nothing of jobs and prices. Why SQLite, why WAL and why every commit is synced: docs/decisions/0001-sqlite.md.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spotlaunch.errors import StoreUnavailable
from spotlaunch.storage.queries import migrations, statements

BUSY_TIMEOUT_S = 10.0
_ELSEWHERE = "or set SPOTLAUNCH_HOME to another folder"

# By SQLite's primary result code (the low byte of its extended ones): what happened, and what to do.
_REASONS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", f"free some space on that disk, {_ELSEWHERE}"),
    sqlite3.SQLITE_READONLY: ("it is read-only", f"make the file and its folder writable for you, {_ELSEWHERE}"),
    sqlite3.SQLITE_PERM: ("permission denied", f"make the file and its folder writable for you, {_ELSEWHERE}"),
    sqlite3.SQLITE_AUTH: ("permission denied", f"make the file and its folder writable for you, {_ELSEWHERE}"),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        f"see that its folder exists, is yours, and that the disk is not full, {_ELSEWHERE}",
    ),
    sqlite3.SQLITE_BUSY: (
        f"another process has been writing to it for {BUSY_TIMEOUT_S:.0f} seconds",
        "try again; if that does not help, look for a spotlaunch process that hangs",
    ),
    sqlite3.SQLITE_LOCKED: ("another connection holds it", "try again"),
    sqlite3.SQLITE_IOERR: (
        "the disk does not let it be read or written",
        f"see that the disk is neither full nor failing, {_ELSEWHERE}",
    ),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", "move it away and start anew"),
    sqlite3.SQLITE_NOTADB: ("that file is no SQLite database", f"move it away, {_ELSEWHERE}"),
}

# These SQLite also says when a companion file (-wal, -shm) could not be made or made longer.
_VAGUE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What a database holds: its ``name`` in messages, its migrations, and what to do when it is ``damaged``.

    ``synced``: a commit is on the disk before the call returns. Without it the last ones may be lost with the
    power, never the file.
    """

    name: str
    steps: Callable[[], list[tuple[int, str]]]
    damaged: str
    synced: bool = True


BOOK = Kind(
    name="the book",
    steps=lambda: migrations(),
    damaged="move it away and start anew; `sqlite3 book.db .recover` may save what it held. Machines may still be "
    "running: end those named sl-* with each provider's own tools",
)


class Database:
    """One connection, for any number of threads, which take turns."""

    def __init__(self, path: Path | Literal[":memory:"], *, kind: Kind = BOOK) -> None:
        """Opens or makes the file (0600) and brings it up to date. Raises `StoreUnavailable`."""
        self.path = path
        self._kind = kind
        self._turn = threading.RLock()
        if isinstance(path, Path):
            _make_file(path, kind)
        with self._readable():
            self._sql = sqlite3.connect(
                path,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,  # transactions are begun below, by name
                check_same_thread=False,  # the lock sees to it
                cached_statements=512,
            )
        try:
            self._open()
        except BaseException:
            self._sql.close()
            raise

    def close(self) -> None:
        """Let go of the file. A second time does nothing."""
        with self._turn:
            self._sql.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All reads inside see one and the same state."""
        with self._transaction("BEGIN") as sql:
            yield sql

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All writes inside happen, or none. Other writers wait outside from the first line on."""
        with self._transaction("BEGIN IMMEDIATE") as sql:
            yield sql

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._turn, self._readable():
            self._sql.execute(begin)
            try:
                yield self._sql
                self._sql.execute("COMMIT")
            finally:
                if self._sql.in_transaction:  # something was raised, maybe by COMMIT itself
                    self._sql.execute("ROLLBACK")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turns SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as e:
            raise unavailable(e, self.path, self._kind) from e
        except UnicodeEncodeError as e:
            # Half a letter (a lone surrogate) can come out of a cloud's JSON, and into no database.
            raise StoreUnavailable(
                f"{self._kind.name} {self.path} cannot hold a text with half a letter in it", hint="please report this"
            ) from e

    def _open(self) -> None:
        with self._readable():
            self._refuse_strangers()
            self._use_wal()
            # FULL: a commit is on the disk before the deed that it announces.
            self._sql.execute(f"PRAGMA synchronous = {'FULL' if self._kind.synced else 'NORMAL'}")
            # Keeps the log from staying as large as it once had to be.
            self._sql.execute("PRAGMA journal_size_limit = 16777216")
        steps = self._kind.steps()
        if self._version() < steps[-1][0]:
            self._migrate(steps)

    def _version(self) -> int:
        return int(self._sql.execute("PRAGMA user_version").fetchone()[0])

    def _refuse_strangers(self) -> None:
        """Before anything is written: is this one of ours, and do we know its version?"""
        found, newest = self._version(), self._kind.steps()[-1][0]
        if found > newest:
            raise StoreUnavailable(
                f"{self.path} was written by a newer spotlaunch (version {found} of {self._kind.name}; "
                f"this one knows up to {newest})",
                hint=f"upgrade spotlaunch, {_ELSEWHERE}",
            )
        tables = self._sql.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        # One that another process is making right now gets its tables and its version in one transaction,
        # so a second look at the version tells it from a stranger's database.
        if found == 0 and tables and self._version() == 0:
            raise StoreUnavailable(
                f"{self.path} is a database, but not one of spotlaunch's", hint=f"move it away, {_ELSEWHERE}"
            )

    def _use_wal(self) -> None:
        """Readers then never wait for the writer. Two processes that make the file at once may both be told
        "busy" here without SQLite's own patience, hence this one."""
        give_up_at = time.monotonic() + BUSY_TIMEOUT_S
        while self._sql.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            try:
                if self._sql.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                    return  # this file system cannot: slower, not less safe
            except sqlite3.OperationalError as e:
                if _code(e) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.01)

    def _migrate(self, steps: list[tuple[int, str]]) -> None:
        """One step, one transaction. Whoever waited for another process finds the step done."""
        for version, script in steps:
            with self.writing() as sql:
                if self._version() >= version:
                    continue
                for statement in statements(script):
                    sql.execute(statement)
                sql.execute(f"PRAGMA user_version = {version}")


def unavailable(error: sqlite3.Error, path: Path | str, kind: Kind = BOOK) -> StoreUnavailable:
    """What SQLite said, as an error for people: what, where, and what to do."""
    code = _code(error)
    if code in _VAGUE and isinstance(path, Path):
        code = _seen_on_disk(path.parent) or code
    what, hint = _REASONS.get(code, (f"{type(error).__name__}: {error}", "please report this"))
    hint = kind.damaged if code == sqlite3.SQLITE_CORRUPT else hint
    detail = "" if str(error) in what else f" ({error})"
    return StoreUnavailable(f"{kind.name} {path} cannot be used: {what}{detail}", hint=hint)


def _seen_on_disk(folder: Path) -> int:
    """What SQLite met but did not name: the code of a read-only or a full disk; 0 where it is neither."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 0
    if disk.f_flag & os.ST_RDONLY:
        return sqlite3.SQLITE_READONLY
    return sqlite3.SQLITE_FULL if disk.f_bavail == 0 else 0


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; -1 where the error comes from Python's own side."""
    code = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def _make_file(path: Path, kind: Kind) -> None:
    """An empty file for its owner only; SQLite gives its companions the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        # Not opened here: closing any descriptor of a file drops the locks that SQLite holds on it.
        return
    except OSError as e:
        raise StoreUnavailable(
            f"{kind.name} {path} cannot be made: {e.strerror or e}",
            hint=f"see that {path.parent} exists, is writable for you, and that the disk is not full, {_ELSEWHERE}",
        ) from e
