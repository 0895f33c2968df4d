"""A world in which the rules of the replay hold, with the real watchdog in it: what does the same policy cost there?

Availability changes at the starts of ticks, a machine is up at once, and its overhead is the restore after the claim,
so that a move has no overlap. Agents store their work all the time. The watchdog looks at the start of each tick, again
and again until nothing happens any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spotlaunch.core.book import Event, Job
from spotlaunch.core.facts import Launched, Offer, Order, Pool, SeenMachine, Traits, Want
from spotlaunch.core.lessons import NOTHING_LEARNED, Learned
from spotlaunch.core.spec import CheckpointSpec, Fallback, Spec
from spotlaunch.core.wire import Status
from spotlaunch.errors import NoCapacity
from spotlaunch.ports import Lease
from spotlaunch.simulate.replay import Task
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog.loop import Outside, Watchdog
from tests.fakes.blobs import MemoryBlobs
from tests.sim.clock import AtOnce, SimClock

JOB = "traced"

# Of a start, what is to be done again counts a second: `checkpoint.every`.
EVERY_S = 1.0

# At one moment the watchdog has looked often enough: a move takes four looks.
LOOKS_MOST = 12


@dataclass
class TracedMachine:
    """A machine and its agent: it waits for the one before it, restores for the overhead, then works."""

    instance_id: str
    order: Order
    pool: Pool
    started_at: float
    ended_at: float | None = None
    preempted: bool = False
    claimed_at: float | None = None
    stored_s: float = 0.0
    phase: str = "starting"
    left_why: str = ""
    exit_code: int | None = None


class TracedCloud:
    """The port `Provider` over traces, with the agents of its machines."""

    def __init__(self, task: Task, traces: Sequence[Sequence[int]], start: int, clock: SimClock) -> None:
        self.name = "cloud"
        self.traits = Traits(
            settle_s=1.0,
            idempotent_launch=True,
            notice_s=0.0,
            has_spot=True,
            bids=False,
            stopped_still_bills=False,
            shutdown_ends_billing=True,
            server_side_ttl=False,
            list_interval_s=(task.tick_s - 60.0) / 2,
            rest_s=1.0,
            max_rest_s=1.0,
            boot_timeout_s=1e9,
            silence_s=1e9,
            start_s=task.overhead_s - EVERY_S,
        )
        self.machines: list[TracedMachine] = []
        self.done_s = 0.0
        self._task, self._traces, self._start, self._clock = task, traces, start, clock
        self._began_at = clock.now()
        self._spot = [
            Pool(provider=self.name, region="r", zone=f"r{i}", instance_type="gpu", market="spot")
            for i in range(len(traces))
        ]
        self._paid = Pool(provider=self.name, region="r", zone="r0", instance_type="gpu", market="on-demand")
        self.mailbox: Mailbox

    def is_up(self, pool: Pool) -> bool:
        """Whether the pool has machines in this tick."""
        if pool == self._paid:
            return True
        tick = self._start + round((self._clock.now() - self._began_at) / self._task.tick_s)
        return bool(self._traces[self._spot.index(pool)][tick])

    # -- the port ------------------------------------------------------------------------------------------------

    def offers(self, want: Want) -> Sequence[Offer]:
        usd = {p: self._task.spot_usd_hour[i] for i, p in enumerate(self._spot)}
        usd[self._paid] = self._task.on_demand_usd_hour
        return [
            Offer(
                pool=pool,
                price_usd_hour=Decimal(str(price)),
                on_demand_usd_hour=Decimal(str(self._task.on_demand_usd_hour)),
                available="yes" if self.is_up(pool) else "no",
                seen_at=self._clock.now(),
            )
            for pool, price in usd.items()
        ]

    def launch(self, order: Order) -> Launched:
        offer = order.alternatives[0]
        if not self.is_up(offer.pool):
            raise NoCapacity("dry")
        machine = TracedMachine(f"i-{len(self.machines)}", order, offer.pool, self._clock.now())
        self.machines.append(machine)
        return Launched(instance_id=machine.instance_id, offer=offer)

    def list_machines(self) -> Sequence[SeenMachine]:
        return [
            SeenMachine(
                launch_key=m.order.launch_key,
                instance_id=m.instance_id,
                pool=m.pool,
                phase="running" if m.ended_at is None else "gone",
                started_at=m.started_at,
                ended_at=m.ended_at,
                ending_reason="preempted" if m.preempted else "",
            )
            for m in self.machines
        ]

    def terminate(self, instance_ids: Sequence[str]) -> Mapping[str, str]:
        for machine in self.machines:
            if machine.instance_id in instance_ids and machine.ended_at is None:
                machine.ended_at = self._clock.now()
        return {}

    # -- what happens --------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Up to now: what runs has worked, and what has done all the work has left, at the very moment."""
        for machine in self._alive():
            self._advance(machine)
            self._say(machine)

    def _advance(self, machine: TracedMachine) -> None:
        if machine.claimed_at is None:
            return
        running_at = machine.claimed_at + self._task.overhead_s
        machine.phase = "running" if self._clock.now() >= running_at else "restoring"
        worked_s = max(0.0, self._clock.now() - running_at)
        self.done_s += worked_s - machine.stored_s
        machine.stored_s = worked_s
        if self.done_s >= self._task.work_s:
            machine.ended_at = self._clock.now() - (self.done_s - self._task.work_s)
            machine.phase, machine.left_why, machine.exit_code = "left", "exited", 0

    def take(self) -> None:
        """The start of a tick: machines of pools that are down are taken."""
        for machine in self._alive():
            if not self.is_up(machine.pool):
                machine.ended_at, machine.preempted = self._clock.now(), True

    def react(self) -> None:
        """Agents hear what they are asked, and see who has left."""
        for machine in self._alive():
            ask = self.mailbox.ask(machine.order.attempt)
            if ask is not None and ask.kind == "leave":
                self._advance(machine)
                machine.ended_at = self._clock.now()
                machine.phase, machine.left_why = "left", "asked"
            elif machine.claimed_at is None:
                self._prepare(machine, may=ask is not None and ask.kind == "proceed")
            self._say(machine)

    def _prepare(self, machine: TracedMachine, *, may: bool) -> None:
        doc = self.mailbox.order(machine.order.attempt)
        assert doc is not None
        before = self.mailbox.status(doc.predecessor) if doc.predecessor else None
        if not doc.predecessor or may or (before is not None and before.phase == "left"):
            machine.claimed_at, machine.phase = self._clock.now(), "restoring"
        else:
            machine.phase = "waiting"

    def _say(self, machine: TracedMachine) -> None:
        running_at = None if machine.claimed_at is None else machine.claimed_at + self._task.overhead_s
        works = running_at is not None and machine.stored_s > 0
        self.mailbox.put_status(
            Status(
                attempt=machine.order.attempt,
                at=self._clock.now(),
                phase=machine.phase,
                started_at=machine.started_at,
                resumed_step=None if machine.claimed_at is None else 0,
                commits=int(machine.stored_s),
                committed_at=running_at + machine.stored_s if running_at is not None and works else None,
                phases={"running": running_at} if running_at is not None and works else {},
                left_why=machine.left_why,
                exit_code=machine.exit_code,
            )
        )

    def _alive(self) -> list[TracedMachine]:
        return [m for m in self.machines if m.ended_at is None]


