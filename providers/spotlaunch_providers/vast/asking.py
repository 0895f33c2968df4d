"""The calls: which address, with which key. Searching needs none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spotlaunch.core.settings import Settings
from spotlaunch.errors import Transient
from spotlaunch_providers.shared.apikey import ApiKey
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.vast.credentials import credentials
from spotlaunch_providers.vast.errors import judge

ENDPOINT = "https://console.vast.ai"


class Asking:
    """One account at one address. Each method raises a `ProviderError` for what the cloud refuses."""

    def __init__(self, endpoint: str, found: ApiKey) -> None:
        self.credentials = found
        self._api = found.api(endpoint, judge=judge)

    @staticmethod
    def of(settings: Settings) -> Asking:
        """As the settings say. Raises `UsageError` for one that cannot be used."""
        endpoint = settings.url("endpoint", ENDPOINT)
        for end in ("/api/v0", "/api/v1", "/api"):
            endpoint = endpoint.removesuffix(end)
        return Asking(endpoint, credentials(settings))

    def search(self, query: Mapping[str, Any], *, deadline: Deadline) -> list[Mapping[str, Any]]:
        """One page of offers. A question, though it is asked by POST."""
        answer = self._api.post("/api/v0/bundles/", dict(query), deadline=deadline)
        rows = answer.get("offers") if isinstance(answer, Mapping) else None
        if not isinstance(rows, list):
            raise Transient("answered without offers", hint="is the endpoint right?")
        return [row for row in rows if isinstance(row, Mapping)]

    def account(self, *, deadline: Deadline) -> Mapping[str, Any]:
        """Who the key belongs to, with ``credit`` in USD. Needs a good key."""
        answer = self._api.get("/api/v0/users/current/", deadline=deadline)
        return answer if isinstance(answer, Mapping) else {}
