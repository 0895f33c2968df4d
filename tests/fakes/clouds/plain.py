"""A cloud of no name, for tests of the kit: `GET /thing`, `GET /list` in pages, `POST /search`."""

from __future__ import annotations

from typing import ClassVar

from tests.fakes.clouds.server import FakeCloud, Request, Response, route


class PlainCloud(FakeCloud):
    """Answers in plain JSON. `GET /list?page=` has three pages."""

    name = "plain"
    refusals: ClassVar = {
        "throttle": Response(status=429, body={"error": "slow down"}),
        "server-error": Response(status=500, body={"error": "oops"}),
        "expired-token": Response(status=401, body={"error": "expired"}),
        "forbidden": Response(status=403, body={"error": "not allowed"}),
    }

    @route("GET", "/thing")
    def thing(self, request: Request) -> Response:
        return Response(body={"size": 3, "filler": "x" * 500})

    @route("GET", "/list")
    def list(self, request: Request) -> Response:
        n = int(request.query.get("page") or 1)
        if self.paging() == "endless-paging":
            return Response(body={"items": [n], "next": str(n)})
        if self.paging() == "empty-pages":
            return Response(body={"items": [], "next": str(n + 1) if n < 3 else ""})
        return Response(body={"items": [n], "next": str(n + 1) if n < 3 else ""})

    @route("POST", "/search")
    def search(self, request: Request) -> Response:
        return Response(body={"asked": request.json})

    @route("GET", "/elsewhere")
    def elsewhere(self, request: Request) -> Response:
        return Response(status=302, headers={"Location": "http://127.0.0.1:9/thing"})
