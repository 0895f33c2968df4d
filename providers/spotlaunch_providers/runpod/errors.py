"""Every way in which RunPod says no, in one table: its words, the error, how far it reaches, our words.

Its errors have no code strings, so its words are looked at before the HTTP status: a 400 may be a shortage or a
mistake of ours. Words are compared in lower case. Sources: runpod/docs and what others saw (the comments say which).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from spotlaunch import errors
from spotlaunch_providers.runpod.credentials import HINT
from spotlaunch_providers.shared.codes import Row
from spotlaunch_providers.shared.http import Reply

Reach = Literal["pool", "type", "cloud"]

_CLOUDFLARE = re.compile(r"error(?: code)?:?\s*1010", re.IGNORECASE)
_WINDOW = re.compile(r";\s*r=(\d+);\s*t=(\d+)")


class Code(Row[Reach]):
    """One way. ``reach``: just the pool, every pool of the machine type, or the whole account."""

    __slots__ = ()


_FUNDS = Code(errors.OutOfFunds, "cloud", "the account has no money left", "add funds at https://console.runpod.io")
_KEY = Code(errors.NotAuthorized, "cloud", "the API key is not accepted", HINT)
_DRY = Code(errors.NoCapacity, "pool", "no machine of this kind is free")
_BAD = Code(errors.InvalidOrder, "pool", "the request is not accepted")
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
    "no longer any instances available": _DRY,
    "no instances currently available": _DRY,
    "no instances available": _DRY,
    "supply_constraint": _DRY,  # GraphQL, extensions.code
    "not enough free gpus": _DRY,
    "spot pods are no longer offered": Code(errors.InvalidOrder, "cloud", "it sells no spot pods any more"),
    "registry auth": _BAD,
    "network volume": _BAD,
    "not in the requested set": _BAD,
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
        "give the key read access to pods and the catalog at https://console.runpod.io/user/settings",
    ),
    404: Code(errors.NotFound, "pool", "there is no such thing"),
    410: _RETIRED,
    413: _BAD,
    422: _BAD,
    429: Code(errors.Throttled, "cloud", "too many calls"),
}


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
        error.retry_after_s = reply.retry_after_s if reply.retry_after_s is not None else _window_s(reply.headers)
    return error


def _code(status: int, said: str) -> Code | None:
    """By its words; by the status only below 500, where that says more than that something is wrong."""
    lowered = said.lower()
    by_words = next((code for words, code in SAID.items() if words in lowered), None)
    return by_words or STATUS.get(status)


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
