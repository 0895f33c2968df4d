"""A JSON API over HTTP: within a deadline, reads repeated where that is safe, every "no" as our errors.

A call that makes or ends something is never repeated here (see `Api.once`).
"""

from __future__ import annotations

import email.utils
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from spotlaunch import __version__
from spotlaunch.core.settings import is_loopback
from spotlaunch.errors import OutcomeUnknown, ProviderError, Throttled, Transient
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.redact import Redactor

if TYPE_CHECKING:
    import requests

# Cloudflare in front of some of these APIs refuses the default one of Python's libraries.
USER_AGENT = f"spotlaunch/{__version__}"

CONNECT_S = 5.0
TRIES = 4
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
MOST_BYTES = 200_000_000
MOST_PAGES = 500
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back. ``body`` is the parsed JSON, or the text where it is not JSON."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def retry_after_s(self) -> float | None:
        """How long the cloud asks to be left alone, if it says so: seconds, or a date (RFC 9110, 10.2.3)."""
        said = self.headers.get("Retry-After", "").strip()
        if said.isdecimal():
            return float(said)
        when = email.utils.parsedate_tz(said) if said else None
        # Against the cloud's own clock where it shows it: ours may be off.
        now = email.utils.parsedate_tz(self.headers.get("Date", "")) if when else None
        if when is None or now is None:
            return None
        try:
            return max(0.0, email.utils.mktime_tz(when) - email.utils.mktime_tz(now))
        except (ValueError, OverflowError):  # a year that no calendar has
            return None


