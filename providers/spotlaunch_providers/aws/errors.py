"""Every way in which AWS says no to a question, in one table: code -> error, words, hint.

AWS gives the same status for very different things (400 for no permission, for throttling and for a typing mistake),
so what counts is the code. Failures of boto3 itself (no network, no profile) are told apart by their class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spotlaunch import errors
from spotlaunch_providers.shared.redact import Redactor

LOGIN = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure` or `aws sso login`"
_AGAIN = "get new ones (`aws sso login`, `aws configure`)"
_CLOCK = "is this computer's clock right? if it is, the secret key is wrong: " + _AGAIN
_PERMISSIONS = "docs/providers/aws.md lists every permission that is needed"


@dataclass(frozen=True, slots=True)
class Code:
    """One code. ``quotes``: the cloud's own words help, and are added."""

    error: type[errors.ProviderError]
    message: str
    hint: str = ""
    quotes: bool = False


_FORBIDDEN = Code(errors.NotAuthorized, "the account may not call {call}", _PERMISSIONS)
_WRONG = Code(errors.NotAuthorized, "AWS does not know these credentials", _AGAIN)
_EXPIRED = Code(errors.NotAuthorized, "the credentials have run out", _AGAIN)
_SIGNATURE = Code(errors.NotAuthorized, "AWS does not accept the signature", _CLOCK)
_ACCOUNT = Code(errors.NotAuthorized, "the account is not ready for this", "open the AWS console", quotes=True)
_THROTTLED = Code(errors.Throttled, "too many calls", "wait a minute")
_BROKEN = Code(errors.Transient, "something broke at AWS", "try again")
# The question itself is wrong: our mistake, or a server that knows less than AWS.
_QUESTION = Code(errors.Transient, "does not understand {call}", "please report it", quotes=True)

CODES: dict[str, Code] = {
    "UnauthorizedOperation": _FORBIDDEN,
    "AccessDenied": _FORBIDDEN,
    "AccessDeniedException": _FORBIDDEN,
    "UnrecognizedClientException": _WRONG,
    "InvalidClientTokenId": _WRONG,
    "InvalidAccessKeyId": _WRONG,
    "MissingAuthenticationToken": _WRONG,
    "MissingAuthenticationTokenException": _WRONG,
    # Also what a region says that is not enabled in the account.
    "AuthFailure": Code(
        errors.NotAuthorized,
        "AWS does not know these credentials, or the region is not enabled",
        f"{_AGAIN}; check this computer's clock; enable the region, or take it out of `regions`",
    ),
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": Code(errors.NotAuthorized, "the credentials have run out, or the clock is wrong", _CLOCK),
    "RequestTimeTooSkewed": _SIGNATURE,
    "SignatureDoesNotMatch": _SIGNATURE,
    "InvalidSignatureException": _SIGNATURE,
    "IncompleteSignature": _SIGNATURE,
    "OptInRequired": _ACCOUNT,
    "PendingVerification": _ACCOUNT,
    "SubscriptionRequiredException": _ACCOUNT,
    "Blocked": _ACCOUNT,
    "RequestLimitExceeded": _THROTTLED,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "ThrottledException": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "SlowDown": _THROTTLED,
    "EC2ThrottledException": _THROTTLED,
    "BandwidthLimitExceeded": _THROTTLED,
    "InternalError": _BROKEN,
    "InternalFailure": _BROKEN,
    "InternalErrorException": _BROKEN,
    "ServiceException": _BROKEN,
    "ServiceUnavailable": _BROKEN,
    "Unavailable": _BROKEN,
    "RequestTimeout": _BROKEN,
    "RequestTimeoutException": _BROKEN,
    # A page came back too late to ask for the next one.
    "ExpiredNextTokenException": _BROKEN,
    "InvalidNextTokenException": _BROKEN,
    "InvalidPaginationToken": _BROKEN,
    "InvalidAction": _QUESTION,
    "InvalidParameterException": _QUESTION,
    "InvalidParameterValue": _QUESTION,
    "InvalidParameterCombination": _QUESTION,
    "UnknownParameter": _QUESTION,
    "NotFoundException": _QUESTION,
}

# What older servers answer to a parameter, or to a kind of filter, that is newer than they are.
UNKNOWN_PARAMETER = frozenset(
    {
        *("UnknownParameter", "InvalidParameter", "InvalidParameterValue", "InvalidParameterCombination"),
        *("InvalidParameterException", "ValidationError", "ValidationException"),
    }
)
# What a server says to a call that it does not have: no EC2 of Amazon's, but one that knows machines only.
UNKNOWN_CALL = frozenset({"InvalidAction", "UnknownOperationException"})
# What a region says that is not enabled in the account: nothing can be had there.
NOT_ENABLED = frozenset({"AuthFailure", "OptInRequired"})

