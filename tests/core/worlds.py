"""Worlds in few words: nouns of the book with everything usual filled in, and what becomes of them in one look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from spotlaunch.core.book import Attempt, Book, Event, Job, Machine, Refusal
from spotlaunch.core.decide import decide
from spotlaunch.core.facts import Listing, Offer, Pool, Scope, SeenMachine, Traits
from spotlaunch.core.lessons import Learned
from spotlaunch.core.plan import AddAttempt, AddMachine, Asked, Launch, Mail, Plan, PutAsk, PutRefusal, Terminate, World
from spotlaunch.core.rates import NO_HISTORY, Lived
from spotlaunch.core.spec import Spec
from spotlaunch.core.wire import Status
from spotlaunch.storage.store import SqliteStore

NOW = 1_000_000.0
OWNER = "abc123"
JOB = "digits"

CLOUD = Traits(
    settle_s=60.0,
    idempotent_launch=True,
    notice_s=120.0,
    has_spot=True,
    bids=False,
    stopped_still_bills=True,
    shutdown_ends_billing=True,
    server_side_ttl=False,
    list_interval_s=10.0,
)


def a_pool(**changes: Any) -> Pool:
    pool = Pool(provider="cloud", region="us-1", zone="us-1a", instance_type="big", market="spot")
    return replace(pool, **changes)


PAID = a_pool(market="on-demand")


def an_offer(price: str = "1.00", pool: Pool | None = None, **changes: Any) -> Offer:
    offer = Offer(
        pool=pool or a_pool(),
        gpu="V100",
        gpu_count=1,
        vcpus=8,
        memory_gb=64,
        price_usd_hour=Decimal(price),
        on_demand_usd_hour=Decimal("3.00"),
        available="yes",
        seen_at=NOW,
    )
    return replace(offer, **changes)


PAID_OFFER = an_offer("3.00", PAID)


def a_spec(**changes: Any) -> Spec:
    return replace(Spec(name=JOB, run="python train.py"), **changes)


def a_job(*, spec: Spec | None = None, **changes: Any) -> Job:
    """One that has an attempt; see `a_new_job`."""
    job = Job(
        name=JOB,
        spec=spec or a_spec(),
        submitted_at=NOW - 5000,
        store_url="s3://bucket",
        state="running",
        last_attempt=1,
        attempts_ran=1,
    )
    return replace(job, **changes)


def a_new_job(**changes: Any) -> Job:
    return a_job(**{"state": "queued", "last_attempt": 0, "attempts_ran": 0, **changes})


def an_attempt(number: int = 1, **changes: Any) -> Attempt:
    """One whose program runs and which was heard a moment ago."""
    attempt = Attempt(
        job=JOB,
        number=number,
        started_at=NOW - 4000,
        market="spot",
        phase="running",
        heard_at=NOW - 10,
        heard_status_at=NOW - 10,
        progressed_at=NOW - 60,
        commits=1,
        step=10,
    )
    return replace(attempt, **changes)


def key_of(number: int = 1, *, job: str = JOB, owner: str = OWNER) -> str:
    return f"sl-{owner}-{job}-{number}-0"


def a_machine(number: int = 1, **changes: Any) -> Machine:
    """One that is up, on spot, for the attempt of that number."""
    machine = Machine(
        launch_key=key_of(number),
        job=JOB,
        attempt=number,
        rank=0,
        pool=a_pool(),
        gpu="V100",
        gpu_count=1,
        price_usd_hour=Decimal("1.00"),
        on_demand_usd_hour=Decimal("3.00"),
        state="up",
        intended_at=NOW - 4000,
        instance_id=f"i-{number}",
        tried_at=NOW - 4000,
        up_at=NOW - 3600,
    )
    return replace(machine, **changes)


def launching(number: int = 1, *, tried_s_ago: float, **changes: Any) -> Machine:
    """One whose call got no answer."""
    unknown = {"state": "launching", "instance_id": "", "up_at": None, "tried_at": NOW - tried_s_ago}
    return a_machine(number, **{**unknown, **changes})


def seen(machine: Machine, **changes: Any) -> SeenMachine:
    """The machine as its provider lists it."""
    as_listed = SeenMachine(
        launch_key=machine.launch_key,
        instance_id=machine.instance_id or f"i-{machine.attempt}",
        pool=machine.pool,
        phase="running",
    )
    return replace(as_listed, **changes)


def says(number: int = 1, phase: str = "running", **changes: Any) -> Status:
    """What an agent just said."""
    return replace(Status(attempt=number, at=NOW - 1, phase=phase, step=10, commits=1), **changes)


def leaves(number: int = 1, why: str = "exited", code: int | None = None, **changes: Any) -> Status:
    """An agent's farewell."""
    return says(number, "left", left_why=why, exit_code=code, **changes)


