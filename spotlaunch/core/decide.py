"""The decision: what is wanted against what is, and so what to do next. `decide(World) -> Plan`, pure."""

from __future__ import annotations

from spotlaunch.core.attempts import look_at_attempts
from spotlaunch.core.book import Attempt, Book, Job
from spotlaunch.core.choosing import want_of
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Want
from spotlaunch.core.handover import may_return, proceed_orphans
from spotlaunch.core.limits import heed_cancel, heed_limits, press_leavers
from spotlaunch.core.machines import look_at_machines, sweep
from spotlaunch.core.moments import heed_clock
from spotlaunch.core.plan import Plan, World
from spotlaunch.core.risks import tell_risks
from spotlaunch.core.start import needs_machine, start
from spotlaunch.core.steering import scene_of
from spotlaunch.core.succession import pass_on


def decide(world: World) -> Plan:
    """What to write, what to call, and when to look again.

    Depends on nothing but ``world``. Writes go into one transaction before any call; calls may fail, be lost
    or never be made, and the next look starts from scratch.
    """
    draft = Draft(world)
    for job in world.book.jobs:
        _step(draft, job.name)
    pass_on(draft)
    sweep(draft)
    return draft.plan()


def hungry(book: Book, now: float) -> dict[str, Want]:
    """The jobs for which the market should be asked before deciding, by name, with what to ask for."""
    live_of: dict[str, list[Attempt]] = {}
    for attempt in book.attempts:
        if attempt.live:
            live_of.setdefault(attempt.job, []).append(attempt)
    wants = {}
    for job in book.jobs:
        live = live_of.get(job.name, [])
        if now < job.next_try_at:
            continue
        if scene_of(job, live) is not None if job.steered else needs_machine(job, live) or may_return(job, live):
            wants[job.name] = want_of(job)
    return wants


def uprooted(book: Book) -> frozenset[str]:
    """The jobs that lose or have just lost their machine: for them offers at hand are better than newer ones later."""
    noticed = {a.job for a in book.attempts if a.live and a.noticed_at is not None}
    live = {a.job for a in book.attempts if a.live}
    lost = {j.name for j in book.jobs if j.name not in live and j.attempts_ran and not j.rounds}
    return frozenset(noticed | lost)


def exposed(book: Book) -> dict[str, Want]:
    """The jobs on machines that may be taken any moment, with what they would ask for then."""
    on_spot = {a.job for a in book.attempts if a.live and a.market == "spot"}
    return {j.name: want_of(j) for j in book.jobs if j.name in on_spot and j.wanted == "run"}


def _step(draft: Draft, name: str) -> None:
    """One job: first what is, then what is wanted, then what to begin."""
    heed_clock(draft, name)
    look_at_machines(draft, draft.job(name))
    look_at_attempts(draft, draft.job(name))
    if not draft.job(name).over:
        _steer(draft, draft.job(name))
    if draft.job(name).over:
        _let_go(draft, draft.job(name))


def _steer(draft: Draft, job: Job) -> None:
    if job.wanted != "run":
        heed_cancel(draft, job)
    else:
        heed_limits(draft, job)
    if not draft.job(job.name).over:
        press_leavers(draft, draft.job(job.name))
    if not draft.job(job.name).over:
        proceed_orphans(draft, draft.job(job.name))
        start(draft, draft.job(job.name))
        tell_risks(draft, draft.job(job.name))


def _let_go(draft: Draft, job: Job) -> None:
    """Nobody keeps the machines of a job that is over."""
    for machine in draft.machines(job.name):
        if machine.state in ("intended", "launching", "up") and machine.launch_key not in draft.world.in_flight:
            draft.end(machine, "cancelled", f"the job is {job.state}")
