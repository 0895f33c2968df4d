"""Futures: the same for the same seed, at the rates that are believed, and dearer where a job moves about."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.rates import Belief
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Memory, Situation, SpotPool
from spotlaunch.simulate.futures import (
    LATEST,
    SOONEST,
    Future,
    Journey,
    Prospect,
    down_scale_s,
    rates_of,
    up_scale_s,
)
from tests.core.worlds import a_pool
from tests.simulate.prospects import a_prospect

TICK_S = 300.0


def future_of(*prospects: Prospect, ticks: int = 200, seed: int = 1, run: int = 0) -> list[tuple[SpotPool, ...]]:
    return list(Future(prospects, tick_s=TICK_S, ticks=ticks, seed=seed, run=run))


def ups(prospect: Prospect, *, runs: int = 60, ticks: int = 144) -> list[list[bool]]:
    return [[pools[0].up for pools in future_of(prospect, ticks=ticks, run=run)] for run in range(runs)]


def losses(prospect: Prospect) -> int:
    return sum(before and not after for row in ups(prospect) for before, after in pairwise(row))


def test_a_seed_and_a_run_draw_the_same_again_and_others_draw_others() -> None:
    pool = a_prospect(rate=0.5)
    first = future_of(pool)
    assert future_of(pool) == first
    assert future_of(pool, seed=2) != first
    assert future_of(pool, run=1) != first


def test_what_comes_of_a_pool_is_the_same_whatever_other_pools_there_are() -> None:
    one, other = a_prospect("a", rate=0.5), a_prospect("b", rate=0.5)
    alone, both = future_of(one), future_of(other, one)
    assert [pools[0] for pools in alone] == [pools[1] for pools in both]
    assert [pools[0].up for pools in both] != [pools[1].up for pools in both]


def test_who_reads_a_future_again_reads_the_same_as_far_as_both_go() -> None:
    future = Future([a_prospect(rate=1.0)], tick_s=TICK_S, ticks=100, seed=1, run=0)
    beginning = list(islice(future, 10))
    whole = list(future)
    assert (whole[:10], len(whole), list(future)) == (beginning, 100, whole)


def test_a_pool_that_is_known_to_be_down_begins_down_and_returns() -> None:
    rows = ups(a_prospect(chance=0.0))
    assert not any(row[0] for row in rows)
    assert sum(any(row) for row in rows) > 50


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_leases_of_up_to_twelve_hours_see_about_the_rate_that_is_believed(rate: float) -> None:
    sure = a_prospect(rate=rate, hours=1e4, chance=1.0, return_chance=1.0)
    first = [row.index(False) if False in row else None for row in ups(sure, runs=2000)]
    lost = sum(end is not None for end in first)
    hours = sum(144 if end is None else end for end in first) * TICK_S / 3600
    assert lost / hours == pytest.approx(rate, rel=0.15)


def test_pools_that_take_more_machines_lose_more() -> None:
    lost = [losses(a_prospect(rate=rate, chance=1.0)) for rate in (0.0, 0.01, 0.1, 1.0)]
    assert lost == sorted(lost)
    assert lost[0] == 0 < lost[-1]


def test_pools_that_refuse_more_stay_down_longer() -> None:
    up = [sum(map(sum, ups(a_prospect(rate=0.5, return_chance=chance)))) for chance in (0.05, 0.5, 0.95)]
    assert up == sorted(up)
    assert len(set(up)) == 3


def test_what_is_not_known_for_sure_is_drawn_alike_for_pools_of_a_kind() -> None:
    """Half of them good and half bad in each future would be safer than what is known."""
    kin = [a_prospect(zone, rate=0.2, hours=4.0) for zone in "abcdef"]
    strangers = [a_prospect(z, rate=0.2, hours=4.0, pool=a_pool(zone=z, instance_type=f"type-{z}")) for z in "abcdef"]

    def spread(prospects: list[Prospect]) -> float:
        down = [sum(not p.up for t in future_of(*prospects, run=run) for p in t) for run in range(60)]
        mean = sum(down) / len(down)
        return sum((d - mean) ** 2 for d in down) / len(down) / mean**2

    assert spread(kin) > 1.5 * spread(strangers)


def test_a_machine_is_lost_though_its_pool_returns_before_the_next_look() -> None:
    quick = a_prospect(rate=0.2, hours=1e4, return_chance=1.0, chance=1.0)
    fine = sum(b and not a for run in range(40) for b, a in pairwise(_row(quick, run, 10.0, 4320)))
    coarse = sum(b and not a for run in range(40) for b, a in pairwise(_row(quick, run, 600.0, 72)))
    assert coarse > 0.85 * fine > 20


def _row(prospect: Prospect, run: int, tick_s: float, ticks: int) -> list[bool]:
    return [p[0].up for p in Future([prospect], tick_s=tick_s, ticks=ticks, seed=1, run=run)]


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_scale_of_spells_falls_as_the_rate_grows(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert up_scale_s(less) >= up_scale_s(more) > 0


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_pool_that_is_likelier_granted_returns_sooner_within_bounds(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert down_scale_s(0) / LATEST >= down_scale_s(less) / LATEST >= down_scale_s(more) / LATEST
    assert down_scale_s(0) / LATEST == pytest.approx(down_scale_s(1) / SOONEST)


def test_rates_drawn_are_as_uncertain_as_the_belief() -> None:
    wide, narrow = rates_of(Belief(1.2, 12.0)), rates_of(Belief(120.0, 1200.0))
    for rates in (wide, narrow):
        assert list(rates) == sorted(rates)
        assert sum(rates) / len(rates) == pytest.approx(0.1, rel=0.05)
    assert wide[-1] - wide[0] > 5 * (narrow[-1] - narrow[0])


# -- egress --------------------------------------------------------------------------------------------

HERE, THERE = a_pool(region="us-1", zone="us-1a"), a_pool(region="eu-1", zone="eu-1a")
PAID = a_pool(region="eu-1", zone="", market="on-demand")


def travelled(*actions: Action, egress_usd: float = 2.0) -> tuple[float, list[tuple[float, ...]]]:
    """What egress was paid for doing these one after the other, and what moves were told to cost before each."""
    prospects = [a_prospect(pool=pool, egress_usd=egress_usd, rate=0.0, chance=1.0) for pool in (HERE, THERE)]
    future = Future(prospects, tick_s=TICK_S, ticks=len(actions), seed=1, run=0)
    journey, told = Journey(future, prospects, (PAID, egress_usd)), []
    script = iter(actions)

    def policy(s: Situation, memory: Memory) -> tuple[Action, Memory]:
        return next(script), memory

    decide = journey.deciding(policy)
    running: Action = IDLE
    for pools in journey:
        told.append(tuple(p.move_usd for p in pools))
        situation = Situation(1e6, 1e6, 1e5, 1e5, running, 0.0, 300.0, TICK_S, 3.0, pools)
        running, _ = decide(situation, ())
    return journey.egress_usd, told


def test_a_first_start_moves_nothing_and_staying_costs_nothing() -> None:
    assert travelled(1, 1, 1) == (0.0, [(0, 0), (2, 0), (2, 0)])


def test_going_to_another_region_and_back_is_paid_twice() -> None:
    assert travelled(0, 1, IDLE, 0) == (4.0, [(0, 0), (0, 2), (2, 0), (2, 0)])


def test_on_demand_lies_somewhere_too() -> None:
    assert travelled(0, ON_DEMAND, 1) == (2.0, [(0, 0), (0, 2), (2, 0)])


def test_where_no_traffic_is_paid_none_is_told() -> None:
    assert travelled(0, 1, ON_DEMAND, 0, egress_usd=0.0) == (0.0, [(0, 0)] * 4)
