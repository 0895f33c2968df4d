"""What every fake cloud is made of: an HTTP server, routes, a log of calls, and a script of faults."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call as it arrived, ``at`` in seconds since the epoch. ``found`` holds what the route's pattern named."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    found: Mapping[str, str] = field(default_factory=dict)
    at: float = field(default_factory=time.time)

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def form(self) -> dict[str, str]:
        """The fields of an HTML form, as EC2 gets them."""
        return {k: v[0] for k, v in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer. ``body``: bytes as they are; anything else becomes JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "text/plain" if isinstance(self.body, (bytes, str)) else JSON)


JSON = "application/json"

# No cloud has this path: it tells another process how many calls there were.
CALLS = "/-/calls"

# The faults that every fake knows. `times`: how many calls it hits (None: all, until healed); `path`: a regular
# expression that the call's path must hold, so that one API of a cloud can fail alone.
FAULTS = (
    "latency",  # answers after `seconds`
    "hang",  # answers after an hour, that is never
    "drip",  # sends the answer a byte at a time, `seconds` apart
    "throttle",  # 429 in this cloud's shape, without Retry-After
    "throttle-retry-after",  # the same with Retry-After: `seconds`
    "server-error",  # 500 in this cloud's shape
    "bad-gateway",  # 502 with a page of HTML, from something in front of the cloud
    "malformed",  # 200 with half a JSON (or XML) document
    "truncated",  # a body that ends before its Content-Length
    "drop",  # the connection is closed without an answer
    "endless-paging",  # every page says that there is another
    "expired-token",  # credentials that were good are not any more, in this cloud's words
    "forbidden",  # good credentials that may not do this
    "empty-pages",  # pages with nothing on them, some of which say that there is another
    "clock-skew",  # the Date header is `seconds` off
)


@dataclass(kw_only=True)
class Fault:
    kind: str
    seconds: float = 0.0
    times: int | None = None
    path: str = ""

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"no fault is called {self.kind!r}; there are: {', '.join(FAULTS)}")


class FakeCloud:
    """A cloud's API on a port of its own. A fake inherits it, and decorates its methods with `route`.

    ``refusals`` is what a subclass gives in its cloud's own shape: fault kind -> Response for `throttle`,
    `server-error`, `expired-token` and `forbidden`. The paging faults are the subclass's own work: it asks
    `self.paging()` when it makes a page.
    """

    name: ClassVar[str] = "cloud"
    refusals: ClassVar[Mapping[str, Response]] = {}

    def __init__(self) -> None:
        self.calls: list[Request] = []
        self.url = ""
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._gone = threading.Event()
        self._local = threading.local()
        self._routes = [
            (m, re.compile(p), getattr(self, name))
            for name in dir(type(self))
            for m, p in getattr(getattr(type(self), name), "_routes", ())
        ]

    # -- what a test does --------------------------------------------------------------------------------

    def fail(self, kind: str, **how: Any) -> Fault:
        """From now on calls are hit by this fault: see FAULTS."""
        fault = Fault(kind=kind, **how)
        with self._lock:
            self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Take back all faults."""
        with self._lock:
            self._faults.clear()

    def called(self, path: str = "") -> list[Request]:
        """The calls so far whose path holds the regular expression ``path``."""
        with self._lock:
            return [c for c in self.calls if re.search(path, c.path)]

    # -- what a subclass uses ----------------------------------------------------------------------------

    def paging(self) -> str:
        """`endless-paging` or `empty-pages` where such a fault hits this call, else an empty text."""
        return str(getattr(self._local, "paging", ""))

    def cut(self) -> None:
        """The answer to the call at hand does not arrive."""
        self._local.cut = True

    def close(self) -> None:
        """The server has ended, and so does what it began. A fake with machines ends them."""

    def not_found(self, request: Request) -> Response:
        """For paths without a route. A subclass answers in its cloud's shape."""
        return Response(status=404, body={"error": f"no such path: {request.path}"})

    # -- how it works ------------------------------------------------------------------------------------

    def answer(self, request: Request) -> tuple[Response, list[Fault]]:
        """The response to one call, with the faults that hit it."""
        if request.path == CALLS:
            return Response(body=len(self.calls)), []
        if request.path.startswith("/-/"):  # a machine's own metadata service: not the API, and never faulty
            return self._route(request), []
        with self._lock:
            self.calls.append(request)
            hits = [f for f in self._faults if f.times != 0 and re.search(f.path, request.path)]
            for f in hits:
                if f.times is not None:
                    f.times -= 1
        kinds = {f.kind for f in hits}
        self._local.paging = next((k for k in ("endless-paging", "empty-pages") if k in kinds), "")
        for kind in ("expired-token", "forbidden", "throttle", "server-error"):
            if kind in kinds:
                return self.refusals[kind], hits
        for f in hits:
            if f.kind == "throttle-retry-after":
                refusal = self.refusals["throttle"]
                headers = {**refusal.headers, "Retry-After": f"{f.seconds:.0f}"}
                return Response(status=refusal.status, body=refusal.body, headers=headers), hits
        if "bad-gateway" in kinds:
            page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
            return Response(status=502, body=page, headers={"Content-Type": "text/html"}), hits
        return self._route(request), hits

    def _route(self, request: Request) -> Response:
        for method, pattern, handler in self._routes:
            if method == request.method and (found := pattern.fullmatch(request.path)):
                response: Response = handler(Request(**{**vars(request), "found": found.groupdict()}))
                return response
        return self.not_found(request)

    def wait(self, seconds: float) -> None:
        """Pass time, or stop at once when the server stops."""
        self._gone.wait(seconds)

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        """Answer on 127.0.0.1 for as long as the context lasts; gives the address."""
        server = _Server(("127.0.0.1", port), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            self._gone.set()
            server.shutdown()
            server.server_close()
            thread.join()
            self.close()


def route(method: str, pattern: str) -> Callable[[Any], Any]:
    """The decorated method answers ``method`` on paths that match ``pattern`` (a regular expression, whole path)."""

    def mark(handler: Any) -> Any:
        handler._routes = (*getattr(handler, "_routes", ()), (method, pattern))
        return handler

    return mark


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell of."""


def _handler(cloud: FakeCloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body in one packet

        def handle_one_call(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            request = Request(
                method=self.command,
                path=parts.path,
                query={k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()},
                headers=dict(self.headers.items()),
                body=self.rfile.read(length) if length else b"",
            )
            cloud._local.cut = False
            response, hits = cloud.answer(request)
            self.send(response, {f.kind: f for f in hits})

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_one_call  # noqa: N815 - the library's names

        def send(self, response: Response, hits: Mapping[str, Fault]) -> None:
            if "latency" in hits:
                cloud.wait(hits["latency"].seconds)
            if "hang" in hits:
                cloud.wait(3600)
            if "drop" in hits or cloud._local.cut or cloud._gone.is_set():
                self.close_connection = True
                return
            content = response.content
            if "malformed" in hits:
                content = content[: max(1, len(content) // 2)]
            self.send_response_only(response.status)
            self.send_header("Date", formatdate(time.time() + _skew(hits), usegmt=True))
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(content)))
            for name, value in response.headers.items():
                if name != "Content-Type":
                    self.send_header(name, value)
            self.end_headers()
            if "truncated" in hits:
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
            elif "drip" in hits:
                for i in range(len(content)):
                    self.wfile.write(content[i : i + 1])
                    self.wfile.flush()
                    cloud.wait(hits["drip"].seconds)
            else:
                self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *args: Any) -> None:
            """The cloud's own list of calls is the log."""

    return Handler


def _skew(hits: Mapping[str, Fault]) -> float:
    return hits["clock-skew"].seconds if "clock-skew" in hits else 0.0
