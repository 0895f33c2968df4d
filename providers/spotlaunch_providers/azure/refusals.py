"""What a refused launch means: from Azure's code and words to a refusal with its scope, rest and hint. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from spotlaunch import errors
from spotlaunch.core.facts import Offer, Pool, Refused, Scope
from spotlaunch_providers.azure.errors import Code, found
from spotlaunch_providers.azure.sizes import SIZES, size_of
from spotlaunch_providers.shared.redact import Redactor
from spotlaunch_providers.shared.refused import ends_the_call

# A quota that others of our machines use up is free when they end. One that is too small for the machine rests for
# as long as the provider's quotas do.
USED_UP_REST_S = 1800.0
# On demand that code means, more often than not, that Azure does not sell the size there. Fact sheet 3.5.
NOT_SOLD_REST_S = 86400.0

_FIGURES = re.compile(
    r"Current Limit: (?P<limit>\d+).*?Current Usage: (?P<used>\d+).*?Additional Required: (?P<more>\d+)", re.DOTALL
)
_ACTION = re.compile(r"perform action '([\w./]+)'")
_NAMESPACE = re.compile(r"namespace '([\w.]+)'")
_LEAST_VCPUS = min(size.vcpus for size in SIZES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One alternative turned down. ``left_vcpus``: so much of a quota is left, for smaller ones; None: not told.

    ``family``: the refusal reaches all sizes of that family in its region and market.
    """

    refused: Refused
    family: str = ""
    left_vcpus: int | None = None

    @property
    def ends_the_call(self) -> bool:
        """Whether no other alternative needs to be tried: the account itself was turned down, or shall wait."""
        whole = ("NotAuthorized", "OutOfFunds", "Throttled", "Transient")
        return self.refused.error in whole or ends_the_call(self.refused)

    def also(self, offer: Offer) -> Refused | None:
        """The same refusal of another alternative that it reaches beyond its scope; None if it does not."""
        here, there = self.refused.scope, offer.pool
        if (here.region, here.market) != (there.region, there.market):
            return None
        same_family = bool(self.family) and self.family == _family(there)
        too_large = self.left_vcpus is not None and offer.vcpus > self.left_vcpus
        return replace(self.refused, scope=Scope.of(there)) if same_family or too_large else None


def refusal(
    code: str, said: str, offer: Offer, *, status: int, redact: Redactor, retry_after_s: float | None
) -> Refusal | None:
    """What Azure's "no" to ``offer`` means; None for a code that the table does not know, or that says "broken".

    A code of trouble with a server's error (5xx) is no "no": the machine may have been made all the same.
    """
    row = found(code, said, status)
    if row is None or (row.error is errors.Transient and (status >= 500 or status < 300)):
        return None
    pool = offer.pool
    if row.error is errors.NotFound:
        # It vanished while it was made: evicted before it ran, or ended by somebody.
        return Refusal(refused=_refused(row, "NoCapacity", pool, f"{pool} vanished while it was made", retry_after_s))
    if row.error is errors.QuotaExceeded and (figures := _FIGURES.search(said)):
        return _quota(row, offer, *(int(figures[k]) for k in ("limit", "used", "more")))
    reason = redact(row.message.format(said=said, code=code))
    if row.error is errors.NotAuthorized and (action := _ACTION.search(said)):
        reason = f"{reason}: {action[1]}"
    if code.lower() == "skunotavailable" and pool.market == "on-demand":
        retry_after_s = NOT_SOLD_REST_S
    refused = _refused(row, row.error.__name__, pool, f"{pool}: {reason}", retry_after_s)
    if namespace := _NAMESPACE.search(said):
        refused = replace(refused, hint=f"az provider register --namespace {namespace[1]}")
    return Refusal(refused=refused, family=_family(pool) if row.reach == "family-region" else "")


def plain(error: type[errors.ProviderError], scope: Scope, reason: str, hint: str = "") -> Refusal:
    """A refusal of our own, before Azure was asked."""
    return Refusal(refused=Refused(scope=scope, error=error.__name__, reason=reason, hint=hint))


def scope_of(reach: str, pool: Pool) -> Scope:
    """How far a row of the table reaches from ``pool``."""
    provider, region, size = pool.provider, pool.region, pool.instance_type
    scopes = {
        "size-region": Scope(provider=provider, region=region, instance_type=size),
        "size-spot": Scope(provider=provider, instance_type=size, market="spot"),
        "size": Scope(provider=provider, instance_type=size),
        "region-spot": Scope(provider=provider, region=region, market="spot"),
        "spot": Scope(provider=provider, market="spot"),
        "region-on-demand": Scope(provider=provider, region=region, market="on-demand"),
        "region": Scope(provider=provider, region=region),
        "cloud": Scope(provider=provider),
    }
    # A quota that is told for the other market than was asked for must still cover what was asked for.
    scope = scopes.get(reach, Scope.of(pool))
    return scope if scope.covers(pool) else Scope.of(pool)


def _quota(row: Code, offer: Offer, limit: int, used: int, more: int) -> Refusal:
    pool, left = offer.pool, max(0, limit - used)
    # Smaller sizes fit into what is left: then only this one is refused, and those that are as large.
    wide = left < _LEAST_VCPUS
    reach = row.reach if wide else "pool"
    reason = f"{pool}: {row.message}: {used} of {limit} vCPUs are used, and {more} more are needed"
    refused = _refused(row, row.error.__name__, pool, reason, USED_UP_REST_S if more <= limit else None, reach)
    family = _family(pool) if row.reach == "family-region" and wide else ""
    return Refusal(refused=refused, family=family, left_vcpus=None if wide else left)


def _refused(row: Code, error: str, pool: Pool, reason: str, retry_after_s: float | None, reach: str = "") -> Refused:
    scope = scope_of(reach or row.reach, pool)
    return Refused(scope=scope, error=error, reason=reason, hint=row.hint, retry_after_s=retry_after_s)


def _family(pool: Pool) -> str:
    size = size_of(pool.instance_type)
    return size.family if size is not None else ""
