"""The decision as a whole: a pure function whose plan always fits the book that it was made from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotlaunch.core.book import Attempt, Job, Machine, Refusal
from spotlaunch.core.decide import decide
from spotlaunch.core.draft import IDLE_S
from spotlaunch.core.facts import Scope, SeenMachine
from spotlaunch.core.plan import AddMachine, Launch, SetAttempt, World
from spotlaunch.core.spec import Limits
from spotlaunch.core.wire import Status
from tests.core.worlds import (
    NOW,
    PAID,
    PAID_OFFER,
    After,
    a_job,
    a_machine,
    a_pool,
    a_refusal,
    a_spec,
    a_world,
    an_attempt,
    an_offer,
    key_of,
    played,
    seen,
)

MOMENTS = st.sampled_from([NOW - 9000, NOW - 1900, NOW - 200, NOW - 5])
MAYBE = st.none() | MOMENTS


@st.composite
def machines_of(draw: st.DrawFn, job: str, number: int, *, live: bool) -> Machine:
    state = draw(st.sampled_from(["intended", "launching", "up", "up", "up", "ending", "ended"]))
    if not live and state in ("intended", "launching", "up"):
        state = "ending"
    tried_at = None if state == "intended" else draw(MOMENTS)
    known = state == "up" or (state in ("ending", "ended") and draw(st.booleans()))
    return a_machine(
        number,
        job=job,
        launch_key=key_of(number, job=job),
        pool=draw(st.sampled_from([a_pool(), a_pool(zone="us-1b"), PAID])),
        state=state,
        tried_at=tried_at,
        instance_id=f"i-{job}-{number}" if known else "",
        up_at=tried_at if known else None,
        ending_at=draw(MOMENTS) if state == "ending" else None,
        asked_at=draw(MAYBE) if state == "ending" else None,
        ended_at=NOW - 3 if state == "ended" else None,
    )


@st.composite
def attempts_of(draw: st.DrawFn, job: str, number: int, *, live: bool) -> Attempt:
    leaving = draw(st.booleans())
    return an_attempt(
        number,
        job=job,
        market=draw(st.sampled_from(["spot", "on-demand"])),
        predecessor=draw(st.sampled_from([0, number - 1])),
        outcome=None if live else "preempted",
        phase=draw(st.sampled_from(["", "waiting", "running", "leaving"])),
        heard_at=draw(MAYBE),
        noticed_at=draw(MAYBE),
        leave_asked_at=draw(MOMENTS) if leaving else None,
        leave_reason=draw(st.sampled_from(["because", "limits.cost_usd is reached"])) if leaving else "",
    )


@st.composite
def statuses(draw: st.DrawFn, number: int) -> Status:
    return Status(
        attempt=number,
        at=draw(MOMENTS),
        phase=draw(st.sampled_from(["waiting", "running", "leaving", "left", "left"])),
        step=draw(st.integers(0, 50)),
        commits=draw(st.integers(0, 3)),
        notice_at=draw(MAYBE),
        left_why=draw(st.sampled_from(["exited", "notice", "asked", "superseded", "runtime", "budget", "error"])),
        exit_code=draw(st.sampled_from([0, 3, 75, None])),
        progress={"total": 60},
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to three jobs in any state, and a cloud and a mailbox that say what they please."""
    jobs: list[Job] = []
    attempts: list[Attempt] = []
    machines: list[Machine] = []
    listed: list[SeenMachine] = []
    for name in ("digits", "letters", "words")[: draw(st.integers(1, 3))]:
        state = draw(st.sampled_from(["queued", "running", "running", "running", "cancelled"]))
        numbers = range(1, 1 + (0 if state == "queued" else draw(st.integers(0, 3))))
        live = set() if state == "cancelled" else {n for n in numbers if n > len(numbers) - draw(st.integers(0, 2))}
        limits = draw(st.sampled_from([Limits(), Limits(runtime_s=3000.0), Limits(attempts=2)]))
        jobs.append(
            a_job(
                name=name,
                spec=a_spec(name=name, limits=limits, restart_on_exit=(75,)),
                state=state,
                wanted=draw(st.sampled_from(["run", "run", "run", "cancel", "cancel-now"])),
                last_attempt=len(numbers),
                attempts_ran=len(numbers),
                waiting_since=draw(MAYBE),
                next_try_at=draw(st.sampled_from([0.0, NOW + 9])),
                errors_in_row=draw(st.sampled_from([0, 4])),
            )
        )
        for n in numbers:
            attempts.append(draw(attempts_of(name, n, live=n in live)))
            if draw(st.integers(0, 9)):
                machines.append(draw(machines_of(name, n, live=n in live)))
    for m in machines:
        copies = draw(st.integers(0, 2))
        reason = draw(st.sampled_from(["", "", "preempted"]))
        listed += [seen(m, instance_id=i, ending_reason=reason) for i in (m.instance_id or "i-new", "i-twin")[:copies]]
    listed.append(seen(a_machine(launch_key="sl-fff999-digits-1-0", instance_id="theirs")))
    refusals: list[Refusal] = [a_refusal(Scope(provider="cloud", zone="us-1b"))] if draw(st.booleans()) else []
    keys = [m.launch_key for m in machines if m.state in ("intended", "launching")]
    return a_world(
        jobs,
        attempts,
        machines,
        says=[draw(statuses(n)) for n in range(1, 4) if draw(st.booleans())],
        mail=draw(st.booleans()) or draw(st.booleans()),
        listed=listed if draw(st.booleans()) or draw(st.booleans()) else None,
        listing_ok=draw(st.integers(0, 4)) > 0,
        offers=draw(st.sampled_from([None, (), (an_offer(), PAID_OFFER), (an_offer(pool=a_pool(zone="us-1b")),)])),
        refusals=refusals,
        in_flight=[k for k in keys if draw(st.booleans())],
    )


