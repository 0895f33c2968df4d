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


def _expired() -> Code:
    return _read(errors.NotAuthorized, "the credentials are not good any more", f"run `{LOGIN}`")


def _disabled() -> Code:
    return _read(
        errors.NotAuthorized,
        "an API is not enabled in the project: {service}",
        "run `gcloud services enable {service}`, or open https://console.cloud.google.com/apis/library/{service}",
    )


def _forbidden() -> Code:
    return _read(errors.NotAuthorized, "the account may not do this", _ROLES, quotes=True)


def _throttled() -> Code:
    return _read(errors.Throttled, "too many calls a minute", "wait a minute")


def _broken() -> Code:
    return _read(errors.Transient, "something broke at Google", "try again")


def _dry() -> Code:
    return Code(errors.NoCapacity, "pool", "the zone has no such machine to give now")


def _quota() -> Code:
    return Code(errors.QuotaExceeded, "quota", "the project's quota is used up", _QUOTA, quotes=True)


def _taken_while_made() -> Code:
    return Code(errors.NoCapacity, "pool", "the machine was taken away while it was being made", quotes=True)


def _no_address() -> Code:
    return Code(errors.QuotaExceeded, "region", "the subnet has no address left", "widen the subnet")


def not_there() -> Code:
    """The order names a thing, or a place, that the project does not have."""
    return Code(errors.InvalidOrder, "pool", "Google does not have what the machine needs", _SETTINGS, quotes=True)


def _misfit() -> Code:
    return Code(errors.InvalidOrder, "pool", "Google does not make such a machine", _SETTINGS, quotes=True)


def _policy() -> Code:
    told = "a policy of the organization forbids it"
    return _read(errors.NotAuthorized, told, "ask who administers it", quotes=True)


def _lost() -> Code:
    return Code(errors.OutcomeUnknown, "account", "something broke at Google while it made the machine")


# Fact sheet, 2.5. Reads meet the first half; the second half is what operations of a launch end in.
CODES: Mapping[str, Code] = {
    # who asks
    "authError": _expired(),
    "ACCESS_TOKEN_EXPIRED": _expired(),
    "CREDENTIALS_MISSING": _expired(),
    "UNAUTHENTICATED": _expired(),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _read(
        errors.NotAuthorized, "the credentials lack the scope cloud-platform", f"run `{LOGIN}`"
    ),
    "accessNotConfigured": _disabled(),
    "SERVICE_DISABLED": _disabled(),
    "forbidden": _forbidden(),
    "IAM_PERMISSION_DENIED": _forbidden(),
    "PERMISSIONS_ERROR": _forbidden(),
    "PERMISSION_DENIED": _forbidden(),
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
    "rateLimitExceeded": _throttled(),
    "userRateLimitExceeded": _throttled(),
    "RATE_LIMIT_EXCEEDED": _throttled(),
    "RESOURCE_EXHAUSTED": _throttled(),
    # what
    "notFound": _read(errors.NotFound, "there is no such thing", quotes=True),
    "NOT_FOUND": _read(errors.NotFound, "there is no such thing", quotes=True),
    "invalid": _read(errors.InvalidOrder, "Google does not understand the question", quotes=True),
    "invalidParameter": _read(errors.InvalidOrder, "Google does not understand the question", quotes=True),
    "badRequest": _read(errors.InvalidOrder, "Google does not understand the question", quotes=True),
    "required": _read(errors.InvalidOrder, "Google misses something in the question", quotes=True),
    "INVALID_ARGUMENT": _read(errors.InvalidOrder, "Google does not understand the question", quotes=True),
    "CONDITION_NOT_MET": _policy(),
    "conditionNotMet": _policy(),
    # their side
    "internalError": _broken(),
    "backendError": _broken(),
    "INTERNAL": _broken(),
    "UNAVAILABLE": _broken(),
    "DEADLINE_EXCEEDED": _broken(),
    # launches
    "ZONE_RESOURCE_POOL_EXHAUSTED": _dry(),
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": _dry(),
    "RESOURCE_POOL_EXHAUSTED": _dry(),
    "resource_availability": _dry(),
    "insufficientCapacity": _dry(),
    "stockout": _dry(),
    "UNSUPPORTED_OPERATION": _taken_while_made(),
    "RESOURCE_NOT_READY": _taken_while_made(),
    "RESOURCE_NOT_FOUND": _taken_while_made(),
    "QUOTA_EXCEEDED": _quota(),
    "quotaExceeded": _quota(),
    "IP_SPACE_EXHAUSTED": _no_address(),
    "IP_SPACE_EXHAUSTED_WITH_DETAILS": _no_address(),
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
        ("internalError", "backendError", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL_ERROR"), _lost()
    ),
    **dict.fromkeys(("notFound", "NOT_FOUND"), not_there()),
    **dict.fromkeys(
        ("invalid", "invalidParameter", "badRequest", "required", "INVALID_ARGUMENT", "INVALID_USAGE"), _misfit()
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
