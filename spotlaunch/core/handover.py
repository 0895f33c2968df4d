"""Handing over: back to spot beside a running machine, and who waits for whom."""

from __future__ import annotations

from dataclasses import replace

from spotlaunch.core import rules
from spotlaunch.core.attempts import conclude
from spotlaunch.core.book import Attempt, Job, Machine
from spotlaunch.core.choosing import terms_of
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Offer
from spotlaunch.core.limits import ask_to_leave, cannot_start
from spotlaunch.core.orders import begin, launch_key
from spotlaunch.core.plan import Asked, PutAsk
from spotlaunch.core.rank import rank
from spotlaunch.core.wire import Ask


def may_return(job: Job, live: list[Attempt]) -> bool:
    """Whether a job paying on-demand prices should look at spot: it has been heard and has committed."""
    if job.over or job.wanted != "run" or job.spec.market != "auto" or not job.spec.fallback.return_to_spot:
        return False
    if len(live) != 1 or live[0].market != "on-demand":
        return False
    attempt = live[0]
    return attempt.phase == "running" and attempt.commits > 0 and attempt.leave_asked_at is None


def return_to_spot(draft: Draft, job: Job, attempt: Attempt) -> None:
    """Begin a spot attempt beside the running on-demand one, if the move pays for itself."""
    asked, machine = draft.world.asked.get(job.name), draft.machine_of(attempt)
    if asked is None or machine is None or machine.state != "up" or cannot_start(draft, job):
        return
    if machine.pool.provider not in draft.world.traits:
        return  # its provider cannot be used now: we could not end this machine when the other one is ready
    if draft.now < job.next_try_at:
        draft.wake(job.next_try_at)
        return
    key = launch_key(draft.world.owner, job.name, job.last_attempt + 1)
    terms = terms_of(draft, job, rules.Markets(allowed=("spot",), why_not="a return to spot"))
    running = terms.costed(_running(machine, asked))
    left_s = rules.remaining_s(
        job,
        step_now=attempt.step,
        step_then=attempt.resumed_step or 0,
        seconds=draft.now - (machine.up_at or draft.now),
    )
    paying = [
        o
        for o in rank(asked.offers, terms, launch_key=key).candidates
        if o.available == "yes"
        and rules.repays_move(
            spot=terms.costed(o),
            running=running,
            remaining_s=left_s,
            start_s=draft.world.traits[o.pool.provider].start_s,
        )
    ]
    every_s = job.spec.fallback.look_every_s
    rest_s = rules.shortest_rest_s(job.spec, draft.world.traits) if every_s is None else every_s
    job = draft.set_job(job, next_try_at=draft.now + rest_s)
    draft.wake(draft.now + rest_s)
    if paying:
        draft.tell(
            job.name,
            "return",
            f"spot is back: {paying[0].pool} at ${paying[0].price_usd_hour}/h instead of"
            f" ${machine.price_usd_hour}/h repays the move",
            pool=str(paying[0].pool),
        )
        begin(draft, job, paying, key, attempt, fell_back=False)


def _running(machine: Machine, asked: Asked) -> Offer:
    """The machine as an offer at the price agreed; its disk and egress cost what they do in its pool now, if told."""
    sold = next((o for o in asked.offers if o.pool == machine.pool), None)
    if sold is not None:
        return replace(sold, price_usd_hour=machine.price_usd_hour)
    return Offer(pool=machine.pool, gpu=machine.gpu, price_usd_hour=machine.price_usd_hour, seen_at=0.0)


def hand_over(draft: Draft, job: Job, live: list[Attempt]) -> None:
    """Two live attempts: when the new one is ready to claim, the old one is asked to leave."""
    old, new = live
    if new.predecessor != old.number or new.phase != "waiting" or new.noticed_at is not None:
        return  # one that is losing its machine already takes nothing over
    if old.noticed_at is None and old.leave_asked_at is None:
        silent_s = draft.now - (old.heard_at or old.started_at)
        if job.deadline_at is not None and silent_s >= job.spec.checkpoint.grace_s + rules.LEAVE_SILENT_S:
            # It would not hear that it is asked to leave, and there is no time to wait for that.
            conclude(draft, old, "replaced", f"silent for {silent_s:.0f} s, and attempt {new.number} takes over")
            return
        ask_to_leave(
            draft,
            old,
            f"attempt {new.number} takes over on {'a spot' if new.market == 'spot' else 'an on-demand'} machine",
        )


def proceed_orphans(draft: Draft, job: Job) -> None:
    """A successor waits for its predecessor's farewell; one that died without any will not give it."""
    live = {a.number for a in draft.live(job.name)}
    for attempt in draft.live(job.name):
        if attempt.phase == "waiting" and attempt.predecessor not in live:
            ask = Ask(kind="proceed", reason=f"attempt {attempt.predecessor} is over", at=draft.now)
            draft.calls.append(PutAsk(job=job.name, attempt=attempt.number, ask=ask))
