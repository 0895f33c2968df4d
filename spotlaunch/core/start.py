"""Starting attempts: when a job needs a machine, and what is told when there is none."""

from __future__ import annotations

from spotlaunch.core import rules
from spotlaunch.core.attempts import finish
from spotlaunch.core.book import Attempt, Job
from spotlaunch.core.choosing import BOTH, affordable, rank_for, too_poor, why_waiting, within_means
from spotlaunch.core.draft import Draft
from spotlaunch.core.handover import hand_over, may_return, return_to_spot
from spotlaunch.core.hold import heed_condition, hold, is_held, release
from spotlaunch.core.hopeless import counts, hopeless
from spotlaunch.core.limits import cannot_start
from spotlaunch.core.orders import begin, launch_key
from spotlaunch.core.plan import Asked
from spotlaunch.core.rank import Ranking
from spotlaunch.core.steering import scene_of, steer

POOR = "limits.cost_usd (${}) leaves too little for a start"


def needs_machine(job: Job, live: list[Attempt]) -> bool:
    """Whether an attempt should be begun: none is live, or the only live one is losing its machine."""
    if job.over or job.wanted != "run" or any(a.leave_asked_at is not None for a in live):
        return False
    return not live or (len(live) == 1 and live[0].noticed_at is not None)


def start(draft: Draft, job: Job) -> None:
    """Begin an attempt, a replacement or a return to spot, if the job needs one and may have it now."""
    live = draft.live(job.name)
    if job.steered:
        _by_policy(draft, job, live)
        job, live = draft.job(job.name), draft.live(job.name)
        if not job.over and len(live) == 2:
            hand_over(draft, job, live)
    elif needs_machine(job, live):
        forbidden = cannot_start(draft, job)
        if forbidden and not live:
            finish(draft, job, "failed", forbidden)
        elif not forbidden:
            _find_machine(draft, job, live)
    elif may_return(job, live):
        return_to_spot(draft, job, live[0])
    elif len(live) == 2:
        hand_over(draft, job, live)


def _by_policy(draft: Draft, job: Job, live: list[Attempt]) -> None:
    """What the job's policy says, where there is something to decide and the market was asked for it."""
    scene = scene_of(job, live)
    forbidden = cannot_start(draft, job) if scene is not None else ""
    if forbidden and not live:
        finish(draft, job, "failed", forbidden)
    if scene is None or forbidden:
        return
    if not live and job.waiting_since is None:
        job = draft.set_job(job, waiting_since=draft.now, next_try_at=min(job.next_try_at, draft.now))
    asked = draft.world.asked.get(job.name)
    if draft.now < job.next_try_at or asked is None:
        draft.wake(job.next_try_at)
        return
    key = launch_key(draft.world.owner, job.name, job.last_attempt + 1)
    ranking = rank_for(draft, job, asked, key, rules.Markets(allowed=BOTH, why_not=""))
    if not live and too_poor(draft, job, ranking):
        finish(draft, job, "failed", POOR.format(job.spec.limits.cost_usd))
    elif live or ranking.candidates or not hopeless(draft, job, asked, ranking):
        steer(draft, job, scene, asked, within_means(draft, job, ranking))


def _find_machine(draft: Draft, job: Job, live: list[Attempt]) -> None:
    if job.waiting_since is None and not is_held(job):
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
    fitting = rank_for(draft, job, asked, key, rules.Markets(allowed=BOTH, why_not=""))
    everything = heed_condition(job, fitting)
    if is_held(job):
        if not everything.candidates:
            hold(draft, job, asked, fitting)
            return
        job = release(draft, job, everything)
    spot_possible = _spot_may_come(draft, job, everything)
    markets = rules.markets_now(job, now=draft.now, spot_possible=spot_possible)
    ranking = heed_condition(job, rank_for(draft, job, asked, key, markets))
    candidates = [o for o in ranking.candidates if affordable(draft, job, o)]
    if candidates:
        predecessor = live[0] if live else None
        begin(draft, job, candidates, key, predecessor, fell_back=spot_possible)
    elif not live and too_poor(draft, job, ranking):
        finish(draft, job, "failed", POOR.format(job.spec.limits.cost_usd))
    elif live or not hopeless(draft, job, asked, ranking):  # one with a machine may yet end well within its notice
        _wait(draft, job, asked, ranking, markets)


def _spot_may_come(draft: Draft, job: Job, ranking: Ranking) -> bool:
    """Whether there is a spot offer for this job, now or later: where all its orders are invalid there never is."""
    never = [r for r in draft.refusals() if r.error == "InvalidOrder" and r.job == job.name and counts(r, job, draft)]
    return any(o.pool.market == "spot" and not any(r.scope.covers(o.pool) for r in never) for o in ranking.fitting())


def _wait(draft: Draft, job: Job, asked: Asked, ranking: Ranking, markets: rules.Markets) -> None:
    """Nothing to be had now: back off, and say why when the reason is a new one."""
    base_s = rules.shortest_rest_s(job.spec, draft.world.traits)
    wait_s = rules.backoff_s(job.rounds, base_s, draft.world.owner, job.name, job.last_attempt)
    next_try_at = draft.now + wait_s
    if markets.changes_at is not None:
        next_try_at = min(next_try_at, max(draft.now, markets.changes_at))
    note = why_waiting(job, asked, ranking)
    if note != job.note:
        draft.tell(job.name, "waiting", f"no machine now: {note}")
    draft.set_job(job, rounds=job.rounds + 1, next_try_at=next_try_at, note=note)
    draft.wake(next_try_at)
