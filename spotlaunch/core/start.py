"""Starting attempts: when a job needs a machine, which offers it gets, and what is told when there is none."""

from __future__ import annotations

from decimal import Decimal

from spotlaunch.core import policy
from spotlaunch.core.attempts import finish
from spotlaunch.core.book import Alternative, Asked, Attempt, Job, Launch, Machine, PutAsk
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Market, Offer, Order, Want
from spotlaunch.core.limits import LEAVE_AHEAD_S, affordable_s, ask_to_leave, cannot_start
from spotlaunch.core.rank import PASSING, Ranking, Terms, rank
from spotlaunch.core.wire import Ask, OrderDoc

# How often an agent speaks: a folder on this computer costs nothing to write to, a bucket does.
REPORT_FILE_S = 0.5
REPORT_BUCKET_S = 10.0

BOTH: tuple[Market, ...] = ("spot", "on-demand")


def launch_key(owner: str, job: str, attempt: int, rank_: int = 0) -> str:
    """The name, label, tag and idempotency token of a machine."""
    return f"sl-{owner}-{job}-{attempt}-{rank_}"


def want_of(job: Job) -> Want:
    """What to ask providers for on behalf of a job."""
    r, spec = job.spec.resources, job.spec
    markets: tuple[Market, ...] = BOTH if spec.market == "auto" else (spec.market,)
    return Want(gpus=r.gpus, cpus=r.cpus, memory_gb=r.memory_gb, disk_gb=r.disk_gb, markets=markets, image=spec.image)


def needs_machine(job: Job, live: list[Attempt]) -> bool:
    """Whether an attempt should be begun: none is live, or the only live one is losing its machine."""
    if job.over or job.wanted != "run" or any(a.leave_asked_at is not None for a in live):
        return False
    return not live or (len(live) == 1 and live[0].noticed_at is not None)


def may_return(job: Job, live: list[Attempt]) -> bool:
    """Whether a job paying on-demand prices should look at spot: it has been heard and has committed."""
    if job.over or job.wanted != "run" or job.spec.market != "auto" or not job.spec.fallback.return_to_spot:
        return False
    if len(live) != 1 or live[0].market != "on-demand":
        return False
    attempt = live[0]
    return attempt.phase == "running" and attempt.commits > 0 and attempt.leave_asked_at is None


def start(draft: Draft, job: Job) -> None:
    """Begin an attempt, a replacement or a return to spot, if the job needs one and may have it now."""
    live = draft.live(job.name)
    if needs_machine(job, live):
        forbidden = cannot_start(draft, job)
        if forbidden and not live:
            finish(draft, job, "failed", forbidden)
        elif not forbidden:
            _find_machine(draft, job, live)
    elif may_return(job, live):
        _return_to_spot(draft, job, live[0])
    elif len(live) == 2:
        _hand_over(draft, job, live)


def _find_machine(draft: Draft, job: Job, live: list[Attempt]) -> None:
    if job.waiting_since is None:
        # What was waited for before (a look at spot prices, say) does not hold up the first try.
        job = draft.set_job(job, waiting_since=draft.now, next_try_at=min(job.next_try_at, draft.now))
    if draft.now < job.next_try_at:
        draft.wake(job.next_try_at)
        return
    asked = draft.world.asked.get(job.name)
    if asked is None:
        draft.wake(draft.now)  # the market was not asked for this job in this look: it will be in the next
        return
    key = launch_key(draft.world.owner, job.name, job.last_attempt + 1)
    everything = _rank(draft, job, asked, key, policy.Markets(allowed=BOTH, why_not=""))
    spot_possible = everything.possible("spot")
    markets = policy.markets_now(job, now=draft.now, spot_possible=spot_possible)
    ranking = _rank(draft, job, asked, key, markets)
    candidates = [o for o in ranking.candidates if _affordable(draft, job, o)]
    if candidates:
        predecessor = live[0] if live else None
        _launch(draft, job, candidates, key, predecessor, fell_back=spot_possible)
    elif not live and _too_poor(draft, job, ranking):
        finish(draft, job, "failed", f"limits.cost_usd (${job.spec.limits.cost_usd}) leaves too little for a start")
    elif live or not _hopeless(draft, job, ranking):  # one with a machine may yet end well within its notice
        _wait(draft, job, asked, ranking, markets)