def _concluded(after: After) -> list[tuple[str, int]]:
    """Job and number of each attempt that the plan gives an outcome."""
    return [(w.job, w.number) for w in after.plan.writes if isinstance(w, SetAttempt) and w.changes.get("outcome")]


PLENTY = settings(deadline=None, max_examples=250, suppress_health_check=list(HealthCheck))


@PLENTY
@given(worlds())
def test_every_plan_fits_the_book_that_it_was_made_from(world: World) -> None:
    """`played` writes it into a real store: a write from a state which the row does not have is a StaleWrite."""
    after = played(world)
    concluded = _concluded(after)
    assert len(concluded) == len(set(concluded))


@PLENTY
@given(worlds())
def test_the_same_world_gives_the_same_plan_and_stays_as_it_is(world: World) -> None:
    before = repr(world)
    assert decide(world) == decide(world)
    assert repr(world) == before


@PLENTY
@given(worlds())
def test_what_must_never_come_out_of_a_decision(world: World) -> None:
    after = played(world)
    assert "theirs" not in after.ended
    assert len(after.ended) == len(set(after.ended))
    assert after.plan.wake_at >= world.now
    assert len(after.plan.calls) == len({repr(c) for c in after.plan.calls}), "no call is made twice in one look"
    intents = {w.machine.launch_key for w in after.plan.writes if isinstance(w, AddMachine)}
    launches = [c for c in after.plan.calls if isinstance(c, Launch)]
    assert {c.order.launch_key for c in launches} == intents, "a launch is written down before its call"
    assert len({c.order.job for c in launches}) == len(launches), "one launch a job and look"
    for job in after.jobs.values():
        if job.state in ("finished", "failed", "cancelled"):
            assert all(c.order.job != job.name for c in launches)
    kept = {(a.job, a.number) for a in world.book.attempts if a.live} - set(_concluded(after))
    for before in world.book.machines:
        if before.launch_key in world.in_flight and (before.job, before.attempt) in kept:
            assert after.machines[before.launch_key] == before, "in flight, and not given up: left alone"


@PLENTY
@given(worlds())
def test_a_failed_listing_ends_no_machine_that_its_job_keeps(world: World) -> None:
    """Without word from the cloud nothing is seen gone: who was up is up, or was ended by a decision."""
    deaf = replace(world, listings=tuple(replace(li, ok=False) for li in world.listings))
    after = played(deaf)
    for before in world.book.machines:
        if before.state in ("launching", "up", "ending"):
            assert after.machines[before.launch_key].state != "ended"


def test_nothing_to_do_is_an_empty_plan_and_a_quiet_wait() -> None:
    plan: Any = decide(a_world())
    assert (plan.writes, plan.calls, plan.wake_at) == ((), (), NOW + IDLE_S)
