"""What each pool has lived through, by the book."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.plan import AddMachine
from spotlaunch.core.rates import Lived
from spotlaunch.storage.queries import queries
from spotlaunch.storage.store import SqliteStore
from tests.storage.samples import POOL, a_machine

HOUR = 3600.0
OTHER = replace(POOL, zone="another")


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    made = SqliteStore(":memory:", owner_seed="s")
    yield made
    made.close()


def with_machines(store: SqliteStore, *machines: dict[str, Any]) -> None:
    store.apply([AddMachine(machine=a_machine(attempt=n, **m)) for n, m in enumerate(machines, 1)])


def ended(hours: float, outcome: str | None, **changes: Any) -> dict[str, Any]:
    return {"state": "ended", "up_at": HOUR, "ended_at": HOUR + hours * HOUR, "outcome": outcome, **changes}


def test_hours_are_summed_by_pool_and_what_was_taken_or_lost_is_counted(store: SqliteStore) -> None:
    with_machines(
        store, ended(2, "preempted"), ended(3, "lost"), ended(5, "finished"), ended(1, "preempted", pool=OTHER)
    )
    assert store.pool_history(now=100 * HOUR) == {
        POOL: Lived(interruptions=2, hours=10.0),
        OTHER: Lived(interruptions=1, hours=1.0),
    }


@pytest.mark.parametrize("outcome", ["finished", "failed", "cancelled", "replaced", None])
def test_what_we_ended_ourselves_has_hours_and_no_interruption(store: SqliteStore, outcome: str | None) -> None:
    with_machines(store, ended(4, outcome))
    assert store.pool_history(now=100 * HOUR) == {POOL: Lived(interruptions=0, hours=4.0)}


def test_a_machine_that_is_still_up_has_lived_until_now(store: SqliteStore) -> None:
    with_machines(store, {"state": "up", "up_at": HOUR})
    assert store.pool_history(now=8 * HOUR) == {POOL: Lived(interruptions=0, hours=7.0)}
    assert store.pool_history(now=0.0) == {POOL: Lived(interruptions=0, hours=0.0)}, "the clock was set back"


def test_what_was_never_up_has_lived_nothing(store: SqliteStore) -> None:
    refused = {"state": "ended", "ended_at": HOUR, "outcome": "refused"}
    with_machines(store, refused, {"state": "intended"}, {"state": "launching"})
    assert store.pool_history(now=8 * HOUR) == {}


def test_the_answer_comes_from_an_index_alone(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "book.db", owner_seed="s").close()
    sql = sqlite3.connect(tmp_path / "book.db")
    plan = " ".join(str(r[3]) for r in sql.execute("EXPLAIN QUERY PLAN " + queries()["pool_history"], (0.0,)))
    sql.close()
    assert "COVERING INDEX machines_lived" in plan
    assert "TEMP B-TREE" not in plan
