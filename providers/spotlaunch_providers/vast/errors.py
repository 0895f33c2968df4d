"""Every way in which Vast.ai says no, in one table: its code, the error, how far it reaches, our words.

The code is in the body's ``error``, at times only in its ``msg`` (``error 404/3603: no_such_ask ...``), and comes
with HTTP 200 too. Sources: vast-ai/docs (2026-08-07) and its clients; what others saw says so.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Any, Literal

from spotlaunch import errors
from spotlaunch_providers.shared.codes import Row
from spotlaunch_providers.shared.http import Reply
from spotlaunch_providers.vast.credentials import HINT
from spotlaunch_providers.vast.figures import SEARCH_PAUSE_S

Reach = Literal["pool", "machine", "cloud"]


class Code(Row[Reach]):
    """One code. ``reach``: just the pool, all of its host's machine, or the whole account."""

    __slots__ = ()


_FUNDS = Code(
    errors.OutOfFunds, "cloud", "the account has no money left", "add credit at https://cloud.vast.ai/billing"
)
_KEY = Code(errors.NotAuthorized, "cloud", "the API key is not accepted", HINT)
_GONE = Code(errors.NoCapacity, "pool", "the offer is gone")
_BUSY = Code(errors.Throttled, "cloud", "too many calls")

CODES: Mapping[str, Code] = {
    "auth_error": _KEY,
    "search_quota_exceeded": Code(
        errors.Throttled, "cloud", "the searches of today are used up", "they begin anew at midnight UTC"
    ),
    "too frequent": _BUSY,  # only in the text of a 429
    "no_such_ask": _GONE,
    "is not your own": _GONE,  # only in `msg`, with a 403
    "resources_unavailable": Code(errors.NoCapacity, "machine", "the machine has no GPU free"),
    "invalid_price": Code(errors.PriceTooLow, "pool", "the bid is too low"),
    "insufficient_credit": _FUNDS,
    "missing_billing": _FUNDS,
    "spend_rate_limit": _FUNDS,  # new accounts
    "no_such_instance": Code(errors.NotFound, "pool", "there is no such machine"),
    "not_found": Code(errors.NotFound, "pool", "there is no such machine"),
    "invalid_args": Code(errors.InvalidOrder, "pool", "the request is not accepted"),
}

STATUS: Mapping[int, Code] = {
    400: Code(errors.InvalidOrder, "pool", "the request is not accepted"),
    401: _KEY,
    403: Code(errors.NotAuthorized, "cloud", "the API key may not do this", "give it more rights, or make another key"),
    # Without a code it is how some calls refuse a key (seen by others), so it never means that something is gone.
    404: Code(errors.NotAuthorized, "cloud", "the API key is refused, or the endpoint is wrong", HINT),
    429: _BUSY,
}

_THRESHOLD = re.compile(r"threshold=([0-9]+(?:\.[0-9]+)?)")


def judge(reply: Reply) -> errors.ProviderError | None:
    """The error that a reply stands for; None for a good one. For the kit's `Api`, which masks its words."""
    body = reply.body if isinstance(reply.body, Mapping) else {}
    if reply.status < 300 and body.get("success") is not False:
        return None
    code, said = str(body.get("error") or ""), _said(reply.body)
    found = _code(reply.status, code, said)
    if found is None:
        # A read changed nothing, so whatever is not in the table may be tried again.
        answered = f"answered with HTTP {reply.status}" if reply.status >= 300 else "answered with an error"
        return errors.Transient(_told(answered, said or code), hint="try again")
    error = found.error(_told(found.message, said or code), hint=found.hint)
    if found.error is errors.Throttled:
        error.retry_after_s = _rest_s(reply, code, said)
    return error


def _code(status: int, code: str, said: str) -> Code | None:
    lowered = said.lower()
    if "invalid user key" in lowered:  # also with a 404 that says of something else that it is not found
        return _KEY
    if code in CODES:
        return CODES[code]
    return next((known for words, known in CODES.items() if words in lowered), None) or STATUS.get(status)


def _rest_s(reply: Reply, code: str, said: str) -> float:
    """Seconds to leave it alone. Its clock counts where it shows it: a quota ends at a time of day."""
    if code == "search_quota_exceeded":
        shown = email.utils.parsedate_tz(reply.headers.get("Date", ""))
        now = email.utils.mktime_tz(shown) if shown else time.time()
        reset = reply.headers.get("X-RateLimit-Reset", "")
        at = float(reset) if reset.isdigit() else now - now % 86400 + 86400
        return max(1.0, at - now)
    if reply.retry_after_s is not None:
        return reply.retry_after_s
    # Less than twice the shortest time between two calls was seen to be refused again.
    threshold = _THRESHOLD.search(said)
    return 2 * float(threshold[1]) if threshold else SEARCH_PAUSE_S


def _said(body: Any) -> str:
    """Its words, out of the shapes they come in. A page of HTML says nothing."""
    if isinstance(body, str):
        return "" if "<" in body else body
    if not isinstance(body, Mapping):
        return ""
    return next((body[key] for key in ("msg", "detail", "message") if isinstance(body.get(key), str)), "")


def _told(message: str, said: str) -> str:
    said = " ".join(said.split())
    return f"{message} ({said})" if said else message