def _rank(draft: Draft, job: Job, asked: Asked, key: str, markets: policy.Markets) -> Ranking:
    terms = Terms(
        spec=job.spec,
        job=job.name,
        now=draft.now,
        markets=markets.allowed,
        market_why=markets.why_not,
        refusals=draft.refusals(),
        traits=draft.world.traits,
        file_store=is_file_store(job.store_url),
        max_age_s=policy.OFFER_MAX_AGE_S,
    )
    return rank(asked.offers, terms, launch_key=key)


def is_file_store(url: str) -> bool:
    """Whether the store is a folder of this computer."""
    return url.startswith("file:")


def _affordable(draft: Draft, job: Job, offer: Offer) -> bool:
    """Whether the money left would carry this machine through its start, past where it is asked to leave again."""
    lasts_s = affordable_s(draft, job, offer.price_usd_hour)
    least_s = draft.world.traits[offer.pool.provider].start_s + job.spec.checkpoint.grace_s + LEAVE_AHEAD_S
    return lasts_s == 0.0 or lasts_s > least_s


def _too_poor(draft: Draft, job: Job, ranking: Ranking) -> bool:
    """Whether the money left would not carry any offer that fits, now or later, through its start."""
    later = (t.offer for t in ranking.turned_down if t.filter in PASSING)
    fitting = [*ranking.candidates, *later]
    return bool(fitting) and not any(_affordable(draft, job, o) for o in fitting)


def _launch(
    draft: Draft, job: Job, candidates: list[Offer], key: str, predecessor: Attempt | None, *, fell_back: bool
) -> None:
    """Write down attempt and machine, and call for the launch: the best offer, and its provider's next best."""
    best, number = candidates[0], job.last_attempt + 1
    alternatives = tuple(o for o in candidates if _goes_with(o, best, job))[: policy.ALTERNATIVES]
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
        alternatives=tuple(_alternative(o) for o in alternatives[1:]),
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
    draft.wake(draft.now + draft.world.traits[best.pool.provider].list_interval_s)


def _goes_with(offer: Offer, best: Offer, job: Job) -> bool:
    """Whether an offer may stand beside the best in one order."""
    if offer.pool.provider != best.pool.provider:
        return False
    # The agent's own limit, for when nobody watches, is told before it is known which alternative is taken.
    # So where money is limited, spot and on-demand, which cost several times as much, are not in one order.
    return job.spec.limits.cost_usd is None or offer.pool.market == best.pool.market


def _alternative(offer: Offer) -> Alternative:
    return Alternative(
        pool=offer.pool,
        gpu=offer.gpu,
        gpu_count=offer.gpu_count,
        price_usd_hour=offer.price_usd_hour,
        on_demand_usd_hour=offer.on_demand_usd_hour,
    )


def _order(draft: Draft, job: Job, attempt: Attempt, key: str, alternatives: tuple[Offer, ...]) -> Order:
    spec = job.spec
    start_s = draft.world.traits[alternatives[0].pool.provider].start_s
    runtime_s = _runtime_left(draft, job)
    ends_s = [
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
        disk_gb=spec.resources.disk_gb,
        price_cap_usd_hour=spec.limits.price_usd_hour,
        ttl_s=min((s for s in ends_s if s), default=0.0),
        agent_env={
            "SPOTLAUNCH_STORE_URL": job.store_url,
            "SPOTLAUNCH_STORE_ENDPOINT": job.store_endpoint,
            "SPOTLAUNCH_STORE_REGION": job.store_region,
            "SPOTLAUNCH_JOB": job.name,
            "SPOTLAUNCH_ATTEMPT": str(attempt.number),
        },
    )


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
        wait_s = max(0.0, deadline_at - draft.now) + policy.CLAIM_MARGIN_S if noticed else policy.LEAVE_HEARD_S
    return OrderDoc(
        job=job.name,
        attempt=attempt.number,
        run=spec.run,
        setup=spec.setup,
        bundle=job.bundle,
        env=dict(spec.env),
        secrets=list(spec.secrets),
        checkpoint_dir=spec.checkpoint.dir,
        checkpoint_every_s=spec.checkpoint.every_s or 0.0,
        keep=spec.checkpoint.keep,
        grace_s=spec.checkpoint.grace_s,
        predecessor=attempt.predecessor,
        predecessor_wait_s=wait_s,
        runtime_left_s=_runtime_left(draft, job),
        budget_left_s=budget_s,
        report_every_s=REPORT_FILE_S if is_file_store(job.store_url) else REPORT_BUCKET_S,
        gpu=offer.gpu,
        gpu_count=offer.gpu_count,
        pool=str(offer.pool),
    )


