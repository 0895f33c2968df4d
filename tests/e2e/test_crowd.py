"""Many jobs on a small computer, and many submitters at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spotlaunch.core.spec import Spec
from spotlaunch.submission import submit
from spotlaunch.watchdog.serve import SystemClock
from tests.e2e.support import SPOTLAUNCH, Rehearsal, rehearsal

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
CROWD = (ROOT / "configs/local/crowd.yaml").read_text()
JOBS = 500

# What takes about 70 s on two idle cores, while other tests keep them busy.
WITHIN_S = 400.0


def test_five_hundred_jobs_finish_and_no_pass_of_the_watchdog_takes_a_second_of_cpu(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    measures = tmp_path / "passes.json"
    with rehearsal(tmp_path, CROWD) as r:
        submit_all(r)
        began_at = time.monotonic()
        with (tmp_path / "watchdog-errors").open("w") as errors:
            watchdog = subprocess.Popen(
                [sys.executable, str(ROOT / "tests/e2e/measured_watch.py"), str(measures)],
                env={**r.env, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        try:
            watchdog.wait(WITHIN_S)  # it goes home when there is nothing left to do
        finally:
            watchdog.kill()
            watchdog.wait()
        took_s = time.monotonic() - began_at
        with r.store() as store:
            states = [job.state for job in store.jobs()]
            assert states.count("finished") == JOBS, (states, (tmp_path / "watchdog-errors").read_text()[-3000:])
            assert all(m.state == "ended" for m in store.machines())
        assert not r.processes()
    cpu_s = sorted(cpu for cpu, _ in json.loads(measures.read_text()))
    record_property("seconds for 500 jobs", took_s)
    record_property("CPU seconds of the longest pass", cpu_s[-1])
    print(f"{JOBS} jobs in {took_s:.0f} s; {len(cpu_s)} passes, the longest {cpu_s[-1]:.3f} s of CPU")
    assert cpu_s[-1] < 1.0


def submit_all(r: Rehearsal) -> None:
    """As `spotlaunch submit` does it, without starting a process for each."""
    with r.store() as store:
        for n in range(JOBS):
            spec = Spec(name=f"job-{n}", run="true")
            submit(r.home, store, spec, secret_values={}, clock=SystemClock(), owner=store.owner, exact_name=True)


def test_the_same_file_submitted_by_several_processes_at_once_gives_as_many_jobs_with_names_of_their_own(
    tmp_path: Path,
) -> None:
    with rehearsal(tmp_path, CROWD) as r:
        file = r.job_file("same", "echo done")
        submitters = [
            subprocess.Popen(
                [*SPOTLAUNCH, "submit", str(file), "-y"],
                env=r.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(8)
        ]
        said = [p.communicate(timeout=60) for p in submitters]
        assert not [(p.returncode, err) for p, (_, err) in zip(submitters, said, strict=True) if p.returncode]
        names = sorted(out.strip() for out, _ in said)
        assert names == sorted(["same", *(f"same-{n}" for n in range(2, 9))])
        for name in names:
            assert r.await_over(name).state == "finished"
        assert len(r.awake()) <= 1, "eight submitters started one watchdog"


def test_eight_submitters_who_insist_on_one_name_leave_one_job(tmp_path: Path) -> None:
    with rehearsal(tmp_path, CROWD) as r:
        file = r.job_file("same", "echo done")
        submitters = [
            subprocess.Popen(
                [*SPOTLAUNCH, "submit", str(file), "-y", "--name", "mine"],
                env=r.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(8)
        ]
        said = [p.communicate(timeout=60)[1] for p in submitters]
        assert sorted(p.returncode for p in submitters) == [0] + [2] * 7, said
        assert all("there is a job called 'mine' already" in err for err in said if "error" in err)
        assert os.listdir(r.home.blobs / "jobs") == ["mine"]  # noqa: PTH208
        assert r.await_over("mine").state == "finished"
