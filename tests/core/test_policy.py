"""All policies: the deadline in any world, no look ahead, and what they share."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.policy import DEFAULT, POLICIES, PROMISE_DEADLINES
from spotlaunch.core.situation import HAIR_S, IDLE, ON_DEMAND, Situation
from tests.core.policyworlds import HOUR, World, play, pool, situation, worlds

ALL = sorted(POLICIES)
PROMISING = sorted(PROMISE_DEADLINES)


def test_ours_is_the_default_and_promises_deadlines() -> None:
    assert DEFAULT in POLICIES
    assert DEFAULT in PROMISE_DEADLINES
    assert set(POLICIES) - {"spot"} == PROMISE_DEADLINES


@pytest.mark.parametrize("name", PROMISING)
@settings(max_examples=60, deadline=None)
@given(world=worlds())
def test_a_deadline_that_held_at_the_start_is_never_missed(name: str, world: World) -> None:
    assert play(POLICIES[name], world).finished_s <= world.deadline_s + HAIR_S


@pytest.mark.parametrize("name", PROMISING)
@settings(max_examples=40, deadline=None)
@given(world=worlds(), after=st.integers(0, 60))
def test_nor_is_one_where_spot_lasts_only_for_a_while(name: str, world: World, after: int) -> None:
    never = tuple(False for _ in world.starts_s)
    lured = replace(world, ups=(tuple(True for _ in never),) * (after + 1) + (never,))
    assert play(POLICIES[name], lured).finished_s <= world.deadline_s + HAIR_S


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40, deadline=None)
@given(world=worlds(), look=st.integers(0, 100))
def test_nothing_depends_on_what_comes_later(name: str, world: World, look: int) -> None:
    longer = world.ups + (world.ups[-1],) * 100
    turned = tuple(tuple(not up for up in ups) for ups in longer[look:])
    before = play(POLICIES[name], world).actions[:look]
    assert play(POLICIES[name], replace(world, ups=longer[:look] + turned)).actions[: len(before)] == before


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=30, deadline=None)
@given(world=worlds())
def test_the_same_situation_and_memory_give_the_same_answer(name: str, world: World) -> None:
    assert play(POLICIES[name], world) == play(POLICIES[name], world)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_there_is_an_answer_at_any_moment_late_ones_and_new_deadlines_too(name: str, data: st.DataObject) -> None:
    some_s = st.one_of(st.sampled_from([0.0, 1.0, 600.0, 1e9]), st.floats(0, 1e6))
    up = st.builds(pool, st.booleans(), st.floats(0, 9), up_for_s=some_s, start_s=some_s, interruptions=some_s)
    draws = {key: data.draw(some_s) for key in ("work_left_s", "pending_s", "start_s", "waiting_s")}
    pools = data.draw(st.lists(up, max_size=3))
    running = data.draw(st.sampled_from([IDLE, ON_DEMAND, *(i for i, p in enumerate(pools) if p.up)]))
    s, memory = situation(pools, running=running, **draws), ()
    for left_s in data.draw(st.lists(st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, math.inf])), min_size=1)):
        action, memory = POLICIES[name](s._replace(left_s=left_s), memory)
        assert action in (IDLE, ON_DEMAND) or pools[action].up  # type: ignore[index]


@pytest.mark.parametrize("name", ALL)
def test_without_a_deadline_spot_is_taken_where_it_is_up(name: str) -> None:
    endless = situation([pool()], left_s=math.inf, deadline_s=math.inf)
    assert POLICIES[name](endless, ())[0] == (ON_DEMAND if name == "on-demand" else 0)


@pytest.mark.parametrize("name", ["greedy", "uniform-progress", "slack"])
def test_without_a_deadline_on_demand_comes_after_patience(name: str) -> None:
    endless = situation([pool(up=False)], left_s=math.inf, deadline_s=math.inf, patience_s=900.0)
    waiting = [POLICIES[name](endless._replace(waiting_s=s), ())[0] for s in (0.0, 899.0, 900.0, 9000.0)]
    assert waiting == [IDLE, IDLE, ON_DEMAND, ON_DEMAND]


def test_spot_waits_for_ever_and_takes_the_cheapest() -> None:
    assert POLICIES["spot"](situation([pool(up=False)], left_s=60.0), ())[0] == IDLE
    assert POLICIES["spot"](situation([pool(usd=2.0), pool(usd=1.0), pool(up=False, usd=0.5)]), ())[0] == 1


def test_greedy_pays_at_the_last_moment_and_to_the_end() -> None:
    dry = situation([pool(up=False)])
    # 48 hours and a start, and one look in vain, must fit.
    assert _greedy(dry._replace(left_s=48 * HOUR + 1200)) == IDLE
    assert _greedy(dry._replace(left_s=48 * HOUR + 1199)) == ON_DEMAND
    assert _greedy(situation([pool()], running=ON_DEMAND)) == ON_DEMAND


def _greedy(s: Situation) -> object:
    return POLICIES["greedy"](s, ())[0]
