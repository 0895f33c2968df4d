from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from spotlaunch.core.plan import AddEvent
from spotlaunch.errors import LeaseHeld, StaleWrite
from spotlaunch.ports import Lease
from spotlaunch.storage.store import SqliteStore
from tests.storage.samples import an_event


def a_lease(token: str = "one", **changes: Any) -> Lease:
    return Lease(**{"token": token, "host": "h1", "pid": 42, "process_started_at": 5.5, "until": 130.0} | changes)


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    made = SqliteStore(":memory:", owner_seed="s")
    yield made
    made.close()


def test_nobody_holds_it_at_first(store: SqliteStore) -> None:
    assert store.lease() is None


def test_who_takes_it_holds_it(store: SqliteStore) -> None:
    store.take_lease(a_lease(), now=100.0)
    assert store.lease() == a_lease()


def test_another_is_told_who_is_awake(store: SqliteStore) -> None:
    store.take_lease(a_lease(), now=100.0)
    with pytest.raises(LeaseHeld, match="process 42 on h1") as caught:
        store.take_lease(a_lease("two", pid=43), now=129.9)
    assert "watch --stop" in caught.value.hint
    assert store.lease() == a_lease()


def test_one_that_ran_out_is_anybodys(store: SqliteStore) -> None:
    store.take_lease(a_lease(), now=100.0)
    store.take_lease(a_lease("two", until=160.0), now=130.0)
    assert store.lease() == a_lease("two", until=160.0)
    with pytest.raises(LeaseHeld, match="process 42 on h1"):
        store.renew_lease("one", until=200.0)


def test_one_that_ran_out_is_still_told_of(store: SqliteStore) -> None:
    store.take_lease(a_lease(until=1.0), now=0.0)
    assert store.lease() == a_lease(until=1.0)


def test_the_lease_of_a_dead_process_does_not_count(store: SqliteStore) -> None:
    store.take_lease(a_lease(), now=100.0)
    with pytest.raises(LeaseHeld):
        store.take_lease(a_lease("two"), now=101.0, dead="another")
    store.take_lease(a_lease("two"), now=101.0, dead="one")
    assert store.lease() == a_lease("two")


def test_its_holder_may_take_it_again_and_renew_it(store: SqliteStore) -> None:
    store.take_lease(a_lease(), now=100.0)
    store.take_lease(a_lease(until=140.0), now=110.0)
    store.renew_lease("one", until=170.0)
    assert store.lease() == a_lease(until=170.0)


def test_it_may_be_renewed_late_as_long_as_nobody_else_took_it(store: SqliteStore) -> None:
    store.take_lease(a_lease(until=101.0), now=100.0)
    store.renew_lease("one", until=900.0)
    assert store.lease() == a_lease(until=900.0)


def test_only_its_holder_lets_it_go(store: SqliteStore) -> None:
    store.take_lease(a_lease(), now=100.0)
    store.release_lease("two")
    assert store.lease() == a_lease()
    store.release_lease("one")
    assert store.lease() is None
    with pytest.raises(LeaseHeld, match="given up"):
        store.renew_lease("one", until=900.0)


def test_a_watchdog_that_lost_it_writes_nothing(store: SqliteStore) -> None:
    write = AddEvent(event=an_event())
    with pytest.raises(StaleWrite, match="nobody"):
        store.apply([write], token="one")
    store.take_lease(a_lease(), now=100.0)
    store.apply([write], token="one")
    store.take_lease(a_lease("two", host="h2", pid=7), now=200.0)
    with pytest.raises(StaleWrite, match="process 7 on h2"):
        store.apply([write], token="one")
    with pytest.raises(StaleWrite):
        store.apply([], token="one")
    assert len(store.events("digits")) == 1
