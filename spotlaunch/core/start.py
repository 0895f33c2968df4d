"""Starting attempts: when a job needs a machine, and what is told when there is none."""

from __future__ import annotations

from collections.abc import Iterable

from spotlaunch.core import policy
from spotlaunch.core.attempts import finish
from spotlaunch.core.book import Attempt, Job, Refusal
from spotlaunch.core.choosing import BOTH, affordable, rank_for, too_poor, why_waiting
from spotlaunch.core.draft import Draft
from spotlaunch.core.handover import hand_over, may_return, return_to_spot
from spotlaunch.core.hold import heed_condition, hold, is_held, release
from spotlaunch.core.limits import cannot_start
from spotlaunch.core.orders import begin, launch_key
from spotlaunch.core.plan import Asked
from spotlaunch.core.rank import PASSING, SHUT, Ranking


def needs_machine(job: Job, live: list[Attempt]) -> bool:
    """Whether an attempt should be begun: none is live, or the only live one is losing its machine."""
    if job.over or job.wanted != "run" or any(a.leave_asked_at is not None for a in live):
        return False
    return not live or (len(live) == 1 and live[0].noticed_at is not None)


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
        return_to_spot(draft, job, live[0])
    elif len(live) == 2:
        hand_over(draft, job, live)


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
    fitting = rank_for(draft, job, asked, key, policy.Markets(allowed=BOTH, why_not=""))
    everything = heed_condition(job, fitting)
    if is_held(job):
        if not everything.candidates:
            hold(draft, job, asked, fitting)
            return
        job = release(draft, job, everything)
    spot_possible = _spot_may_come(draft, job, everything)
    markets = policy.markets_now(job, now=draft.now, spot_possible=spot_possible)
    ranking = heed_condition(job, rank_for(draft, job, asked, key, markets))
    candidates = [o for o in ranking.candidates if affordable(draft, job, o)]
    if candidates:
        predecessor = live[0] if live else None
        begin(draft, job, candidates, key, predecessor, fell_back=spot_possible)
    elif not live and too_poor(draft, job, ranking):
        finish(draft, job, "failed", f"limits.cost_usd (${job.spec.limits.cost_usd}) leaves too little for a start")
    elif live or not _hopeless(draft, job, asked, ranking):  # one with a machine may yet end well within its notice
        _wait(draft, job, asked, ranking, markets)


def _spot_may_come(draft: Draft, job: Job, ranking: Ranking) -> bool:
    """Whether there is a spot offer for this job, now or later: where all its orders are invalid there never is."""
    never = [r for r in draft.refusals() if r.error == "InvalidOrder" and r.job == job.name and _counts(r, job, draft)]
    return any(o.pool.market == "spot" and not any(r.scope.covers(o.pool) for r in never) for o in ranking.fitting())


def _hopeless(draft: Draft, job: Job, asked: Asked, ranking: Ranking) -> bool:
    """End a job that waiting does not help: each way to a machine is an invalid order, or wants a person first.

    One that has run before waits all the same: a login that ran out and an empty account pass, and weeks of work
    must not be given up for them. Says whether it ended the job.
    """
    final = {"InvalidOrder"} if job.attempts_ran else {"InvalidOrder", *SHUT}
    refused = [r for r in draft.refusals() if r.error in final and r.job in ("", job.name) and _counts(r, job, draft)]
    fitting = [t for t in ranking.turned_down if t.filter in PASSING]
    open_ = set(asked.failures) - (asked.shut if not job.attempts_ran else frozenset())
    if open_ or not (refused or asked.shut) or not (fitting or asked.shut):
        return False
    if not all(any(r.scope.covers(t.offer.pool) for r in refused) for t in fitting):
        return False
    why = _reasons(refused) + [f"{name}: {asked.failures[name]}" for name in sorted(asked.shut)]
    finish(draft, job, "failed", "no provider can give it a machine: " + "; ".join(dict.fromkeys(why)))
    return True


# What a provider calls invalid without a word on what to do. All others come with a hint of their own.
INVALID_HINT = "check `image` and `resources` in the job file; if they are right, please report it"

# So many scopes that were refused for the same reason are named.
SCOPES_TOLD = 3


def _reasons(refused: Iterable[Refusal]) -> list[str]:
    """Each reason once, with where it was given and what to do."""
    scopes: dict[str, list[str]] = {}
    for r in refused:
        hint = r.hint or (INVALID_HINT if r.error == "InvalidOrder" else "")
        scopes.setdefault(r.reason + (f" (hint: {hint})" if hint else ""), []).append(str(r.scope))
    more = {why: f" and {len(s) - SCOPES_TOLD} more" if len(s) > SCOPES_TOLD else "" for why, s in scopes.items()}
    return [f"{', '.join(s[:SCOPES_TOLD])}{more[why]}: {why}" for why, s in scopes.items()]


def _counts(refusal: Refusal, job: Job, draft: Draft) -> bool:
    return refusal.until > draft.now and (refusal.error == "InvalidOrder" or refusal.since >= job.submitted_at)


def _wait(draft: Draft, job: Job, asked: Asked, ranking: Ranking, markets: policy.Markets) -> None:
    """Nothing to be had now: back off, and say why when the reason is a new one."""
    base_s = policy.shortest_rest_s(job.spec, draft.world.traits)
    wait_s = policy.backoff_s(job.rounds, base_s, draft.world.owner, job.name, job.last_attempt)
    next_try_at = draft.now + wait_s
    if markets.changes_at is not None:
        next_try_at = min(next_try_at, max(draft.now, markets.changes_at))
    note = why_waiting(job, asked, ranking)
    if note != job.note:
        draft.tell(job.name, "waiting", f"no machine now: {note}")
    draft.set_job(job, rounds=job.rounds + 1, next_try_at=next_try_at, note=note)
    draft.wake(next_try_at)