def _hopeless(draft: Draft, job: Job, ranking: Ranking) -> bool:
    """End a job for which every offer is an order its provider calls invalid. Says whether it did."""
    refused = [r for r in draft.refusals() if r.job == job.name and r.error == "InvalidOrder"]
    fitting = [t for t in ranking.turned_down if t.filter in ("refusal", "availability", "age", "market")]
    if not refused or not fitting:
        return False
    if not all(any(r.scope.covers(t.offer.pool) for r in refused) for t in fitting):
        return False
    finish(draft, job, "failed", f"every offer was called invalid by its provider: {refused[0].reason}")
    return True


def _wait(draft: Draft, job: Job, asked: Asked, ranking: Ranking, markets: policy.Markets) -> None:
    """Nothing to be had now: back off, and say why when the reason is a new one."""
    rests = [t.rest_s for t in draft.world.traits.values()]
    base_s = min(rests, default=policy.USUAL_REST_S)
    wait_s = policy.backoff_s(job.rounds, base_s, draft.world.owner, job.name, job.last_attempt)
    next_try_at = draft.now + wait_s
    if markets.changes_at is not None:
        next_try_at = min(next_try_at, max(draft.now, markets.changes_at))
    note = why_waiting(asked, ranking)
    if note != job.note:
        draft.tell(job.name, "waiting", f"no machine now: {note}")
    draft.set_job(job, rounds=job.rounds + 1, next_try_at=next_try_at, note=note)
    draft.wake(next_try_at)


def why_waiting(asked: Asked, ranking: Ranking) -> str:
    """One line on why no offer was taken, the same for the same situation: it is told when it changes."""
    words = {
        "availability": "not available",
        "refusal": "resting after a refusal or a loss",
        "age": "price too old",
        "market": "on-demand, while there is patience for spot",
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


def _return_to_spot(draft: Draft, job: Job, attempt: Attempt) -> None:
    """Begin a spot attempt beside the running on-demand one, if the move pays for itself."""
    asked, machine = draft.world.asked.get(job.name), draft.machine_of(attempt)
    if asked is None or machine is None or machine.state != "up" or cannot_start(draft, job):
        return
    if draft.now < job.next_try_at:
        draft.wake(job.next_try_at)
        return
    key = launch_key(draft.world.owner, job.name, job.last_attempt + 1)
    ranking = _rank(draft, job, asked, key, policy.Markets(allowed=("spot",), why_not="a return to spot"))
    left_s = policy.remaining_s(
        job,
        step_now=attempt.step,
        step_then=attempt.resumed_step or 0,
        seconds=draft.now - (machine.up_at or draft.now),
    )
    paying = [
        o
        for o in ranking.candidates
        if o.available == "yes"
        and policy.repays_move(
            spot=o,
            on_demand_usd_hour=machine.price_usd_hour,
            remaining_s=left_s,
            start_s=draft.world.traits[o.pool.provider].start_s,
        )
    ]
    rest_s = min((t.rest_s for t in draft.world.traits.values()), default=policy.USUAL_REST_S)
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
        _launch(draft, job, paying, key, attempt, fell_back=False)


def _hand_over(draft: Draft, job: Job, live: list[Attempt]) -> None:
    """Two live attempts: when the new one is ready to claim, the old one is asked to leave."""
    old, new = live
    if new.predecessor != old.number or new.phase != "waiting" or new.noticed_at is not None:
        return  # one that is losing its machine already takes nothing over
    if old.noticed_at is None and old.leave_asked_at is None:
        ask_to_leave(draft, old, f"attempt {new.number} takes over on a spot machine")


def proceed_orphans(draft: Draft, job: Job) -> None:
    """A successor waits for its predecessor's farewell; one that died without any will not give it."""
    live = {a.number for a in draft.live(job.name)}
    for attempt in draft.live(job.name):
        if attempt.phase == "waiting" and attempt.predecessor not in live:
            ask = Ask(kind="proceed", reason=f"attempt {attempt.predecessor} is over", at=draft.now)
            draft.calls.append(PutAsk(job=job.name, attempt=attempt.number, ask=ask))
