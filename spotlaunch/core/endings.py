"""Why machines end, as their providers tell it: what that makes of the machine, in which words, and what follows."""

from __future__ import annotations

from spotlaunch.core.book import Machine, Outcome
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Refused, Scope, SeenMachine

# Only `preempted` and `lost` are held against a pool (`Store.pool_history`): that somebody ended a machine by hand,
# or that the account is empty, says nothing of the next one there.
OUTCOMES: dict[str, tuple[Outcome, str]] = {
    "preempted": ("preempted", "taken away by its provider"),
    "itself": ("failed", "its own system shut down"),
    # When it was us, the book knows: it holds an outcome from before.
    "asked": ("cancelled", "ended through its provider's API, and not by the watchdog"),
    "by-hand": ("cancelled", "ended by hand, and not by spotlaunch"),
    "failed": ("failed", "it never came up, or cannot run"),
    "out-of-funds": ("refused", "the account has no money left"),
    "host-lost": ("lost", "its host is lost"),
    "ttl": ("replaced", "its time to live is over"),
}


def of(seen: SeenMachine) -> tuple[Outcome | None, str]:
    """Outcome and reason of a machine that its provider says has ended; None and nothing where it does not say why."""
    outcome, reason = OUTCOMES.get(seen.ending_reason, (None, ""))
    if reason and seen.detail:
        reason = f"{reason} ({seen.detail})"
    return outcome, reason


def heed(draft: Draft, machine: Machine, seen: SeenMachine) -> None:
    """What follows for others: an empty account rests, and so does a pool whose machines do not come up."""
    if machine.outcome is not None:
        return  # decided before: it was to end anyway
    if seen.ending_reason == "out-of-funds":
        refused = Refused(
            scope=Scope(provider=machine.pool.provider),
            error="OutOfFunds",
            reason=of(seen)[1],
            hint=f"add funds at {machine.pool.provider}",
        )
        draft.put_refusal(refused, job=machine.job, key=machine.launch_key)
    elif seen.ending_reason == "failed":
        refused = Refused(scope=Scope.of(machine.pool), error="NoCapacity", reason=of(seen)[1])
        draft.put_refusal(refused, job=machine.job, key=machine.launch_key)
