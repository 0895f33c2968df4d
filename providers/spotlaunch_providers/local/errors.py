"""Every way in which this cloud says no, in one table: code, error, how far it reaches, words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spotlaunch import errors
from spotlaunch.core.facts import Pool, Refused, Scope
from spotlaunch_providers.shared.codes import Row

Reach = Literal["pool", "quota", "cloud"]


@dataclass(frozen=True, slots=True)
class Code(Row[Reach]):
    """One code. ``reach``: just the pool, all zones that share its quota, or the whole account."""

    retry_after_s: float | None = None


CODES: dict[str, Code] = {
    "dry": Code(errors.NoCapacity, "pool", "{pool} has no machine to give"),
    "full": Code(errors.NoCapacity, "pool", "{pool} is full: all its {room} machines are taken"),
    "gone": Code(errors.NoCapacity, "pool", "{pool} has room for {room} machines now, and {taken} are up"),
    "changed": Code(errors.NoCapacity, "pool", "{pool} went away: the market file has changed since it was offered"),
    "price": Code(errors.PriceTooLow, "pool", "{pool} costs ${price} an hour, more than the cap of ${cap}"),
    "quota": Code(
        errors.QuotaExceeded,
        "quota",
        "the account may not have another {type} ({market}) in {region}",
        "take `quota` out of the pool's faults in the market file",
    ),
    "unauthorized": Code(
        errors.NotAuthorized,
        "cloud",
        "the account may not start machines",
        "take `unauthorized` out of the pool's faults in the market file",
    ),
    "no-funds": Code(
        errors.OutOfFunds,
        "cloud",
        "the account is empty",
        "take `no_funds` out of the pool's faults in the market file",
    ),
    "throttled": Code(errors.Throttled, "cloud", "too many calls at a time", retry_after_s=1.0),
    "unknown-pool": Code(
        errors.InvalidOrder, "pool", "there is no pool {pool}", "the market file names the pools; docs/local-market.md"
    ),
}


def refusal(code: str, pool: Pool, **words: object) -> Refused:
    """An alternative turned down by ``code``; ``words`` fill its message."""
    known = CODES[code]
    facts = {"pool": pool, "type": pool.instance_type, "market": pool.market, "region": pool.region}
    return Refused(
        scope=_scope(known.reach, pool),
        error=known.error.__name__,
        reason=known.message.format(**facts | words),
        hint=known.hint,
        retry_after_s=known.retry_after_s,
    )


def _scope(reach: Reach, pool: Pool) -> Scope:
    if reach == "cloud":
        return Scope(provider=pool.provider)
    if reach == "quota":
        return Scope(provider=pool.provider, region=pool.region, instance_type=pool.instance_type, market=pool.market)
    return Scope.of(pool)
