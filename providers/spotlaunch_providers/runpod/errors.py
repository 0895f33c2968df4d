"""Every way in which RunPod says no, in one table: its words, the error, how far it reaches, our words.

Its errors have no code strings, so its words are looked at before the HTTP status: a 400 may be a shortage or a
mistake of ours. Words are compared in lower case. Sources: runpod/docs and what others saw (the comments say which).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from spotlaunch import errors
from spotlaunch.core.facts import Pool, Refused, Scope
from spotlaunch_providers.runpod.credentials import HINT
from spotlaunch_providers.shared.codes import Row
from spotlaunch_providers.shared.http import Reply

Reach = Literal["pool", "market", "cloud"]

_CLOUDFLARE = re.compile(r"error(?: code)?:?\s*1010", re.IGNORECASE)
_WINDOW = re.compile(r";\s*r=(\d+);\s*t=(\d+)")


class Code(Row[Reach]):
    """One way. ``reach``: just the pool, every pool of its market, or the whole account."""

    __slots__ = ()


class Denied(errors.ProviderError):
    """A create that RunPod refused, so that surely no pod was made. ``code`` is the row of the table."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message, hint=code.hint)
        self.code = code


_FUNDS = Code(errors.OutOfFunds, "cloud", "the account has no money left", "add funds at https://console.runpod.io")
_KEY = Code(errors.NotAuthorized, "cloud", "the API key is not accepted", HINT)
_DRY = Code(errors.NoCapacity, "pool", "no machine of this kind is free")
_BAD = Code(errors.InvalidOrder, "pool", "the request is not accepted")
_BAD_ANYWHERE = Code(errors.InvalidOrder, "cloud", "the request is not accepted")
_LIMIT = Code(
    errors.QuotaExceeded, "cloud", "the account may not spend so much an hour", "ask RunPod to raise its spending limit"
)
_RETIRED = Code(errors.NotAuthorized, "cloud", "this API is retired: a newer spotlaunch is needed", "update spotlaunch")

SAID: Mapping[str, Code] = {
    # Cloudflare in front of it, on user agents it does not like (seen by others, with a page of HTML).
    "error code: 1010": Code(
        errors.NotAuthorized,
        "cloud",
        "its front door refuses this program's user agent (Cloudflare 1010)",
        "does a proxy change the User-Agent header? If not, please report it",
    ),
    "missing bearer token": _KEY,
    "balance is too low": _FUNDS,
    "insufficient_balance": _FUNDS,  # GraphQL, extensions.code
    "spending limit": _LIMIT,  # [I] that there is one is documented, in which words it is told is not
    "spend limit": _LIMIT,
    "no longer any instances available": _DRY,
    "no instances currently available": _DRY,
    "no instances available": _DRY,
    "supply_constraint": _DRY,  # GraphQL, extensions.code
    "not enough free gpus": _DRY,
    "spot pods are no longer offered": Code(errors.InvalidOrder, "market", "it sells no spot pods any more"),
    # These say something of the account, wherever the pod should go.
    "registry auth": _BAD_ANYWHERE,
    "network volume": _BAD_ANYWHERE,
    "not in the requested set": _BAD_ANYWHERE,
    "unauthenticated": _KEY,  # GraphQL, extensions.code
    "rate limit exceeded": Code(errors.Throttled, "cloud", "too many calls"),
}

STATUS: Mapping[int, Code] = {
    400: _BAD,
    401: _KEY,
    402: _FUNDS,
    403: Code(
        errors.NotAuthorized,
        "cloud",
        "the API key may not do this",
        "give the key access to pods (read and write) at https://console.runpod.io/user/settings",
    ),
    404: Code(errors.NotFound, "pool", "there is no such thing"),
    410: _RETIRED,
    413: _BAD_ANYWHERE,
    422: _BAD,
    429: Code(errors.Throttled, "cloud", "too many calls"),
}


# What a create says differently from a read. 403 may be of this one pool ("access denied" where an account may not use
# a GPU type) or of the key: `launching` tells them apart by what its other calls say.
FORBIDDEN = Code(errors.QuotaExceeded, "pool", "this account may not have it", STATUS[403].hint)
CREATE: Mapping[int, Code] = {
    **STATUS,
    403: FORBIDDEN,
    404: Code(errors.InvalidOrder, "pool", "it knows no such GPU type or data center"),
}

