"""Jobs that waiting does not help: each way to a machine is an invalid order, or wants a person first."""

from __future__ import annotations

from collections.abc import Iterable

from spotlaunch.core.attempts import finish
from spotlaunch.core.book import Job, Refusal
from spotlaunch.core.draft import Draft
from spotlaunch.core.plan import Asked
from spotlaunch.core.rank import PASSING, SHUT, Ranking


def hopeless(draft: Draft, job: Job, asked: Asked, ranking: Ranking) -> bool:
    """End a job that waiting does not help: each way to a machine is an invalid order, or wants a person first.

    One that has run before waits all the same: a login that ran out and an empty account pass, and weeks of work
    must not be given up for them. Says whether it ended the job.
    """
    final = {"InvalidOrder"} if job.attempts_ran else {"InvalidOrder", *SHUT}
    refused = [r for r in draft.refusals() if r.error in final and r.job in ("", job.name) and counts(r, job, draft)]
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


def counts(refusal: Refusal, job: Job, draft: Draft) -> bool:
    return refusal.until > draft.now and (refusal.error == "InvalidOrder" or refusal.since >= job.submitted_at)
