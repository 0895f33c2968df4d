"""Jobs with deadlines in whole worlds: where on-demand works they are in time, whatever happens to spot."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from spotlaunch.core import steering
from tests.sim.many import run_worlds
from tests.sim.world import run_world

pytestmark = pytest.mark.sim

# A spot machine that was cut off ate the time for an on-demand start here.
ONCE_LATE = 18


def test_no_job_is_late_while_a_watchdog_is_awake() -> None:
    reports = run_worlds([ONCE_LATE, *range(2)], deadlines=True, crashes=False, liars=False)
    assert [(r.seed, r.broken, r.late_s) for r in reports if r.broken or r.late_s] == []


def test_crashes_make_a_job_late_by_no_more_than_they_take() -> None:
    reports = run_worlds(range(3), deadlines=True, liars=False)
    assert [(r.seed, r.broken) for r in reports if r.broken] == []


def test_under_a_policy_that_promises_nothing_they_are_late() -> None:
    with patch.object(steering, "policy_name", lambda job: "spot"):
        assert run_world(ONCE_LATE, deadlines=True, crashes=False, liars=False).late_s > 0
