"""A whole simulated world: two clouds, three jobs, a watchdog that keeps crashing. One seed replays one world.

First faults, then calm: everything done, nothing up, nothing lost. `run_world` says what was broken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from random import Random
from types import FrameType
from typing import Any

from spotlaunch.core.book import Event, Job
from spotlaunch.core.facts import Order, Pool, Traits
from spotlaunch.core.plan import Launch, Terminate, World
from spotlaunch.core.policy import PROMISE_DEADLINES
from spotlaunch.core.spec import Fallback, Limits, Resources, Spec
from spotlaunch.errors import LeaseHeld
from spotlaunch.ports import Lease
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.register import Register
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog import act, loop
from spotlaunch.watchdog.loop import LEASE_S, Outside, Watchdog
from tests.fakes.blobs import MemoryBlobs
from tests.sim import properties
from tests.sim.agents import TICK_S, CutOff, Habits, SimAgent
from tests.sim.clock import AtOnce, Later, SimClock
from tests.sim.cloud import SimCloud, SimMachine, SimPool

FAULTS_S = 6 * 3600.0
CALM_S = 8 * 3600.0
BILLING_TICK_S = 60.0

# What `submit` asks a deadline to leave beside the work: a start with its grace, and two ticks (`core.standing`).
START_MOST_S = 300.0 + 25.0 + 2 * 180.0

# A look every five seconds all the time: more means that the loop runs hot.
LOOKS_MOST = int((FAULTS_S + CALM_S) / 5)

# Looking into mailboxes every two seconds would make a world of hours cost minutes.
MAIL_EVERY_S = 30.0

# A deadline must leave as much more for each crash of the watchdog, beside the time in which none is awake: what it was
# at is found out (`Traits.settle_s`, a listing) before it is done again. Without crashes no job is ever late.
CRASH_MOST_S = 180.0


class Crash(BaseException):
    """The watchdog's process dies here. Not an Exception: nothing may catch it."""


@dataclass
class Report:
    """What came out of a world: what is broken, and what it cost."""

    seed: int
    broken: list[str] = field(default_factory=list)
    liars: bool = False
    attempts: int = 0
    refusals: int = 0
    machine_s: float = 0.0
    doubled_s: float = 0.0
    crashes: int = 0
    looks: int = 0
    over_at: float = 0.0
    asleep_s: float = 0.0
    late_s: float = 0.0


