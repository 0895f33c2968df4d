"""The guard: what may still be done so that on-demand from the next look on is in time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.situation import IDLE, ON_DEMAND, can_wait, guarded, slack_s
from tests.core.policyworlds import HOUR, pool, situation

WORK = 48 * HOUR


def test_slack_is_what_neither_work_nor_a_start_takes() -> None:
    assert slack_s(situation(left_s=WORK + 1000, pending_s=300.0)) == 700


@pytest.mark.parametrize(("left_s", "may"), [(WORK + 1200, True), (WORK + 1199, False)])
def test_idling_needs_room_for_the_look_and_a_start(left_s: float, may: bool) -> None:
    assert can_wait(situation(left_s=left_s), IDLE) is may


@pytest.mark.parametrize(("left_s", "may"), [(WORK + 1300, True), (WORK + 1299, False)])
def test_a_start_on_spot_needs_room_for_two_starts(left_s: float, may: bool) -> None:
    # 700 s to start in looks of 1000 s, then 300 s of work; then 600 s for on-demand.
    s = situation([pool(start_s=700.0)], left_s=left_s, tick_s=1000.0)
    assert can_wait(s, 0) is may


@pytest.mark.parametrize(("left_s", "may"), [(WORK + 1600, True), (WORK + 1599, False)])
def test_a_start_longer_than_the_look_has_done_nothing_at_the_next(left_s: float, may: bool) -> None:
    s = situation([pool(start_s=5000.0)], left_s=left_s, tick_s=1000.0)
    assert can_wait(s, 0) is may


@pytest.mark.parametrize(("left_s", "may"), [(WORK + 800, True), (WORK + 799, False)])
def test_what_is_left_of_a_start_counts_and_no_more(left_s: float, may: bool) -> None:
    s = situation([pool()], running=0, pending_s=200.0, left_s=left_s)
    assert can_wait(s, 0) is may


def test_a_spot_machine_that_computes_uses_up_no_slack() -> None:
    assert can_wait(situation([pool()], running=0, left_s=WORK + 600), 0)


@pytest.mark.parametrize("pending_s", [0.0, 400.0])
def test_on_demand_may_always_go_on_and_is_not_left_without_room(pending_s: float) -> None:
    s = situation([pool()], running=ON_DEMAND, pending_s=pending_s, left_s=WORK + 600)
    assert can_wait(s, ON_DEMAND)
    assert guarded(s, IDLE) == ON_DEMAND
    assert guarded(s, 0) == ON_DEMAND


@pytest.mark.parametrize(("work_left_s", "left_s", "may"), [(400, 400, True), (500, 450, False), (700, 900, False)])
def test_what_ends_before_the_next_look_and_in_time_is_safe(work_left_s: float, left_s: float, may: bool) -> None:
    s = situation([pool(start_s=0.0)], work_left_s=work_left_s, left_s=left_s, start_s=300.0)
    assert can_wait(s._replace(pools=(pool(start_s=1.0),), left_s=left_s + 1), 0) is may


def test_a_slow_pool_is_not_taken_because_the_job_would_end_within_the_look() -> None:
    # 100 s of work, 700 s for on-demand: in time. 900 s in the pool: within the look, and too late.
    s = situation([pool(start_s=800.0)], work_left_s=100.0, left_s=750.0, tick_s=1000.0)
    assert guarded(s, 0) == ON_DEMAND


def test_without_a_deadline_everything_may_wait() -> None:
    assert can_wait(situation(left_s=math.inf, work_left_s=math.inf), IDLE)


def test_beyond_saving_a_spot_machine_that_computes_is_kept_because_it_may_be_in_time() -> None:
    s = situation([pool()], running=0, left_s=WORK + 100)
    assert guarded(s, 0) == 0
    assert guarded(s, IDLE) == ON_DEMAND


@pytest.mark.parametrize("running", [IDLE, ON_DEMAND])
def test_beyond_saving_on_demand_is_the_least_late(running: str) -> None:
    s = situation([pool()], running=running, left_s=WORK - 100)  # type: ignore[arg-type]
    assert guarded(s, IDLE) == ON_DEMAND
    assert guarded(s, 0) == ON_DEMAND


@given(
    left_s=st.floats(0, 1e5),
    work_left_s=st.floats(1, 1e5),
    start_s=st.floats(0, 5000),
    boot_s=st.floats(0, 5000),
    pending_s=st.floats(0, 5000),
    tick_s=st.floats(1, 5000),
    running=st.sampled_from([IDLE, ON_DEMAND, 0]),
    action=st.sampled_from([IDLE, ON_DEMAND, 0]),
)
def test_after_what_it_allows_on_demand_is_in_time_or_no_later_than_now(action, running, boot_s, **numbers) -> None:  # type: ignore[no-untyped-def]
    s = situation([pool(start_s=boot_s)], running=running, **numbers)
    if running == IDLE:
        s = s._replace(pending_s=0.0)
    if action == ON_DEMAND or not can_wait(s, action):
        return
    pending_s = 0.0 if action == IDLE else s.pending_s if action == running else boot_s
    done_s = max(0.0, s.tick_s - pending_s) if action == 0 else 0.0
    at_once_s = s.work_left_s + (s.pending_s if running == ON_DEMAND else s.start_s)
    if action == 0 and done_s >= s.work_left_s:
        end_s = pending_s + s.work_left_s
        assert end_s <= max(s.left_s, at_once_s) + 1e-3
    else:
        assert s.tick_s + s.work_left_s - done_s + s.start_s <= max(s.left_s, at_once_s) + 1e-3
