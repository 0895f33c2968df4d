"""Orders: an attempt and its machine written down, and the call that starts it, with all its agent will read."""

from __future__ import annotations

from decimal import Decimal

from spotlaunch.core import rules
from spotlaunch.core.book import Alternative, Attempt, Job, Machine
from spotlaunch.core.choosing import BOTH, is_file_store, terms_of
from spotlaunch.core.draft import Draft
from spotlaunch.core.extras import disk_gb, extras
from spotlaunch.core.facts import Offer, Order, Traits
from spotlaunch.core.limits import affordable_s
from spotlaunch.core.plan import Launch
from spotlaunch.core.rank import cheapest_on_demand
from spotlaunch.core.risks import order_of
from spotlaunch.core.wire import OrderDoc

# How often an agent speaks: a folder on this computer costs nothing to write to, a bucket does.
REPORT_FILE_S = 0.5


REPORT_BUCKET_S = 10.0


def launch_key(owner: str, job: str, attempt: int, rank_: int = 0) -> str:
    """The name, label, tag and idempotency token of a machine."""
    return f"sl-{owner}-{job}-{attempt}-{rank_}"


def begin(
    draft: Draft, job: Job, candidates: list[Offer], key: str, predecessor: Attempt | None, *, fell_back: bool
) -> None:
    """Write down attempt and machine, and call for the launch: the best offer, and its provider's next best."""
    best, number = candidates[0], job.last_attempt + 1
    alternatives = tuple(o for o in candidates if _goes_with(o, best, job))[: rules.ALTERNATIVES]
    traits = draft.world.traits[best.pool.provider]
    on_demand_usd_hour, where = _on_demand(draft, job)
    attempt = Attempt(
        job=job.name,
        number=number,
        started_at=draft.now,
        market=best.pool.market,
        predecessor=predecessor.number if predecessor is not None else 0,
    )
    machine = Machine(
        launch_key=key,
        job=job.name,
        attempt=number,
        rank=0,
        pool=best.pool,
        gpu=best.gpu,
        gpu_count=best.gpu_count,
        price_usd_hour=best.price_usd_hour,
        on_demand_usd_hour=best.on_demand_usd_hour,
        state="intended",
        intended_at=draft.now,
        alternatives=tuple(_alternative(o, job, traits) for o in alternatives[1:]),
        cheapest_usd_hour=on_demand_usd_hour,
        cheapest_pool=where,
        disk_gb=disk_gb(job, traits),
        **extras(best, job, traits),
    )
    if fell_back and best.pool.market == "on-demand" and job.spec.market == "auto":
        since_s = draft.now - (job.waiting_since if job.waiting_since is not None else draft.now)
        draft.tell(job.name, "fallback", f"no spot machine for {since_s:.0f} s: paying on-demand", attempt=number)
    draft.tell(
        job.name,
        "launch",
        f"attempt {number}: {best.pool} at ${best.price_usd_hour}/h, the best of {len(candidates)} offers",
        attempt=number,
        pool=str(best.pool),
        price_usd_hour=str(best.price_usd_hour),
        alternatives=[str(o.pool) for o in alternatives[1:]],
    )
    draft.add(attempt, machine)
    draft.set_job(job, state="running", last_attempt=number, note="")
    order = _order(draft, job, attempt, key, alternatives)
    doc = _doc(draft, job, attempt, alternatives, predecessor)
    draft.calls.append(Launch(provider=best.pool.provider, order=order, doc=doc))
    # Its answer may come while nothing else is due; agents' first words are looked for soon.
    draft.wake(draft.now + traits.list_interval_s)


def _goes_with(offer: Offer, best: Offer, job: Job) -> bool:
    """Whether an offer may stand beside the best in one order."""
    if offer.pool.provider != best.pool.provider:
        return False
    # The agent's own limit, for when nobody watches, is told before it is known which alternative is taken.
    # So where money is limited, spot and on-demand, which cost several times as much, are not in one order.
    return job.spec.limits.cost_usd is None or offer.pool.market == best.pool.market


def _on_demand(draft: Draft, job: Job) -> tuple[Decimal | None, str]:
    """What the job's machine is held against in its bill: on-demand at its cheapest now, and where that is."""
    asked = draft.world.asked.get(job.name)
    terms = terms_of(draft, job, rules.Markets(allowed=BOTH, why_not=""))
    found = cheapest_on_demand(asked.offers, terms) if asked is not None else None
    return (None, "") if found is None else (found[0], str(found[1]))


def _alternative(offer: Offer, job: Job, traits: Traits) -> Alternative:
    return Alternative(
        pool=offer.pool,
        gpu=offer.gpu,
        gpu_count=offer.gpu_count,
        price_usd_hour=offer.price_usd_hour,
        on_demand_usd_hour=offer.on_demand_usd_hour,
        **extras(offer, job, traits),
    )