class SimWorld:
    """Everything that exists in one world. ``watchdog_class`` and ``store_class`` let tests take habits away."""

    def __init__(
        self,
        seed: int,
        *,
        habits: Habits | None = None,
        liars: bool | None = None,
        deadlines: bool = False,
        crashes: bool = True,
        watchdog_class: type[Watchdog] = Watchdog,
        store_class: type[SqliteStore] = SqliteStore,
    ) -> None:
        self.random = Random(seed)
        self.report = Report(seed)
        self.clock = SimClock()
        self.start = self.clock.now()
        self.blobs = MemoryBlobs(now=self.clock.now)
        self.store = store_class(":memory:", owner_seed=str(seed))
        self.habits = habits or Habits()
        self.calm = False
        self.complaints: list[str] = []
        self.cut_until: dict[str, float] = {}
        self.mail_cut_until = 0.0
        self.planned: set[str] = set()
        self.totals: dict[str, int] = {}
        self._watchdog_class = watchdog_class
        self._watchdogs = 0
        self._depth = 0
        self.clouds = [self._cloud("east", 0), self._cloud("west", 1)]
        self.report.liars = self.random.random() < 0.3 if liars is None else liars
        self.crashes = crashes
        self.asleep_since: float | None = self.start
        for cloud in self.clouds:
            cloud.paid_works = deadlines
            cloud.liar = self.report.liars
            cloud.tells_why, cloud.stops = self.random.random() < 0.5, self.random.random() < 0.5
        if deadlines:
            self._submit_deadlines()
        else:
            self._submit()

    # -- the furniture -----------------------------------------------------------------------------------

    def _cloud(self, name: str, n: int) -> SimCloud:
        places = []
        for zone, price in (("a", "1.0"), ("b", "1.1"), ("c", "1.6")):
            pool = Pool(provider=name, region="r", zone=f"r{zone}", instance_type="gpu", market="spot")
            losses = self.random.choice([0.3, 1.0, 3.0])
            places.append(SimPool(pool, Decimal(price), Decimal(4), losses, self.random.random() < 0.6))
        pool = Pool(provider=name, region="r", zone="ra", instance_type="gpu", market="on-demand")
        places.append(SimPool(pool, Decimal("3.9") + n, Decimal("3.9") + n, 0.0, False))
        traits = Traits(
            settle_s=90.0,
            idempotent_launch=n == 0,
            notice_s=120.0,
            has_spot=True,
            bids=False,
            stopped_still_bills=False,
            shutdown_ends_billing=True,
            server_side_ttl=False,
            list_interval_s=60.0,
            boot_timeout_s=600.0,
            silence_s=1200.0,
        )
        return SimCloud(name, self.clock, self.random, places, traits, self._boot)

    def _submit(self) -> None:
        limits = [Limits(), Limits(), Limits(cost_usd=Decimal(str(self.random.choice([2, 4, 1000]))))]
        for i, limit in enumerate(limits):
            name = f"job{i}"
            self.totals[name] = self.random.randint(30, 240)
            spec = Spec(
                name=name,
                run="train",
                resources=Resources(),
                limits=limit,
                fallback=Fallback(patience_s=self.random.choice([300.0, 1200.0])),
            )
            at = self.clock.now()
            job = Job(name=name, spec=spec, submitted_at=at, store_url="memory://")
            self.store.add_job(job, Event(job=name, at=at, kind="submitted", text="submitted"))
        if self.random.random() < 0.3:
            when = self.random.uniform(600, FAULTS_S)
            wanted = self.random.choice(["cancel", "cancel-now"])
            self.clock.after(when, partial(self._cancel, "job1", wanted))

    def _submit_deadlines(self) -> None:
        """Jobs of half an hour to four hours, with some twenty minutes to three hours to spare."""
        for i, policy in enumerate(sorted(PROMISE_DEADLINES - {"on-demand"})):
            name, at = f"job{i}", self.clock.now()
            total = self.totals[name] = self.random.randint(30, 240)
            work_s = TICK_S * total
            deadline_s = work_s + START_MOST_S + self.random.uniform(1200, 10800)
            told_s = work_s if self.random.random() < 0.7 else None
            spec = Spec(name=name, run="train", policy=policy, deadline_s=deadline_s, work_s=told_s)
            job = Job(name=name, spec=spec, submitted_at=at, store_url="memory://", deadline_at=at + deadline_s)
            self.store.add_job(job, Event(job=name, at=at, kind="submitted", text="submitted"))

    def _cancel(self, name: str, wanted: Any) -> None:
        if not self.store.jobs(names=[name])[0].over:
            at = self.clock.now()
            self.store.want(name, wanted, at=at, event=Event(job=name, at=at, kind="cancel", text="cancel"))
            self.clock.ring()

    def _boot(self, machine: SimMachine, order: Order) -> None:
        """The machine is up: its agent begins, and now and then loses the store for a while."""
        cloud = next(c for c in self.clouds if machine.instance_id in c.machines)
        stops = machine.stops
        blobs: Any = CutOff(self.blobs, lambda: self.cut_until.get(machine.instance_id, 0.0) > self.clock.now())
        agent = SimAgent(
            clock=self.clock,
            random=self.random,
            mailbox=Mailbox(blobs, order.job),
            register=Register(blobs, order.job),
            job=order.job,
            attempt=order.attempt,
            total=self.totals[order.job],
            habits=self.habits,
            alive=lambda: machine.alive and machine.stopped_at is None and machine.stops == stops,
            shut_down=lambda: cloud.end(machine),
            by=machine.instance_id,
        )
        machine.on_notice.append(agent.notice)
        works = cloud.works(machine.place.pool)
        if not self.calm and not works and self.random.random() < 0.4:
            # A partition that may outlast what the watchdog believes of this machine: a ghost in the making.
            self.clock.after(self.random.uniform(0, 1800), partial(self._partition, machine.instance_id))
        if not self.calm and not works and self.random.random() < 0.04:
            return  # the agent never starts, the machine bills
        agent.boot()

    def _partition(self, instance_id: str) -> None:
        if not self.calm:
            self.cut_until[instance_id] = self.clock.now() + self.random.uniform(60, 5400)

    # -- watchdogs ---------------------------------------------------------------------------------------

    def new_watchdog(self) -> tuple[Watchdog, Later]:
        """Another process: it takes the lease, or raises `LeaseHeld`."""
        self._watchdogs += 1
        now = self.clock.now()
        lease = Lease(
            token=f"w{self._watchdogs}", host="sim", pid=self._watchdogs, process_started_at=now, until=now + LEASE_S
        )
        self.store.take_lease(lease, now=now)
        callers = Later(self.clock, lambda: 0.5 if self.calm else self.random.uniform(0.1, 40))
        outside = Outside(
            providers={c.name: c for c in self.clouds},
            mailbox=self._mailbox,
            secrets=lambda job: {},
            forget_secrets=lambda job: None,
            told=lambda event: None,
            complain=self.complaints.append,
            ring=self.clock.ring,
            lookers=AtOnce(),
            callers=callers,
        )
        return self._watchdog_class(self.store, self.clock, lease, outside, owner=self.store.owner), callers

    def _mailbox(self, job: Job) -> Mailbox:
        blobs: Any = CutOff(self.blobs, lambda: self.mail_cut_until > self.clock.now())
        return Mailbox(blobs, job.name)

    def run_watchdog(self, until: float) -> None:
        """One watchdog process from its birth to its crash, the loss of its lease, or ``until``."""
        try:
            watchdog, callers = self.new_watchdog()
        except LeaseHeld:
            self.clock.advance(self.random.uniform(5, 30))
            return
        mortal = self.crashes and not self.calm
        dies_at = self.clock.now() + self.random.expovariate(1 / 900) if mortal else until
        self._awake()
        try:
            while self.clock.now() < until and not self.done():
                self.report.looks += 1
                if self.clock.now() >= dies_at:
                    self._die_somewhere(watchdog, callers)
                wake_at, _ = watchdog.look()
                self.clock.advance(0.1)  # a look takes a moment
                if wake_at > self.clock.now():
                    self.clock.sleep_until(min(wake_at, until))
        except LeaseHeld:
            pass
        except Crash:
            self.report.crashes += 1
        finally:
            callers.die()
            self.asleep_since = self.clock.now()

    def _awake(self) -> None:
        """Somebody looks again: for so long nobody did."""
        if self.asleep_since is not None:
            self.report.asleep_s += self.clock.now() - self.asleep_since
        self.asleep_since = None

    def _die_somewhere(self, watchdog: Watchdog, callers: Later) -> None:
        """Die at any line of acting, or only stall there while another watchdog takes over."""
        if self._depth == 0 and self.random.random() < 0.4:
            line = CrashAtLine(watchdog, self.random.randint(1, 60), partial(self._stall, callers))
        else:
            line = CrashAtLine(watchdog, self.random.randint(1, 60), _crash)
        with line:
            watchdog.look()
            self.clock.advance(60.0)  # its calls are made, and their results written, meanwhile
        raise Crash

    def rival(self, until: float) -> None:
        """Somebody starts a second watchdog while one is awake: it must see the lease and go home.

        If nothing stops it, its looks fall between the lines of the other's.
        """
        try:
            watchdog, _ = self.new_watchdog()
        except LeaseHeld:
            return

        def look() -> None:
            if self.calm or self.clock.now() >= until:
                return
            try:
                watchdog.look()
            except LeaseHeld:
                return
            self.clock.after(self.random.uniform(5, 40), look)

        look()

    def _stall(self, callers: Later) -> None:
        """This process is frozen for minutes, between two lines; the world goes on without it."""
        self._depth += 1
        callers.frozen = True
        self.clock.advance(LEASE_S + 10)
        self.run_watchdog(self.clock.now() + self.random.uniform(120, 900))
        callers.frozen = False
        self._depth -= 1

    def done(self) -> bool:
        """Nobody wants anything more and nothing is up."""
        if not self.calm:
            return False
        book = self.store.read_book()
        up = any(m.alive for c in self.clouds for m in c.machines.values())
        return not book.jobs and not book.machines and not up

    def examine(self) -> None:
        """What must never come out of a world; see `properties`."""
        machines = [m for c in self.clouds for m in c.machines.values()]
        calls = [k for c in self.clouds for k in (*c.launch_calls, *c.terminate_calls)]
        registers = {name: Register(self.blobs, name).history()[::-1] for name in self.totals}
        self.report.broken += properties.broken(
            self.store, machines, calls, self.planned, registers, self.totals, self.clock.now(), BILLING_TICK_S
        )
        for job in self.store.jobs():
            mailbox = Mailbox(self.blobs, job.name)
            self.report.broken += properties.misjudged(self.store.attempts(job.name), mailbox.status)
        self.report.late_s = properties.latest_s(self.store.jobs(), registers)
        allowed_s = self.report.asleep_s + CRASH_MOST_S * self.report.crashes
        if self.report.late_s > allowed_s and not self.report.liars:
            self.report.broken.append(f"a job is {self.report.late_s:.0f} s late, {allowed_s:.0f} s are right")
        if self.report.looks > LOOKS_MOST:
            self.report.broken.append(f"the loop spins: {self.report.looks} looks, {self.complaints[-1:]}")
        self.report.attempts = sum(j.last_attempt for j in self.store.jobs())
        self.report.refusals = sum(c.refusals for c in self.clouds)
        self.report.machine_s = sum((m.ended_at or self.clock.now()) - m.started_at for m in machines)
        self.report.doubled_s = properties.doubled_s(machines, self.clock.now())


