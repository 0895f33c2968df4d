"""The book: what we remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from spotlaunch.core.facts import Pool, Scope
from spotlaunch.core.spec import Spec
from spotlaunch.core.spells import Spell

JobState = Literal["queued", "running", "finished", "failed", "cancelled"]
Wanted = Literal["run", "cancel", "cancel-now"]
MachineState = Literal["intended", "launching", "up", "ending", "ended"]
Outcome = Literal["finished", "failed", "preempted", "lost", "refused", "cancelled", "replaced"]

OVER: frozenset[str] = frozenset({"finished", "failed", "cancelled"})
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What the user submitted, what they want of it, and how far it is.

    ``waiting_since`` is when it last began to lack a machine (None while it has one): patience counts from
    there. ``rounds`` counts fruitless rounds through all offers since then, and ``next_try_at`` is when the
    next may begin. ``note`` is why it waits, for `status`. ``attempts_ran`` counts attempts that had a
    machine, ``last_attempt`` is the highest number ever used. ``errors_in_row`` counts attempts ended by our
    own agent's trouble since one last went well. ``start_when`` is what its first machine must satisfy
    (`core.condition`), empty for none; a job that is held for it waits for no machine yet.

    ``deadline_at`` is when it must have ended. ``done_s`` is the useful work that is stored, at step ``done_step``, and
    ``step_s`` what a step takes, as measured (None: not yet). For jobs with a policy (`core.steering`):
    ``policy_memory`` is what the policy wants to know again, ``spells`` the pools as seen by this job, ``decided_at``
    when the policy was last asked, and ``decision`` what it said, for a person.

    ``write_s`` is what a checkpoint takes, as its newest agent measured (None: never).
    """

    name: str
    spec: Spec
    submitted_at: float
    store_url: str
    store_endpoint: str = ""
    store_region: str = ""
    bundle: str = ""
    wanted: Wanted = "run"
    wanted_at: float | None = None
    state: JobState = "queued"
    reason: str = ""
    exit_code: int | None = None
    over_at: float | None = None
    waiting_since: float | None = None
    rounds: int = 0
    next_try_at: float = 0.0
    note: str = ""
    last_attempt: int = 0
    attempts_ran: int = 0
    errors_in_row: int = 0
    start_when: str = ""
    step: int = 0
    total_steps: int | None = None
    progress_at: float | None = None
    deadline_at: float | None = None
    done_s: float = 0.0
    done_step: int = 0
    step_s: float | None = None
    policy_memory: tuple[float, ...] = ()
    spells: tuple[Spell, ...] = ()
    decided_at: float | None = None
    decision: str = ""
    write_s: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will be tried."""
        return self.state in OVER

    @property
    def steered(self) -> bool:
        """Whether a policy decides for it (`core.steering`): it has a deadline, or names one."""
        return self.deadline_at is not None or bool(self.spec.policy)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try at running the job. Its number is the epoch that fences checkpoints. Live while no outcome.

    ``predecessor`` is the attempt that was still leaving when this one began. ``leave_asked_at``: since when
    it has been asked to leave, ``noticed_at``: since when it is known that its machine will be taken.

    ``running_at`` is when its program first ran and ``committed_at`` when its newest checkpoint was stored, both as
    near as can be told by our clock. ``uploaded_bytes`` and ``restored_bytes``: how much it moved to the store, and
    from it. ``every_s`` is how often its program was told to save (0: nobody told it), ``every_why`` why so.
    """

    job: str
    number: int
    started_at: float
    market: str
    predecessor: int = 0
    outcome: Outcome | None = None
    reason: str = ""
    exit_code: int | None = None
    ended_at: float | None = None
    resumed_step: int | None = None
    step: int = 0
    commits: int = 0
    phase: str = ""
    heard_at: float | None = None
    heard_status_at: float | None = None
    progressed_at: float | None = None
    noticed_at: float | None = None
    notice_deadline_at: float | None = None
    leave_asked_at: float | None = None
    leave_reason: str = ""
    notes_told: int = 0
    base_s: float | None = None
    worked_s: float = 0.0
    running_at: float | None = None
    committed_at: float | None = None
    uploaded_bytes: int = 0
    restored_bytes: int = 0
    every_s: float = 0.0
    every_why: str = ""

    @property
    def live(self) -> bool:
        return self.outcome is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """What an order may turn into: remembered until it is known which, for a launch whose answer was lost."""

    pool: Pool
    gpu: str
    gpu_count: int
    price_usd_hour: Decimal
    on_demand_usd_hour: Decimal | None
    storage_usd_gb_month: Decimal = Decimal(0)
    egress_usd_gb: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """One rented instance. Money is spent on machines: from ``up_at`` to ``ended_at`` at ``price_usd_hour``.

    `intended`: written down, the call not begun. `launching`: the call begun, its answer not known.
    `up`: exists. `ending`: asked to end. `ended`: seen gone, or never made. ``alternatives`` are those of the
    order beside the first, for as long as nobody knows which of them was taken. ``seen_at`` is when a listing first
    showed it: one that lacks it later tells that it is gone.

    For the bill: ``cheapest_usd_hour`` was the price of the cheapest on-demand offer that would have done when it was
    ordered, in ``cheapest_pool`` (None: there was none, or it is not known). ``disk_gb`` is rented beside it at
    ``storage_usd_gb_month`` (0: disk is in the price). ``egress_usd_gb``: a GB between it and the job's store.
    """

    launch_key: str
    job: str
    attempt: int
    rank: int
    pool: Pool
    gpu: str
    gpu_count: int
    price_usd_hour: Decimal
    on_demand_usd_hour: Decimal | None
    state: MachineState
    intended_at: float
    instance_id: str = ""
    tried_at: float | None = None
    up_at: float | None = None
    seen_at: float | None = None
    ending_at: float | None = None
    asked_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None
    reason: str = ""
    alternatives: tuple[Alternative, ...] = ()
    cheapest_usd_hour: Decimal | None = None
    cheapest_pool: str = ""
    disk_gb: float = 0.0
    storage_usd_gb_month: Decimal = Decimal(0)
    egress_usd_gb: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A scope that said no or took a machine away, and rests until ``until``. ``count`` makes rests grow.

    ``job``: only that job is refused (an order which this provider will never take); empty: all are.
    """

    scope: Scope
    job: str = ""
    error: str
    reason: str
    hint: str = ""
    since: float
    until: float
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One sentence of a job's story. Append-only; read by people, never by `decide`."""

    job: str
    at: float
    kind: str
    text: str
    data: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Book:
    """All that is not over: live jobs, machines not ended or of live attempts, attempts of both, refusals.

    ``spent_usd`` and ``ran_s`` hold, per job, what its *ended* machines cost and how long they were up.
    """

    jobs: tuple[Job, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    machines: tuple[Machine, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    spent_usd: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    ran_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
