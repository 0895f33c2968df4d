"""Standing: one job at one moment as its policy is told it (`core.situation`), from what the watchdog sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from spotlaunch.core import spells as spelling
from spotlaunch.core.book import Attempt, Job, Machine
from spotlaunch.core.draft import Draft
from spotlaunch.core.effective import work_of
from spotlaunch.core.facts import Offer, Pool, Traits
from spotlaunch.core.rank import Ranking, allowed_by_where
from spotlaunch.core.rates import Rates
from spotlaunch.core.situation import HAIR_S, IDLE, ON_DEMAND, Action, Situation, SpotPool
from spotlaunch.core.spec import Spec
from spotlaunch.core.spells import Spell
from spotlaunch.core.worked import work_left_s

# A market has thousands of pools; a policy chooses among so many of the best, and remembers no more.
MOST_POOLS = 48

# From the look that decides to a machine that exists: a slow launch, or one refused and asked again elsewhere.
LAUNCH_S = 60.0

# What on-demand costs where nobody says: so many times the cheapest spot price (the published traces' ratio).
ON_DEMAND_RATIO = 3.1

# What is known of a pool before a job sees it is worth so many interruptions, and no more than so many times the usual.
KNOWN_INTERRUPTIONS, MOST_TIMES = 2.0, 5.0

USUAL = Rates()

# Why an offer is down, though it may come back.
_DOWN = frozenset({"availability", "refusal", "age"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a policy is told, and what its answer means.

    ``pools`` are those of the situation, by index, with their offers (None: not on sale now, as the one that runs may
    be). ``on_demand`` can be had now, the best first. ``work_known`` is false where nobody knows how much is left:
    then all the time there is counts as work. ``spells``: to be remembered.

    ``reserve_eaten``: a spot machine runs, and has not stored what it should have by now, so that the time kept for an
    on-demand start is being spent. A policy takes it at its word that what runs computes; here that is not believed.
    """

    situation: Situation
    pools: tuple[Pool, ...]
    offers: tuple[Offer | None, ...]
    on_demand: tuple[Offer, ...]
    work_known: bool
    spells: tuple[Spell, ...]
    reserve_eaten: bool = False


def stand(draft: Draft, job: Job, ranking: Ranking, running: Attempt | None) -> Standing:
    """``ranking``: in both markets, of what the job can afford. ``running``: the attempt that goes on, if one does."""
    machine = draft.machine_of(running) if running is not None else None
    tick = tick_s(job.spec, draft.world.traits)
    redo = redo_s(job.spec, tick)
    up, down = _spot(ranking, machine)
    offers, pools = {**down, **up}, [*up, *down]
    first = _first_known(draft, job, offers)
    spells = spelling.look(job.spells, {p: p in up for p in pools}, now=draft.now, first=first)
    action: Action = IDLE
    if machine is not None:
        action = pools.index(machine.pool) if machine.pool.market == "spot" else ON_DEMAND
    paid = tuple(o for o in ranking.candidates if o.pool.market == "on-demand")
    start_s = _start_s(draft, paid, job) + redo + job.spec.checkpoint.grace_s
    left_s = math.inf if job.deadline_at is None else job.deadline_at - draft.now
    told_s = work_left_s(job)
    work_s = max(0.0, left_s - start_s) if told_s is None else told_s
    pending_s = 0.0
    if running is not None and machine is not None:
        own_s = start_s if action == ON_DEMAND else _usual_s(draft, machine.pool) + redo
        pending_s = _pending_s(draft, running, machine, own_s, tick)
    views = tuple(_view(draft, job, spells[p], offers[p], machine, up=p in up, redo=redo) for p in pools)
    return Standing(
        situation=Situation(
            left_s=left_s,
            deadline_s=math.inf if job.deadline_at is None else job.deadline_at - job.submitted_at,
            work_left_s=work_s,
            work_s=job.done_s + work_s,
            running=action,
            pending_s=pending_s,
            start_s=start_s,
            tick_s=tick,
            on_demand_usd_hour=_on_demand_usd_hour(ranking, paid, machine, views),
            pools=views,
            waiting_s=0.0 if job.waiting_since is None else draft.now - job.waiting_since,
            patience_s=job.spec.fallback.patience_s,
        ),
        pools=tuple(pools),
        offers=tuple(offers[p] for p in pools),
        on_demand=paid,
        work_known=told_s is not None or job.deadline_at is None,
        spells=tuple(spells.values()),
        reserve_eaten=action != ON_DEMAND
        and pending_s == 0.0
        and _reserve_eaten(draft, running, missing_s=work_s + start_s - left_s, redo=redo, tick=tick),
    )


def _view(
    draft: Draft, job: Job, spell: Spell, offer: Offer | None, machine: Machine | None, *, up: bool, redo: float
) -> SpotPool:
    """One pool as the policy is told of it."""
    pool, price = spell.pool, offer.price_usd_hour if offer is not None else Decimal(0)
    if machine is not None and machine.pool == pool:
        price = machine.price_usd_hour  # as agreed
    return SpotPool(
        up=up,
        price_usd_hour=float(price),
        up_for_s=spell.up_for_s,
        interruptions=spell.lost,
        expected=spell.expected_so_far,
        start_s=_usual_s(draft, pool) + redo,
        move_usd=_move_usd(draft, job, pool, offer),
    )


