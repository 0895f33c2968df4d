from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from spotlaunch.core.book import Attempt, Event, Job, Machine, Refusal
from spotlaunch.core.plan import AddEvent
from spotlaunch.errors import StoreUnavailable
from spotlaunch.storage import database, queries
from spotlaunch.storage.store import SqliteStore
from tests.storage.samples import a_job, an_event

ROOT = Path(__file__).parent.parent.parent


def run(code: str, *args: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, with this repository at hand."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        **options,  # type: ignore[call-overload]
    )


# -- versions -----------------------------------------------------------------------------------------


def version(path: Path) -> int:
    sql = sqlite3.connect(path)
    found = int(sql.execute("PRAGMA user_version").fetchone()[0])
    sql.close()
    return found


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [n for n, _ in queries.migrations()] == list(range(1, len(queries.migrations()) + 1))


def test_an_empty_file_becomes_a_book_of_the_newest_version(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    path.touch()
    SqliteStore(path, owner_seed="s").close()
    assert version(path) == queries.migrations()[-1][0]


def test_a_book_of_version_1_keeps_its_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "book.db"
    first = queries.migrations()[:1]
    sql = sqlite3.connect(path)
    sql.executescript(first[0][1] + "PRAGMA user_version = 1;")
    names = [r[1] for r in sql.execute("PRAGMA table_info(jobs)")]
    old = a_job()
    values = {f.name: getattr(old, f.name) for f in fields(Job)} | {"spec": '{"name": "digits"}'}
    sql.execute(f"INSERT INTO jobs VALUES ({', '.join('?' * len(names))})", [values[n] for n in names])
    sql.commit()
    sql.close()
    later = (
        len(queries.migrations()) + 1,
        "-- one more\nALTER TABLE jobs ADD COLUMN colour TEXT;\nCREATE TABLE x (a);",
    )
    monkeypatch.setattr(database, "migrations", lambda: [*queries.migrations(), later])

    store = SqliteStore(path, owner_seed="s")
    store.want("digits", "cancel", at=1.0, event=an_event())
    store.close()
    assert version(path) == later[0]
    sql = sqlite3.connect(path)
    assert sql.execute("SELECT name, wanted, colour FROM jobs").fetchall() == [("digits", "cancel", None)]
    sql.close()


def test_a_migration_that_fails_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "book.db"
    SqliteStore(path, owner_seed="s").close()
    before = version(path)
    bad = (before + 1, "CREATE TABLE half (a);\nCREATE TABLE jobs (a);")
    monkeypatch.setattr(database, "migrations", lambda: [*queries.migrations(), bad])
    with pytest.raises(StoreUnavailable, match="already exists"):
        SqliteStore(path, owner_seed="s")
    assert version(path) == before
    sql = sqlite3.connect(path)
    assert sql.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    sql.close()


def test_a_book_of_a_newer_spotlaunch_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    SqliteStore(path, owner_seed="s").close()
    sql = sqlite3.connect(path)
    sql.execute("PRAGMA user_version = 99")
    sql.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="newer spotlaunch") as caught:
        SqliteStore(path, owner_seed="s")
    assert "upgrade" in caught.value.hint
    assert path.read_bytes() == before


def test_every_field_of_the_book_has_its_column(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "b", owner_seed="s").close()
    sql = sqlite3.connect(tmp_path / "b")
    for table, kind in (
        ("jobs", Job),
        ("attempts", Attempt),
        ("machines", Machine),
        ("refusals", Refusal),
        ("events", Event),
    ):
        columns = {r[1] for r in sql.execute(f"PRAGMA table_info({table})")}
        assert {f.name for f in fields(kind)} - {"pool", "scope"} <= columns
    sql.close()


# -- what can be wrong with a file ---------------------------------------------------------------------


