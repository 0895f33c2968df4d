"""The calls: which address, with which key, how often. Searching needs no key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotFound, Throttled, Transient
from spotlaunch_providers.shared.apikey import ApiKey
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.credentials import credentials
from spotlaunch_providers.vast.errors import Nowhere, Refusal, contract_of, judge, judge_create, judge_one
from spotlaunch_providers.vast.pace import Pace

ENDPOINT = "https://console.vast.ai"

Row = Mapping[str, Any]


class Asking:
    """One account at one address. Each method raises a `ProviderError` for what the cloud refuses.

    ``margin``: how much longer than Vast.ai wants it we wait between two calls of a kind; 0: not at all.
    """

    def __init__(self, endpoint: str, found: ApiKey, *, margin: float = figures.INTERVAL_MARGIN) -> None:
        self.endpoint = endpoint
        self.credentials = found
        self._api = found.api(endpoint, judge=judge)
        self._creates = found.api(endpoint, judge=judge_create)
        self._one = found.api(endpoint, judge=judge_one)
        # A server on this computer that wants no key wants no pauses either: it is a rehearsal.
        self._margin = 0.0 if found.anonymous else margin
        self._pace = {kind: self._new_pace(kind) for kind in ("create", "destroy", "show")}

    @staticmethod
    def of(settings: Settings, *, margin: float = figures.INTERVAL_MARGIN) -> Asking:
        """As the settings say. Raises `UsageError` for one that cannot be used."""
        endpoint = settings.url("endpoint", ENDPOINT)
        for end in ("/api/v0", "/api/v1", "/api"):
            endpoint = endpoint.removesuffix(end)
        return Asking(endpoint, credentials(settings), margin=margin)

    def search(self, query: Row, *, deadline: Deadline) -> list[Row]:
        """One page of offers. A question, though it is asked by POST."""
        answer = self._api.post("/api/v0/bundles/", dict(query), deadline=deadline)
        rows = answer.get("offers") if isinstance(answer, Mapping) else None
        if not isinstance(rows, list):
            raise Transient("answered without offers", hint="is the endpoint right?")
        return [row for row in rows if isinstance(row, Mapping)]

    def account(self, *, deadline: Deadline) -> Row:
        """Who the key belongs to, with ``credit`` in USD. Needs a good key."""
        answer = self._api.get("/api/v0/users/current/", deadline=deadline)
        return answer if isinstance(answer, Mapping) else {}

    def credit(self, *, deadline: Deadline) -> float | None:
        """What is left on the account, in USD, if it tells."""
        left = self.account(deadline=deadline).get("credit")
        return float(left) if isinstance(left, int | float) and not isinstance(left, bool) else None

    # -- machines ----------------------------------------------------------------------------------------

    def create(self, ask: str, body: Row, *, deadline: Deadline) -> int:
        """Take an offer; the id of the contract. Made once.

        Raises `errors.Refusal` for a no, `Transient` where nothing was sent, `OutcomeUnknown` where nobody knows.
        """
        self._pace["create"].wait(deadline)
        try:
            answer = self._creates.once("PUT", f"/api/v0/asks/{ask}/", body=dict(body), deadline=deadline)
        except Refusal as no:
            if no.retry_after_s is not None:
                self._pace["create"].rest(no.retry_after_s)
            raise
        return contract_of(answer)

    def contract(self, contract: int, *, deadline: Deadline) -> Row | None:
        """One contract; None where there is none (or none yet: it may lag)."""
        self._pace["show"].wait(deadline)
        answer = self._one.get(f"/api/v0/instances/{contract}/", deadline=deadline)
        row = answer.get("instances") if isinstance(answer, Mapping) else None
        return row if isinstance(row, Mapping) else None

    def contracts(self, *, deadline: Deadline) -> Iterator[Row]:
        """All contracts of the account, whole. Raises `Transient` for a page that cannot be read."""
        # Listings are far apart by themselves; only the pages of one are not.
        pace = self._new_pace("list")
        for page in self._api.pages(lambda token: self._page(token, pace, deadline), _next, deadline=deadline):
            yield from page["instances"]

    def charges(self, first: int, last: int, *, deadline: Deadline) -> Iterator[Row]:
        """What each contract has cost on each day between two moments (seconds since the epoch), whole."""
        pace = self._new_pace("charges")
        filters = json.dumps({"day": {"gte": first, "lte": last}, "type": {"in": ["instance"]}})

        def ask(token: str) -> Any:
            pace.wait(deadline)
            params = {"select_filters": filters, "latest_first": "false", "limit": figures.CHARGES_PAGE}
            more = {"after_token": token} if token else {}
            page = self._api.get("/api/v0/charges/", params=params | more, deadline=deadline)
            rows = page.get("results") if isinstance(page, Mapping) else None
            if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
                raise Transient("answered without a list of charges", hint="try again")
            return page

        for page in self._api.pages(ask, _next, deadline=deadline):
            yield from page["results"]

    def destroy(self, contract: str, *, deadline: Deadline) -> None:
        """End a contract, with its disk. Raises `NotFound` where there is none."""
        pace = self._pace["destroy"]
        pace.wait(deadline)
        try:
            self._one.once("DELETE", f"/api/v0/instances/{contract}/", body={}, deadline=deadline)
        except Throttled as e:
            pace.rest(e.retry_after_s or 0.0)
            raise
        except Nowhere:
            if self._is_gone(contract, deadline):
                raise NotFound("there is no such machine") from None
            raise

    def _is_gone(self, contract: str, deadline: Deadline) -> bool:
        """Whether a 404 that says nothing else meant the machine, and not the key. Raises a `ProviderError`."""
        try:
            return self.contract(int(contract), deadline=deadline) is None
        except NotFound:
            return True
        except Nowhere:
            # It says the same of the machine itself: then a key that is good elsewhere is good.
            self.account(deadline=deadline)
            return True

    def allow_shell(self, contract: int, ssh_key: str, *, deadline: Deadline) -> None:
        """Let the holder of a public key into one machine."""
        self._api.once("POST", f"/api/v0/instances/{contract}/ssh/", body={"ssh_key": ssh_key}, deadline=deadline)

    def _new_pace(self, kind: str) -> Pace:
        return Pace(figures.INTERVALS_S[kind] * self._margin)

    def _page(self, token: str, pace: Pace, deadline: Deadline) -> Row:
        pace.wait(deadline)
        params: dict[str, Any] = {"limit": figures.PAGE, **({"after_token": token} if token else {})}
        page = self._api.get("/api/v1/instances/", params=params, deadline=deadline)
        rows = page.get("instances") if isinstance(page, Mapping) else None
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise Transient("answered without a list of machines", hint="try again")
        assert isinstance(page, Mapping)
        return page


def _next(page: Any) -> str:
    return str(page.get("next_token") or "")
