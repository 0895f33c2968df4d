"""Machines against their provider's listing: adopt what an unanswered call made, notice what is gone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from spotlaunch.core import endings, rules
from spotlaunch.core.book import Alternative, Attempt, Job, Machine
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Listing, SeenMachine

# A machine that is to end and is still listed is asked again this often.
ASK_AGAIN_S = 30.0

# The first rest after a call that was never made: half a second to two.
NEVER_CALLED_REST_S = 2.0


def look_at_machines(draft: Draft, job: Job) -> None:
    """Bring each machine of ``job`` up to what this look's listings say.

    A listing that failed, or was not asked for in this look, changes nothing. A call that is still under way
    in this process is left alone: its answer will be written by whoever waits for it.
    """
    for machine in draft.machines(job.name):
        if machine.launch_key in draft.world.in_flight:
            continue
        if machine.state == "intended":
            # Whoever wrote this died before the call (a call first marks its machine `launching`), so there
            # is surely nothing to look for.
            draft.set_machine(
                machine,
                state="ended",
                ended_at=draft.now,
                outcome="refused",
                reason="the watchdog stopped before it called",
            )
            if not job.over:
                # Should it stop there again and again (a defect, then), its tries get ever more seldom.
                rest_s = rules.backoff_s(job.rounds, NEVER_CALLED_REST_S, machine.launch_key)
                draft.set_job(job, rounds=job.rounds + 1, next_try_at=draft.now + rest_s)
        elif machine.state != "ended":
            _against_listing(draft, machine)


def _against_listing(draft: Draft, machine: Machine) -> None:
    seen, gone = draft.seen(machine), draft.gone(machine)
    if seen is not None:
        _listed(draft, machine, seen)
    elif gone is not None:
        _told_gone(draft, machine, gone)
    elif _surely_gone(draft, machine):
        listing = draft.listing(machine.pool.provider)
        assert listing is not None
        never = machine.state == "launching"
        draft.set_machine(
            machine,
            state="ended",
            ended_at=_ended_at(machine, listing),
            outcome=machine.outcome or ("refused" if never else None),
            reason=machine.reason or ("the launch made no machine" if never else "gone from the listing"),
        )


def _ended_at(machine: Machine, listing: Listing) -> float:
    """When a machine ended of which nothing is told: in the middle between the listing that had it and this one."""
    known = [listing.before_at, machine.ending_at, machine.up_at]
    last_at = max((at for at in known if at is not None), default=listing.started_at)
    if listing.before_at is None or last_at > listing.started_at:
        return listing.started_at
    return (last_at + listing.started_at) / 2


def _told_gone(draft: Draft, machine: Machine, gone: SeenMachine) -> None:
    """The machine is no more, and its provider says so, and perhaps why."""
    if machine.state == "launching":
        # It was made and it ended before anybody heard of it. What it cost counts.
        _adopt(draft, machine, gone)
    machine = draft.machine(machine.launch_key) or machine
    ended_at = gone.ended_at if gone.ended_at is not None else draft.now
    outcome, reason = endings.of(gone)
    draft.set_machine(
        machine,
        state="ended",
        # A cloud's clock may be ahead of ours, and no machine ends before it began.
        ended_at=max(min(ended_at, draft.now), machine.up_at or ended_at),
        outcome=machine.outcome or outcome,
        reason=machine.reason or reason or "gone from the listing",
    )
    endings.heed(draft, machine, gone)


def _listed(draft: Draft, machine: Machine, seen: SeenMachine) -> None:
    if machine.state == "launching":
        # The call's answer was lost, and it had worked. Adopting costs nothing; launching again would.
        _adopt(draft, machine, seen)
    elif machine.state == "up":
        up_at = _up_at(machine, seen) or machine.up_at
        draft.set_machine(machine, up_at=up_at, seen_at=machine.seen_at or draft.now)
    elif machine.state == "ending" and draft.now - (machine.asked_at or 0.0) >= ASK_AGAIN_S:
        draft.set_machine(machine, asked_at=draft.now, instance_id=seen.instance_id)
        draft.terminate(machine.pool.provider, seen.instance_id)
    machine = draft.machine(machine.launch_key) or machine
    if seen.phase == "stopped" and machine.state == "up":
        # Nothing runs there any more, but it is still paid for, or may be woken up beside its successor.
        outcome, reason = endings.of(seen)
        draft.end(machine, outcome or "lost", reason or "stopped")
        endings.heed(draft, machine, seen)


def _up_at(machine: Machine, seen: SeenMachine) -> float | None:
    """Since when it is billed, by its provider's clock, if that tells. None was billed before it was thought of."""
    return None if seen.started_at is None else max(seen.started_at, machine.intended_at)


def _adopt(draft: Draft, machine: Machine, seen: SeenMachine) -> None:
    taken = next((_as_changes(a) for a in machine.alternatives if a.pool == seen.pool), {"pool": seen.pool})
    draft.set_machine(
        machine,
        state="up",
        instance_id=seen.instance_id,
        up_at=_up_at(machine, seen) or draft.now,
        seen_at=draft.now,
        alternatives=(),
        **taken,
    )
    for attempt in draft.live(machine.job):
        if attempt.number == machine.attempt:
            draft.set_attempt(attempt, market=seen.pool.market)  # whether to return to spot hangs on it
    job = draft.job(machine.job)
    draft.set_job(job, waiting_since=None, rounds=0, note="", attempts_ran=job.attempts_ran + 1)
    draft.tell(
        machine.job,
        "adopted",
        f"attempt {machine.attempt}: the launch had worked, its answer was lost; {seen.instance_id} is ours",
        attempt=machine.attempt,
        pool=str(seen.pool),
    )


def _as_changes(taken: Alternative) -> dict[str, Any]:
    return {f.name: getattr(taken, f.name) for f in fields(taken)}


def _surely_gone(draft: Draft, machine: Machine) -> bool:
    """Not in a good listing that began late enough to hold it, had it existed."""
    listing = draft.listing(machine.pool.provider)
    if listing is None or machine.tried_at is None:
        return False
    visible_at = machine.seen_at or machine.tried_at + draft.world.traits[machine.pool.provider].settle_s
    if machine.state == "ending" and machine.ending_at is not None:
        visible_at = max(visible_at, machine.ending_at)
    return listing.started_at > visible_at


def taken(draft: Draft, attempt: Attempt) -> bool:
    """Whether the provider itself says that it is taking this attempt's machine away."""
    machine = draft.machine_of(attempt)
    seen = draft.seen(machine) if machine is not None else None
    return seen is not None and seen.ending_reason == "preempted"


def sweep(draft: Draft) -> None:
    """Anything up that nobody keeps is terminated. This one rule replaces every clean-up on an error path.

    Only machines whose launch key bears our owner are ours, and only good listings of this look count.
    """
    mine = f"sl-{draft.world.owner}-"
    for listing in draft.world.listings:
        if not listing.ok:
            continue
        for seen in listing.machines:
            if seen.phase != "gone" and seen.launch_key.startswith(mine) and not _kept(draft, seen):
                draft.terminate(listing.provider, seen.instance_id)


def _kept(draft: Draft, seen: SeenMachine) -> bool:
    if seen.launch_key in draft.world.in_flight:
        return True
    machine = draft.machine(seen.launch_key)
    if machine is None or machine.state == "ended":
        return False
    if machine.instance_id and machine.instance_id != seen.instance_id:
        return False  # a second machine of the same key: an answer was lost and the call repeated below us
    if machine.state == "ending":
        # Asked for already; `_listed` asks again in its own time.
        return bool(machine.instance_id)
    return True