def test_a_text_file_is_no_book(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    path.write_text("dear diary " * 500)
    with pytest.raises(StoreUnavailable, match="no SQLite database") as caught:
        SqliteStore(path, owner_seed="s")
    assert str(path) in caught.value.message
    assert "move it away" in caught.value.hint
    assert path.read_text() == "dear diary " * 500


def test_a_database_of_something_else_is_no_book(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    sql = sqlite3.connect(path)
    sql.execute("CREATE TABLE recipes (name)")
    sql.close()
    with pytest.raises(StoreUnavailable, match="not one of spotlaunch's"):
        SqliteStore(path, owner_seed="s")


def test_a_damaged_book_says_so(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    store = SqliteStore(path, owner_seed="s")
    for n in range(200):
        store.add_job(a_job(f"job-{n}"), an_event(f"job-{n}"))
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as f:
        f.seek(4096)
        f.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreUnavailable, match="damaged") as caught:
        SqliteStore(path, owner_seed="s").read_book()
    assert "sl-*" in caught.value.hint


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file") as caught:
        SqliteStore(tmp_path / "nowhere" / "book.db", owner_seed="s")
    assert "SPOTLAUNCH_HOME" in caught.value.hint


AS_NOBODY = """
    import os, sys
    from pathlib import Path
    from spotlaunch.errors import StoreUnavailable
    from spotlaunch.storage.store import SqliteStore
    from tests.storage.samples import a_job, an_event
    if os.getuid() == 0:  # permissions do not apply to root
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    try:
        store = SqliteStore(Path(sys.argv[1]), owner_seed="s")
        store.add_job(a_job(), an_event())
    except StoreUnavailable as e:
        print(e.message); print(e.hint)
"""


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that a process of another user can reach (pytest's own are not)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_read_only_folder_says_so(open_to_all: Path) -> None:
    home = open_to_all / "ro"
    home.mkdir()
    home.chmod(0o555)
    done = run(AS_NOBODY, home / "book.db")
    assert "cannot be made: Permission denied" in done.stdout, done
    assert "SPOTLAUNCH_HOME" in done.stdout


def test_a_read_only_book_says_so_and_is_untouched(open_to_all: Path) -> None:
    home = open_to_all / "ro"
    home.mkdir()
    SqliteStore(home / "book.db", owner_seed="s").close()
    before = (home / "book.db").read_bytes()
    (home / "book.db").chmod(0o444)
    home.chmod(0o555)
    done = run(AS_NOBODY, home / "book.db")
    assert "cannot be used" in done.stdout, done
    assert "writable for you" in done.stdout or "is yours" in done.stdout, done
    assert (home / "book.db").read_bytes() == before


# -- a full disk --------------------------------------------------------------------------------------


def test_a_full_database_says_so_and_loses_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "book.db", owner_seed="s")
    store.add_job(a_job(), an_event())
    with store._db.reading() as sql:  # SQLite's own picture of a full disk
        pages = sql.execute("PRAGMA page_count").fetchone()[0]
        sql.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="the disk is full") as caught:
        store.apply([AddEvent(event=an_event(text="x" * 100_000))])
    assert "free some space" in caught.value.hint
    assert [e.kind for _, e in store.events("digits")] == ["submitted"]
    with store._db.reading() as sql:
        sql.execute("PRAGMA max_page_count = 1000000")
    store.apply([AddEvent(event=an_event(text="x" * 100_000))])
    assert len(store.events("digits")) == 2
    store.close()


def test_a_file_that_may_not_grow_says_so_and_loses_nothing(tmp_path: Path) -> None:
    code = """
        import resource, signal, sys
        from pathlib import Path
        from spotlaunch.core.plan import (AddEvent)
        from spotlaunch.errors import StoreUnavailable
        from spotlaunch.storage.store import SqliteStore
        from tests.storage.samples import a_job, an_event
        store = SqliteStore(Path(sys.argv[1]), owner_seed="s")
        store.add_job(a_job(), an_event())
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        written = 0
        try:
            for written in range(100):
                store.apply([AddEvent(event=an_event(text="x" * 10_000))])
        except StoreUnavailable as e:
            print(e.message); print(e.hint)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert len(store.events("digits")) == 1 + written, written
        store.apply([AddEvent(event=an_event())])
        print("fine again after", written)
    """
    done = run(code, tmp_path / "book.db")
    assert "cannot be used" in done.stdout, done
    assert "full" in done.stdout, done
    assert "fine again after" in done.stdout, done
    sql = sqlite3.connect(tmp_path / "book.db")
    assert sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    sql.close()


# -- several processes --------------------------------------------------------------------------------


def together(code: str, count: int, path: Path) -> list[str]:
    """What ``count`` processes print that start the same work at the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(path), str(n)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(count)
    ]
    for p in processes:
        assert p.stdin
        p.stdin.write("go\n")
        p.stdin.flush()
    answers = [p.communicate(timeout=60) for p in processes]
    assert [err for _, err in answers if err] == []
    return [out for out, _ in answers]


def test_many_processes_may_make_the_book_at_once_and_agree_on_its_owner(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from spotlaunch.storage.store import SqliteStore
        sys.stdin.readline()
        print(SqliteStore(Path(sys.argv[1]), owner_seed=sys.argv[2]).owner)
    """
    assert len(set(together(code, 6, tmp_path / "book.db"))) == 1


def test_of_two_processes_that_write_the_same_thing_one_is_told_it_was_stale(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from spotlaunch.core.plan import (AddAttempt)
        from spotlaunch.errors import StaleWrite
        from spotlaunch.storage.store import SqliteStore
        from tests.storage.samples import an_attempt
        store = SqliteStore(Path(sys.argv[1]), owner_seed="s")
        sys.stdin.readline()
        for number in range(1, 101):
            try:
                store.apply([AddAttempt(attempt=an_attempt(number=number, reason=sys.argv[2]))])
                print(number)
            except StaleWrite:
                pass
    """
    answers = together(code, 2, tmp_path / "book.db")
    won = [int(n) for answer in answers for n in answer.split()]
    assert sorted(won) == list(range(1, 101))
    store = SqliteStore(tmp_path / "book.db", owner_seed="s")
    for process, answer in enumerate(answers):
        assert [str(a.number) for a in store.attempts("digits") if a.reason == str(process)] == answer.split()
    store.close()


def test_a_killed_process_leaves_a_book_that_opens(tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from pathlib import Path
        from spotlaunch.storage.store import SqliteStore
        from tests.storage.samples import a_job, an_event
        store = SqliteStore(Path(sys.argv[1]), owner_seed="s")
        store.add_job(a_job("kept"), an_event("kept"))
        with store._db.writing() as sql:
            sql.execute("UPDATE jobs SET state = 'failed'")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run(code, tmp_path / "book.db").returncode == -9
    store = SqliteStore(tmp_path / "book.db", owner_seed="s")
    assert [(j.name, j.state) for j in store.jobs()] == [("kept", "queued")]
    store.close()


def test_a_writer_that_does_not_let_go_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    store = SqliteStore(tmp_path / "book.db", owner_seed="s")
    other = sqlite3.connect(tmp_path / "book.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process") as caught:
        store.add_job(a_job(), an_event())
    assert "try again" in caught.value.hint
    assert store.jobs() == []  # reading needs nobody's leave
    other.execute("ROLLBACK")
    store.add_job(a_job(), an_event())
    other.close()
    store.close()


@pytest.mark.parametrize(
    ("flags", "blocks", "says"),
    [(os.ST_RDONLY, 0, "it is read-only"), (0, 0, "the disk is full"), (0, 9, "it cannot be opened")],
)
def test_where_sqlite_only_says_that_a_file_cannot_be_opened_the_disk_is_asked_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, blocks: int, says: str
) -> None:
    disk = SimpleNamespace(f_flag=flags, f_bavail=blocks)
    monkeypatch.setattr("spotlaunch.storage.database.os.statvfs", lambda folder: disk)
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    assert says in database.unavailable(error, tmp_path / "book.db").message
