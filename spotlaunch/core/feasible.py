"""Limits that cannot be met: found out before a job is submitted, with figures, instead of by a bill."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from spotlaunch.core.book import Job
from spotlaunch.core.facts import Offer, Traits
from spotlaunch.core.limits import LEAVE_AHEAD_S, RUNTIME_AHEAD_MOST
from spotlaunch.core.policy import PROMISE_DEADLINES
from spotlaunch.core.rank import Ranking
from spotlaunch.core.spec import Spec
from spotlaunch.core.standing import Standing
from spotlaunch.core.steering import policy_name
from spotlaunch.core.units import write_about


@dataclass(frozen=True, kw_only=True, slots=True)
class CannotBeMet:
    """A limit that no offer can meet: what and how far from it, and what would be enough.

    ``needs_s``: of a deadline, how long the job needs at least from now on.
    """

    message: str
    hint: str
    needs_s: float | None = None


def impossible_limit(spec: Spec, ranking: Ranking, traits: Mapping[str, Traits]) -> CannotBeMet | None:
    """The first limit of ``spec`` that no offer of ``ranking`` can meet; None where all can be, or nothing else fits.

    ``traits``: those of the providers that made the offers.
    """
    offers = ranking.fitting()
    if not offers:
        return _price(spec, [t.offer for t in ranking.turned_down if t.filter == "price"])
    return _cost(spec, offers, traits) or _runtime(spec, offers, traits)


def impossible_deadline(job: Job, ranking: Ranking, standing: Standing) -> CannotBeMet | None:
    """Why not even on-demand from now on would end ``job`` by its deadline, or None where it would.

    ``standing``: the job as it is now, with nothing running. A job whose ``work`` nobody told is let through where its
    first machine can begin; and policies that promise nothing are.
    """
    spec, s = job.spec, standing.situation
    if job.deadline_at is None or policy_name(job) not in PROMISE_DEADLINES:
        return None
    if not any(o.pool.market == "on-demand" for o in ranking.fitting()):
        return CannotBeMet(
            message="it cannot be promised: no on-demand offer fits the job file, and spot may be gone for days",
            hint="loosen `where`, `resources` or `limits.price_usd_hour`, or write `policy: spot` to have no promise",
        )
    needs_s = (spec.work_s or 0.0) + s.start_s + s.tick_s
    if needs_s <= s.left_s:
        return None
    work = "some work" if spec.work_s is None else f"{write_about(spec.work_s)} of work"
    return CannotBeMet(
        message=f"it cannot be met even on on-demand from now on: {work}, {write_about(s.start_s)} to start and "
        f"{write_about(s.tick_s)} to begin with do not go into {write_about(s.left_s)}",
        hint=f"the earliest that can be promised is in {write_about(math.ceil(needs_s / 60) * 60)}",
        needs_s=needs_s,
    )


def _price(spec: Spec, dear: Sequence[Offer]) -> CannotBeMet | None:
    """Every offer that would fit costs more than the cap."""
    cap = spec.limits.price_usd_hour
    if cap is None or not dear:
        return None
    lowest = min(dear, key=lambda o: o.price_usd_hour)
    return CannotBeMet(
        message=f"limits.price_usd_hour (${cap}) is under every price: of {_offers(dear)} that would fit, the cheapest "
        f"is {lowest.pool} at ${lowest.price_usd_hour}/h",
        hint=f"raise limits.price_usd_hour to {lowest.price_usd_hour} or more",
    )


def _cost(spec: Spec, offers: Sequence[Offer], traits: Mapping[str, Traits]) -> CannotBeMet | None:
    """The money would be spent before a machine did anything useful, and could leave again (`choosing.affordable`)."""
    cost, grace_s = spec.limits.cost_usd, spec.checkpoint.grace_s
    if cost is None:
        return None
    needs = [(o.price_usd_hour * Decimal(_least_s(spec, o, traits)) / 3600, o) for o in offers]
    if any(need < cost for need, _ in needs):
        return None
    need, offer = min(needs, key=lambda pair: pair[0])
    start_s = traits[offer.pool.provider].start_s
    return CannotBeMet(
        message=f"limits.cost_usd (${cost}) would carry none of {_offers(offers)} that fit through its start: "
        f"{offer.pool} at ${offer.price_usd_hour}/h needs ${_just_above(need)} for {start_s:.0f} s to start and "
        f"{grace_s + LEAVE_AHEAD_S:.0f} s to save and leave",
        hint=f"raise limits.cost_usd to {_just_above(need)} or more; each later start needs as much again",
    )


def _runtime(spec: Spec, offers: Sequence[Offer], traits: Mapping[str, Traits]) -> CannotBeMet | None:
    """The time would be over before a machine did anything useful."""
    runtime_s, grace_s = spec.limits.runtime_s, spec.checkpoint.grace_s
    if runtime_s is None:
        return None
    offer = min(offers, key=lambda o: traits[o.pool.provider].start_s)
    start_s = traits[offer.pool.provider].start_s
    # As at the limit itself: a short one is not all leaving, that takes a quarter of it at most.
    save_s = min(grace_s, runtime_s * RUNTIME_AHEAD_MOST)
    if runtime_s >= start_s + save_s:
        return None
    return CannotBeMet(
        message=f"limits.runtime ({runtime_s:.0f} s of machine time) is over before any of {_offers(offers)} that fit "
        f"does useful work: {offer.pool} needs {start_s:.0f} s to start and {grace_s:.0f} s (checkpoint.grace) to save",
        hint=f"raise limits.runtime to {int(start_s + grace_s) + 1}s or more; each later start needs as much again",
    )


def _least_s(spec: Spec, offer: Offer, traits: Mapping[str, Traits]) -> float:
    return traits[offer.pool.provider].start_s + spec.checkpoint.grace_s + LEAVE_AHEAD_S


def _just_above(usd: Decimal) -> Decimal:
    """The next amount above, to the cent; where that says nothing, to the hundredth of one."""
    unit = Decimal("0.01") if usd >= Decimal("0.01") else Decimal("0.0001")
    return (usd / unit).to_integral_value(rounding=ROUND_FLOOR) * unit + unit


def _offers(offers: Sequence[Offer]) -> str:
    return f"{len(offers)} offer{'s' if len(offers) != 1 else ''}"
