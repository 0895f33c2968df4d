"""How Resource Manager speaks: what it looks at before anything else, and how it says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.fakes.clouds.server import FakeCloud, Request, Response

VERSIONS: Mapping[str, frozenset[str]] = {
    "prices": frozenset({"2021-10-01-preview", "2023-01-01-preview"}),
    "skus": frozenset({"2019-04-01", "2021-07-01"}),
    "usages": frozenset({"2024-07-01", "2025-04-01", "2026-04-01"}),
    "graph": frozenset({"2021-03-01", "2022-10-01", "2024-04-01"}),
    "scores": frozenset({"2025-06-05", "2026-09-05-preview"}),
    "machines": frozenset({"2024-03-01", "2024-07-01", "2025-04-01", "2026-04-01"}),
    "network": frozenset({"2023-09-01", "2024-05-01"}),
    "groups": frozenset({"2021-04-01", "2025-04-01"}),
    "permissions": frozenset({"2018-07-01", "2022-04-01"}),
    "activity": frozenset({"2015-04-01"}),
}
SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)"
GROUP = SUBSCRIPTION + r"/(?i:resourcegroups)/(?P<group>[^/]+)"


def refusal(status: int, code: str, message: str, **headers: str) -> Response:
    """No, as Resource Manager says it."""
    return Response(status=status, body={"error": {"code": code, "message": message}}, headers=headers)


class Wire(FakeCloud):
    """``subscriptions``: those that exist (None: any)."""

    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: set[str] | None = None

    def refused(self, request: Request, api: str, parameters: set[str]) -> Response | None:
        """What Resource Manager looks at before anything else."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not headers.get("authorization", "").startswith("Bearer "):
            return refusal(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        version = request.query.get("api-version")
        if version is None:
            return refusal(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        if version not in VERSIONS[api]:
            return refusal(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
        if unknown := request.query.keys() - {"api-version", "$skiptoken"} - parameters:
            return refusal(400, "InvalidParameter", f"Unknown parameters: {sorted(unknown)}")
        subscription = request.found.get("subscription")
        if subscription and self.subscriptions is not None and subscription not in self.subscriptions:
            return refusal(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        return None

    def paged(self, request: Request, rows: list[Any], size: int) -> Response:
        """One page of a listing."""
        start = int(request.query.get("$skiptoken") or 0)
        page, following = rows[start : start + size], start + size if start + size < len(rows) else None
        if self.paging() == "endless-paging":
            following = start
        elif self.paging() == "empty-pages":
            page, following = [], start + size if start < 2 * size else None
        link = ""
        if following is not None:
            query = {**request.query, "$skiptoken": str(following)}
            link = f"{self.url}{request.path}?{urlencode(query)}"
        return Response(body={"value": page} | ({"nextLink": link} if link else {}))
