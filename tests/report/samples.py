"""A story with all that the page can show: pools, losses, a job that runs, and one that never had a machine."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from spotlaunch.core.account import Account, Period, account
from spotlaunch.core.book import Attempt, Job, Machine
from spotlaunch.core.facts import Pool
from spotlaunch.core.ledger import Billed
from spotlaunch.core.pricehistory import PoolPrices, PriceChange
from spotlaunch.report.page import Report
from tests.storage.samples import a_job, a_machine, an_attempt

NOW = 1_793_000_000.0
HOUR = 3600.0

VAST = Pool(provider="vast", region="us", zone="m13018", instance_type="8x-H100-SXM", market="spot")
AWS = Pool(provider="aws", region="us-east-1", zone="us-east-1d", instance_type="p5.48xlarge", market="spot")
GCP = Pool(provider="gcp", region="us-east5", zone="us-east5-a", instance_type="a3-highgpu-8g", market="spot")
RUNPOD = Pool(provider="runpod", region="us", zone="", instance_type="1x-H100", market="on-demand")

# Pool, price, from which hour until which, the steps between, and how it ended.
Life = tuple[Pool, str, float, float, tuple[int, int], str]
LLAMA: list[Life] = [
    (VAST, "8.15", 0.0, 5.3, (0, 2600), "preempted"),
    (AWS, "20.29", 5.6, 20.4, (2600, 9400), "preempted"),
    (VAST, "9.40", 20.6, 22.1, (9400, 9900), "lost"),
    (GCP, "20.25", 22.5, 33.0, (9900, 15000), "finished"),
]


def a_life(job: str, number: int, begin: float, life: Life) -> tuple[Attempt, Machine]:
    """An attempt and its machine: boots a while, and stores a last time shortly before its end."""
    pool, price, up, end, (first, last), outcome = life
    up_at, end_at = begin + up * HOUR, begin + end * HOUR
    attempt: dict[str, Any] = {
        "outcome": outcome,
        "reason": "the provider took it" if outcome == "preempted" else "",
        "running_at": up_at + 0.15 * HOUR,
        "committed_at": end_at - (0.0 if outcome == "finished" else 0.4 * HOUR),
        "ended_at": end_at - (0.05 * HOUR if outcome == "finished" else 0.0),
        "resumed_step": first,
        "step": last,
        "commits": 9,
    }
    machine: dict[str, Any] = {
        "pool": pool,
        "gpu": "H100",
        "gpu_count": 8,
        "price_usd_hour": Decimal(price),
        "cheapest_usd_hour": Decimal("23.92"),
        "state": "ended",
        "up_at": up_at,
        "ended_at": end_at,
        "outcome": outcome,
        "reason": attempt["reason"],
        "egress_usd_gb": Decimal("0.09"),
    }
    moved = {"uploaded_bytes": 40_000_000_000, "restored_bytes": 4_000_000_000}
    return an_attempt(job, number, **attempt, **moved), a_machine(job, number, **machine)


def a_story(*, since_at: float = 0.0) -> Account:
    """Three jobs: one that lost machines and finished, one that runs, one that waits."""
    begin = NOW - 40 * HOUR
    llama = a_job(
        "llama", state="finished", submitted_at=begin - 900, over_at=begin + 33 * HOUR, step=15000, total_steps=15000
    )
    lived = [a_life("llama", n, begin, life) for n, life in enumerate(LLAMA, start=1)]
    runs = a_job("runs", state="running", submitted_at=NOW - 2 * HOUR, note="")
    up, live = a_life("runs", 1, NOW, (RUNPOD, "2.39", -1.5, 0.0, (0, 0), "finished"))
    up = replace(up, outcome=None, ended_at=None, commits=0, committed_at=None)
    live = replace(live, outcome=None, ended_at=None, state="up", disk_gb=200.0, storage_usd_gb_month=Decimal("0.1"))
    waits = a_job("waits", submitted_at=NOW - 600, note="no offer now: all 3 pools rest")
    billed = Billed(launch_key=lived[0][1].launch_key, machine_usd=Decimal("43.19"), asked_at=NOW)
    return account(
        [llama, runs, waits],
        [*(a for a, _ in lived), up],
        [*(m for _, m in lived), live],
        Period(until_at=NOW, since_at=since_at),
        billed={billed.launch_key: billed},
    )


def one_job(whole: Account, name: str) -> Account:
    """Of a story, the account of one job."""
    (found,) = [j for j in whole.jobs if j.job.name == name]
    return replace(whole, jobs=(found,), totals=found.totals)


def some_prices() -> dict[Pool, PoolPrices]:
    """Of two pools: one moved, and could not be had for a while."""
    begin = NOW - 40 * HOUR
    moves = [("8.15", 0.0, True), ("8.60", 4.0, True), ("8.60", 6.0, False), ("9.40", 19.0, True), ("9.10", 27.0, True)]
    steady = [("20.29", -5.0, True), ("19.80", 12.0, True), ("21.10", 24.0, True)]
    return {
        pool: PoolPrices(
            pool=pool,
            gpu="H100",
            gpu_count=8,
            seen_at=NOW - 8 * HOUR,
            changes=tuple(
                PriceChange(at=begin + h * HOUR, price_usd_hour=Decimal(p), on_sale=s) for p, h, s in changes
            ),
        )
        for pool, changes in ((VAST, moves), (AWS, steady))
    }


def a_report(whole: Account | None = None) -> Report:
    return Report(account=whole or a_story(), zone="UTC", prices=some_prices())


def a_job_called(text: str) -> Job:
    """One whose every word is ``text``, as no cloud and no file should give them."""
    return a_job(text, reason=text, note=text, submitted_at=NOW - HOUR)
