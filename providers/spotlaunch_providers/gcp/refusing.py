"""How far a no of Google's reaches, and which of an order's alternatives are left after it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from spotlaunch import errors
from spotlaunch.core.facts import Offer, Refused, Scope
from spotlaunch_providers.gcp.verdicts import Verdict

# `Quota 'PREEMPTIBLE_NVIDIA_L4_GPUS' exceeded.  Limit: 1.0 in region us-central1.`
_METRIC = re.compile(r"Quota '(?P<metric>[^']+)'")
_LIMIT = re.compile(r"Limit: (?P<limit>[0-9]+(?:\.[0-9]+)?)")
# A quota that is large enough, and used up: it frees up when machines end, and needs nobody who raises it.
IN_USE_REST_S = 900.0
MINUTE_S = 60.0


def refusals(
    verdict: Verdict, offer: Offer, rest: Iterable[Offer], *, redact: Callable[[object], str], now: float
) -> list[Refused]:
    """What one no refuses: the offer, and of ``rest`` those that count against the same quota and need as much."""
    limit = _limit(verdict)
    reason, hint = redact(verdict.message), verdict.hint
    if verdict.zones:
        hint = f"Google has some in {', '.join(verdict.zones)}"
    return [
        Refused(
            scope=scope,
            error=verdict.code.error.__name__,
            reason=reason,
            hint=hint,
            retry_after_s=_retry_after_s(verdict, offer, limit, now),
        )
        for scope in dict.fromkeys([_scope(verdict, o) for o in (offer, *_same_quota(verdict, offer, rest))])
    ]


def too_dear(offer: Offer, cap: object) -> Refused:
    """Google has no bids: what costs more than the cap is not asked for."""
    reason = f"{offer.pool} costs ${offer.price_usd_hour} an hour, more than the cap of ${cap}"
    return Refused(scope=Scope.of(offer.pool), error="PriceTooLow", reason=reason)


def left(rest: Sequence[Offer], refused: Iterable[Refused], verdict: Verdict | None, offer: Offer) -> list[Offer]:
    """The alternatives that are still worth a call. Where Google names zones with capacity, other zones of the same
    machine come last."""
    scopes = [r.scope for r in refused]
    open_ = [o for o in rest if not any(scope.covers(o.pool) for scope in scopes)]
    if verdict is None or not verdict.zones:
        return open_
    same = (offer.pool.instance_type, offer.pool.market)
    return sorted(
        open_, key=lambda o: (o.pool.instance_type, o.pool.market) == same and o.pool.zone not in verdict.zones
    )


def _scope(verdict: Verdict, offer: Offer) -> Scope:
    pool = offer.pool
    match verdict.code.reach:
        case "pool":
            return Scope.of(pool)
        case "zone":
            return Scope(provider=pool.provider, region=pool.region, zone=pool.zone)
        case "region":
            return Scope(provider=pool.provider, region=pool.region)
        case "quota":
            return _quota_scope(verdict, offer)
        case "account":
            return Scope(provider=pool.provider)


def _quota_scope(verdict: Verdict, offer: Offer) -> Scope:
    """GPUs of one kind are counted by region and market, all GPUs by project, cores and addresses by region."""
    pool, metric, limit = offer.pool, _metric(verdict), _limit(verdict)
    if "ALL_REGIONS" in metric or "globally" in verdict.said:
        too_large = limit is not None and 0 < limit < offer.gpu_count
        return Scope(provider=pool.provider, instance_type=pool.instance_type if too_large else "")
    if metric and "GPU" not in metric.upper():
        return Scope(provider=pool.provider, region=pool.region)
    return Scope(provider=pool.provider, region=pool.region, instance_type=pool.instance_type, market=pool.market)


def _same_quota(verdict: Verdict, offer: Offer, rest: Iterable[Offer]) -> list[Offer]:
    if verdict.code.reach != "quota":
        return []
    where = (offer.pool.region, offer.pool.market, offer.gpu)
    return [o for o in rest if (o.pool.region, o.pool.market, o.gpu) == where and o.gpu_count >= offer.gpu_count]


def _retry_after_s(verdict: Verdict, offer: Offer, limit: float | None, now: float) -> float | None:
    if verdict.retry_after_s is not None:
        return verdict.retry_after_s
    if verdict.code.error is errors.Throttled:
        return MINUTE_S - now % MINUTE_S  # what may be asked is counted by the minute, and begins anew at its start
    if verdict.code.reach == "quota" and limit is not None and limit >= max(1, offer.gpu_count):
        return IN_USE_REST_S
    return None


def _metric(verdict: Verdict) -> str:
    found = _METRIC.search(verdict.said)
    return found["metric"] if found else ""


def _limit(verdict: Verdict) -> float | None:
    found = _LIMIT.search(verdict.said)
    return float(found["limit"]) if found else None