def a_refusal(scope: Scope | None = None, **changes: Any) -> Refusal:
    refusal = Refusal(
        scope=scope or Scope.of(a_pool()), error="NoCapacity", reason="dry", since=NOW - 60, until=NOW + 120
    )
    return replace(refusal, **changes)


def a_world(
    job: Job | Sequence[Job] = (),
    attempts: Iterable[Attempt] = (),
    machines: Iterable[Machine] = (),
    *,
    says: Iterable[Status] = (),
    mail: bool = True,
    listed: Iterable[SeenMachine] | None = None,
    listed_at: float = NOW - 1,
    listing_ok: bool = True,
    offers: Iterable[Offer] | None = None,
    failures: Mapping[str, str] | None = None,
    shut: Iterable[str] = (),
    refusals: Iterable[Refusal] = (),
    in_flight: Iterable[str] = (),
    traits: Mapping[str, Traits] | None = None,
    spent_usd: str = "0",
    ran_s: float = 0.0,
    history: Mapping[Pool, Lived] = NO_HISTORY,
    now: float = NOW,
) -> World:
    """``listed`` None: ``cloud`` was not listed in this look. ``offers`` None: the market was not asked.

    ``says``, ``offers``, ``spent_usd`` and ``ran_s`` are those of every job.
    """
    jobs = (job,) if isinstance(job, Job) else tuple(job)
    listings: tuple[Listing, ...] = ()
    if listed is not None:
        listings = (Listing(provider="cloud", started_at=listed_at, ok=listing_ok, machines=tuple(listed)),)
    letters = Mail(ok=mail, statuses={s.attempt: s for s in says})
    asked = Asked(offers=tuple(offers or ()), failures=failures or {}, shut=frozenset(shut))
    return World(
        now=now,
        owner=OWNER,
        book=Book(
            jobs=jobs,
            attempts=tuple(attempts),
            machines=tuple(machines),
            refusals=tuple(refusals),
            spent_usd={j.name: Decimal(spent_usd) for j in jobs},
            ran_s={j.name: ran_s for j in jobs},
        ),
        traits=traits or {"cloud": CLOUD},
        listings=listings,
        mail={j.name: letters for j in jobs},
        asked={} if offers is None else {j.name: asked for j in jobs},
        in_flight=frozenset(in_flight),
        learned=Learned(history),
    )


def a_store(book: Book) -> SqliteStore:
    """A real store, in memory, that holds this book."""
    store = SqliteStore(":memory:", owner_seed="seed")
    for job in book.jobs:
        store.add_job(job, Event(job=job.name, at=job.submitted_at, kind="submitted", text="submitted"))
    store.apply(
        [
            *(AddAttempt(attempt=a) for a in book.attempts),
            *(AddMachine(machine=m) for m in book.machines),
            *(PutRefusal(refusal=r) for r in book.refusals),
        ]
    )
    return store


@dataclass(frozen=True)
class After:
    """A look and what the book says once its plan has been written."""

    plan: Plan
    jobs: dict[str, Job]
    attempts: dict[int, Attempt]
    machines: dict[str, Machine]
    refusals: list[Refusal]
    told: list[Event] = field(default_factory=list)

    @property
    def job(self) -> Job:
        return self.jobs[JOB]

    def machine(self, number: int = 1) -> Machine:
        return self.machines[key_of(number)]

    @property
    def launches(self) -> list[Launch]:
        return [c for c in self.plan.calls if isinstance(c, Launch)]

    @property
    def ended(self) -> list[str]:
        """Instances whose end is called for."""
        return [i for c in self.plan.calls if isinstance(c, Terminate) for i in c.instance_ids]

    @property
    def asks(self) -> set[tuple[int, str]]:
        return {(c.attempt, c.ask.kind) for c in self.plan.calls if isinstance(c, PutAsk)}

    @property
    def kinds(self) -> list[str]:
        """The kinds of what was told, in order."""
        return [e.kind for e in self.told]


def look(*args: Any, **kwargs: Any) -> After:
    """Decide on `a_world` and write the plan into a real store: a write from a wrong state fails here."""
    return played(a_world(*args, **kwargs))


def played(world: World) -> After:
    plan = decide(world)
    store = a_store(world.book)
    try:
        store.apply(plan.writes)
        names = [j.name for j in world.book.jobs]
        return After(
            plan=plan,
            jobs={j.name: j for j in store.jobs()},
            attempts={a.number: a for name in names for a in store.attempts(name)},
            machines={m.launch_key: m for m in store.machines()},
            refusals=store.refusals(),
            told=[e for name in names for _, e in store.events(name) if e.kind != "submitted"],
        )
    finally:
        store.close()
