"""Every way in which AWS turns a launch down, in one table: code -> error, how far it reaches, words, hint.

A code that is not here, and is no refusal of every call either (`errors.CODES`), leaves it open whether a machine was
made. A test walks the table of the fact sheet through this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spotlaunch import errors
from spotlaunch.core.facts import Offer, Pool, Refused, Scope
from spotlaunch_providers.aws.errors import Told, code_of, said_of, told_of
from spotlaunch_providers.shared.codes import Row
from spotlaunch_providers.shared.refused import of_error

# `pool`: the type in its zone and market. `quota`: the region's types of the same quota, in this market; see
# `fellows`. `spot`: this market everywhere.
Reach = Literal["pool", "zone", "region", "quota", "spot", "cloud"]

NOT_OFFERED_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class No(Row[Reach]):
    """One code. ``retry_after_s``: when it is worth another try, where that is not for the reaction to say."""

    retry_after_s: float | None = None


_DRY = No(errors.NoCapacity, "pool", "has no {type} ({market}) now")
_NOT_OFFERED = No(errors.NoCapacity, "pool", "does not sell {type} ({market})", "", NOT_OFFERED_S)
_QUOTA = No(
    errors.QuotaExceeded,
    "quota",
    "the account's quota of vCPUs in {region} is too small for another {type} ({market})",
    "see `spotlaunch check aws`; ask for more: aws service-quotas request-service-quota-increase --service-code ec2 "
    "--quota-code {quota} --region {region} --desired-value 64",
)
_VOLUMES = No(
    errors.QuotaExceeded,
    "region",
    "the account may have no more disk in {region}: {said}",
    "ask AWS for a larger quota",
)
_ORDER = No(errors.InvalidOrder, "pool", "AWS does not take the order: {said}", "please report it")
_IMAGE = No(
    errors.InvalidOrder, "region", "the disk image cannot be used in {region}: {said}", "check `vm_image` or `image`"
)
_SUBNET = No(errors.InvalidOrder, "zone", "the subnet cannot be used: {said}", "check `subnets`")
_GROUP = No(errors.InvalidOrder, "region", "the security group cannot be used: {said}", "check `security_groups`")
_KEY = No(errors.InvalidOrder, "cloud", "the public key cannot be used: {said}", "use an ed25519 or RSA key")
_PROFILE = No(errors.InvalidOrder, "cloud", "the instance profile cannot be used: {said}", "check `instance_profile`")

NOES: dict[str, No] = {
    "InsufficientInstanceCapacity": _DRY,
    "InsufficientCapacity": _DRY,
    "UnfulfillableCapacity": _DRY,
    "InsufficientHostCapacity": _DRY,
    "InsufficientReservedInstanceCapacity": _DRY,
    "InsufficientFreeAddressesInSubnet": No(
        errors.NoCapacity, "zone", "the subnet has no free address", "name larger ones in `subnets`"
    ),
    "InsufficientVolumeCapacity": No(errors.NoCapacity, "zone", "has no disk to give now"),
    "Unsupported": _NOT_OFFERED,
    "UnsupportedOperation": _NOT_OFFERED,
    "InvalidFleetConfiguration": _NOT_OFFERED,
    "SpotMaxPriceTooLow": No(errors.PriceTooLow, "pool", "{type} costs ${price} an hour now, more than the cap"),
    "MaxSpotInstanceCountExceeded": _QUOTA,
    "VcpuLimitExceeded": _QUOTA,
    "InstanceLimitExceeded": _QUOTA,
    "MaxFleetCountExceeded": No(errors.QuotaExceeded, "region", "the account may have no more fleets in {region}"),
    "VolumeLimitExceeded": _VOLUMES,
    "MaxIOPSLimitExceeded": _VOLUMES,
    # Without the role no spot machine is had anywhere; on-demand ones are.
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": No(
        errors.QuotaExceeded,
        "spot",
        "the account has no service-linked role for spot machines, and may not make it",
        "have an administrator run: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
    ),
    "SsmAccessDenied": No(
        errors.NotAuthorized, "cloud", "the account may not read the image's parameter", "permit ssm:GetParameter"
    ),
    "InvalidAMIID.NotFound": _IMAGE,
    "InvalidAMIID.Malformed": _IMAGE,
    "InvalidAMIID.Unavailable": _IMAGE,
    "InvalidAMIID.NotSupported": _IMAGE,
    "InvalidBlockDeviceMapping": _IMAGE,
    "ParameterNotFound": _IMAGE,
    "InvalidSubnetID.NotFound": _SUBNET,
    "InvalidSubnet": _SUBNET,
    "InvalidGroup.NotFound": _GROUP,
    "InvalidGroupId.Malformed": _GROUP,
    "InvalidSecurityGroupID.NotFound": _GROUP,
    "InvalidSecurity.RequestHasExpired": _ORDER,
    "InvalidKey.Format": _KEY,
    "InvalidKeyPair.Format": _KEY,
    "InvalidKeyPair.NotFound": _KEY,
    "InvalidIamInstanceProfileName": _PROFILE,
    "InvalidUserData.Malformed": No(errors.InvalidOrder, "cloud", "AWS does not take the script: {said}"),
    "InvalidInstanceType": _ORDER,
    "InvalidInstanceType.NotFound": _ORDER,
    "InvalidParameter": _ORDER,
    "InvalidParameterValue": _ORDER,
    "InvalidParameterCombination": _ORDER,
    "InvalidInput": _ORDER,
    "MissingParameter": _ORDER,
    "UnknownParameter": _ORDER,
    # What this adapter finds out before it calls.
    "price": No(errors.PriceTooLow, "pool", "costs ${price} an hour, more than the cap of ${cap}"),
    "no-zone": No(errors.NoCapacity, "pool", "no zone of {region} sells {type}", "", NOT_OFFERED_S),
    "no-subnet": No(
        errors.QuotaExceeded,
        "zone",
        "there is no subnet to use",
        "name one in `subnets`, or run: aws ec2 create-default-subnet --region {region} --availability-zone {zone}",
    ),
    "no-network": No(
        errors.QuotaExceeded,
        "region",
        "{region} has no subnet to use",
        "name some in `subnets`, or run: aws ec2 create-default-vpc --region {region}",
    ),
    "not-enabled": No(
        errors.QuotaExceeded, "region", "{region} is not enabled in the account", "enable it in the AWS console"
    ),
    "other": No(errors.NoCapacity, "pool", "gave something else than was ordered: {said}"),
    "ended": No(errors.NoCapacity, "pool", "the machine of this launch key has ended already"),
}

# The quotas by market and by the letters with which the types begin; see `checks.QUOTAS`.
_QUOTAS = {
    "spot": {"g": "L-3819A6DF", "p": "L-7212CCBC", "p5": "L-C4BD4855"},
    "on-demand": {"g": "L-DB2E81BA", "p": "L-417A185B"},
}


def refused(code: str, pool: Pool, *, said: str = "", told: Told | None = None, **words: object) -> Refused:
    """An alternative turned down by a ``code`` of the table; ``said``: AWS's own words, masked."""
    no = NOES[code]
    price = told.price_usd_hour if told is not None else None
    facts: dict[str, object] = {
        "type": pool.instance_type,
        "market": pool.market,
        "region": pool.region,
        "zone": pool.zone or f"{pool.region}a",
        "price": price or "?",
        "quota": quota_of(pool),
        "said": said or code,
    } | words
    place = pool.zone or pool.region
    reason = no.message.format(**facts)
    if told is not None and told.zones:
        reason += f"; AWS says that {', '.join(told.zones)} may have it"
    if told is not None and told.vcpus is not None and no.error is errors.QuotaExceeded:
        reason += f": it is {told.vcpus}"
    return Refused(
        scope=_scope(no.reach, pool),
        error=no.error.__name__,
        reason=f"{place}: {reason}",
        hint=no.hint.format(**facts),
        retry_after_s=no.retry_after_s,
    )


