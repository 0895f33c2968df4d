"""How long an estimate takes: 40 hours of work within 60, over the eight pools that count at most."""

from __future__ import annotations

import time

from spotlaunch.core.policy import DEFAULT, POLICIES
from spotlaunch.simulate.estimate import MOST_POOLS, TICK_S, estimate
from tests.simulate.prospects import a_prospect, a_question

QUESTION = a_question(
    *(a_prospect(f"z{n}", rate=0.1, price=1 + n / 20) for n in range(MOST_POOLS)),
    work_s=40 * 3600.0,
    deadline_s=60 * 3600.0,
    tick_s=TICK_S,
)


def estimated_s() -> tuple[float, float, int]:
    """Seconds for what `submit --dry-run` shows, for what `estimate` does, and the runs of both."""
    began = time.perf_counter()
    estimate(QUESTION, [DEFAULT, "on-demand"])
    brief_s = time.perf_counter() - began
    estimate(QUESTION, list(POLICIES))
    return brief_s, time.perf_counter() - began - brief_s, QUESTION.usual_runs
