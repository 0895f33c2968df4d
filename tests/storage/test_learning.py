"""What the book has seen of each pool, and what is imported into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.facts import Scope
from spotlaunch.core.lessons import Lesson, Source
from spotlaunch.core.plan import AddAttempt, AddMachine, PutRefusal
from spotlaunch.core.rates import Lived
from spotlaunch.storage.learning import COUNTED_EVERY_S
from spotlaunch.storage.queries import migrations, statements
from spotlaunch.storage.store import SqliteStore
from tests.core.worlds import an_offer
from tests.storage.samples import POOL, a_machine, a_refusal, an_attempt

HOUR = 3600.0
# A Monday, 00:00 UTC.
MONDAY = 100 * 7 * 24 * HOUR + 4 * 24 * HOUR
NOW = MONDAY + 10 * HOUR
OTHER = replace(POOL, zone="another")
THEIRS = Lesson(pool=POOL, gpu="V100", gpu_count=1, week={3: (40.0, 4.0)}, tries={int(NOW // HOUR): (0.0, 2.0)})


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    made = SqliteStore(":memory:", owner_seed="s")
    yield made
    made.close()


def lived(store: SqliteStore, number: int, since_h: float, until_h: float | None, **changes: Any) -> None:
    """A machine that was up from some hours after Monday began until others."""
    known = {"up_at": MONDAY + since_h * HOUR, "intended_at": MONDAY + since_h * HOUR, "state": "up", "gpu": "V100"}
    if until_h is not None:
        known |= {"state": "ended", "ended_at": MONDAY + until_h * HOUR}
    store.apply([AddMachine(machine=a_machine(attempt=number, **{**known, **changes}))])


def refused(store: SqliteStore, at_h: float, **changes: Any) -> None:
    store.apply([PutRefusal(refusal=a_refusal(since=MONDAY + at_h * HOUR, **changes))])


def own(store: SqliteStore, **changes: Any) -> dict[Any, Lesson]:
    return {x.pool: x for x in store.learning.own(now=NOW, **changes)}


def of(source: str, as_of: float, *lessons: Lesson) -> Source:
    return Source(id=source * 8, as_of=as_of, lessons=lessons or (THEIRS,))


def test_hours_and_interruptions_are_counted_by_hour_of_the_week(store: SqliteStore) -> None:
    lived(store, 1, 1.5, 3.25, outcome="preempted")
    lived(store, 2, 2, 3, outcome="cancelled")
    lived(store, 3, 9.5, None)
    assert own(store)[POOL].week == {1: (0.5, 0), 2: (2.0, 0), 3: (0.25, 1), 9: (0.5, 0)}
    assert own(store)[POOL].gpu == "V100"


def test_launches_granted_and_refused_are_counted_by_hour(store: SqliteStore) -> None:
    lived(store, 1, 1.5, 3, outcome="finished")
    lived(store, 2, 1.9, 3, outcome="finished")
    refused(store, 1.7)
    refused(store, 2.1)
    refused(store, 2.2)
    hour = int(MONDAY // HOUR)
    assert own(store)[POOL].tries == {hour + 1: (2, 1), hour + 2: (0, 2)}


@pytest.mark.parametrize("error", ["QuotaExceeded", "NotAuthorized", "PriceTooLow", "Transient", "Preempted", "Lost"])
def test_only_no_capacity_tells_of_a_pool(store: SqliteStore, error: str) -> None:
    refused(store, 1, error=error)
    assert own(store) == {}


def test_a_refused_region_is_kept_as_one_and_a_refused_provider_tells_of_no_pool(store: SqliteStore) -> None:
    refused(store, 1, scope=replace(Scope.of(POOL), zone=""))
    refused(store, 1, scope=Scope(provider="aws"))
    assert [str(p) for p in own(store)] == ["aws:us-west-2/p3.2xlarge/spot"]


def test_a_refusal_that_came_to_nothing_is_not_counted(store: SqliteStore) -> None:
    lived(store, 1, 1, 2)
    with pytest.raises(Exception, match="written down before"):
        machine = a_machine(attempt=1)
        store.apply([PutRefusal(refusal=a_refusal(since=MONDAY)), AddMachine(machine=machine)])
    assert own(store)[POOL].tries == {int(MONDAY // HOUR) + 1: (1, 0)}


def test_the_gpu_of_a_pool_that_only_refused_is_that_of_its_kind(store: SqliteStore) -> None:
    lived(store, 1, 1, 2)
    refused(store, 1, scope=Scope.of(OTHER))
    assert own(store)[OTHER].gpu == "V100"


def test_starts_are_timed_from_the_launch_to_the_program_unless_they_waited_for_the_one_before(
    store: SqliteStore,
) -> None:
    for number, seconds, before in [(1, 90.0, 0), (2, 60.0, 0), (3, 500.0, 2)]:
        lived(store, number, number, number + 0.5)
        began = MONDAY + number * HOUR
        store.apply([AddAttempt(attempt=an_attempt(number=number, running_at=began + seconds, predecessor=before))])
    lived(store, 4, 4, 5)
    store.apply([AddAttempt(attempt=an_attempt(number=4))])
    assert own(store)[POOL].boots_s == (90.0, 60.0)


def test_what_was_before_does_not_count_where_it_is_left_out(store: SqliteStore) -> None:
    lived(store, 1, 1, 3, outcome="preempted")
    lived(store, 2, 1, 6, outcome="preempted")
    refused(store, 2)
    found = own(store, since=MONDAY + 5 * HOUR)[POOL]
    assert found.week == {5: (1.0, 0), 6: (0.0, 1)}
    assert found.tries == {}


def test_everything_goes_into_what_is_learned(store: SqliteStore) -> None:
    offer = an_offer(pool=POOL, interruptions_per_hour=0.01)
    before = store.learned(now=NOW)
    assert before.rates.of(offer, NOW) == 0.01
    lived(store, 1, 1, 3, outcome="preempted")
    refused(store, 9)
    after = store.learned(now=NOW + COUNTED_EVERY_S)
    assert after.lived == {POOL: Lived(interruptions=1, hours=2)}
    assert after.rates.of(offer) > 0.05
    assert after.rates.of(offer, MONDAY + 3 * HOUR) > after.rates.of(offer) >= after.rates.of(offer, MONDAY + 12 * HOUR)
    assert after.availability.of(offer, NOW) < before.availability.of(offer, NOW)


def test_an_interruption_counts_at_once_and_the_rest_within_minutes(store: SqliteStore) -> None:
    offer = an_offer(pool=POOL)
    store.learned(now=NOW)
    lived(store, 1, 1, 3, outcome="preempted")
    soon, later = store.learned(now=NOW + 1), store.learned(now=NOW + COUNTED_EVERY_S)
    assert soon.rates.of(offer) == later.rates.of(offer)
    assert soon.season.factors(("aws", "us-west-2", "spot")) == ()
    assert later.season.factors(("aws", "us-west-2", "spot")) != ()
    assert store.learned(now=0.0).season.factors(("aws", "us-west-2", "spot")) != (), "the clock was set back"


def test_what_is_imported_counts_at_once_and_twice_is_once(store: SqliteStore) -> None:
    store.learned(now=NOW)
    assert store.learning.take([of("a1", 5.0)]) == [of("a1", 5.0)]
    assert store.learned(now=NOW).lived == {POOL: Lived(interruptions=2, hours=20)}
    assert store.learning.take([of("a1", 5.0)]) == []
    assert store.learned(now=NOW).lived == {POOL: Lived(interruptions=2, hours=20)}


def test_what_was_said_before_is_no_news(store: SqliteStore) -> None:
    store.learning.take([of("a1", 5.0)])
    assert store.learning.take([of("a1", 4.0, replace(THEIRS, week={}))]) == []
    assert store.learning.take([of("a1", 6.0, replace(THEIRS, week={}))]) != []
    assert store.learning.imported() == [of("a1", 6.0, replace(THEIRS, week={}))]


def test_ones_own_export_changes_nothing(store: SqliteStore) -> None:
    lived(store, 1, 1, 3, outcome="preempted")
    store.learning.take([of("a1", 5.0)])
    mine = store.learning.learner("0" * 16)
    exported = store.learning.export(mine, now=NOW)
    before = store.learned(now=NOW).lived
    assert store.learning.take(exported) == []
    assert store.learned(now=NOW).lived == before
    assert store.learning.learner("f" * 16) == mine


def test_what_went_round_by_others_is_not_counted_twice() -> None:
    one, two = (SqliteStore(":memory:", owner_seed=seed) for seed in "ab")
    try:
        lived(one, 1, 1, 3, outcome="preempted")
        two.learning.take(one.learning.export(one.learning.learner("a" * 16), now=NOW))
        back = two.learning.export(two.learning.learner("b" * 16), now=NOW)
        assert [s.id[0] for s in back] == ["b", "a"]
        one.learning.take(back)
        assert one.learned(now=NOW).lived == {POOL: Lived(interruptions=1, hours=2)}
        assert two.learned(now=NOW).lived == {POOL: Lived(interruptions=0.5, hours=1)}
    finally:
        one.close()
        two.close()


def test_an_export_leaves_out_whom_it_should(store: SqliteStore) -> None:
    lived(store, 1, 1, 3)
    assert store.learning.export("a" * 16, now=NOW, leave_out=["aws"]) == [Source(id="a" * 16, as_of=NOW, lessons=())]


WEEKS = st.dictionaries(st.integers(0, 3), st.tuples(st.just(8.0), st.sampled_from([0.0, 1.0])), max_size=2)
SOURCES = st.builds(
    lambda source, as_of, week: of(source, as_of, replace(THEIRS, week=week)),
    st.sampled_from(["a1", "b2"]),
    st.sampled_from([1.0, 2.0]),
    WEEKS,
)


@settings(max_examples=12, deadline=None)
@given(st.lists(SOURCES, min_size=2, max_size=3))
def test_the_order_of_imports_does_not_matter(sources: list[Source]) -> None:
    def after(order: Sequence[Source]) -> list[Source]:
        store = SqliteStore(":memory:", owner_seed="s")
        try:
            for source in order:
                store.learning.take([source])
            return store.learning.imported()
        finally:
            store.close()

    found = [after(order) for order in permutations(sources)]
    assert all(x == found[0] for x in found)


def test_what_is_damaged_in_the_book_is_as_if_it_had_not_been_imported(store: SqliteStore) -> None:
    store.learning.take([of("a1", 5.0)])
    with store.learning._db.writing() as sql:
        sql.execute("UPDATE imported SET lessons = '[1]'")
    assert store.learning.imported() == []
    assert store.learned(now=NOW).lived == {}
    assert store.learning.take([of("a1", 5.0)]) != []


def test_refusals_known_before_there_was_learning_are_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    sql = sqlite3.connect(path)
    for version, script in migrations():
        if version < 6:
            for statement in statements(script):
                sql.execute(statement)
    columns = "provider, region, zone, instance_type, market, job, error, reason, hint, since, until, count"
    values = "'aws', 'us-west-2', 'us-west-2a', 'p3.2xlarge', 'spot', ?, ?, '', '', 7200.0, 9000.0, 4"
    for job, error in [("", "NoCapacity"), ("j", "NoCapacity"), ("", "Lost")]:
        if error == "Lost":
            values = values.replace("us-west-2a", "us-west-2b")
        sql.execute(f"INSERT INTO refusals ({columns}) VALUES ({values})", (job, error))
    sql.execute("PRAGMA user_version = 5")
    sql.commit()
    sql.close()
    store = SqliteStore(path, owner_seed="s")
    assert {p: x.tries for p, x in own(store).items()} == {POOL: {2: (0, 1)}}
    store.close()
