"""Every way in which Google Cloud says no, in one table: reason -> error, how far it reaches, words, hint.

Google sends 403 for a missing permission, a used-up quota and too many calls alike, so what counts is the reason,
never the HTTP status. A reason stands in up to three places of an error's body; the most telling one wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spotlaunch import errors
from spotlaunch_providers.shared.codes import Row
from spotlaunch_providers.shared.http import Reply

# How far a refusal reaches: the pool, its zone, its region, the quota it counts against, or the whole account.
Reach = Literal["pool", "zone", "region", "quota", "account"]

LOGIN = "gcloud auth application-default login"
_ROLES = "the account needs roles/compute.viewer on the project; docs/providers/gcp.md lists every permission"
_LAUNCH_ROLES = "the account needs the permissions of configs/permissions/gcp.yaml; docs/providers/gcp.md tells how"
_SETTINGS = "docs/providers/gcp.md tells of the settings image, network, subnetwork, disk_type and service_account"
_QUOTA = "ask for more at https://console.cloud.google.com/iam-admin/quotas"


SERVICE = "compute.googleapis.com"


@dataclass(frozen=True, slots=True)
class Code(Row[Reach]):
    """One reason. ``hint`` may hold ``{service}``, the API that was called. ``quotes``: the cloud's words help."""

    quotes: bool = False


def _read(error: type[errors.ProviderError], message: str, hint: str = "", *, quotes: bool = False) -> Code:
    return Code(error, "account", message, hint, quotes)


_EXPIRED = _read(errors.NotAuthorized, "the credentials are not good any more", f"run `{LOGIN}`")
_DISABLED = _read(
    errors.NotAuthorized,
    "an API is not enabled in the project: {service}",
    "run `gcloud services enable {service}`, or open https://console.cloud.google.com/apis/library/{service}",
)
_FORBIDDEN = _read(errors.NotAuthorized, "the account may not do this", _ROLES, quotes=True)
_THROTTLED = _read(errors.Throttled, "too many calls a minute", "wait a minute")
_BROKEN = _read(errors.Transient, "something broke at Google", "try again")
_DRY = Code(errors.NoCapacity, "pool", "the zone has no such machine to give now")
_USED_UP = Code(errors.QuotaExceeded, "quota", "the project's quota is used up", _QUOTA, quotes=True)
_TAKEN_WHILE_MADE = Code(errors.NoCapacity, "pool", "the machine was taken away while it was being made", quotes=True)
_NO_ADDRESS = Code(errors.QuotaExceeded, "region", "the subnet has no address left", "widen the subnet")
# The order names a thing, or a place, that the project does not have.
NOT_THERE = Code(errors.InvalidOrder, "pool", "Google does not have what the machine needs", _SETTINGS, quotes=True)
_MISFIT = Code(errors.InvalidOrder, "pool", "Google does not make such a machine", _SETTINGS, quotes=True)
_POLICY = _read(errors.NotAuthorized, "a policy of the organization forbids it", "ask who administers it", quotes=True)
_LOST = Code(errors.OutcomeUnknown, "account", "something broke at Google while it made the machine")

