"""Each safety habit, taken away, makes the simulation fail: that is how we know that it can.

Without the sweep or a fence, or with the book read too early, worlds break. Without the other habits nothing is
lost, but worlds cost more than `many.waste` allows.
"""

from __future__ import annotations

import pytest

from tests.sim.many import run_worlds, waste

pytestmark = pytest.mark.sim

BATCH = 10

# Where clouds lie, ghosts live long enough to write; there the two guards of the register are needed most.
# World 51 comes first, as one that breaks where the register is read before the claim: that takes a rare meeting.
SEEDS = (51, *range(29))
COSTS = range(10)


@pytest.mark.parametrize(
    ("habit", "said"),
    [
        ("claim before read", "progress went back"),
        ("the epoch fence", "had claimed"),
        ("the sweep", "still up after calm"),
        ("cloud before book", "had ended well, and was judged"),
    ],
)
def test_without_it_worlds_break(habit: str, said: str) -> None:
    # Some at a time: one world that breaks is enough.
    for first in range(0, len(SEEDS), BATCH):
        reports = run_worlds(SEEDS[first : first + BATCH], missing=habit, liars=habit != "cloud before book")
        if any(said in line for r in reports for line in r.broken):
            return
    pytest.fail(f"without {habit!r}, no world broke")


@pytest.mark.parametrize(
    ("habit", "said"),
    [
        ("the lease", "attempts"),
        ("unknown is not failed", "doubled"),
        ("memory of refusals", "refused launches"),
    ],
)
def test_without_it_worlds_cost_too_much(habit: str, said: str) -> None:
    reports = run_worlds(COSTS, missing=habit, liars=False)
    assert any(said in line for line in waste(reports))


def test_with_all_habits_the_same_worlds_are_whole_and_cheap() -> None:
    for liars in (True, False):
        reports = run_worlds(COSTS, liars=liars)
        assert [r.broken for r in reports if r.broken] == []
        assert waste(reports) == []
