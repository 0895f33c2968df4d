"""What the answer of a launch means: which writes follow from success, and from each kind of no.

The place where exceptions become facts. Pure: `watchdog.act` makes the call and applies what this says.
"""

from __future__ import annotations

from collections.abc import Iterable

from spotlaunch import errors
from spotlaunch.core.book import Event, Job
from spotlaunch.core.extras import extras
from spotlaunch.core.facts import Launched, Refused, Scope
from spotlaunch.core.plan import AddEvent, Launch, PutRefusal, SetAttempt, SetJob, SetMachine, World, Write
from spotlaunch.core.refusals import refuse


def tried(call: Launch, now: float) -> list[Write]:
    """To be written before the call: from here on nobody knows whether a machine exists."""
    return [
        SetMachine(launch_key=call.order.launch_key, frm="intended", changes={"state": "launching", "tried_at": now})
    ]


def launched(world: World, job: Job, call: Launch, answer: Launched, now: float) -> list[Write]:
    """A machine exists."""
    offer, order = answer.offer, call.order
    saving = ""
    if offer.on_demand_usd_hour is not None and offer.pool.market == "spot":
        saving = f" (on-demand ${offer.on_demand_usd_hour}/h)"
    return [
        SetMachine(
            launch_key=order.launch_key,
            frm="launching",
            changes={
                "state": "up",
                # It may take its time to show from now on, not from when a slow call was begun.
                "tried_at": now,
                "instance_id": answer.instance_id,
                "pool": offer.pool,
                "gpu": offer.gpu,
                "gpu_count": offer.gpu_count,
                "price_usd_hour": offer.price_usd_hour,
                "on_demand_usd_hour": offer.on_demand_usd_hour,
                "up_at": now,
                "alternatives": (),
                **extras(offer, job, world.traits[call.provider]),
            },
        ),
        SetAttempt(job=order.job, number=order.attempt, changes={"market": offer.pool.market}),
        SetJob(
            name=order.job,
            frm="running",
            changes={"waiting_since": None, "rounds": 0, "note": "", "attempts_ran": job.attempts_ran + 1},
        ),
        *_refusals(world, call, answer.refused, now),
        *_told(call, answer.refused, now),
        *_fell_back(call, answer, now),
        _event(
            call,
            now,
            "launched",
            f"attempt {order.attempt} has a machine: {offer.pool} at ${offer.price_usd_hour}/h{saving}",
            pool=str(offer.pool),
            instance_id=answer.instance_id,
            price_usd_hour=str(offer.price_usd_hour),
        ),
    ]


def _fell_back(call: Launch, answer: Launched, now: float) -> list[Write]:
    """An order whose best was spot, and which got an on-demand machine in the end."""
    if call.order.alternatives[0].pool.market != "spot" or answer.offer.pool.market != "on-demand":
        return []
    return [_event(call, now, "fallback", "every spot alternative of the order refused: paying on-demand")]


def _told(call: Launch, refused: Iterable[Refused], now: float) -> list[Write]:
    """Why the machine is not the one that was planned: each alternative that was refused before it."""
    return [
        _event(
            call,
            now,
            "refused",
            f"attempt {call.order.attempt}: {r.scope} refused: {r.error}: {r.reason}",
            error=r.error,
            scopes=[str(r.scope)],
        )
        for r in refused
    ]


