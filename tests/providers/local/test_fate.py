from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch_providers.local.fate import NEVER, Fate, Trace


def fate(*, started_at: float = 100.0, **changes: Any) -> Fate:
    order = {
        "boot_s": 1.0,
        "never_boots": False,
        "life_s": None,
        "hang_after_s": None,
        "ttl_s": 0,
        "trace": None,
        "zero_at": 0.0,
    }
    return Fate(order | changes, started_at=started_at)


def test_a_trace_holds_its_value_for_a_tick() -> None:
    trace = Trace(data=[2, 0, 1], tick_s=10)
    assert [trace.value(t) for t in (0, 9.9, 10, 25)] == [2, 2, 0, 1]


def test_a_trace_begins_again_unless_told_not_to() -> None:
    assert Trace(data=[2, 0, 1], tick_s=10).value(30) == 2
    assert Trace(data=[2, 0, 1], tick_s=10, wrap=False).value(1e9) == 1


def test_a_trace_tells_when_it_falls_so_low() -> None:
    trace = Trace(data=[2, 1, 0], tick_s=10)
    assert trace.when_at_most(1, from_s=3) == 10
    assert trace.when_at_most(1, from_s=13) == 13
    assert trace.when_at_most(0, from_s=31) == 50


def test_a_trace_that_never_falls_so_low_says_so() -> None:
    assert Trace(data=[2, 1], tick_s=10).when_at_most(0, from_s=0) == NEVER
    assert Trace(data=[0, 1], tick_s=10, wrap=False).when_at_most(0, from_s=10) == NEVER


@given(
    data=st.lists(st.integers(0, 3), min_size=1, max_size=20),
    tick_s=st.sampled_from([0.25, 1.0, 600.0]),
    wrap=st.booleans(),
    level=st.integers(0, 3),
    from_s=st.floats(0, 2000),
)
def test_the_time_a_trace_tells_is_the_first(
    data: list[int], tick_s: float, wrap: bool, level: int, from_s: float
) -> None:
    trace = Trace(data=data, tick_s=tick_s, wrap=wrap)
    at = trace.when_at_most(level, from_s=from_s)
    ticks = range(int(from_s / tick_s), int(from_s / tick_s) + 2 * len(data))
    low = [t for t in ticks if trace.value(t * tick_s) <= level]
    assert at == (NEVER if not low else max(from_s, low[0] * tick_s))


def test_a_machine_is_taken_when_its_life_is_over_counted_from_when_it_was_up() -> None:
    machine = fate(life_s=5.0)
    assert not machine.taken(200.0, older=0)
    machine.booted(102.5)
    assert not machine.taken(107.4, older=0)
    assert machine.taken(107.5, older=0)


def test_when_room_shrinks_the_newest_machines_are_taken() -> None:
    machine = fate(trace={"data": [3, 1], "tick_s": 100, "wrap": True})
    assert not machine.taken(250, older=2)
    assert machine.taken(350, older=2)
    assert machine.taken(350, older=1)
    assert not machine.taken(350, older=0)


def test_a_trace_also_takes_a_machine_that_is_still_booting() -> None:
    assert fate(boot_s=500, trace={"data": [1, 0], "tick_s": 100, "wrap": True}).taken(150, older=0)


def test_a_host_sleeps_until_the_next_thing_that_can_happen() -> None:
    machine = fate(boot_s=1, hang_after_s=3.0, life_s=9.0, ttl_s=20)
    assert [machine.next_at(now, older=0) for now in (100, 101)] == [101, 120]
    machine.booted(101)
    assert [machine.next_at(now, older=0) for now in (101, 104, 110, 120)] == [104, 110, 120, NEVER]


def test_a_host_looks_again_when_the_trace_gets_low_for_its_rank() -> None:
    machine = fate(boot_s=0, trace={"data": [3, 2, 1], "tick_s": 100, "wrap": True}, started_at=1.0)
    assert machine.next_at(10, older=2) == 100
    assert machine.next_at(10, older=1) == 200


def test_a_machine_that_never_boots_has_nothing_to_wait_for() -> None:
    machine = fate(never_boots=True, life_s=1.0, hang_after_s=1.0)
    assert machine.next_at(100, older=0) == NEVER
    assert not machine.taken(1e9, older=0)


def test_a_trace_survives_the_way_to_the_host() -> None:
    trace = Trace(data=[1, 0], tick_s=0.5, wrap=False)
    again = Trace(**trace.to_dict())
    assert (again.data, again.tick_s, again.wrap) == ((1, 0), 0.5, False)


@pytest.mark.parametrize("now", [0.0, 50.0, 99.0])
def test_a_clock_that_was_set_back_breaks_nothing(now: float) -> None:
    machine = fate(trace={"data": [1, 0], "tick_s": 10, "wrap": True}, zero_at=100.0)
    assert not machine.taken(now, older=0)
    assert machine.next_at(now, older=0) > now
