"""Limits that cannot be met: found out before a job is submitted, with figures, instead of by a bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from spotlaunch.core.facts import Offer, Traits
from spotlaunch.core.limits import LEAVE_AHEAD_S, RUNTIME_AHEAD_MOST
from spotlaunch.core.rank import Ranking
from spotlaunch.core.spec import Spec


@dataclass(frozen=True, kw_only=True, slots=True)
class CannotBeMet:
    """A limit that no offer can meet: what and how far from it, and what would be enough."""

    message: str
    hint: str


def impossible_limit(spec: Spec, ranking: Ranking, traits: Mapping[str, Traits]) -> CannotBeMet | None:
    """The first limit of ``spec`` that no offer of ``ranking`` can meet; None where all can be, or nothing else fits.

    ``traits``: those of the providers that made the offers.
    """
    offers = ranking.fitting()
    if not offers:
        return _price(spec, [t.offer for t in ranking.turned_down if t.filter == "price"])
    return _cost(spec, offers, traits) or _runtime(spec, offers, traits)


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
