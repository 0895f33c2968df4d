"""Without a deadline."""

from __future__ import annotations

import math

from spotlaunch.core.policy_patient import patient
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Situation, SpotPool
from tests.core.policyworlds import pool, situation


def endless(*pools: SpotPool, running: Action = IDLE, **more: float) -> Situation:
    times = {"left_s": math.inf, "deadline_s": math.inf, "work_left_s": math.inf, "work_s": math.inf}
    return situation(pools, running=running, **{**times, **more})


def test_spot_is_taken_when_it_is_up_however_long_one_has_waited() -> None:
    assert patient(endless(pool())) == 0
    assert patient(endless(pool(), waiting_s=1e6)) == 0


def test_on_demand_is_for_whom_spot_has_kept_waiting() -> None:
    dry = endless(pool(up=False), patience_s=1200.0)
    assert patient(dry._replace(waiting_s=1199.0)) == IDLE
    assert patient(dry._replace(waiting_s=1200.0)) == ON_DEMAND
    assert patient(dry._replace(waiting_s=1e6, patience_s=math.inf)) == IDLE


def test_where_there_are_no_pools_there_is_nothing_to_wait_for() -> None:
    assert patient(endless()) == ON_DEMAND


def test_spot_dearer_than_on_demand_is_none() -> None:
    dear = endless(pool(usd=3.5))
    assert patient(dear) == IDLE
    assert patient(dear._replace(waiting_s=1200.0)) == ON_DEMAND


def test_on_demand_is_left_where_the_move_pays() -> None:
    assert patient(endless(pool(), running=ON_DEMAND)) == 0
    assert patient(endless(pool(up=False), running=ON_DEMAND)) == ON_DEMAND
    assert patient(endless(pool(), running=ON_DEMAND, work_left_s=1000.0)) == ON_DEMAND
    assert patient(endless(pool(move_usd=50.0), running=ON_DEMAND)) == ON_DEMAND


def test_spot_is_left_for_much_cheaper_spot_only() -> None:
    assert patient(endless(pool(usd=1.0), pool(usd=0.95), running=0)) == 0
    assert patient(endless(pool(usd=2.0), pool(usd=0.5), running=0)) == 1
