"""Uniform Progress: the line, and where it starts."""

from __future__ import annotations

from spotlaunch.core.policy_uniform import plain_uniform_progress, uniform_progress
from spotlaunch.core.situation import IDLE, ON_DEMAND, Situation
from tests.core.policyworlds import HOUR, pool, situation

UP, DOWN = pool(), pool(up=False)

# From the first look on: 48 hours of work in 60.
LINE = (60 * HOUR, 48 * HOUR)


def at(left_h: float, work_left_h: float, **more: object) -> Situation:
    return situation(**{"pools": [DOWN], "left_s": left_h * HOUR, "work_left_s": work_left_h * HOUR, **more})  # type: ignore[arg-type]


def test_on_the_line_it_waits_and_behind_it_pays() -> None:
    assert uniform_progress(at(50, 40), LINE)[0] == IDLE
    assert uniform_progress(at(50, 40.1), LINE)[0] == ON_DEMAND


def test_spot_is_taken_and_kept_wherever_the_line_is() -> None:
    assert uniform_progress(at(50, 45, pools=[UP]), LINE)[0] == 0
    assert uniform_progress(at(50, 30, pools=[DOWN, UP], running=1), LINE)[0] == 1


def test_on_demand_is_left_for_spot_two_starts_ahead_of_the_line_and_never_for_nothing() -> None:
    paying = at(50, 40 - 1199 / 3600, pools=[UP], running=ON_DEMAND)
    assert uniform_progress(paying, LINE)[0] == ON_DEMAND
    assert uniform_progress(paying._replace(work_left_s=40 * HOUR - 1200), LINE)[0] == 0
    assert uniform_progress(at(50, 30, running=ON_DEMAND), LINE)[0] == ON_DEMAND


def test_with_a_loose_deadline_the_line_starts_where_work_is_seven_tenths_of_the_time() -> None:
    early, memory = uniform_progress(at(92, 48), ())
    assert (early, memory) == (IDLE, ())
    assert uniform_progress(at(68, 48), ()) == (IDLE, (68 * HOUR, 48 * HOUR))
    # It stays where it started.
    assert uniform_progress(at(60, 48), (68 * HOUR, 48 * HOUR)) == (ON_DEMAND, (68 * HOUR, 48 * HOUR))


def test_the_plain_one_has_its_line_from_the_very_start() -> None:
    assert plain_uniform_progress(at(91, 48, deadline_s=92 * HOUR), ())[0] == ON_DEMAND


def test_the_safety_net_holds_below_the_line_too() -> None:
    assert uniform_progress(at(48.4, 48, pools=[UP]), LINE)[0] == 0
    assert uniform_progress(at(48.3, 48, pools=[UP]), LINE)[0] == ON_DEMAND
