"""When to use spot, when to pay, when to wait, when to move: pure rules over numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from spotlaunch.core.bands import Costed
from spotlaunch.core.book import Job
from spotlaunch.core.chance import draw
from spotlaunch.core.facts import Market, Traits
from spotlaunch.core.rank import allowed_by_where
from spotlaunch.core.spec import Spec

# A price older than this is asked for again before money is spent on it.
OFFER_MAX_AGE_S = 300.0

# So many alternatives of one provider go into one order: enough to find capacity in one call, few enough
# that the last one is still a good offer.
ALTERNATIVES = 8

# Without any provider's word on how long a dry pool rests.
USUAL_REST_S = 180.0

# Backoff between rounds grows to this many times its base.
BACKOFF_CAP = 8

# A machine lives no longer than this, whatever becomes of us: who forgets one pays for a week at most. Its agent
# leaves in time, with a last checkpoint, and the job goes on elsewhere.
MACHINE_TTL_S = 7 * 86400.0

# Where machines are taken without a notice, all since the last checkpoint is lost: such intervals are cut to this
# share, but not below the shortest that is worth the writing.
NO_NOTICE_SHARE, NO_NOTICE_LEAST_S = 1 / 3, 60.0

# An agent that fails by its own trouble (not the program's) so often in a row will not get better.
ERRORS_IN_ROW = 5

# How long an agent that was asked to leave may take: while it is heard, and once it has fallen silent.
LEAVE_HEARD_S = 1800.0
LEAVE_SILENT_S = 120.0

# A predecessor that was told it loses its machine gets this long past the deadline before the successor
# claims: clouds are a little late, and its last commit may be on the wire.
CLAIM_MARGIN_S = 5.0

# The longest lease worth counting on when judging a move to spot (availability is heavy-tailed beyond).
LEASE_CAP_S = 12 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Markets:
    """The markets a job may use now, best wish first, and why it may not use the other."""

    allowed: tuple[Market, ...]
    why_not: str
    changes_at: float | None = None


def markets_now(job: Job, *, now: float, spot_possible: bool) -> Markets:
    """Which markets are allowed at ``now``, and when that changes by itself.

    ``auto`` is spot until ``fallback.patience`` has passed without a machine, then also on-demand. Where no
    spot offer could ever fit, waiting for one would be waiting for nothing: on-demand at once.
    """
    spec = job.spec
    if spec.market == "spot":
        return Markets(allowed=("spot",), why_not="market: spot in the job file")
    if spec.market == "on-demand":
        return Markets(allowed=("on-demand",), why_not="market: on-demand in the job file")
    if not spot_possible:
        return Markets(allowed=("spot", "on-demand"), why_not="")
    since = job.waiting_since if job.waiting_since is not None else now
    fallback_at = since + spec.fallback.patience_s
    if now >= fallback_at:
        return Markets(allowed=("spot", "on-demand"), why_not="")
    return Markets(
        allowed=("spot",),
        why_not=f"on-demand in {fallback_at - now:.0f} s, if spot stays dry (fallback.patience)",
        changes_at=fallback_at,
    )


def backoff_s(rounds: int, base_s: float, *key: object) -> float:
    """The wait before round number ``rounds`` + 1: exponential, full jitter drawn from ``key``.

    Never less than a quarter of the base, so that a lucky draw is not a hot loop.
    """
    most: float = base_s * min(2 ** min(rounds, 30), BACKOFF_CAP)
    return max(base_s / 4, most * draw("backoff", rounds, *key))


def repays_move(*, spot: Costed, running: Costed, remaining_s: float | None, start_s: float) -> bool:
    """Whether leaving a ``running`` on-demand machine for ``spot`` saves more than the move costs.

    The move costs ``start_s`` of both machines: the old one runs on while the new one boots. It saves the
    difference of what useful hours cost for as long as the lease is expected to last, or as the job still runs
    (``remaining_s``, None when not known), whichever is shorter. What it costs to lose the spot machine is in its
    effective cost already. The expected lease is 1 / interruption rate, capped (facts of the policy research: the
    longer a pool has been up, the longer it stays, but beyond 12 h there is little to know).
    """
    saving_usd_hour = running.usd_hour - spot.usd_hour
    if saving_usd_hour <= 0:
        return False
    rate = spot.rate_per_hour
    lease_s = LEASE_CAP_S if rate <= 0 else min(LEASE_CAP_S, 3600.0 / rate)
    horizon_s = lease_s if remaining_s is None else min(lease_s, remaining_s)
    cost_usd = (running.offer.price_usd_hour + spot.offer.price_usd_hour) * Decimal(start_s) / 3600
    return saving_usd_hour * Decimal(horizon_s) / 3600 > cost_usd


def shortest_rest_s(spec: Spec, traits: Mapping[str, Traits]) -> float:
    """The first rest of the provider whose pools rest the shortest: sooner there is nothing new to find.

    Of those that the job may use: the rest of a rehearsal, of seconds, must not become a pace for real clouds.
    """
    usable = (t.rest_s for name, t in traits.items() if not allowed_by_where(spec, name, traits))
    return min(usable, default=USUAL_REST_S)


def remaining_s(job: Job, *, step_now: int, step_then: int, seconds: float) -> float | None:
    """How long the rest of the job takes at the pace of the last ``seconds``. None when not known."""
    if job.total_steps is None or seconds <= 0 or step_now <= step_then:
        return None
    return max(0.0, (job.total_steps - step_now) * seconds / (step_now - step_then))
