"""`spotlaunch estimate` as a process of its own, against five clouds over real HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.policy import POLICIES
from tests.e2e.test_prices import Clouds, clouds
from tests.fakes.clouds.all import FAKES

__all__ = ["clouds"]

pytestmark = pytest.mark.e2e

JOB = """
name: digits
run: python train.py
work: 20h
deadline: 30h
resources: {gpu: H100}
checkpoint: {store: s3://bucket/x}
"""


def test_five_clouds_are_asked_and_every_policy_is_estimated(clouds: Clouds, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    file = tmp_path / "job" / "job.yaml"
    file.write_text(JOB)
    done = clouds.run("estimate", str(file), "--runs", "20", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failures"] == {}
    assert told["pools"] and told["on_demand_pool"].partition(":")[0] in FAKES
    assert {p["pool"].partition(":")[0] for p in told["pools"]} <= set(FAKES)
    policies: dict[str, Any] = {p["policy"]: p for p in told["policies"]}
    assert list(policies) == list(POLICIES)
    for p in policies.values():
        assert 0 < p["p5_cost_usd"] <= p["p95_cost_usd"]
        assert p["in_time"] == 1 or not p["promises_deadlines"]
    assert policies["slack"]["mean_cost_usd"] < policies["on-demand"]["mean_cost_usd"]
    assert all(fake.calls for fake in clouds.fakes.values())

    brief = clouds.run("submit", "--dry-run", "--json", str(file))
    assert brief.returncode == 0, brief.stderr
    assert [p["policy"] for p in json.loads(brief.stdout)["estimate"]["policies"]] == ["slack", "on-demand"]