def _crash() -> None:
    raise Crash


class CrashAtLine:
    """Runs ``then`` at the n-th line that this watchdog's `Actor` executes, whichever that is."""

    def __init__(self, watchdog: Watchdog, n: int, then: Callable[[], None]) -> None:
        self._actor = watchdog._actor
        self._left = n
        self._then = then

    def __enter__(self) -> None:
        sys.settrace(self._calls)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _calls(self, frame: FrameType, event: str, arg: object) -> Any:
        # Another watchdog may look meanwhile: its lines are not this process's.
        ours = frame.f_code.co_filename == act.__file__ and frame.f_locals.get("self") is self._actor
        return self._lines if ours else None

    def _lines(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self._left -= 1
            if self._left == 0:
                sys.settrace(None)
                self._then()
        return self._lines


def run_world(seed: int, **options: Any) -> Report:
    """One world from its first fault to its calm end, with everything that must never come out checked."""
    every_s, loop.MAIL_BUCKET_S = loop.MAIL_BUCKET_S, MAIL_EVERY_S
    decide = loop.decide
    world = SimWorld(seed, **options)

    def noted(seen: World) -> Any:
        plan = decide(seen)
        for call in plan.calls:
            if isinstance(call, Launch):
                world.planned.add(call.order.launch_key)
            elif isinstance(call, Terminate):
                world.planned.update(call.instance_ids)
        return plan

    loop.decide = noted
    try:
        _play(world)
    finally:
        loop.MAIL_BUCKET_S, loop.decide = every_s, decide
    world.examine()
    world.store.close()
    return world.report


def _play(world: SimWorld) -> None:
    faults_end = world.start + FAULTS_S
    for cloud in world.clouds:
        cloud.dry_spell()
    for _ in range(2 if world.crashes else 0):
        world.clock.after(world.random.uniform(0, FAULTS_S / 2), partial(world.rival, faults_end))
    while world.clock.now() < faults_end:
        world.run_watchdog(faults_end)
        if world.crashes and world.random.random() < 0.3:
            world.mail_cut_until = world.clock.now() + world.random.uniform(30, 600)
        if world.clock.now() < faults_end:
            world.clock.advance(world.random.uniform(1, 120))
    world.calm = True
    world.cut_until.clear()
    world.mail_cut_until = 0.0
    for cloud in world.clouds:
        cloud.calm = True
    while not world.done() and world.clock.now() < faults_end + CALM_S:
        world.run_watchdog(faults_end + CALM_S)
    world.report.over_at = world.clock.now()