def _reserve_eaten(draft: Draft, running: Attempt | None, *, missing_s: float, redo: float, tick: float) -> bool:
    """See `Standing`. ``missing_s``: how much longer work and an on-demand start with its margins take than is left."""
    if running is None or missing_s <= HAIR_S:
        return False
    # Too late for an on-demand start: a machine that is heard helps more than another one would.
    return missing_s <= redo or draft.now - (running.heard_at or 0.0) > 2 * tick


def tick_s(spec: Spec, traits: Mapping[str, Traits]) -> float:
    """How long it takes at most from a loss to the call for another machine: until a listing shows it, and a launch."""
    usable = [t for name, t in traits.items() if not allowed_by_where(spec, name, traits)] or list(traits.values())
    interval_s = max((t.list_interval_s for t in usable), default=LAUNCH_S)
    return 2 * interval_s + min(LAUNCH_S, max((t.start_s for t in usable), default=LAUNCH_S))


def redo_s(spec: Spec, tick: float) -> float:
    """Work that is done until the next look and may be lost with the machine: what is not stored by then."""
    return min(tick, spec.checkpoint.every_s) if spec.checkpoint.every_s else tick


def _spot(ranking: Ranking, machine: Machine | None) -> tuple[dict[Pool, Offer | None], dict[Pool, Offer | None]]:
    """Spot pools that are up and down, best first. The one that runs is up, whatever the market says."""
    up: dict[Pool, Offer | None] = {}
    for offer in ranking.candidates:
        if offer.pool.market == "spot" and len(up) < MOST_POOLS:
            up.setdefault(offer.pool, offer)
    down: dict[Pool, Offer | None] = {}
    for turned in ranking.turned_down:
        pool = turned.offer.pool
        if turned.filter in _DOWN and pool.market == "spot" and pool not in up and len(down) < MOST_POOLS:
            down.setdefault(pool, turned.offer)
    if machine is not None and machine.pool.market == "spot":
        up[machine.pool] = down.pop(machine.pool, None) or up.get(machine.pool)
    return up, down


def _first_known(draft: Draft, job: Job, offers: Mapping[Pool, Offer | None]) -> dict[Pool, tuple[float, float]]:
    """Of pools that this job sees for the first time: interruptions seen and expected, by what was known before.

    Where providers and this installation tell more of a pool than that it is like others, that counts as
    `KNOWN_INTERRUPTIONS` expected, and as many times more or fewer seen as it is taken more or less often than usual.
    """
    rates, seen = draft.world.learned.rates, {s.pool for s in job.spells}
    known = {}
    for pool, offer in offers.items():
        if offer is not None and pool not in seen:
            usual = USUAL.prior(replace(offer, interruptions_per_hour=None))
            rate = rates.of(offer, draft.now)
            if rate != usual:
                known[pool] = (KNOWN_INTERRUPTIONS * min(MOST_TIMES, rate / usual), KNOWN_INTERRUPTIONS)
    return known


def _usual_s(draft: Draft, pool: Pool) -> float:
    """From a launch in the pool to useful work: as was seen, else as its provider usually takes."""
    traits = draft.world.traits.get(pool.provider)
    return LAUNCH_S if traits is None else draft.world.learned.boots.of(pool, traits.start_s)


def _longest_s(draft: Draft, pool: Pool) -> float:
    """The same for a promise: not less than its provider usually takes."""
    traits = draft.world.traits.get(pool.provider)
    return LAUNCH_S if traits is None else max(traits.start_s, _usual_s(draft, pool))


def _start_s(draft: Draft, paid: tuple[Offer, ...], job: Job) -> float:
    """From a launch to useful work on on-demand: of the slowest that may be taken where the best refuse."""
    if paid:
        return max(_longest_s(draft, o.pool) for o in paid if o.pool.provider == paid[0].pool.provider)
    usable = [
        t.start_s for name, t in draft.world.traits.items() if not allowed_by_where(job.spec, name, draft.world.traits)
    ]
    return max(usable, default=LAUNCH_S)


def _pending_s(draft: Draft, attempt: Attempt, machine: Machine, start_s: float, tick: float) -> float:
    """What a start still takes; one that takes longer than it should counts as unfinished for one more tick."""
    if attempt.phase in ("running", "leaving", "left"):
        return 0.0
    began_at = machine.up_at or machine.tried_at or machine.intended_at
    return left_s if (left_s := start_s - (draft.now - began_at)) > 0 else tick


def _on_demand_usd_hour(
    ranking: Ranking, paid: tuple[Offer, ...], machine: Machine | None, spot: tuple[SpotPool, ...]
) -> float:
    """What an on-demand hour costs now, or will when it can be had again, as near as can be told."""
    if paid:
        return float(paid[0].price_usd_hour)
    if machine is not None and machine.pool.market == "on-demand":
        return float(machine.price_usd_hour)
    later = [t.offer.price_usd_hour for t in ranking.turned_down if t.offer.pool.market == "on-demand"]
    sold = [o.on_demand_usd_hour for o in ranking.candidates if o.on_demand_usd_hour is not None]
    if later or sold:
        return float(min(later or sold))
    return ON_DEMAND_RATIO * min((p.price_usd_hour for p in spot), default=0.0)


def _move_usd(draft: Draft, job: Job, pool: Pool, offer: Offer | None) -> float:
    """Egress for the checkpoint out of where the job ran last; within a region it costs nothing."""
    last = next((m.pool for m in reversed(draft.machines(job.name)) if m.up_at is not None), None)
    if offer is None or last is None or (last.provider, last.region) == (pool.provider, pool.region):
        return 0.0
    return float(offer.egress_usd_gb) * work_of(job.spec).checkpoint_gb
