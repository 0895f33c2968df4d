"""Whatever is killed, and whenever: the job finishes with the same result, and nothing is left running."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spotlaunch.core.book import Job
from tests.e2e.support import Rehearsal, digest, kill_9, one_at_a_time, rehearsal
from tests.fakes.waiting import eventually

pytestmark = pytest.mark.e2e

# Machines live six seconds on average, boot at once, and no pool rests for long.
MARKET = """
seed: 11
traits: {rest_s: 0.5, max_rest_s: 2, boot_timeout_s: 20}
defaults: {region: local-1, type: t, boot: 0.1s, notice: 0.5s, cpus: 4, memory_gb: 8, capacity: 4,
           on_demand_usd_hour: 1, interruptions_per_hour: 600}
pools:
  - {name: a, zone: a, price_usd_hour: 0.10}
  - {name: b, zone: b, price_usd_hour: 0.11}
  - {name: c, zone: c, price_usd_hour: 0.12}
"""
CALM = MARKET.replace("interruptions_per_hour: 600", "interruptions_per_hour: 1")
RUDE = MARKET.replace("notice: 0.5s", "notice: 0s")

STEPS = 500
FALLBACK = {"patience": "1h"}


def killed(r: Rehearsal, *, signs: tuple[str, ...], seed: int) -> int | None:
    """Kill one process of this rehearsal whose command line holds one of ``signs``. Its number, if there was one."""
    found = [pid for pid, line in _processes(r) if any(sign in line for sign in signs)]
    if not found:
        return None
    pid = random.Random(seed).choice(sorted(found))
    return pid if kill_9(pid) else None


def _processes(r: Rehearsal) -> list[tuple[int, str]]:
    lines = (line.partition(": ") for line in r.processes())
    return [(int(pid), line) for pid, _, line in lines] + [(pid, "watch") for pid in r.awake()]


def finished_as_if_nothing_had_been(r: Rehearsal, job: Job) -> None:
    story = r.story(job.name)
    assert job.state == "finished", story
    assert f"digest {digest(STEPS)}" in r.logs(job.name), story
    one_at_a_time(r.register(job.name))
    eventually(lambda: not r.processes(), within_s=15)
    with r.store() as store:
        eventually(lambda: all(m.state == "ended" for m in store.machines(job.name)), within_s=15)


def kill_at_random(r: Rehearsal, name: str, *, times: int, seed: int, kill: Callable[[int], object]) -> Job:
    """Call ``kill`` at that many random moments of the job's run, and keep a watchdog awake; wait for the end."""
    luck = random.Random(seed)
    done, next_at = 0, time.monotonic() + luck.uniform(0.1, 1.5)

    def meanwhile() -> None:
        nonlocal done, next_at
        if not r.awake():
            r.watch()
        if done < times and time.monotonic() >= next_at and kill(luck.getrandbits(32)):
            done += 1
            next_at = time.monotonic() + luck.uniform(0.1, 1.5)

    job = r.await_over(name, within_s=90, doing=meanwhile)
    assert done == times, f"only {done} of {times} kills in the whole run"
    eventually(lambda: all_ended(r, name), within_s=20)
    return job


def all_ended(r: Rehearsal, name: str) -> bool:
    if not r.awake():
        r.watch()
    with r.store() as store:
        return all(m.state == "ended" for m in store.machines(name))


def test_a_watchdog_killed_ten_times_is_succeeded_each_time_and_the_job_ends_with_the_same_result(
    tmp_path: Path,
) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(r.training("job", steps=STEPS, fallback=FALLBACK))

        def kill(seed: int) -> bool:
            return bool(killed(r, signs=("watch",), seed=seed))

        finished_as_if_nothing_had_been(r, kill_at_random(r, name, times=10, seed=3, kill=kill))


def test_an_agent_killed_at_random_moments_costs_work_but_loses_no_committed_step(tmp_path: Path) -> None:
    with rehearsal(tmp_path, CALM) as r:
        name = r.submit(r.training("job", steps=STEPS, fallback=FALLBACK))

        def kill(seed: int) -> bool:
            return bool(killed(r, signs=("spotlaunch.agent",), seed=seed))

        finished_as_if_nothing_had_been(r, kill_at_random(r, name, times=8, seed=5, kill=kill))
        assert max(e.epoch for e in r.register(name)) > 4


def test_a_machine_whose_host_was_killed_is_ended_and_its_job_goes_on_elsewhere(tmp_path: Path) -> None:
    with rehearsal(tmp_path, CALM) as r:
        name = r.submit(r.training("job", steps=STEPS, fallback=FALLBACK))

        def kill(seed: int) -> bool:
            return bool(killed(r, signs=("local.host",), seed=seed))

        finished_as_if_nothing_had_been(r, kill_at_random(r, name, times=8, seed=7, kill=kill))


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_killed_at_random_while_machines_are_taken_without_notice(tmp_path: Path, seed: int) -> None:
    with rehearsal(tmp_path, RUDE) as r:
        # A program that dies by a signal alone is a failure of its own, unless the job file says otherwise.
        name = r.submit(r.training("job", steps=STEPS, fallback=FALLBACK, restart_on_exit=[137]))

        def kill(luck: int) -> bool:
            return bool(killed(r, signs=("watch", "spotlaunch.agent", "local.host", "train.py"), seed=luck))

        finished_as_if_nothing_had_been(r, kill_at_random(r, name, times=14, seed=seed, kill=kill))


def test_a_watchdog_killed_while_nothing_runs_leaves_no_lease_that_keeps_the_next_one_out(tmp_path: Path) -> None:
    with rehearsal(tmp_path, CALM) as r:
        name = r.submit(r.training("job", steps=20))
        for pid in eventually(r.awake):
            kill_9(pid)
        eventually(lambda: not r.awake())
        began_at = time.monotonic()
        r.ok("watch", "--once")
        assert time.monotonic() - began_at < 10
        r.watch()
        assert r.await_over(name).state == "finished"
