"""Resource Manager, for calls that change something: each made once, its "no" kept with code and words."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from spotlaunch import errors
from spotlaunch_providers.azure.account import Account
from spotlaunch_providers.azure.errors import BARE, Judge, words
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Reply
from spotlaunch_providers.shared.redact import Redactor

# Where Azure does not say when to ask again. Its own clients ask every 30 s.
POLL_S = 3.0
_UNDER_WAY = frozenset({"inprogress", "accepted", "running", "creating", "updating", "pending", "started", "deleting"})


_EMPTY = Reply(status=202, body=None)

_BARE = {**BARE, 412: "PreconditionFailed"}


class No(errors.ProviderError):
    """Azure turned a call down. What that means hangs on what was asked: see `refusals`."""

    def __init__(self, code: str, said: str, *, status: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(f"{code}: {said}", retry_after_s=retry_after_s)
        self.code = code
        self.said = said
        self.status = status


class _UnderWay(errors.Transient):
    """Not done yet: the kit asks again, as after any trouble that passes."""


class Arm:
    """Calls within one task (a launch, an end), with a token that is good for it. Threads may share it."""

    def __init__(self, account: Account, redact: Redactor) -> None:
        """Raises `NotAuthorized` or `Transient` where no token is to be had."""
        self.account = account
        self.redact = redact
        self._frank = _Frank()
        self._reads = account.api(redact)
        self._deeds = account.api(redact, judge=self._frank)
        self._makes = account.api(redact, judge=self._frank, headers={"If-None-Match": "*"})
        self._waits = account.api(redact, judge=_Patient(redact))

    def get(self, path: str, version: str, *, deadline: Deadline) -> Any:
        """What is at ``path``, or None if there is nothing. Raises a `ProviderError`."""
        try:
            return self._reads.get(self.account.path(path), deadline=deadline, params={"api-version": version})
        except errors.NotFound:
            return None

    def do(
        self,
        method: str,
        path: str,
        version: str,
        *,
        deadline: Deadline,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        new: bool = False,
    ) -> Reply:
        """One call, made once. ``new``: only if there is nothing of that name.

        Raises `No` where Azure turned it down, else as `Api.once`.
        """
        api = self._makes if new else self._deeds
        query = {"api-version": version, **(params or {})}
        self._frank.forget()
        api.once(method, self.account.path(path), deadline=deadline, body=body, params=query)
        return self._frank.reply

    def settled(self, url: str, *, deadline: Deadline, version: str = "") -> Any:
        """Wait until what ``url`` shows is done, and give it back; None if it is not done at the deadline.

        It is a path under the subscription, or the whole address of an operation. Raises a `ProviderError`.
        """
        where = url if "://" in url else self.account.path(url)
        params = {"api-version": version} if version else None
        while True:
            try:
                return self._waits.get(where, deadline=deadline, params=params)
            except _UnderWay as e:
                if (e.retry_after_s or POLL_S) >= deadline.left_s():
                    return None


class _Frank:
    """Keeps the reply, and makes a `No` of each that names a code. Others are left to the kit."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def reply(self) -> Reply:
        """The last one of this thread; without a body where that was empty, which the kit takes for good."""
        kept: Reply = getattr(self._local, "reply", _EMPTY)
        return kept

    def forget(self) -> None:
        """A new call begins in this thread."""
        self._local.reply = _EMPTY

    def __call__(self, reply: Reply) -> errors.ProviderError | None:
        self._local.reply = reply
        if reply.status < 300:
            return None
        code, said = words(reply.body)
        code = code or _BARE.get(reply.status, "")
        return No(code, said, status=reply.status, retry_after_s=reply.retry_after_s) if code else None


class _Patient(Judge):
    """Good replies that say "not yet" become a reason to ask again."""

    def __call__(self, reply: Reply) -> errors.ProviderError | None:
        if (error := super().__call__(reply)) is not None or not isinstance(reply.body, dict):
            return error
        state = reply.body.get("status") or (reply.body.get("properties") or {}).get("provisioningState") or ""
        if str(state).lower() not in _UNDER_WAY:
            return None
        asked = reply.retry_after_s
        return _UnderWay("is still under way", retry_after_s=POLL_S if asked is None else max(0.1, asked))
