"""Books of a size: so many jobs that are over, as `status` meets them after a year, or live, as a look does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from spotlaunch.core.book import Attempt, Event, Job, Machine
from spotlaunch.core.facts import Pool
from spotlaunch.core.orders import launch_key
from spotlaunch.core.plan import AddAttempt, AddEvent, AddMachine, SetMachine, Write
from spotlaunch.core.spec import Spec
from spotlaunch.storage.store import SqliteStore

POOLS = [
    Pool(provider="bench", region="r1", zone=f"r1{zone}", instance_type="gpu-8", market="spot") for zone in "abcdefgh"
]


def a_job(n: int, now: float, *, over: bool) -> Job:
    """Job number ``n``, submitted a while before ``now`` (seconds since the epoch)."""
    return Job(
        name=f"job-{n:04d}",
        spec=Spec(name=f"job-{n:04d}", run="python train.py"),
        submitted_at=now - 3600.0 - n,
        store_url="s3://bench/checkpoints",
        state="finished" if over else "running",
        reason="the program ended with exit code 0" if over else "",
        exit_code=0 if over else None,
        over_at=now - 60.0 if over else None,
        last_attempt=2,
        attempts_ran=2,
        step=400,
        total_steps=1000,
    )


def fill(store: SqliteStore, *, over: int, live: int, now: float) -> None:
    """Add jobs with two attempts each, the first one preempted; of live ones the second still runs."""
    for n in range(over + live):
        job = a_job(n, now, over=n < over)
        store.add_job(
            job, Event(job=job.name, at=job.submitted_at, kind="submitted", text="submitted: python train.py")
        )
        store.apply(
            [w for number in (1, 2) for w in _attempt(store, job, number, now, alive=n >= over and number == 2)]
        )


def _attempt(store: SqliteStore, job: Job, number: int, now: float, *, alive: bool) -> list[Write]:
    began_at = job.submitted_at + 1000.0 * number
    attempt = Attempt(
        job=job.name, number=number, started_at=began_at, market="spot", phase="running", step=200 * number
    )
    if alive:
        attempt = replace(attempt, heard_at=now, progressed_at=now, commits=3)
    else:
        attempt = replace(attempt, outcome="preempted", reason="taken away after a notice", ended_at=began_at + 900.0)
    machine = Machine(
        launch_key=launch_key(store.owner, job.name, number),
        job=job.name,
        attempt=number,
        rank=0,
        pool=POOLS[number % len(POOLS)],
        gpu="V100",
        gpu_count=8,
        price_usd_hour=Decimal("7.344"),
        on_demand_usd_hour=Decimal("24.48"),
        state="up",
        intended_at=began_at,
        instance_id=f"i-{job.name}-{number}",
        tried_at=began_at,
        up_at=began_at,
    )
    writes: list[Write] = [AddAttempt(attempt=attempt), AddMachine(machine=machine)]
    if not alive:
        gone = {"state": "ended", "ended_at": began_at + 900.0, "outcome": "preempted"}
        writes.append(SetMachine(launch_key=machine.launch_key, frm="up", changes=gone))
    event = Event(job=job.name, at=began_at, kind="launched", text=f"attempt {number} has a machine: {machine.pool}")
    return [*writes, AddEvent(event=event)]
