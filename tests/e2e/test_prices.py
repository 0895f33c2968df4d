"""`spotlaunch prices` as a process of its own, against five clouds over real HTTP."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.home import Home
from tests.bench.commands import environment
from tests.fakes.clouds.all import FAKES
from tests.fakes.clouds.server import FakeCloud

pytestmark = pytest.mark.e2e


@dataclass
class Clouds:
    """The five, their variables, and a home to run commands in."""

    home: Path
    fakes: dict[str, FakeCloud]
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, timeout_s: float = 60, **more: str) -> subprocess.CompletedProcess[str]:
        env = {**environment(Home(self.home)), **self.variables, **more}
        command = [sys.executable, "-P", "-m", "spotlaunch", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout_s)

    def prices(self, *arguments: str, **more: str) -> Any:
        done = self.run("prices", "--json", *arguments, **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    made = Clouds(tmp_path / "home", {name: make() for name, make in FAKES.items()})
    with ExitStack() as stack:
        for fake in made.fakes.values():
            made.variables |= fake.environment(stack.enter_context(fake.serving()))
        yield made


def providers_of(answer: Any) -> set[str]:
    return {o["provider"] for o in answer["offers"]}


def test_all_five_answer_and_the_first_row_is_the_cheapest_by_our_own_reckoning(clouds: Clouds) -> None:
    answer = clouds.prices("--gpu", "H100")
    assert providers_of(answer) == set(FAKES)
    assert all(o["gpu"].startswith("H100") for o in answer["offers"])
    can_be_had = [o for o in answer["offers"] if o["available"] != "no"]
    assert can_be_had[0] is answer["offers"][0]
    reckoned = [_effective(o) for o in can_be_had]
    assert min(reckoned) == pytest.approx(reckoned[0], rel=1e-3)
    for offer, mine in zip(can_be_had, reckoned, strict=True):
        assert offer["effective_usd_hour"] == pytest.approx(mine, rel=1e-3), offer


def _effective(offer: dict[str, Any]) -> float:
    """Dollars per useful hour, written down again from the policy research: at Daly's interval, a checkpoint of
    60 s and 10 GB, half of the restarts moving it."""
    rate, restart_h, write_h = offer["interruptions_per_hour"], offer["restart_s"] / 3600, 60 / 3600
    mean_h = 1 / rate if rate else 1e9
    x = write_h / (2 * mean_h)
    interval_h = mean_h if write_h >= 2 * mean_h else math.sqrt(2 * write_h * mean_h) * (1 + math.sqrt(x) / 3 + x / 9)
    if write_h < 2 * mean_h:
        interval_h -= write_h
    factor = math.exp(rate * restart_h) * math.expm1(rate * (interval_h + write_h)) / (rate * interval_h)
    price = offer["price_usd_hour"] + offer["storage_usd_hour"]
    return price * factor + rate * factor * 10 * 0.5 * offer["egress_usd_gb"]


def test_a_cloud_that_hangs_does_not_keep_the_command_from_ending(clouds: Clouds) -> None:
    clouds.fakes["aws"].fail("hang")
    clouds.fakes["vast"].fail("drip", seconds=3600)
    began = time.monotonic()
    answer = clouds.prices("--gpu", "H100", "--timeout", "9")
    assert time.monotonic() - began < 20
    assert providers_of(answer) == {"gcp", "azure", "runpod"}
    assert [p["provider"] for p in answer["providers"] if not p["ok"]] == ["aws", "vast"]


def test_with_no_cloud_left_it_fails_and_says_why_of_each(clouds: Clouds) -> None:
    for fake in clouds.fakes.values():
        fake.fail("server-error")
    done = clouds.run("prices", "--gpu", "H100", "--timeout", "20")
    assert done.returncode == 1
    assert all(f"{name}: " in done.stderr for name in FAKES)
    assert "Traceback" not in done.stderr


def test_prices_just_seen_are_not_asked_for_again_unless_wanted(clouds: Clouds) -> None:
    first = clouds.prices("--gpu", "H100")
    asked = {name: len(f.calls) for name, f in clouds.fakes.items()}
    again = clouds.prices("--gpu", "H100")
    assert {name: len(f.calls) for name, f in clouds.fakes.items()} == asked
    assert [o["instance_type"] for o in again["offers"]] == [o["instance_type"] for o in first["offers"]]
    clouds.prices("--gpu", "H100", "--refresh")
    assert all(len(f.calls) > asked[name] for name, f in clouds.fakes.items())


def test_a_job_on_clouds_that_only_tell_prices_says_why_it_waits(clouds: Clouds, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("name: j\nrun: 'true'\nresources: {gpu: H100}\nwhere: {providers: [aws, vast]}\n")
    done = clouds.run("submit", str(job), "--yes")
    assert done.returncode == 1
    assert "aws" in done.stderr and "hint:" in done.stderr
    assert "Traceback" not in done.stderr
