"""The calls: which address, with which key. REST v2 with one, the public GraphQL catalog without."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotFound, OutcomeUnknown, Transient
from spotlaunch_providers.runpod.credentials import credentials
from spotlaunch_providers.runpod.errors import judge, judge_create
from spotlaunch_providers.shared.apikey import ApiKey
from spotlaunch_providers.shared.deadline import Deadline

ENDPOINT = "https://api.runpod.io"
MOST_ON_A_PAGE = 1000


class Asking:
    """One account at one address. Each method raises a `ProviderError` for what the cloud refuses."""

    def __init__(self, endpoint: str, found: ApiKey) -> None:
        self.endpoint = endpoint
        self.credentials = found
        self._api = found.api(endpoint, judge=judge)
        self._creating = found.api(endpoint, judge=judge_create)

    @staticmethod
    def of(settings: Settings) -> Asking:
        """As the settings say. Raises `UsageError` for one that cannot be used."""
        endpoint = settings.url("endpoint", ENDPOINT)
        for end in ("/v2", "/graphql"):
            endpoint = endpoint.removesuffix(end)
        return Asking(endpoint, credentials(settings))

    def catalog(self, *, count: int, cloud: str, deadline: Deadline) -> list[Mapping[str, Any]]:
        """Every GPU type, with price and with stock for pods of ``count``; ``cloud``: SECURE or COMMUNITY."""
        params = {"include": "AVAILABILITY", "product": "POD", "count": count, "cloud": cloud}
        return _rows(self._api.get("/v2/catalog/gpus", params=params, deadline=deadline), "gpus")

    def newest_pods(self, *, deadline: Deadline) -> list[Mapping[str, Any]]:
        """At most one pod: the cheapest question that needs a good key."""
        return _rows(self._api.get("/v2/pods", params={"limit": 1}, deadline=deadline), "pods")

    def pods(self, *, deadline: Deadline) -> list[Mapping[str, Any]]:
        """Every pod of the account, in as few pages as there may be. Whole, or an error."""

        def ask(cursor: str) -> Any:
            params = {"limit": MOST_ON_A_PAGE} | ({"cursor": cursor} if cursor else {})
            return self._api.get("/v2/pods", params=params, deadline=deadline)

        found: dict[str, Mapping[str, Any]] = {}
        for page in self._api.pages(ask, _next_cursor, deadline=deadline):
            rows = _rows(page, "pods")
            if len(rows) != len(page["pods"]) or not all(isinstance(r.get("id"), str) for r in rows):
                raise Transient("answered with pods that cannot be read", hint="try again")
            found.update((row["id"], row) for row in rows)
        return list(found.values())

    def bill(self, since: str, until: str, *, deadline: Deadline) -> list[Mapping[str, Any]]:
        """What each pod has cost on each day between two moments (RFC 3339)."""
        params = {"bucketSize": "day", "startTime": since, "endTime": until}
        return _rows(self._api.get("/v2/billing/pods", params=params, deadline=deadline), "records")

    def create(self, body: Mapping[str, Any], *, deadline: Deadline) -> Mapping[str, Any]:
        """A pod is made: what RunPod tells of it. Asked once.

        Raises `Denied` or `Transient` where surely none was made, `OutcomeUnknown` where one may have been.
        """
        pod = self._creating.once("POST", "/v2/pods", body=body, deadline=deadline)
        if not isinstance(pod, Mapping) or not isinstance(pod.get("id"), str) or not pod["id"]:
            raise OutcomeUnknown("answered without a pod", hint="try again")
        return pod

    def end(self, pod_id: str, *, deadline: Deadline) -> None:
        """The pod is deleted, with all that it has. One that is absent is no error."""
        with suppress(NotFound):
            self._api.once("DELETE", f"/v2/pods/{pod_id}", deadline=deadline)

    def balance_usd(self, *, deadline: Deadline) -> Decimal | None:
        """What the account holds; None where RunPod does not say. REST v2 has no balance; GraphQL has, till it ends."""
        myself = self.graphql("query { myself { clientBalance } }", deadline=deadline).get("myself")
        told = myself.get("clientBalance") if isinstance(myself, Mapping) else None
        return Decimal(str(told)) if isinstance(told, int | float) and math.isfinite(told) else None

    def graphql(self, query: str, *, deadline: Deadline) -> Mapping[str, Any]:
        """What a query gives, under its ``data``. Works without a key for the catalog."""
        answer = self._api.post("/graphql", {"query": query}, deadline=deadline)
        data = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(data, Mapping):
            raise Transient("answered with something that is not GraphQL", hint="is the endpoint right?")
        return data


def _next_cursor(page: Any) -> str:
    """The next page's token; empty on the last. A page may be short, or empty, and yet not be the last [L]."""
    pagination = page.get("pagination") if isinstance(page, Mapping) else None
    if not isinstance(pagination, Mapping):
        return ""
    cursor = pagination.get("nextCursor")
    if not pagination.get("hasNextPage", bool(cursor)):
        return ""
    if not isinstance(cursor, str) or not cursor:
        raise Transient("says that there are more pods, and not where", hint="try again")
    return cursor


def _rows(answer: Any, key: str) -> list[Mapping[str, Any]]:
    rows = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(rows, list):
        raise Transient(f"answered without {key}", hint="is the endpoint right?")
    return [row for row in rows if isinstance(row, Mapping)]
