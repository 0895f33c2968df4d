"""Holding: a job submitted with a condition gets no machine until an offer that fits its job file satisfies it.

The condition is of the first machine. A job is *held* until the market satisfies it once; then it waits as any
other job does, patience counting from there, but its first machine must satisfy the condition still. From its
first machine on the condition is over: a machine that was taken away is replaced at what that costs.
"""

from __future__ import annotations

from decimal import Decimal

from spotlaunch.core import rules
from spotlaunch.core.book import Job
from spotlaunch.core.choosing import why_waiting
from spotlaunch.core.condition import Condition, Priced, parse_when
from spotlaunch.core.draft import Draft
from spotlaunch.core.plan import Asked
from spotlaunch.core.rank import Ranking, TurnedDown

# A held job may be held for days: it asks the market no faster than prices move.
ASK_LEAST_S = 60.0

_CENT_OF_A_CENT = Decimal("0.0001")


def is_held(job: Job) -> bool:
    """Whether nothing has satisfied the job's condition yet."""
    return _binds(job) and job.waiting_since is None


def heed_condition(job: Job, ranking: Ranking) -> Ranking:
    """The ranking with those offers turned down that do not satisfy the job's condition, as long as it has one."""
    return satisfying(parse_when(job.start_when), ranking) if _binds(job) else ranking


def satisfying(condition: Condition, ranking: Ranking) -> Ranking:
    """The ranking with those offers turned down (by the filter ``when``) that do not satisfy ``condition``."""
    good: list[Priced] = []
    bad: list[TurnedDown] = []
    for priced in _priced(ranking):
        if condition.holds(priced):
            good.append(priced)
        else:
            reason = f"${shown_usd(priced.offer.price_usd_hour)}/h is not {condition}"
            bad.append(TurnedDown(offer=priced.offer, filter="when", reason=reason))
    return Ranking(
        candidates=tuple(p.offer for p in good),
        turned_down=(*ranking.turned_down, *bad),
        effective_usd_hour=tuple(p.effective_usd_hour for p in good),
    )


def hold(draft: Draft, job: Job, asked: Asked, ranking: Ranking) -> None:
    """Nothing satisfies the condition: look again later. ``ranking``: what fits, whatever it costs."""
    rest_s = min((t.rest_s for t in draft.world.traits.values()), default=rules.USUAL_REST_S)
    next_try_at = draft.now + max(ASK_LEAST_S, rest_s)
    if not job.note:
        draft.tell(job.name, "held", f"held until {job.start_when}", when=job.start_when)
    now = cheapest_now(parse_when(job.start_when), ranking) or f"no offer now: {why_waiting(job, asked, ranking)}"
    draft.set_job(job, note=f"held until {job.start_when}; {now}", next_try_at=next_try_at)
    draft.wake(next_try_at)


def release(draft: Draft, job: Job, ranking: Ranking) -> Job:
    """Something satisfies the condition: from now on the job waits for a machine. ``ranking``: what satisfies it."""
    best = ranking.candidates[0]
    draft.tell(
        job.name,
        "released",
        f"{job.start_when}: {best.pool} costs ${best.price_usd_hour}/h",
        when=job.start_when,
        pool=str(best.pool),
        price_usd_hour=str(best.price_usd_hour),
        effective_usd_hour=str(ranking.effective_usd_hour[0]),
    )
    return draft.set_job(job, waiting_since=draft.now, note="")


def cheapest_now(condition: Condition, ranking: Ranking) -> str:
    """How far the market is from a condition, for a person; empty when it has nothing that fits."""
    offers = _priced(ranking)
    if not offers:
        return ""
    least = {part.quantity: min(p.amount_usd(part.quantity) for p in offers) for part in condition.parts}
    if len(least) == 1:
        [amount] = least.values()
        return f"cheapest now ${shown_usd(amount)}"
    return "cheapest now: " + ", ".join(f"{quantity} ${shown_usd(amount)}" for quantity, amount in least.items())


def shown_usd(amount: Decimal) -> str:
    """Dollars for a person: with cents, and with hundredths of them where there are some."""
    text = f"{amount.quantize(_CENT_OF_A_CENT):f}"
    whole, _, parts = text.partition(".")
    return f"{whole}.{parts.rstrip('0').ljust(2, '0')}"


def _binds(job: Job) -> bool:
    return bool(job.start_when) and job.attempts_ran == 0


def _priced(ranking: Ranking) -> list[Priced]:
    pairs = zip(ranking.candidates, ranking.effective_usd_hour, strict=True)
    return [Priced(offer=offer, effective_usd_hour=cost) for offer, cost in pairs]