# What the adapter itself finds out, before a call or after it.
OWN: Mapping[str, Code] = {
    "no-such-type": Code(errors.InvalidOrder, "pool", "there is no machine type {type}"),
    "spot": SAID["spot pods are no longer offered"],
    "over-cap": Code(errors.PriceTooLow, "pool", "{pool} costs ${price} an hour, more than the cap of ${cap}"),
    "dearer": Code(
        errors.PriceTooLow, "pool", "{pool} was offered at ${price} an hour and bills ${paid}: ended at once"
    ),
    "another": Code(errors.NoCapacity, "pool", "{pool} gave {got} instead: ended at once"),
    "key": STATUS[403],
    "not-reached": Code(errors.Transient, "cloud", "the call did not get through", "is the network up?"),
}


def refusal(code: Code, pool: Pool, message: str = "", *, retry_after_s: float | None = None) -> Refused:
    """An alternative turned down. ``message`` is told instead of the row's own words."""
    reach = {"cloud": Scope(provider=pool.provider), "market": Scope(provider=pool.provider, market=pool.market)}
    return Refused(
        scope=reach.get(code.reach) or Scope.of(pool),
        error=code.error.__name__,
        reason=message or code.message,
        hint=code.hint,
        retry_after_s=retry_after_s,
    )


def own(which: str, pool: Pool, **words: object) -> Refused:
    """An alternative that the adapter turned down itself; ``words`` fill the row's message."""
    code = OWN[which]
    return refusal(code, pool, code.message.format(pool=pool, type=pool.instance_type, **words))


def judge_create(reply: Reply) -> errors.ProviderError | None:
    """As `judge`, for the call that makes a pod: `Denied` where surely none was made, else `OutcomeUnknown`.

    After any 5xx a pod may be there all the same, whatever the words [L: a client that recovers from that].
    """
    if reply.status < 300:
        return None
    said = " ".join(_words(reply.body))
    code = _code(reply.status, said, CREATE) if reply.status < 500 else None
    if code is None:
        return errors.OutcomeUnknown(_told(f"answered with HTTP {reply.status}", said))
    denied = Denied(code, _told(code.message, said))
    if code.error is errors.Throttled:
        denied.retry_after_s = _wait_s(reply)
    return denied


def judge(reply: Reply) -> errors.ProviderError | None:
    """The error that a reply stands for; None for a good one. For the kit's `Api`, which masks its words."""
    # GraphQL tells its errors with HTTP 200; an answer with errors and data is one that is not whole.
    failed = isinstance(reply.body, Mapping) and bool(reply.body.get("errors"))
    if reply.status < 300 and not failed:
        return None
    said = " ".join(_words(reply.body))
    found = _code(reply.status, said)
    if found is None:
        # A read changed nothing, so whatever is not in the table may be tried again.
        answered = f"answered with HTTP {reply.status}" if reply.status >= 300 else "answered with an error"
        return errors.Transient(_told(answered, said), hint="try again")
    error = found.error(_told(found.message, said), hint=found.hint)
    if found.error is errors.Throttled:
        error.retry_after_s = _wait_s(reply)
    return error


def _wait_s(reply: Reply) -> float | None:
    return reply.retry_after_s if reply.retry_after_s is not None else _window_s(reply.headers)


def _code(status: int, said: str, by_status: Mapping[int, Code] = STATUS) -> Code | None:
    """By its words; by the status only below 500, where that says more than that something is wrong."""
    lowered = said.lower()
    by_words = next((code for words, code in SAID.items() if words in lowered), None)
    return by_words or by_status.get(status)


def _window_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until every window that is used up begins anew: ``RateLimit: "minute";r=0;t=12, "hour";r=58;t=99``."""
    waits = [float(t) for left, t in _WINDOW.findall(headers.get("RateLimit", "")) if int(left) == 0]
    return max(waits, default=None)


def _words(body: Any) -> Iterator[str]:
    """What it says, out of the shapes it says it in: problem+json, v1's `error`, GraphQL's `errors`, a page."""
    if isinstance(body, str):
        if _CLOUDFLARE.search(body):
            yield "error code: 1010"
        return
    if not isinstance(body, Mapping):
        return
    for key in ("detail", "error", "message"):
        if isinstance(body.get(key), str):
            yield body[key]
    problems = body.get("errors")
    for problem in problems if isinstance(problems, list) else ():
        if isinstance(problem, str):
            yield problem
        elif isinstance(problem, Mapping):
            yield str(problem.get("message", ""))
            extensions = problem.get("extensions")
            if isinstance(extensions, Mapping) and extensions.get("code"):
                yield f"({extensions['code']})"


def _told(message: str, said: str) -> str:
    said = " ".join(said.split())
    return f"{message} ({said})" if said else message