# Fact sheet, 2.5. Reads meet the first half; the second half is what operations of a launch end in.
CODES: Mapping[str, Code] = {
    # who asks
    "authError": _EXPIRED,
    "ACCESS_TOKEN_EXPIRED": _EXPIRED,
    "CREDENTIALS_MISSING": _EXPIRED,
    "UNAUTHENTICATED": _EXPIRED,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _read(
        errors.NotAuthorized, "the credentials lack the scope cloud-platform", f"run `{LOGIN}`"
    ),
    "accessNotConfigured": _DISABLED,
    "SERVICE_DISABLED": _DISABLED,
    "forbidden": _FORBIDDEN,
    "IAM_PERMISSION_DENIED": _FORBIDDEN,
    "PERMISSIONS_ERROR": _FORBIDDEN,
    "PERMISSION_DENIED": _FORBIDDEN,
    "USER_PROJECT_DENIED": _read(
        errors.NotAuthorized,
        "the credentials may not use the quota of their project",
        "run `gcloud auth application-default set-quota-project`",
    ),
    "billingNotEnabled": _read(
        errors.OutOfFunds, "the project has no billing account", "open https://console.cloud.google.com/billing"
    ),
    "BILLING_DISABLED": _read(
        errors.OutOfFunds, "the project has no billing account", "open https://console.cloud.google.com/billing"
    ),
    # how often
    "rateLimitExceeded": _THROTTLED,
    "userRateLimitExceeded": _THROTTLED,
    "RATE_LIMIT_EXCEEDED": _THROTTLED,
    "RESOURCE_EXHAUSTED": _THROTTLED,
    # what
    "notFound": _read(errors.NotFound, "there is no such thing", quotes=True),
    "NOT_FOUND": _read(errors.NotFound, "there is no such thing", quotes=True),
    "invalid": _read(errors.InvalidOrder, "Google does not understand the question", quotes=True),
    "invalidParameter": _read(errors.InvalidOrder, "Google does not understand the question", quotes=True),
    "badRequest": _read(errors.InvalidOrder, "Google does not understand the question", quotes=True),
    "required": _read(errors.InvalidOrder, "Google misses something in the question", quotes=True),
    "INVALID_ARGUMENT": _read(errors.InvalidOrder, "Google does not understand the question", quotes=True),
    "CONDITION_NOT_MET": _POLICY,
    "conditionNotMet": _POLICY,
    # their side
    "internalError": _BROKEN,
    "backendError": _BROKEN,
    "INTERNAL": _BROKEN,
    "UNAVAILABLE": _BROKEN,
    "DEADLINE_EXCEEDED": _BROKEN,
    # launches
    "ZONE_RESOURCE_POOL_EXHAUSTED": _DRY,
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": _DRY,
    "RESOURCE_POOL_EXHAUSTED": _DRY,
    "resource_availability": _DRY,
    "insufficientCapacity": _DRY,
    "stockout": _DRY,
    "UNSUPPORTED_OPERATION": _TAKEN_WHILE_MADE,
    "RESOURCE_NOT_READY": _TAKEN_WHILE_MADE,
    "RESOURCE_NOT_FOUND": _TAKEN_WHILE_MADE,
    "QUOTA_EXCEEDED": _USED_UP,
    "quotaExceeded": _USED_UP,
    "IP_SPACE_EXHAUSTED": _NO_ADDRESS,
    "IP_SPACE_EXHAUSTED_WITH_DETAILS": _NO_ADDRESS,
    "resourceInUseByAnotherResource": Code(errors.Transient, "pool", "it is in use by something else"),
    "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": Code(errors.Transient, "pool", "it is in use by something else"),
    "RESOURCE_OPERATION_RATE_EXCEEDED": Code(errors.Throttled, "zone", "too many changes to one resource"),
    "alreadyExists": Code(errors.OutcomeUnknown, "pool", "a machine of that name is there already"),
    "RESOURCE_ALREADY_EXISTS": Code(errors.OutcomeUnknown, "pool", "a machine of that name is there already"),
}

# What the same words mean when a machine was asked for: there "broken" may have made one, and "not found" or "not
# understood" speak of the order. What stands in neither table is an `OutcomeUnknown` there.
OF_LAUNCHES: Mapping[str, Code] = {
    **{code: row for code, row in CODES.items() if row.error is not errors.Transient or row.reach != "account"},
    **dict.fromkeys(
        ("internalError", "backendError", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL_ERROR"), _LOST
    ),
    **dict.fromkeys(("notFound", "NOT_FOUND"), NOT_THERE),
    **dict.fromkeys(
        ("invalid", "invalidParameter", "badRequest", "required", "INVALID_ARGUMENT", "INVALID_USAGE"), _MISFIT
    ),
    **dict.fromkeys(
        ("forbidden", "IAM_PERMISSION_DENIED", "PERMISSIONS_ERROR", "PERMISSION_DENIED"),
        Code(errors.NotAuthorized, "account", "the account may not start machines", _LAUNCH_ROLES, quotes=True),
    ),
}


def judge(reply: Reply, *, service: str) -> errors.ProviderError | None:
    """The error that a reply of ``service`` stands for; None when it is fine.

    A reason that the table does not know becomes `Transient` with Google's words: a read changes nothing. Replies
    without Google's error body (a proxy's page) are left to the caller's rules on HTTP status.
    """
    if reply.status < 300:
        return None
    body = reply.body.get("error") if isinstance(reply.body, Mapping) else None
    if not isinstance(body, Mapping):
        return None
    said = str(body.get("message", ""))
    for reason in reasons(body):
        if (code := CODES.get(reason)) is not None:
            return _error(code, said, service)
    if reply.status == 429:
        return _error(CODES["rateLimitExceeded"], said, service)
    first = next(reasons(body), f"HTTP {reply.status}")
    return errors.Transient(f"answered {first}: {said}", hint="try again")


def reasons(body: Mapping[str, Any]) -> Iterator[str]:
    """The codes in an error's body, the most telling first: ErrorInfo, the old list, the gRPC status."""
    for detail in mappings(body.get("details")):
        if str(detail.get("@type", "")).endswith("ErrorInfo") and detail.get("reason"):
            yield str(detail["reason"])
    for error in mappings(body.get("errors")):
        if error.get("reason"):
            yield str(error["reason"])
    if body.get("status"):
        yield str(body["status"])


def _error(code: Code, said: str, service: str) -> errors.ProviderError:
    message = code.message.format(service=service)
    if code.quotes and said:
        message = f"{message}: {said}"
    return code.error(message, hint=code.hint.format(service=service))


def mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in a list; none where it is no list."""
    yield from (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()
