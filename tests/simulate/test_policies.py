"""Policies over the published traces beside the optimum, in a sample: `python -m tests.evaluation` has the whole."""

from __future__ import annotations

from functools import cache
from statistics import mean

import pytest

from spotlaunch.core import hazard
from spotlaunch.core.policy import POLICIES, PROMISE_DEADLINES
from spotlaunch.simulate.optimum import optimum_usd
from spotlaunch.simulate.replay import Run, replay
from tests.evaluation.sets import FEBRUARY, Case, one_pool, several_pools, there
from tests.evaluation.table import starts_of

pytestmark = pytest.mark.skipif(not there(), reason="the traces are not beside the checkout")

ONE, SEVERAL = "one pool", "several pools"
NAMES = ("greedy", "uniform-progress", "slack")


@cache
def sample(which: str) -> tuple[list[float], dict[str, list[tuple[Run, float]]]]:
    """Dollars of the optimum; and for each policy its runs, with their share of on-demand from the first second."""
    one = [c for c in one_pool() if c.deadline in (56, 80) and c.overhead in (0.05, 0.2)]
    several = [c for c in several_pools() if c.deadline in (52, 70)]
    least: list[float] = []
    runs: dict[str, list[tuple[Run, float]]] = {name: [] for name in NAMES}
    for case in one if which == ONE else several:
        starts = starts_of(case, 1, seed=5)
        least += optimum_usd(case.task, case.traces, starts)
        for name in NAMES:
            found = [replay(case.task, case.traces, start, POLICIES[name]) for start in starts]
            runs[name] += [(run, run.cost_usd / case.task.on_demand_usd) for run in found]
    return least, runs


def over(which: str, name: str) -> float:
    """Percent above the optimum, in the mean."""
    least, runs = sample(which)
    return 100 * mean(run.cost_usd / best - 1 for (run, _), best in zip(runs[name], least, strict=True))


@pytest.mark.parametrize(("which", "most"), [(ONE, 5.5), (SEVERAL, 6.5)])
def test_ours_is_near_the_optimum_and_well_below_uniform_progress(which: str, most: float) -> None:
    ours, uniform = over(which, "slack"), over(which, "uniform-progress")
    assert 0 < ours < most
    assert (100 + ours) / (100 + uniform) < 0.97


@pytest.mark.parametrize(("which", "about"), [(ONE, 7.8), (SEVERAL, 11.5)])
def test_uniform_progress_is_as_good_as_elsewhere(which: str, about: float) -> None:
    # Within a point over all of both sets (docs/policies.md); this is a fiftieth of one.
    assert over(which, "uniform-progress") == pytest.approx(about, abs=2.5)


@pytest.mark.parametrize("which", [ONE, SEVERAL])
def test_nobody_is_late_and_ours_never_costs_much_more_than_on_demand(which: str) -> None:
    _, runs = sample(which)
    assert not [run for name in PROMISE_DEADLINES & set(NAMES) for run, _ in runs[name] if run.late]
    assert max(share for _, share in runs["slack"]) < 1.1


def test_the_law_of_the_other_set_does_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(case: Case) -> float:
        (start,) = starts_of(case, 1, seed=5)
        return replay(case.task, case.traces, start, POLICIES["slack"]).cost_usd

    cases = [c for c in one_pool() if c.deadline == 56 and c.overhead == 0.2]
    shipped = mean(map(cost, cases))
    crossed = []
    for case in cases:
        monkeypatch.setattr(hazard, "HAZARD", 1.25 if case.files[0].parent.name == FEBRUARY else 1.0)
        crossed.append(cost(case))
    assert mean(crossed) == pytest.approx(shipped, rel=0.01)
