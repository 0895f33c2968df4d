"""Every way in which Azure says no, in one table: code, error, how far it reaches, words.

Codes and reaches: fact sheet 3.5 (Karpenter's Azure provider, azure-sdk-for-go-extensions, Microsoft's list of
spot errors). Azure's HTTP status tells little: a quota is a 409, a failed allocation may come with a 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from spotlaunch import errors
from spotlaunch_providers.shared.codes import Row
from spotlaunch_providers.shared.redact import Redactor

if TYPE_CHECKING:
    from spotlaunch_providers.shared.http import Reply

# What is refused: a size in a region, in this market or in both; a size everywhere, as spot or at all; all spot, of a
# region or anywhere; the family's quota in a region, on demand; the whole region on demand; the job; all of Azure.
Reach = Literal[
    "pool",
    "size-region",
    "size-spot",
    "size",
    "region-spot",
    "spot",
    "family-region",
    "region-on-demand",
    "region",
    "job",
    "cloud",
]


@dataclass(frozen=True, slots=True)
class Code(Row[Reach]):
    """One code. ``says`` and ``status`` tell apart what Azure gives one code for; empty and 0 are any."""

    says: str = ""
    status: int = 0


_LOGIN = "log in again with `az login`, or renew the secret of the service principal"
_ROLE = "give the account the role Reader on the subscription; to launch, the one in configs/permissions/azure.json"
_IMAGE = "name another image in the setting image, or in the job file"
_POLICY = "ask whoever keeps the policies of the subscription, or name other regions in the setting regions"
_QUOTA = "ask for more under Quotas in the Azure portal"
_SUBSCRIPTION = "is subscription_id right? `az account list` shows yours"

_AUTH = {
    "InvalidAuthenticationToken": Code(
        errors.NotAuthorized,
        "cloud",
        "Azure does not take the token: it has expired or is of another directory",
        _LOGIN,
    ),
    "ExpiredAuthenticationToken": Code(errors.NotAuthorized, "cloud", "the token has expired", _LOGIN),
    "InvalidAuthenticationTokenTenant": Code(
        errors.NotAuthorized, "cloud", "the subscription is of another directory than the login", _LOGIN
    ),
    "AuthenticationFailed": Code(errors.NotAuthorized, "cloud", "Azure does not take the credentials", _LOGIN),
    "AuthorizationFailed": Code(errors.NotAuthorized, "cloud", "the account may not do this", _ROLE),
    "LinkedAuthorizationFailed": Code(
        errors.NotAuthorized, "cloud", "the account may not use a linked resource", _ROLE
    ),
    "AccessDenied": Code(errors.NotAuthorized, "cloud", "the account may not do this", _ROLE),
    "Forbidden": Code(errors.NotAuthorized, "cloud", "the account may not do this", _ROLE),
    "SubscriptionNotFound": Code(errors.NotAuthorized, "cloud", "there is no such subscription", _SUBSCRIPTION),
    "InvalidSubscriptionId": Code(errors.NotAuthorized, "cloud", "that is not the id of a subscription", _SUBSCRIPTION),
    "ReadOnlyDisabledSubscription": Code(
        errors.NotAuthorized, "cloud", "the subscription is disabled", "mend its payment in the Azure portal"
    ),
    "MissingSubscriptionRegistration": Code(
        errors.NotAuthorized,
        "cloud",
        "the subscription has not registered all that machines need: {said}",
        "az provider register --namespace Microsoft.Compute (and Microsoft.Network)",
    ),
}

_CAPACITY = {
    "SkuNotAvailable": Code(errors.NoCapacity, "pool", "Azure has none of this size now, or does not offer it here"),
    "AllocationFailed": Code(errors.NoCapacity, "size-region", "Azure has no room for this size now"),
    "ZonalAllocationFailed": Code(errors.NoCapacity, "size-region", "the zone has no room for this size now"),
    "OverconstrainedAllocationRequest": Code(errors.NoCapacity, "pool", "no place fits all that is asked for"),
    "OverconstrainedZonalAllocationRequest": Code(errors.NoCapacity, "pool", "no place fits all that is asked for"),
    "SpotPriceGreaterThanProvidedMaxPrice": Code(errors.PriceTooLow, "pool", "spot costs more than the cap now"),
    "AzureSpotFeatureNotEnabledForSubscription": Code(
        errors.QuotaExceeded, "spot", "spot machines are not enabled for this subscription", "use another kind of offer"
    ),
    "QuotaExceeded": Code(errors.QuotaExceeded, "region-on-demand", "the quota of the region is used up", _QUOTA),
    # [MEM] Rules of the subscription's owner, and of Microsoft: most are about places.
    "RequestDisallowedByPolicy": Code(errors.QuotaExceeded, "region", "a policy does not allow this: {said}", _POLICY),
    "RequestDisallowedByAzure": Code(errors.QuotaExceeded, "region", "Azure does not allow this here: {said}", _POLICY),
    "ScopeLocked": Code(errors.QuotaExceeded, "region", "a lock in the subscription does not allow this", _POLICY),
    "PublicIPCountLimitReached": Code(errors.QuotaExceeded, "region", "no public address is left", _QUOTA),
    "SubnetIsFull": Code(errors.QuotaExceeded, "region", "the subnet has no address left", "delete machines there"),
}

_OUR_ORDER: Mapping[str, Code] = {
    **{
        code: Code(errors.InvalidOrder, "job", "Azure does not take what we ask for: {said}")
        for code in (
            "MaxPriceValueInvalid",
            "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines",
            "AzureSpotIsNotSupportedForThisAPIVersion",
            "InvalidParameter",
            "BadRequest",
            "InvalidRequest",
            "InvalidTemplateDeployment",
            "InvalidApiVersionParameter",
            "NoRegisteredProviderFound",
            "PropertyChangeNotAllowed",
        )
    },
    **{
        code: Code(errors.InvalidOrder, "region", "nothing of this kind is to be had in this region")
        for code in ("LocationNotAvailableForResourceType", "LocationNotAvailableForResourceGroup")
    },
    "InvalidResourceReference": Code(
        errors.InvalidOrder, "region", "the network is not there", "is the setting subnets right?"
    ),
    "AzureSpotIsNotSupportedForThisVMSize": Code(errors.InvalidOrder, "size-spot", "this size is never sold as spot"),
    "MarketplacePurchaseEligibilityFailed": Code(
        errors.InvalidOrder, "region", "the image may not be bought here", _IMAGE
    ),
    "PlatformImageNotFound": Code(errors.InvalidOrder, "region", "the image is not in this region", _IMAGE),
    "ImageNotFound": Code(errors.InvalidOrder, "region", "there is no such image", _IMAGE),
}

_LATER: Mapping[str, Code] = {
    **{
        code: Code(errors.Throttled, "cloud", "too many calls")
        for code in ("TooManyRequests", "SubscriptionRequestsThrottled", "RateLimiting", "429")
    },
    **{
        code: Code(errors.Transient, "pool", "Azure has trouble of its own ({code})", "try again")
        for code in (
            "InternalServerError",
            "InternalExecutionError",
            "RetryableError",
            "NetworkingInternalOperationError",
            "ServiceUnavailable",
            "ServerTimeout",
            "Conflict",
            "AnotherOperationInProgress",
        )
    },
    **{
        code: Code(errors.NotFound, "pool", "it is gone")
        for code in ("ResourceNotFound", "ResourceGroupNotFound", "ResourceGroupBeingDeleted", "NotFound")
    },
}

# Azure has one code for four things, which only its words tell apart. The first that fits is meant.
_SEVERAL: Mapping[str, tuple[Code, ...]] = {
    "OperationNotAllowed": (
        Code(errors.Throttled, "cloud", "too many calls", status=429),
        Code(
            errors.QuotaExceeded, "region-spot", "the spot quota of the region is used up", _QUOTA, "LowPriorityCores"
        ),
        Code(errors.QuotaExceeded, "family-region", "the quota of the family is used up", _QUOTA, "Family Cores quota"),
        Code(errors.QuotaExceeded, "region-on-demand", "the quota of the region is used up", _QUOTA, "Regional Cores"),
        Code(errors.InvalidOrder, "job", "Azure does not allow this: {said}"),
    )
}

CODES: Mapping[str, tuple[Code, ...]] = {
    **{code: (row,) for code, row in {**_AUTH, **_CAPACITY, **_OUR_ORDER, **_LATER}.items()},
    **_SEVERAL,
}
_WRAPPINGS = frozenset({"InvalidTemplateDeployment", "DeploymentFailed", "QuotaExceeded", "MultipleErrorsOccurred"})
# A "no" without a word is one all the same.
BARE: Mapping[int, str] = {400: "BadRequest", 401: "AuthenticationFailed", 403: "Forbidden", 404: "NotFound"}
_FOLDED = {code.lower(): rows for code, rows in CODES.items()}


def found(code: str, said: str = "", status: int = 0) -> Code | None:
    """The row of the table for what Azure answered, or None."""
    rows = _FOLDED.get(code.lower(), ())
    fitting = (r for r in rows if r.says.lower() in said.lower() and r.status in (0, status))
    return next(fitting, None)


def as_error(
    code: str, said: str, *, status: int, redact: Redactor, retry_after_s: float | None = None
) -> errors.ProviderError:
    """The error that a refused *read* stands for, in Azure's words where the table does not know it.

    That is `Transient`, but for HTTP 400 and 404: the same question would have the same answer.
    """
    row = found(code, said, status)
    if row is None and status in (400, 404):
        lasting = errors.InvalidOrder if status == 400 else errors.NotFound
        return lasting(redact(f"{code}: {said}"))
    if row is None:
        kind = errors.Throttled if status == 429 else errors.Transient
        return kind(redact(f"{code}: {said}"), hint="try again", retry_after_s=retry_after_s)
    message = redact(row.message.format(said=said, code=code))
    return row.error(message, hint=row.hint, retry_after_s=retry_after_s)


class Judge:
    """Makes errors of replies, for the kit's `Api`."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def __call__(self, reply: Reply) -> errors.ProviderError | None:
        """None for a good reply, and for one that names no code: the kit then goes by the status."""
        if reply.status < 300:
            return None
        code, said = words(reply.body)
        if not code:
            code, said = BARE.get(reply.status, ""), f"it answered with HTTP {reply.status}"
        if not code:
            return None
        return as_error(code, said, status=reply.status, redact=self._redact, retry_after_s=reply.retry_after_s)


def words(body: Any) -> tuple[str, str]:
    """Code and message: ``error`` in Resource Manager, ``Error`` with capital keys in the retail prices.

    Some codes are only a wrapping, and what was wrong stands in the details.
    """
    error = (body.get("error") or body.get("Error")) if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code, said = (str(error.get(k) or error.get(k.capitalize()) or "") for k in ("code", "message"))
    details = error.get("details")
    if code in _WRAPPINGS and isinstance(details, list):
        inner = next((words({"error": d}) for d in details if isinstance(d, dict)), ("", ""))
        if inner[0].lower() in _FOLDED:
            return inner
    return code, said
