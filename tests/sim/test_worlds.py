"""Whole worlds come out whole. `make sim` runs many more of them."""

from __future__ import annotations

import pytest

from tests.sim.many import run_worlds, waste
from tests.sim.world import run_world

pytestmark = pytest.mark.sim

# Seeds that once broke something, run for ever. Worlds change when the simulation does, so a seed keeps its
# place here only as a world like any other; the bug itself has a test of its own where it was.
ONCE_BROKEN = [20, 21, 27, 31, 54, 148, 311, 394, 465, 575, 591, 615, 760, 901]


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_a_world_that_once_broke_stays_whole(seed: int) -> None:
    assert run_world(seed).broken == []


def test_twenty_worlds_break_nothing_and_waste_little() -> None:
    reports = run_worlds(range(1000, 1020))
    assert [r.broken for r in reports if r.broken] == []
    assert waste(reports) == []


def test_a_seed_replays_the_same_world() -> None:
    assert run_world(7) == run_world(7)


def test_clouds_that_lie_about_their_machines_lose_nothing() -> None:
    assert [r.broken for r in run_worlds(range(2000, 2012), liars=True) if r.broken] == []