def refused_by(error: errors.ProviderError, pool: Pool) -> Refused | None:
    """What an error of AWS refuses; None where it is not known whether something was made."""
    code = code_of(error)
    if code in NOES:
        return refused(code, pool, said=said_of(error) or error.message, told=told_of(error))
    if isinstance(error, errors.OutcomeUnknown):
        return None
    # No permission, too many calls: it is the same for every pool. A region that does not answer is alone in that.
    here = pool.region if isinstance(error, errors.Transient) else ""
    return of_error(error, Scope(provider=pool.provider, region=here))


def fellows(no: Refused, offer: Offer, others: Sequence[Offer]) -> list[Refused]:
    """Which ``others`` a refusal by quota concerns too: types of the same quota with as many vCPUs or more."""
    if no.error != "QuotaExceeded" or no.scope != Scope.of(offer.pool):
        return []
    quota = quota_of(offer.pool)
    return [
        Refused(scope=Scope.of(o.pool), error=no.error, reason=no.reason, hint=no.hint)
        for o in others
        if o.pool.region == offer.pool.region
        and o.pool.market == offer.pool.market
        and o.pool != offer.pool
        and quota_of(o.pool) == quota
        and o.vcpus >= offer.vcpus
    ]


def quota_of(pool: Pool) -> str:
    """The code of the quota that counts a pool's machines; empty for a type of no known one."""
    letters = _QUOTAS[pool.market]
    family = pool.instance_type.partition(".")[0]
    return letters.get(family[:2]) or letters.get(family[:1], "")


def _scope(reach: Reach, pool: Pool) -> Scope:
    provider = pool.provider
    if reach == "cloud":
        return Scope(provider=provider)
    if reach == "spot":
        return Scope(provider=provider, market=pool.market)
    if reach == "region":
        return Scope(provider=provider, region=pool.region)
    if reach == "zone":
        # An on-demand pool is a whole region, so what one of its zones lacks is told of the pool alone.
        return Scope(provider=provider, region=pool.region, zone=pool.zone) if pool.zone else Scope.of(pool)
    return Scope.of(pool)
