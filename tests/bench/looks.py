"""What a look of the watchdog costs in CPU, and what reading the book costs, with many live jobs."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from spotlaunch.core.facts import Launched, Offer, Order, SeenMachine, Traits, Want
from spotlaunch.core.plan import SetJob
from spotlaunch.core.wire import Status
from spotlaunch.errors import NoCapacity
from spotlaunch.ports import Lease
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog.loop import LEASE_S, Outside, Watchdog
from tests.bench.books import POOLS, fill
from tests.fakes.blobs import MemoryBlobs

TRAITS = Traits(
    settle_s=30.0,
    idempotent_launch=True,
    notice_s=120.0,
    has_spot=True,
    bids=False,
    stopped_still_bills=False,
    shutdown_ends_billing=True,
    server_side_ttl=False,
    list_interval_s=0.0,  # listed in every look: the dearest case
)


class BenchCloud:
    """A `Provider` on which every machine of the book is up."""

    name = "bench"
    traits = TRAITS

    def __init__(self, machines: Sequence[SeenMachine]) -> None:
        self._machines = machines

    def offers(self, want: Want) -> Sequence[Offer]:
        price = Decimal("7.344")
        return [Offer(pool=p, gpu="V100", gpu_count=8, price_usd_hour=price, seen_at=time.time()) for p in POOLS]

    def launch(self, order: Order) -> Launched:
        raise NoCapacity("nothing is launched here")

    def list_machines(self) -> Sequence[SeenMachine]:
        return self._machines

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        return {}


class RealTime:
    """A `Clock` that does not sleep."""

    def now(self) -> float:
        return time.time()

    def sleep_until(self, at: float) -> None:
        return


@dataclass
class Scene:
    """A book with live jobs, all of whose agents speak and whose machines are up."""

    store: SqliteStore
    blobs: MemoryBlobs
    watchdog: Watchdog

    def speak(self) -> None:
        """Every agent says something new, so that each look has something to write for each job."""
        now = time.time()
        for job in self.store.jobs():
            commits = int(now * 1000)
            status = Status(attempt=2, at=now, phase="running", step=commits, commits=commits, committed_at=now)
            Mailbox(self.blobs, job.name).put_status(status)


@contextmanager
def scene(jobs: int) -> Iterator[Scene]:
    with (
        tempfile.TemporaryDirectory(prefix="spotlaunch-bench-") as folder,
        ThreadPoolExecutor(16) as lookers,
        ThreadPoolExecutor(16) as callers,
    ):
        store, blobs = SqliteStore(Path(folder) / "book.db", owner_seed="bench"), MemoryBlobs()
        fill(store, over=0, live=jobs, now=time.time())
        machines = [
            SeenMachine(launch_key=m.launch_key, instance_id=m.instance_id, pool=m.pool, phase="running")
            for m in store.machines()
            if m.state == "up"
        ]
        outside = Outside(
            providers={"bench": BenchCloud(machines)},
            mailbox=lambda job: Mailbox(blobs, job.name),
            secrets=lambda job: {},
            forget_secrets=lambda job: None,
            told=lambda event: None,
            complain=lambda line: None,
            ring=lambda: None,
            lookers=lookers,
            callers=callers,
        )
        now = time.time()
        lease = Lease(token="bench", host="bench", pid=1, process_started_at=now, until=now + LEASE_S)
        store.take_lease(lease, now=now)
        yield Scene(store, blobs, Watchdog(store, RealTime(), lease, outside, owner=store.owner))
        store.close()


def look_cpu_s(jobs: int, *, turns: int = 5) -> float:
    """The CPU seconds of one look (all threads) with ``jobs`` live jobs of which each has said something new."""
    with scene(jobs) as s:
        took = []
        for _ in range(turns + 1):
            s.speak()
            took.append(_cpu_s(s.watchdog.look))
        return statistics.median(took[1:])


def read_book_s(jobs: int, *, turns: int = 10) -> float:
    """The CPU seconds of reading a book with ``jobs`` live jobs, one of which has moved."""
    with scene(jobs) as s:
        took = []
        for _ in range(turns):
            s.store.apply([SetJob(name="job-0000", frm="running", changes={})])
            took.append(_cpu_s(s.store.read_book))
        return statistics.median(took)


def _cpu_s(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began