def not_launched(world: World, call: Launch, error: errors.SpotlaunchError, now: float) -> list[Write]:
    """No machine, or nobody knows.

    After `OutcomeUnknown` the machine stays `launching` until a listing shows it, or has had long enough to,
    counted from now: a call that took a minute may have made its machine in the last second. Every other
    error is the provider's word that nothing was made.
    """
    order = call.order
    if isinstance(error, errors.OutcomeUnknown):
        text = f"attempt {order.attempt}: the answer of the launch was lost ({error.message}); looking in the listing"
        return [
            SetMachine(launch_key=order.launch_key, frm="launching", changes={"tried_at": now}),
            _event(call, now, "unknown", text),
            *_refusals(world, call, error.refused, now),
        ]
    refused = _refused_of(call, error)
    reason = f"{type(error).__name__}: {error.message}"
    hint = f" hint: {error.hint}" if error.hint else ""
    return [
        SetMachine(
            launch_key=order.launch_key,
            frm="launching",
            changes={"state": "ended", "ended_at": now, "outcome": "refused", "reason": reason},
        ),
        SetAttempt(
            job=order.job, number=order.attempt, changes={"outcome": "refused", "reason": reason, "ended_at": now}
        ),
        *_ask_again(world, call, now),
        *_refusals(world, call, refused, now),
        _event(
            call,
            now,
            "refused",
            f"attempt {order.attempt} refused: {reason}{hint}",
            error=type(error).__name__,
            scopes=[str(r.scope) for r in refused],
        ),
    ]


def _ask_again(world: World, call: Launch, now: float) -> list[Write]:
    """A policy is as good as the launches that follow: after a refusal it is asked again at once, not at its pace."""
    steered = any(j.name == call.order.job and j.steered for j in world.book.jobs)
    return [SetJob(name=call.order.job, frm="running", changes={"next_try_at": now})] if steered else []


def no_longer_wanted(call: Launch, instance_id: str, now: float) -> list[Write]:
    """The end of a machine was decided while its launch was under way: what came of that is written down still.

    So its end is asked for by its id (empty: the answer was lost), and it is not taken for gone before it has
    had the time to show.
    """
    known = {"instance_id": instance_id, "up_at": now, "asked_at": None} if instance_id else {}
    return [SetMachine(launch_key=call.order.launch_key, frm="ending", changes={"tried_at": now, **known})]


def not_begun(call: Launch, kind: str, reason: str, hint: str, now: float) -> list[Write]:
    """Something that the agent needs is missing (its order in the mailbox, a secret), so no call was made."""
    order = call.order
    changes = {"outcome": "refused", "reason": reason, "ended_at": now}
    return [
        SetMachine(
            launch_key=order.launch_key,
            frm="intended",
            changes={"state": "ended", **changes},
        ),
        SetAttempt(job=order.job, number=order.attempt, changes=changes),
        SetJob(name=order.job, frm="running", changes={"next_try_at": now + NOT_BEGUN_REST_S, "note": reason}),
        _event(call, now, kind, f"attempt {order.attempt} not launched: {reason}", hint=hint),
    ]


# What was missing is looked for again so often.
NOT_BEGUN_REST_S = 10.0


def _refused_of(call: Launch, error: errors.SpotlaunchError) -> tuple[Refused, ...]:
    """What the error says was refused; an adapter that names nothing means every alternative."""
    retry_after_s = getattr(error, "retry_after_s", None)
    named: tuple[Refused, ...] = getattr(error, "refused", ())
    return named or tuple(
        Refused(
            scope=Scope.of(o.pool),
            error=type(error).__name__,
            reason=error.message,
            hint=error.hint,
            retry_after_s=retry_after_s,
        )
        for o in call.order.alternatives
    )


def _refusals(world: World, call: Launch, refused: Iterable[Refused], now: float) -> list[Write]:
    traits = world.traits[call.provider]
    key, job = call.order.launch_key, call.order.job
    found = {}
    for r in refused:
        refusal = refuse(world.book.refusals, r, now=now, traits=traits, job=job, key=key)
        found[(refusal.scope, refusal.job)] = refusal
    return [PutRefusal(refusal=r) for r in found.values()]


def _event(call: Launch, now: float, kind: str, text: str, **data: object) -> AddEvent:
    data = {"attempt": call.order.attempt, **data}
    return AddEvent(event=Event(job=call.order.job, at=now, kind=kind, text=text, data=data))
