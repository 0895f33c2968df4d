"""The demo, for real: the job of `make demo`, interrupted, ends with the very weights of an uninterrupted run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Rehearsal, one_at_a_time, rehearsal
from tests.fakes.waiting import eventually

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "configs" / "demo"
TRACE = ROOT.parent / "shared/traces/availability/1-node/aws-10-26-2022/us-west-2a_k80_1.json"

# One pool, as it was recorded, and nothing else: the job has to live with what there was.
RECORDED = """
traits: {{rest_s: 0.5, max_rest_s: 1}}
pools:
  - {{name: recorded, zone: us-west-2a, type: p3.16xlarge, gpu: "V100:8", cpus: 64, memory_gb: 488,
     price_usd_hour: 7.34, on_demand_usd_hour: 24.48, boot: 0.1s, notice: 1s,
     availability: {{trace: "{trace}", tick: 0.2s}}}}
"""


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What train.py prints when nobody interrupts it."""
    done = train(tmp_path_factory.mktemp("alone"), EPOCH_SECONDS="0")
    assert done.returncode == 0, done.stderr
    assert "test accuracy 0.9" in done.stdout
    return digest_in(done.stdout)


def train(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the script as it is, without spotlaunch."""
    script = [sys.executable, str(DEMO / "train.py")]
    return subprocess.run(script, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=120)


def digest_in(text: str) -> str:
    """The one that was printed; a machine taken in its last moment, its end untold, has it printed once more."""
    (found,) = set(re.findall(r"weights sha256 ([0-9a-f]{64})", text))
    return str(found)


def of_kind(r: Rehearsal, kind: str) -> list[dict[str, Any]]:
    events = json.loads(r.ok("events", "demo", "--json"))
    return [e for e in events if e["kind"] == kind]


def follow(r: Rehearsal, job_file: Path, *, within_s: float) -> subprocess.CompletedProcess[str]:
    """Submit the demo and stay to its end. As in the Makefile, `python3` is the one that numpy is installed for."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = r.cli("submit", job_file, "--follow", "-y", within_s=within_s, env={"PATH": path})
    assert done.returncode == 0, done.stdout + done.stderr + r.story("demo")
    return done


def nothing_is_left(r: Rehearsal) -> None:
    r.cli("watch", "--stop")
    eventually(lambda: not r.processes() and not r.awake(), within_s=15)
    one_at_a_time(r.register("demo"))


def test_it_goes_on_alone_from_where_it_was_told_to_stop(digest: str, tmp_path: Path) -> None:
    script = [sys.executable, str(DEMO / "train.py")]
    with subprocess.Popen(script, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("epoch   2/"):
            assert process.poll() is None
        process.terminate()
        assert "asked to stop: saved after epoch" in process.stdout.read()
    assert process.returncode == 143
    newest = max((tmp_path / "checkpoints").glob("epoch-*.npz"))
    done = train(tmp_path, EPOCH_SECONDS="0", SPOTLAUNCH_RESUME=str(newest))
    assert digest_in(done.stdout) == digest
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def test_the_demo_loses_machines_falls_back_returns_and_ends_with_the_same_weights(digest: str, tmp_path: Path) -> None:
    with rehearsal(tmp_path, (DEMO / "market.yaml").read_text()) as r:
        done = follow(r, DEMO / "job.yaml", within_s=240)
        assert digest_in(done.stdout) == digest
        assert len(of_kind(r, "preempted")) >= 3
        assert len([e for e in of_kind(r, "resumed") if e["data"]["step"] > 0]) >= 3
        assert any("local-1d" in str(e["data"]["scopes"]) for e in of_kind(r, "refused"))
        assert len(of_kind(r, "fallback")) == 1
        assert of_kind(r, "return")
        assert "work lost" in done.stderr and "saved $" in done.stderr
        nothing_is_left(r)


@pytest.mark.skipif(not TRACE.exists(), reason=f"the recorded traces are not at {TRACE.parents[3]}")
def test_it_ends_with_the_same_weights_on_a_market_that_was_recorded(digest: str, tmp_path: Path) -> None:
    with rehearsal(tmp_path, RECORDED.format(trace=TRACE)) as r:
        job = (DEMO / "job.yaml").read_text()
        job = job.replace("gpu: V100", 'gpu: "V100:8"').replace("market: auto", "market: spot")
        job = job.replace("run:", f"workdir: {DEMO}\nrun:")
        job_file = tmp_path / "job.yaml"
        job_file.write_text(job + 'env: {EPOCH_SECONDS: "0.1"}\n')
        done = follow(r, job_file, within_s=400)
        assert digest_in(done.stdout) == digest
        assert of_kind(r, "preempted")
        assert any(e["data"]["step"] > 0 for e in of_kind(r, "resumed"))
        nothing_is_left(r)
