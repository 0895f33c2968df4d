"""The calls: which address, with which key. REST v2 with one, the public GraphQL catalog without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotlaunch.core.settings import Settings
from spotlaunch.errors import Transient
from spotlaunch_providers.runpod.credentials import credentials
from spotlaunch_providers.runpod.errors import judge
from spotlaunch_providers.shared.apikey import ApiKey
from spotlaunch_providers.shared.deadline import Deadline

ENDPOINT = "https://api.runpod.io"


class Asking:
    """One account at one address. Each method raises a `ProviderError` for what the cloud refuses."""

    def __init__(self, endpoint: str, found: ApiKey) -> None:
        self.credentials = found
        self._api = found.api(endpoint, judge=judge)

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

    def graphql(self, query: str, *, deadline: Deadline) -> Mapping[str, Any]:
        """What a query gives, under its ``data``. Works without a key for the catalog."""
        answer = self._api.post("/graphql", {"query": query}, deadline=deadline)
        data = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(data, Mapping):
            raise Transient("answered with something that is not GraphQL", hint="is the endpoint right?")
        return data


def _rows(answer: Any, key: str) -> list[Mapping[str, Any]]:
    rows = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(rows, list):
        raise Transient(f"answered without {key}", hint="is the endpoint right?")
    return [row for row in rows if isinstance(row, Mapping)]