class Api:
    """One API of one cloud.

    ``judge`` gets every reply, also good ones, and returns the error it stands for, or None when it is fine:
    each adapter has its table for that. ``session`` makes the `requests.Session` (or google-auth's
    `AuthorizedSession`, which is one) when it is first needed. ``redact`` masks what may not be told.
    """

    def __init__(
        self,
        base_url: str,
        *,
        judge: Callable[[Reply], ProviderError | None],
        session: Callable[[], requests.Session] | None = None,
        headers: Mapping[str, str] | None = None,
        redact: Redactor | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.calls = 0
        self._judge = judge
        self._make = session or plain_session
        self._made: requests.Session | None = None
        self._making = threading.Lock()
        self._headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **(headers or {})}
        self._redact = redact or Redactor()
        self._sleep = sleep

    def get(self, path: str, *, deadline: Deadline, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON at ``path`` (under the base address, or a whole address of the same server).

        Raises what ``judge`` makes of a bad reply; `Transient` and `Throttled` after repeated tries.
        """
        return self._repeat(deadline, "GET", path, params=params)

    def post(self, path: str, body: Any, *, deadline: Deadline, params: Mapping[str, Any] | None = None) -> Any:
        """A question that is asked by POST (a search). Repeated like a `get`, so it must change nothing."""
        return self._repeat(deadline, "POST", path, params=params, json=body)

    def once(
        self, method: str, path: str, *, deadline: Deadline, body: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """A call that makes or ends something: made once. The JSON it answers with; None where that is empty.

        Raises what ``judge`` makes of a bad reply; `Transient` where the call surely never arrived, and
        `OutcomeUnknown` where it may have: the answer was lost, cannot be read, or says that something broke there.
        """
        return self._once(deadline, method, path, lost=OutcomeUnknown, params=params, json=body)

    def pages(self, ask: Callable[[str], Any], following: Callable[[Any], str], *, deadline: Deadline) -> Iterator[Any]:
        """All pages: ``ask`` gets the token of a page ("" for the first), ``following`` finds the next in one.

        Raises `Transient` when the pages do not end: a token comes twice, or there are too many.
        """
        token, seen = "", set[str]()
        while True:
            deadline.check("reading all pages")
            page = ask(token)
            yield page
            token = following(page) or ""
            if not token:
                return
            if token in seen or len(seen) >= MOST_PAGES:
                raise Transient("its pages do not end", hint="try again; if it stays so, report it")
            seen.add(token)

    # -- how ---------------------------------------------------------------------------------------------

    def _repeat(self, deadline: Deadline, method: str, path: str, **what: Any) -> Any:
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        def pause(state: Any) -> float:
            error = state.outcome.exception()
            asked = getattr(error, "retry_after_s", None)
            grown = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (state.attempt_number - 1))
            return float(asked) if asked is not None else grown

        def stop(state: Any) -> bool:
            # A pause that ends past the deadline is not worth beginning.
            return bool(stop_after_attempt(TRIES)(state)) or pause(state) >= deadline.left_s()

        tries = Retrying(
            retry=retry_if_exception_type((Transient, Throttled)),
            stop=stop,
            wait=pause,
            sleep=self._sleep,
            reraise=True,
        )
        return tries(lambda: self._once(deadline, method, path, **what))

    def _once(
        self, deadline: Deadline, method: str, path: str, *, lost: type[ProviderError] = Transient, **what: Any
    ) -> Any:
        """One call. ``lost`` is raised where it may have been heard, and its answer was not."""
        import requests
        from urllib3 import exceptions as urllib3

        deadline.check("asking")
        try:
            response = self._send(method, path, deadline, stream=True, **what)
            content = self._content(response, deadline, lost)
        except (requests.Timeout, urllib3.TimeoutError) as e:
            kind = Transient if isinstance(e, requests.ConnectTimeout) else lost
            raise kind("did not answer in time", hint="try again") from e
        except (requests.RequestException, urllib3.HTTPError, OSError) as e:
            kind = Transient if _never_left(e) else lost
            raise kind(self._redact(_why(e)), hint="is the network up?") from e
        good = response.status_code < 300
        if good and not content and lost is not Transient:
            return None
        try:
            body = json.loads(content)
        except ValueError as e:  # also text that is not UTF-8
            body = content[:2000].decode("utf-8", "replace")
            if good:
                raise lost("answered with something that is not JSON", hint="try again") from e
        reply = Reply(status=response.status_code, body=body, headers=response.headers)
        if (error := self._judged(reply)) is not None:
            broken = isinstance(error, Transient) and reply.status >= 500
            raise lost(error.message, hint=error.hint, retry_after_s=error.retry_after_s) if broken else error
        return body

    def _judged(self, reply: Reply) -> ProviderError | None:
        error = self._judge(reply)
        if error is None and reply.status >= 300:
            error = self._error(reply)
        if error is not None:
            error.message = self._redact(error.message)
            error.args = (error.message,)
            if error.retry_after_s is None:
                error.retry_after_s = reply.retry_after_s
        return error

    def _error(self, reply: Reply) -> ProviderError:
        """What no table knows. A read that failed has changed nothing, so 5xx is worth another try."""
        if reply.status == 429:
            return Throttled("too many calls", retry_after_s=reply.retry_after_s)
        if reply.status >= 500 or 300 <= reply.status < 400:
            return Transient(f"answered with HTTP {reply.status}", hint="try again", retry_after_s=reply.retry_after_s)
        return OutcomeUnknown(f"answered with HTTP {reply.status}")

    def _send(self, method: str, path: str, deadline: Deadline, **what: Any) -> requests.Response:
        session = self._session()
        url = path if "://" in path else f"{self.base_url}/{path.lstrip('/')}"
        if _origin(url) != _origin(self.base_url):
            # Our credentials go with the call; a page link must not carry them elsewhere.
            raise Transient("sent us to another server", hint="is the endpoint right?")
        self.calls += 1
        return session.request(
            method,
            url,
            headers=self._headers,
            timeout=(min(CONNECT_S, max(0.1, deadline.left_s())), max(0.1, deadline.left_s())),
            allow_redirects=False,
            auth=_as_is,
            **what,
        )

    def _session(self) -> requests.Session:
        with self._making:
            if self._made is None:
                self._made = self._make()
                if is_loopback(self.base_url):
                    self._made.trust_env = False  # a proxy cannot reach this computer
            return self._made

    def _content(self, response: requests.Response, deadline: Deadline, lost: type[ProviderError]) -> bytes:
        """The body, whole, or ``lost``: the library's own timeout is per read, and a drip never reaches it."""
        parts, size = [], 0
        with response:
            # Not iter_content: it waits for a full chunk, and so would not see the deadline pass.
            while part := response.raw.read1(_CHUNK, decode_content=True):
                deadline.check("reading the answer", lost)
                size += len(part)
                if size > MOST_BYTES:
                    raise lost(f"answered with more than {MOST_BYTES // 10**6} MB")
                parts.append(part)
        return b"".join(parts)


def plain_session() -> requests.Session:
    """A session for many threads at a time, without credentials."""
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_maxsize=32))
    session.mount("http://", HTTPAdapter(pool_maxsize=32))
    return session


def _as_is(request: Any) -> Any:
    """Said instead of nothing: then requests takes no password from ~/.netrc, which would replace our header."""
    return request


def _origin(url: str) -> tuple[str, str, int]:
    """Who is meant. A server of this computer may call itself ``localhost`` where we say ``127.0.0.1``."""
    parts = urlsplit(url)
    host = "this computer" if is_loopback(url) else parts.hostname or ""
    return parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80)


def _never_left(error: BaseException) -> bool:
    """Whether no connection was made at all, so that nobody can have heard us."""
    from requests.exceptions import SSLError
    from urllib3.exceptions import NewConnectionError

    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, SSLError) or isinstance(reason, NewConnectionError)


def _why(error: BaseException) -> str:
    """The innermost reason: requests wraps urllib3, which wraps the system's own words."""
    seen: set[int] = set()
    inner: BaseException | None = error
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        if isinstance(inner, OSError) and inner.strerror:
            return f"cannot be reached: {inner.strerror}"
        reason = getattr(inner, "reason", None)
        inner = reason if isinstance(reason, BaseException) else inner.__cause__ or inner.__context__
    return "the connection broke off"
