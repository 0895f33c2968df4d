"""Values of every noun of the book, to write and read back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from spotlaunch.core.book import Attempt, Event, Job, Machine, Refusal
from spotlaunch.core.facts import Pool, Scope
from spotlaunch.core.spec import Spec

POOL = Pool(provider="aws", region="us-west-2", zone="us-west-2a", instance_type="p3.2xlarge", market="spot")


def a_job(name: str = "digits", **changes: Any) -> Job:
    job = Job(name=name, spec=Spec(name=name, run="python train.py"), submitted_at=1000.0, store_url="file:///b")
    return replace(job, **changes)


def an_event(job: str = "digits", **changes: Any) -> Event:
    return replace(Event(job=job, at=1000.0, kind="submitted", text="submitted", data={"by": "me"}), **changes)


def an_attempt(job: str = "digits", number: int = 1, **changes: Any) -> Attempt:
    return replace(Attempt(job=job, number=number, started_at=1001.0, market="spot"), **changes)


def a_machine(job: str = "digits", attempt: int = 1, **changes: Any) -> Machine:
    machine = Machine(
        launch_key=f"sl-abc123-{job}-{attempt}-0",
        job=job,
        attempt=attempt,
        rank=0,
        pool=POOL,
        gpu="V100",
        gpu_count=1,
        price_usd_hour=Decimal("0.918"),
        on_demand_usd_hour=Decimal("3.06"),
        state="intended",
        intended_at=1001.0,
    )
    return replace(machine, **changes)


def a_refusal(**changes: Any) -> Refusal:
    refusal = Refusal(scope=Scope.of(POOL), error="NoCapacity", reason="dry", since=1000.0, until=1180.0)
    return replace(refusal, **changes)
