"""Refusals: how long a scope rests after each kind of no, growing with repetition and decaying with time."""

from __future__ import annotations

from collections.abc import Iterable

from spotlaunch.core.book import Refusal
from spotlaunch.core.chance import draw
from spotlaunch.core.facts import Refused, Scope, Traits

# How long an error's scope rests, in multiples of the provider's `rest_s`. What is not named here rests by
# growing: NoCapacity, and machines taken away.
STEADY = {
    "QuotaExceeded": 120.0,  # 6 h at the usual rest of 180 s: quotas are raised by people
    "PriceTooLow": 5.0,
    "NotAuthorized": 20.0,  # an hour: settings change while a watchdog runs
    "OutOfFunds": 20.0,
    "Transient": 0.1,
    "Throttled": 0.25,
}

# However soon a provider says to come again: not sooner than this, in multiples of its `rest_s`.
LEAST_REST = 0.02

# An order that a provider calls invalid stays so; the refusal is the job's own.
FOR_EVER_S = 10 * 365 * 86400.0

# These say nothing of one pool: the whole provider is left alone.
WHOLE_PROVIDER = frozenset({"NotAuthorized", "OutOfFunds", "Throttled", "Transient"})


def refuse(known: Iterable[Refusal], refused: Refused, *, now: float, traits: Traits, job: str, key: str) -> Refusal:
    """The refusal to write down for one no.

    ``known`` are the refusals of the book: an earlier one of the same scope makes the rest grow. ``key`` (a
    launch key) draws the jitter, so that pools refused together do not all wake together.
    """
    scope = Scope(provider=refused.scope.provider) if refused.error in WHOLE_PROVIDER else refused.scope
    own = job if refused.error == "InvalidOrder" else ""
    before = next((r for r in known if r.scope == scope and r.job == own), None)
    count = 1 + (_decayed(before, now=now, traits=traits) if before is not None else 0)
    if refused.error == "InvalidOrder":
        rest_s = FOR_EVER_S
    elif refused.retry_after_s is not None:
        # "At once" (0 s) is what some services say; taken at its word it would be a hot loop of launches.
        rest_s = max(refused.retry_after_s, traits.rest_s * LEAST_REST)
    elif refused.error in STEADY:
        rest_s = traits.rest_s * STEADY[refused.error]
    else:
        grown_s = min(traits.max_rest_s, traits.rest_s * 2 ** min(count - 1, 30))
        rest_s = grown_s * (0.5 + 0.5 * draw("rest", key, scope, count))
    return Refusal(
        scope=scope,
        job=own,
        error=refused.error,
        reason=refused.reason,
        hint=refused.hint,
        since=now,
        until=now + rest_s,
        count=count,
    )


def _decayed(refusal: Refusal, *, now: float, traits: Traits) -> int:
    """What is left of a refusal's count: halved for each longest rest that passed since it was over."""
    quiet_s = max(0.0, now - refusal.until)
    return refusal.count >> min(62, int(quiet_s / traits.max_rest_s))
