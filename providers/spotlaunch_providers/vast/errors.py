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
from spotlaunch.core.facts import Pool, Refused, Scope
from spotlaunch_providers.shared.codes import Row
from spotlaunch_providers.shared.http import Reply
from spotlaunch_providers.vast.credentials import HINT
from spotlaunch_providers.vast.figures import CREATE_PENALTY_S, MOST_COMMAND_BYTES, SEARCH_PAUSE_S

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
    "no_ssh_key_for_vm": Code(errors.InvalidOrder, "cloud", "the account has no SSH key"),
    "invalid_args": Code(errors.InvalidOrder, "pool", "the request is not accepted"),
}

# Our own, for what the answers of this cloud do not say by a code.
UNFIT = Code(errors.InvalidOrder, "pool", "the order does not fit the offer")
TOO_LONG = Code(errors.InvalidOrder, "cloud", f"Vast.ai takes {MOST_COMMAND_BYTES} bytes of a command at most")
TOO_DEAR = Code(errors.PriceTooLow, "pool", "it costs more than the cap")
OTHER = Code(errors.NoCapacity, "pool", "another machine was given, and ended at once")
_HALF_MADE = Code(errors.NoCapacity, "machine", "the machine did not start")

STATUS: Mapping[int, Code] = {
    400: Code(errors.InvalidOrder, "pool", "the request is not accepted"),
    401: _KEY,
    403: Code(errors.NotAuthorized, "cloud", "the API key may not do this", "give it more rights, or make another key"),
    # Without a code it is how some calls refuse a key (seen by others), so it never means that something is gone.
    404: Code(errors.NotAuthorized, "cloud", "the API key is refused, or the endpoint is wrong", HINT),
    429: _BUSY,
}

# Statuses that say no by themselves also to a create: whatever else has no code may have made something.
_PLAIN = (401, 403, 404, 429)

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


class Nowhere(errors.NotAuthorized):
    """A 404 without a code for one machine: a refused key, or the machine is gone. Stays inside of this adapter."""


def judge_one(reply: Reply) -> errors.ProviderError | None:
    """As `judge`, for a call that names a machine: raises `Nowhere` for what may mean it."""
    error = judge(reply)
    said = _said(reply.body)
    code = str(reply.body.get("error") or "") if isinstance(reply.body, Mapping) else ""
    if error is not None and reply.status == 404 and _named(code, said) is None:
        return Nowhere(error.message, hint=error.hint)
    return error


class Refusal(errors.ProviderError):
    """A create was turned down by ``code``. ``contract``: what was made all the same, and bills (0: nothing)."""

    def __init__(self, code: Code, message: str, *, contract: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=code.hint, retry_after_s=retry_after_s)
        self.code = code
        self.contract = contract

    def of(self, pool: Pool) -> Refused:
        """What was refused, when this was the answer for ``pool``."""
        return Refused(
            scope=scope(self.code.reach, pool),
            error=self.code.error.__name__,
            reason=self.message,
            hint=self.hint,
            retry_after_s=self.retry_after_s,
        )


def judge_create(reply: Reply) -> errors.ProviderError | None:
    """What the answer to a create stands for: None, a `Refusal`, or `OutcomeUnknown` for what no table knows."""
    body = reply.body if isinstance(reply.body, Mapping) else {}
    contract = contract_of(body)
    if reply.status < 300 and body.get("success") is True:
        return None if contract else errors.OutcomeUnknown("answered without a contract")
    code, said = str(body.get("error") or ""), _said(reply.body)
    found = _named(code, said)
    if found is None and (not code or reply.status in (401, 403, 429)) and reply.status in _PLAIN:
        found = STATUS[reply.status]
    if found is not None or contract:
        found = found or _HALF_MADE
        busy = found.error is errors.Throttled
        rest_s = max(CREATE_PENALTY_S, _rest_s(reply, code, said)) if busy else None
        return Refusal(found, _told(found.message, said or code), contract=contract, retry_after_s=rest_s)
    answered = f"answered with HTTP {reply.status}" if reply.status >= 300 else "answered with an error"
    return errors.OutcomeUnknown(_told(answered, said or code))


def contract_of(body: Mapping[str, Any]) -> int:
    """The contract that an answer tells of, also one that says no; 0: none."""
    told = body.get("new_contract")
    if isinstance(told, str) and told.isdecimal():
        told = int(told)
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else 0


def scope(reach: Reach, pool: Pool) -> Scope:
    """What a refusal covers. A host's machine is a zone here."""
    if reach == "cloud":
        return Scope(provider=pool.provider)
    if reach == "machine":
        return Scope(provider=pool.provider, region=pool.region, zone=pool.zone)
    return Scope.of(pool)


def refused(code: Code, pool: Pool, said: str = "") -> Refused:
    """An alternative that we turn down ourselves, before or after its create."""
    return Refusal(code, _told(code.message, said)).of(pool)


def _code(status: int, code: str, said: str) -> Code | None:
    return _named(code, said) or STATUS.get(status)


def _named(code: str, said: str) -> Code | None:
    """The line of the table that an answer names. `invalid_args` is a frame around the code in the words."""
    lowered = said.lower()
    if "invalid user key" in lowered:  # also with a 404 that says of something else that it is not found
        return _KEY
    in_words = next((known for words, known in CODES.items() if words != "invalid_args" and words in lowered), None)
    if code in CODES and not (code == "invalid_args" and in_words):
        return CODES[code]
    return in_words or (CODES["invalid_args"] if "invalid_args" in lowered else None)


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
