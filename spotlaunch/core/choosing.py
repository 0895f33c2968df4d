"""Choosing: which offers a job may take at this moment, what it can afford, and why there is none."""

from __future__ import annotations

from dataclasses import replace

from spotlaunch.core import rules
from spotlaunch.core.book import Job
from spotlaunch.core.draft import Draft
from spotlaunch.core.effective import work_of
from spotlaunch.core.facts import Market, Offer, Want
from spotlaunch.core.limits import LEAVE_AHEAD_S, affordable_s
from spotlaunch.core.plan import Asked
from spotlaunch.core.rank import Ranking, Terms, rank

BOTH: tuple[Market, ...] = ("spot", "on-demand")


def want_of(job: Job) -> Want:
    """What to ask providers for on behalf of a job."""
    r, spec = job.spec.resources, job.spec
    markets: tuple[Market, ...] = BOTH if spec.market == "auto" else (spec.market,)
    return Want(gpus=r.gpus, cpus=r.cpus, memory_gb=r.memory_gb, disk_gb=r.disk_gb, markets=markets, image=spec.image)


def is_file_store(url: str) -> bool:
    """Whether the store is a folder of this computer."""
    return url.startswith("file:")


def terms_of(draft: Draft, job: Job, markets: rules.Markets) -> Terms:
    """What offers for ``job`` are held against in this look, in ``markets`` only."""
    return Terms(
        spec=job.spec,
        job=job.name,
        now=draft.now,
        markets=markets.allowed,
        market_why=markets.why_not,
        refusals=draft.refusals(),
        traits=draft.world.traits,
        file_store=is_file_store(job.store_url),
        max_age_s=rules.OFFER_MAX_AGE_S,
        rates=draft.world.learned.rates,
        availability=draft.world.learned.availability,
        boots=draft.world.learned.boots,
        work=work_of(job.spec, job.write_s),
        submitted_at=job.submitted_at,
    )


def rank_for(draft: Draft, job: Job, asked: Asked, key: str, markets: rules.Markets) -> Ranking:
    """Rank what was asked for ``job``, in ``markets`` only; ``key`` (a launch key) orders near-equals."""
    return rank(asked.offers, terms_of(draft, job, markets), launch_key=key)


def affordable(draft: Draft, job: Job, offer: Offer) -> bool:
    """Whether the money left would carry this machine through its start, past where it is asked to leave again."""
    lasts_s = affordable_s(draft, job, offer.price_usd_hour)
    least_s = draft.world.traits[offer.pool.provider].start_s + job.spec.checkpoint.grace_s + LEAVE_AHEAD_S
    return lasts_s == 0.0 or lasts_s > least_s


def within_means(draft: Draft, job: Job, ranking: Ranking) -> Ranking:
    """The ranking without the candidates that the money left would not carry through their start."""
    pairs = zip(ranking.candidates, ranking.effective_usd_hour, strict=True)
    kept = [(o, usd) for o, usd in pairs if affordable(draft, job, o)]
    return replace(ranking, candidates=tuple(o for o, _ in kept), effective_usd_hour=tuple(usd for _, usd in kept))


def too_poor(draft: Draft, job: Job, ranking: Ranking) -> bool:
    """Whether the money left would not carry any offer that fits, now or later, through its start."""
    fitting = ranking.fitting()
    return bool(fitting) and not any(affordable(draft, job, o) for o in fitting)


def why_waiting(job: Job, asked: Asked, ranking: Ranking) -> str:
    """One line on why no offer was taken, the same for the same situation: it is told when it changes."""
    words = {
        "availability": "not available",
        "refusal": "resting after a refusal or a loss",
        "age": "price too old",
        "market": "on-demand, while there is patience for spot",
        "when": f"not {job.start_when}",
    }
    parts = []
    for name, text in words.items():
        count = sum(1 for t in ranking.turned_down if t.filter == name)
        if count:
            parts.append(f"{count} {text}")
    unfit = sum(1 for t in ranking.turned_down if t.filter not in words)
    if unfit and not parts:
        parts.append(f"none of {unfit} offers fits the job file")
    parts += [f"{provider}: {why}" for provider, why in sorted(asked.failures.items())]
    return ", ".join(parts) or "no provider sells what the job file asks for"