class Unlearned(SqliteStore):
    """The book of an installation that draws no lessons for other jobs, for the replay has no other jobs."""

    def learned(self, *, now: float) -> Learned:
        return NOTHING_LEARNED


@dataclass(frozen=True)
class Outcome:
    """What the watchdog made of the job: its bill, when it ended, and machines that it began."""

    cost_usd: Decimal
    finished_s: float
    machines: int
    state: str


def run(task: Task, traces: Sequence[Sequence[int]], start: int, policy: str) -> Outcome:
    """One job under the real watchdog, from tick ``start`` of ``traces`` on."""
    clock = SimClock()
    began_at = clock.now()
    cloud = TracedCloud(task, traces, start, clock)
    store = Unlearned(":memory:", owner_seed="traced")
    blobs: Any = MemoryBlobs(now=clock.now)
    cloud.mailbox = Mailbox(blobs, JOB)
    spec = Spec(
        name=JOB,
        run="train",
        deadline_s=task.deadline_s,
        work_s=task.work_s,
        policy=policy,
        fallback=Fallback(look_every_s=task.tick_s),
        checkpoint=CheckpointSpec(every_s=EVERY_S, grace_s=0.0),
    )
    job = Job(name=JOB, spec=spec, submitted_at=began_at, store_url="memory://", deadline_at=began_at + task.deadline_s)
    store.add_job(job, Event(job=JOB, at=began_at, kind="submitted", text="submitted"))
    watchdog = _watchdog(store, clock, cloud)
    for _ in range(len(traces[0]) - start):
        cloud.work()
        cloud.take()
        _settle(store, watchdog, cloud)
        if not store.read_book().jobs:
            break
        clock.advance(task.tick_s)
    finished_at = max((m.ended_at or clock.now() for m in cloud.machines), default=clock.now())
    outcome = Outcome(store.bills()[JOB].spent_usd, finished_at - began_at, len(cloud.machines), store.job(JOB).state)
    store.close()
    return outcome


def _watchdog(store: SqliteStore, clock: SimClock, cloud: TracedCloud) -> Watchdog:
    now = clock.now()
    lease = Lease(token="w", host="sim", pid=1, process_started_at=now, until=now + 60)
    store.take_lease(lease, now=now)
    providers: Any = {cloud.name: cloud}
    outside = Outside(
        providers=providers,
        mailbox=lambda job: cloud.mailbox,
        secrets=lambda job: {},
        forget_secrets=lambda job: None,
        told=lambda event: None,
        complain=_complain,
        ring=lambda: None,
        lookers=AtOnce(),
        callers=AtOnce(),
    )
    return Watchdog(store, clock, lease, outside, owner=store.owner)


def _complain(text: str) -> None:
    raise AssertionError(text)


def _settle(store: SqliteStore, watchdog: Watchdog, cloud: TracedCloud) -> None:
    """All that happens at this moment."""
    for _ in range(LOOKS_MOST):
        before = (store.read_book(), [(m.phase, m.ended_at) for m in cloud.machines])
        watchdog.look()
        cloud.react()
        if (store.read_book(), [(m.phase, m.ended_at) for m in cloud.machines]) == before:
            return
    raise AssertionError("it does not come to rest")