_LOGIN_FAILURES = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "NoAuthTokenError",
    "TokenRetrievalError",
    "SSOError",
    "LoginError",
    "RefreshWithMFAUnsupportedError",
    "MissingDependencyException",
    "UnknownCredentialError",
    "InfiniteLoopConfigError",
)
_CONFIG_FAILURES = ("ProfileNotFound", "ConfigNotFound", "ConfigParseError", "InvalidConfigError", "InvalidRegionError")
_TIMEOUTS = ("ConnectTimeoutError", "ReadTimeoutError")
# No connection came about, so nothing was sent.
_NOT_SENT = (*("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"), *_LOGIN_FAILURES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What AWS tells between the words of a refusal: zones that have machines, the price, the quota in vCPUs."""

    zones: tuple[str, ...] = ()
    price_usd_hour: Decimal | None = None
    vcpus: int | None = None


_NOTHING_TOLD = Told()
# "... by not specifying an Availability Zone in your request or choosing us-east-1a, us-east-1d."
_ZONES = re.compile(r"choos\w+ ((?:[a-z]{2,3}(?:-[a-z]+)+-[0-9]+[a-z](?:, | and | or )*)+)")
# "... is lower than the minimum required Spot request fulfillment price of 0.5278."
_PRICE = re.compile(r"fulfillment price of \$?([0-9]+(?:\.[0-9]+)?)")
# "You have requested more vCPU capacity than your current vCPU limit of 0 allows ..."
_VCPUS = re.compile(r"limit of ([0-9]+)")


def of_code(code: str, words: str, *, call: str, redact: Redactor) -> errors.ProviderError:
    """The error that stands for a ``code`` of AWS; ``words`` are AWS's own, ``call`` is what was asked."""
    known = CODES.get(code)
    if known is None:
        if code.isdigit():  # something in front of AWS answered, and boto3 made the status the code
            return _with_code(code, errors.Transient(f"answered with HTTP {code}", hint="try again"))
        said = redact(f"{call} failed: {code}: {words}" if words else f"{call} failed: {code}")
        return _with_code(code, errors.Transient(said, hint="try again"))
    message = known.message.format(call=call)
    if known.quotes and words:
        message = redact(f"{message}: {words}")
    return _with_code(code, known.error(message, hint=known.hint))


def of_exception(e: Exception, *, call: str, redact: Redactor) -> errors.ProviderError:
    """The error that stands for what boto3 raised (`ClientError`, `BotoCoreError`, `ResponseParserError`)."""
    response: Any = getattr(e, "response", None)
    if isinstance(response, dict) and "Error" in response:
        told = response["Error"]
        return of_code(str(told.get("Code", "")), str(told.get("Message") or ""), call=call, redact=redact)
    kinds = {kind.__name__ for kind in type(e).__mro__}
    if "NoCredentialsError" in kinds:
        return errors.NotAuthorized("no credentials", hint=LOGIN)
    if kinds.intersection(_LOGIN_FAILURES):
        return errors.NotAuthorized(redact(f"the credentials cannot be had: {e}"), hint=_AGAIN)
    if kinds.intersection(_CONFIG_FAILURES):
        return errors.NotAuthorized(redact(f"~/.aws cannot be used: {e}"), hint="mend ~/.aws/config, or AWS_PROFILE")
    if kinds.intersection(_TIMEOUTS):
        return errors.Transient("did not answer in time", hint="try again")
    if "ResponseParserError" in kinds:
        return errors.Transient("answered with something that is not XML", hint="try again")
    if "SSLError" in kinds:
        return errors.Transient(redact(f"cannot be trusted: {e}"), hint="is the endpoint right? is there a proxy?")
    return errors.Transient("cannot be reached, or the connection broke off", hint="is the network up?")


def of_action(e: Exception, *, call: str, redact: Redactor) -> errors.ProviderError:
    """As `of_exception`, for a call that makes or ends something: what may have happened is `OutcomeUnknown`.

    That is also every code that no table knows, and every "internal error": of these EC2 has been seen to act first.
    """
    response: Any = getattr(e, "response", None)
    if isinstance(response, dict) and "Error" in response:
        code, words = str(response["Error"].get("Code", "")), str(response["Error"].get("Message") or "")
        error = of_code(code, words, call=call, redact=redact)
        if isinstance(error, errors.Transient):
            error = _with_code(code, errors.OutcomeUnknown(error.message, hint=error.hint))
        error.said, error.told = redact(words), _told(words)  # type: ignore[attr-defined]
        return error
    error = of_exception(e, call=call, redact=redact)
    if {kind.__name__ for kind in type(e).__mro__}.intersection(_NOT_SENT):
        return error
    return errors.OutcomeUnknown(f"{call}: {error.message}")


def said_of(error: errors.ProviderError) -> str:
    """AWS's own words behind an error of `of_action`, masked; or an empty text."""
    return str(getattr(error, "said", ""))


def told_of(error: errors.ProviderError) -> Told:
    """What could be read out of them."""
    told: Told = getattr(error, "told", _NOTHING_TOLD)
    return told


def _told(words: str) -> Told:
    zones, price, vcpus = _ZONES.search(words), _PRICE.search(words), _VCPUS.search(words)
    return Told(
        zones=tuple(re.findall(r"[a-z]{2,3}(?:-[a-z]+)+-[0-9]+[a-z]", zones[1])) if zones else (),
        price_usd_hour=Decimal(price[1]) if price else None,
        vcpus=int(vcpus[1]) if vcpus else None,
    )


def code_of(error: errors.ProviderError) -> str:
    """AWS's code behind an error, or an empty text."""
    return str(getattr(error, "code", ""))


def _with_code(code: str, error: errors.ProviderError) -> errors.ProviderError:
    error.code = code  # type: ignore[attr-defined]
    return error
