"""Which pool, and whether a move to it pays."""

from __future__ import annotations

from spotlaunch.core.policy_pools import best_pool, repays_move, useful_s
from spotlaunch.core.situation import ON_DEMAND
from tests.core.policyworlds import HOUR, pool, situation


def test_the_cheaper_of_two_alike_is_taken() -> None:
    assert best_pool(situation([pool(usd=1.2), pool(usd=1.0), pool(up=False, usd=0.1)]), 3.0) == 1


def test_one_that_has_stayed_up_is_worth_a_little_more() -> None:
    old = pool(usd=1.02, up_for_s=10 * HOUR)
    assert best_pool(situation([pool(usd=1.0), old]), 3.0) == 1
    assert best_pool(situation([pool(usd=0.9), old]), 3.0) == 0


def test_one_that_is_lost_all_the_time_is_worth_less() -> None:
    flaky = pool(usd=1.0, interruptions=40.0, expected=5.0)
    assert best_pool(situation([flaky, pool(usd=1.05)]), 3.0) == 1


def test_a_slow_start_and_egress_count() -> None:
    assert best_pool(situation([pool(usd=1.0, start_s=3600.0), pool(usd=1.1)]), 3.0) == 1
    assert best_pool(situation([pool(usd=1.0, move_usd=2.0), pool(usd=1.1)]), 3.0) == 1


def test_none_above_the_cap_and_none_that_costs_more_than_on_demand_in_the_end() -> None:
    assert best_pool(situation([pool(usd=2.0)]), 1.5) is None
    assert best_pool(situation([pool(usd=2.9, move_usd=9.0)]), 3.0) is None
    assert best_pool(situation([pool(usd=1.0, start_s=10 * HOUR)]), 3.0) is None
    assert best_pool(situation(), 3.0) is None


def test_neither_what_runs_is_an_answer_nor_what_is_dearer_than_that() -> None:
    assert best_pool(situation([pool(usd=1.0), pool(usd=1.5)], running=0), 3.0) is None
    assert best_pool(situation([pool(usd=1.0), pool(usd=1.5)], running=1), 3.0) == 0


def test_a_lease_is_worth_no_more_than_the_work_that_is_left() -> None:
    s = situation([pool(up_for_s=10 * HOUR)])
    assert useful_s(s, 0) > 4 * HOUR
    assert useful_s(s._replace(work_left_s=900.0), 0) == 900.0


def test_a_return_to_spot_must_repay_both_machines_while_one_starts() -> None:
    s = situation([pool()], running=ON_DEMAND)
    assert repays_move(s, 0)
    # ($3 - $1) x 1200 s of work = ($3 + $1) x 600 s of starting: not more.
    assert not repays_move(s._replace(work_left_s=1200.0), 0)
    assert repays_move(s._replace(work_left_s=1201.0), 0)
    assert not repays_move(situation([pool(move_usd=50.0)], running=ON_DEMAND), 0)


def test_a_move_between_spot_pools_must_repay_two() -> None:
    s = situation([pool(usd=3.0), pool(usd=1.0)], running=0)
    assert not repays_move(s._replace(work_left_s=2400.0), 1)
    assert repays_move(s._replace(work_left_s=2401.0), 1)
    assert not repays_move(situation([pool(usd=1.0), pool(usd=1.0)], running=0), 1)
