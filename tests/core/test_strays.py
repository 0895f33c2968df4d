"""Listings beside the book: who keeps each machine, and which nobody keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.book import Job, Machine, MachineState
from spotlaunch.core.facts import Listing, SeenMachine, SeenPhase
from spotlaunch.core.strays import Remembered, Standing, compare
from tests.core.worlds import CLOUD, JOB, NOW, OWNER, a_job, a_machine, key_of, launching, seen


def listing(*machines: SeenMachine, ok: bool = True, started_at: float = NOW) -> Listing:
    return Listing(provider="cloud", started_at=started_at, ok=ok, machines=machines)


def book(machines: Sequence[Machine] = (), *, job: Job | None = None, awake: bool = True) -> Remembered:
    return Remembered(
        owner=OWNER,
        now=NOW,
        machines={m.launch_key: m for m in machines},
        jobs={JOB: job or a_job()},
        traits={"cloud": CLOUD},
        awake=awake,
    )


def judged(shown: SeenMachine, machine: Machine | None = None, **changes: Any) -> Standing:
    (standing,) = compare([listing(shown)], book([machine] if machine is not None else [], **changes))
    return standing


def test_a_machine_that_an_attempt_runs_on_is_kept_whether_anybody_watches_or_not() -> None:
    machine = a_machine()
    for awake in (True, False):
        found = judged(seen(machine), machine, awake=awake)
        assert (found.verdict, found.reason) == ("kept", "attempt 1 of digits")
        assert (found.since, found.price_usd_hour) == (machine.up_at, machine.price_usd_hour)


def test_one_that_the_book_does_not_know_is_a_stray() -> None:
    found = judged(seen(a_machine(7)))
    assert (found.verdict, found.reason, found.machine) == ("stray", "the book does not know it", None)


def test_one_that_has_ended_by_the_book_is_a_stray_with_the_reason() -> None:
    machine = a_machine(state="ended", reason="gone from the listing")
    found = judged(seen(machine), machine)
    assert found.verdict == "stray"
    assert "attempt 1 of digits: gone from the listing" in found.reason


def test_a_second_machine_of_one_launch_key_is_a_stray_and_the_first_is_kept() -> None:
    machine = a_machine()
    shown = listing(seen(machine), seen(machine, instance_id="i-twin"))
    first, second = compare([shown], book([machine]))
    assert (first.verdict, second.verdict) == ("kept", "stray")
    assert "has i-1" in second.reason


@pytest.mark.parametrize("machine", [a_machine(), launching(tried_s_ago=5)], ids=["up", "launching"])
def test_a_stopped_one_is_a_stray_because_what_is_left_may_bill(machine: Machine) -> None:
    found = judged(seen(machine, phase="stopped"), machine)
    assert found.verdict == "stray"
    assert "stopped" in found.reason


@pytest.mark.parametrize("state", ["intended", "launching"])
def test_a_launch_under_way_is_never_a_stray(state: MachineState) -> None:
    machine = launching(tried_s_ago=CLOUD.settle_s - 1, state=state, intended_at=NOW - CLOUD.settle_s + 1)
    for awake in (True, False):
        assert judged(seen(machine), machine, awake=awake).verdict == "kept"


def test_a_launch_long_unanswered_is_left_to_the_watchdog_and_a_stray_without_one() -> None:
    machine = launching(tried_s_ago=CLOUD.settle_s + 1)
    assert judged(seen(machine), machine, awake=True).verdict == "kept"
    found = judged(seen(machine), machine, awake=False)
    assert found.verdict == "stray"
    assert "never answered" in found.reason


def test_one_asked_to_end_is_left_to_the_watchdog_and_a_stray_without_one() -> None:
    machine = a_machine(state="ending")
    assert judged(seen(machine), machine, awake=True).verdict == "ending"
    assert judged(seen(machine), machine, awake=False).verdict == "stray"


def test_the_machine_of_a_job_that_is_over_is_left_to_the_watchdog_and_a_stray_without_one() -> None:
    machine, over = a_machine(), a_job(state="cancelled")
    assert judged(seen(machine), machine, job=over, awake=True).verdict == "ending"
    assert judged(seen(machine), machine, job=over, awake=False).verdict == "stray"


def test_what_its_cloud_is_ending_already_needs_nobody() -> None:
    assert judged(seen(a_machine(7), phase="ending")).verdict == "ending"


def test_what_is_gone_or_of_another_owner_is_not_shown() -> None:
    others = seen(a_machine(2), launch_key=key_of(2, owner="ffffff"))
    assert compare([listing(seen(a_machine(), phase="gone"), others)], book()) == []


def test_one_that_is_up_by_the_book_and_in_no_listing_is_missing() -> None:
    (found,) = compare([listing()], book([a_machine()]))
    assert (found.verdict, found.instance_id, found.seen) == ("missing", "i-1", None)
    assert "does not list it" in found.reason


def test_a_twin_in_the_listing_does_not_hide_that_the_first_is_missing() -> None:
    twin = seen(a_machine(), instance_id="i-twin")
    assert {f.verdict for f in compare([listing(twin)], book([a_machine()]))} == {"stray", "missing"}


def test_one_too_young_for_the_listing_is_not_missing() -> None:
    young = a_machine(tried_at=NOW - CLOUD.settle_s + 1)
    assert compare([listing()], book([young])) == []


def test_a_failed_listing_and_another_provider_say_nothing_of_a_machine() -> None:
    machine = a_machine()
    assert compare([listing(ok=False)], book([machine])) == []
    assert compare([replace(listing(), provider="other")], book([machine])) == []


@given(
    state=st.sampled_from(get_args(MachineState)),
    phase=st.sampled_from(get_args(SeenPhase)),
    age_s=st.floats(min_value=0, max_value=CLOUD.settle_s, exclude_max=True),
    awake=st.booleans(),
)
def test_a_running_machine_whose_launch_is_young_is_never_offered_to_be_ended(
    state: MachineState, phase: SeenPhase, age_s: float, awake: bool
) -> None:
    """Whatever else: gc must not take away what a watchdog has just rented for a job that is wanted."""
    machine = launching(tried_s_ago=age_s, state=state)
    found = compare([listing(seen(machine, phase=phase))], book([machine], awake=awake))
    if state in ("intended", "launching", "up") and phase in ("starting", "running"):
        assert [f.verdict for f in found if f.seen is not None] == ["kept"]