def _order(draft: Draft, job: Job, attempt: Attempt, key: str, alternatives: tuple[Offer, ...]) -> Order:
    spec = job.spec
    start_s = draft.world.traits[alternatives[0].pool.provider].start_s
    runtime_s = _runtime_left(draft, job)
    ends_s = [
        rules.MACHINE_TTL_S,
        # Counted from the launch, so past the agent's own limit, which counts from its start and saves first.
        runtime_s + start_s + spec.checkpoint.grace_s if runtime_s else 0.0,
        affordable_s(draft, job, _dearest_usd_hour(alternatives)),
    ]
    return Order(
        launch_key=key,
        job=job.name,
        attempt=attempt.number,
        alternatives=alternatives,
        image=spec.image,
        vm_image=spec.vm_images.get(alternatives[0].pool.provider, ""),
        ssh_key=spec.ssh_key,
        disk_gb=spec.resources.disk_gb,
        price_cap_usd_hour=spec.limits.price_usd_hour,
        ttl_s=min(s for s in ends_s if s),
        agent_env={
            "SPOTLAUNCH_STORE_URL": job.store_url,
            "SPOTLAUNCH_STORE_ENDPOINT": job.store_endpoint,
            "SPOTLAUNCH_STORE_REGION": job.store_region,
            "SPOTLAUNCH_JOB": job.name,
            "SPOTLAUNCH_ATTEMPT": str(attempt.number),
        },
    )


def _every_s(draft: Draft, job: Job, offer: Offer) -> float:
    """Seconds between two checkpoints (0: each as it appears): more often where no notice gives time for a last one."""
    every_s = job.spec.checkpoint.every_s or 0.0
    if offer.pool.market == "spot" and not draft.world.traits[offer.pool.provider].notice_s:
        return min(every_s, max(rules.NO_NOTICE_LEAST_S, every_s * rules.NO_NOTICE_SHARE))
    return every_s


def _life_s(draft: Draft, alternatives: tuple[Offer, ...]) -> float:
    """How long a machine lives, whichever alternative is taken; long enough to start and leave in any case."""
    ends_s = (o.ends_at - draft.now for o in alternatives if o.ends_at is not None)
    start_s = draft.world.traits[alternatives[0].pool.provider].start_s
    return max(2 * start_s + rules.LEAVE_SILENT_S, min([rules.MACHINE_TTL_S, *ends_s]))


def _dearest_usd_hour(alternatives: tuple[Offer, ...]) -> Decimal:
    """Money must last on whichever alternative is taken."""
    return max(o.price_usd_hour for o in alternatives)


def _runtime_left(draft: Draft, job: Job) -> float:
    limit = job.spec.limits.runtime_s
    return 0.0 if limit is None else max(1.0, limit - draft.ran_s(job.name))


def _doc(
    draft: Draft, job: Job, attempt: Attempt, alternatives: tuple[Offer, ...], predecessor: Attempt | None
) -> OrderDoc:
    spec, wait_s = job.spec, 0.0
    # The agent's own limit counts from its start, the bill from the launch.
    offer = alternatives[0]
    lasts_s = affordable_s(draft, job, _dearest_usd_hour(alternatives))
    budget_s = max(1.0, lasts_s - draft.world.traits[offer.pool.provider].start_s) if lasts_s else 0.0
    if predecessor is not None:
        deadline_at = predecessor.notice_deadline_at or draft.now
        noticed = predecessor.noticed_at is not None
        wait_s = max(0.0, deadline_at - draft.now) + rules.CLAIM_MARGIN_S if noticed else rules.LEAVE_HEARD_S
    return OrderDoc(
        job=job.name,
        attempt=attempt.number,
        run=spec.run,
        setup=spec.setup,
        bundle=job.bundle,
        env=dict(spec.env),
        secrets=list(spec.secrets),
        checkpoint_dir=spec.checkpoint.dir,
        checkpoint_every_s=_every_s(draft, job, offer),
        keep=spec.checkpoint.keep,
        grace_s=spec.checkpoint.grace_s,
        predecessor=attempt.predecessor,
        predecessor_wait_s=wait_s,
        runtime_left_s=_runtime_left(draft, job),
        budget_left_s=budget_s,
        ttl_left_s=_life_s(draft, alternatives) - draft.world.traits[offer.pool.provider].start_s,
        report_every_s=REPORT_FILE_S if is_file_store(job.store_url) else REPORT_BUCKET_S,
        gpu=offer.gpu,
        gpu_count=offer.gpu_count,
        pool=str(offer.pool),
        **order_of(draft, job, offer),
    )
