"""What an agent is told of the danger its machine is in, so that it knows how often to save (`core.intervals`)."""

from __future__ import annotations

from typing import Any

from spotlaunch.core import rules
from spotlaunch.core.book import Attempt, Job
from spotlaunch.core.draft import Draft
from spotlaunch.core.extras import egress_usd_gb
from spotlaunch.core.facts import Offer
from spotlaunch.core.intervals import markedly, price_factor
from spotlaunch.core.plan import PutAsk
from spotlaunch.core.wire import Ask, Status

# An interval goes by the root of the rate: half as much again, and it is shorter by a fifth.
TELL_FROM = 1.5


def risk_of(draft: Draft, job: Job, offer: Offer) -> dict[str, Any]:
    """How likely a machine of ``offer`` is taken now, as fields of `core.wire.OrderDoc` and `Ask`."""
    rate = draft.world.learned.rates.of(offer, draft.now)
    cap = job.spec.limits.price_usd_hour
    at_risk = cap is not None and offer.pool.market == "spot"
    share = float(offer.price_usd_hour / cap) if cap is not None and at_risk else 0.0
    return {"rate_per_hour": float(f"{rate:.3g}"), "price_share": round(share, 3)}


def order_of(draft: Draft, job: Job, offer: Offer) -> dict[str, Any]:
    """What an agent must know to find out how often to save, as fields of `core.wire.OrderDoc`."""
    if job.spec.checkpoint.every_s is not None:
        return {}
    traits = draft.world.traits[offer.pool.provider]
    gb_usd, usd_hour = egress_usd_gb(offer, job, traits), offer.price_usd_hour
    return {
        "every_auto": True,
        **risk_of(draft, job, offer),
        # A host that breaks gives none.
        "notice_s": traits.notice_s if offer.pool.market == "spot" else 0.0,
        "write_s": job.write_s or 0.0,
        "gb_cost_s": float(gb_usd / usd_hour * 3600) if usd_hour > 0 else 0.0,
        "checkpoint_signal": job.spec.checkpoint.signal,
    }


def tell_risks(draft: Draft, job: Job) -> None:
    """Tell agents what differs markedly from what they reckon with; again in the looks to come, until they say so.

    Only where offers are at hand, and only to those whose program runs: nobody else's ask is overwritten.
    """
    asked = draft.world.asked.get(job.name) or draft.world.at_hand.get(job.name)
    if asked is None or job.over or job.wanted != "run" or job.spec.checkpoint.every_s is not None:
        return
    for attempt in draft.live(job.name):
        status, machine = draft.mail(job.name).statuses.get(attempt.number), draft.machine_of(attempt)
        if machine is None or status is None or not _listens(attempt, status):
            continue
        offer = next((o for o in asked.offers if o.pool == machine.pool), None)
        if offer is None or draft.now - offer.seen_at > rules.OFFER_MAX_AGE_S:
            continue
        risk = risk_of(draft, job, offer)
        if _news(risk, status):
            ask = Ask(kind="risk", reason="what is known of its pool has changed", at=draft.now, **risk)
            draft.calls.append(PutAsk(job=job.name, attempt=attempt.number, ask=ask))


def _listens(attempt: Attempt, status: Status) -> bool:
    going = attempt.leave_asked_at is not None or attempt.noticed_at is not None
    return attempt.phase == "running" and not going and isinstance(status.rate_per_hour, (int, float))


def _news(risk: dict[str, Any], status: Status) -> bool:
    rate = markedly(risk["rate_per_hour"], status.rate_per_hour or 0.0, TELL_FROM)
    return rate or markedly(price_factor(risk["price_share"]), price_factor(status.price_share), TELL_FROM)
