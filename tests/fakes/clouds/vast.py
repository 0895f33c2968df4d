"""A fake Vast.ai: the search in both its forms, and the account. Written from the fact sheet."""

from __future__ import annotations

import re
import threading
import time
from typing import Any, ClassVar

from tests.fakes.clouds.server import Request, Response, route
from tests.fakes.clouds.vast_billing import VastBilling
from tests.fakes.clouds.vast_data import asks
from tests.fakes.clouds.vast_machines import VastMachines, refusal

OPS = {
    "eq": lambda have, want: have == want,
    "neq": lambda have, want: have != want,
    "gt": lambda have, want: have > want,
    "gte": lambda have, want: have >= want,
    "lt": lambda have, want: have < want,
    "lte": lambda have, want: have <= want,
    "in": lambda have, want: have in want,
    "notin": lambda have, want: have not in want,
}
TYPES = {"ondemand": False, "on-demand": False, "bid": True}
NOT_FILTERS = {"type", "order", "limit", "allocated_storage"}
# What may be filtered by beside the fields of a row.
MORE_FILTERS = {"verified", "external", "datacenter"}
NO_LIMIT = 20  # rows, where a query has no limit
API_ALLOCATES_GB = 8.0


class FakeVast(VastBilling, VastMachines):
    """Vast.ai with its hosts' offers and one account.

    ``cap``: rows of a search at most, whatever its limit. ``quota_left``: searches until the day's are used up
    (None: no end), ``searches_per_minute`` those of an address (None: any). ``min_interval_s``: a call's path,
    or method and path as a regular expression -> seconds between two of them. ``keys``: good ones (None: any).
    ``key_404``: a refused key is told as 404. ``ignored``: filters that do not count. ``asks`` may be changed by a
    test.
    """

    name = "vast"
    refusals: ClassVar = {
        "throttle": Response(status=429, body="API requests too frequent: endpoint threshold=2.0"),
        "server-error": refusal(500, "server_error", "Something went wrong"),
        "expired-token": refusal(401, "auth_error", "Invalid user key"),
        "forbidden": refusal(403, "forbidden", "Your key lacks the permission for this"),
    }

    def __init__(self, *, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__()
        self.begin(run_machines=run_machines, boot_s=boot_s)
        self.keys: set[str] | None = None
        self.key_404 = False
        self.cap = 64
        self.quota_left: int | None = None
        self.quota_resets_at = 0.0
        self.searches_per_minute: int | None = None
        self.min_interval_s: dict[str, float] = {}
        self.ignored: set[str] = set()
        self.credit = 12.5
        self.asks: list[dict[str, Any]] = asks()
        self._last: dict[str, float] = {}
        self._searches: list[float] = []
        self._made_up = 0
        self._counting = threading.Lock()

    def environment(self, url: str) -> dict[str, str]:
        """The variables that point spotlaunch here."""
        return {"SPOTLAUNCH_VAST_ENDPOINT": url, "SPOTLAUNCH_VAST_AUTH": "none"}

    def not_found(self, request: Request) -> Response:
        return refusal(404, "not_found", f"no route for {request.method} {request.path}")

    # -- what stands in front ----------------------------------------------------------------------------

    def _route(self, request: Request) -> Response:
        called = (request.path, f"{request.method} {request.path}")
        kind = next((k for k in self.min_interval_s if any(re.fullmatch(k, c) for c in called)), None)
        with self._counting:
            if kind is not None:
                now, last, interval_s = time.monotonic(), self._last.get(kind, -1e9), self.min_interval_s[kind]
                if now - last < interval_s:
                    text = f"API requests too frequent: endpoint threshold={interval_s}"
                    return Response(status=429, body=text)
                self._last[kind] = now
        return super()._route(request)

    def _bad_key(self, request: Request, *, needed: bool) -> Response | None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.query.get("api_key", "")
        if (not key and not needed) or (key and (self.keys is None or key in self.keys)):
            return None
        return refusal(404 if self.key_404 else 401, "" if self.key_404 else "auth_error", "Invalid user key")

    # -- the search --------------------------------------------------------------------------------------

    @route("POST", "/api/v0/bundles/")
    def bundles(self, request: Request) -> Response:
        return self._bad_key(request, needed=False) or self.search(request.json)

    @route("PUT", "/api/v0/search/asks/")
    def search_asks(self, request: Request) -> Response:
        """Its body is wrapped; the flat form of `bundles` is refused field by field."""
        body = request.json
        extra = [k for k in body if k not in ("select_cols", "q")]
        if extra:
            return refusal(400, "invalid_args", f"{extra[0]}: Extra inputs are not permitted")
        return self._bad_key(request, needed=False) or self.search(body.get("q"))

    def search(self, query: Any) -> Response:
        """What both forms answer. No defaults are filled in: who does not say verified gets everybody."""
        if refused := self._over_quota() or self._invalid(query):
            return refused
        if self.paging():
            return Response(body={"offers": self._endless(query) if self.paging() == "endless-paging" else []})
        bid = TYPES[query.get("type", "ondemand")]
        disk_gb = float(query.get("allocated_storage", API_ALLOCATES_GB))
        rows = [self.row(ask, bid=bid, disk_gb=disk_gb) for ask in self.asks if bid or not ask["_hired"]]
        filters = {k: v for k, v in query.items() if k not in NOT_FILTERS and k not in self.ignored}
        rows = [row for row in rows if all(self._passes(row, k, ops) for k, ops in filters.items())]
        for field, way in reversed(query.get("order", [["dph_total", "asc"]])):
            rows.sort(key=lambda row, field=field: row[field], reverse=way == "desc")
        rows = rows[: min(self.cap, query.get("limit", NO_LIMIT))]
        return Response(body={"offers": [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]})

    def row(self, ask: dict[str, Any], *, bid: bool, disk_gb: float) -> dict[str, Any]:
        """An ask as a search shows it: for bids, its price is the floor."""
        base = ask["min_bid"] if bid else ask["dph_base"]
        disk = disk_gb * ask["storage_cost"] / 720
        return {
            **ask,
            "rented": ask["rented"] or any(c.ask is ask for c in list(self.contracts.values())),
            "dph_base": base,
            "dph_total": base + disk,
            "is_bid": bid,
            "search": {"gpuCostPerHour": base, "diskHour": disk, "totalHour": base + disk},
        }

    def _passes(self, row: dict[str, Any], field: str, ops: dict[str, Any]) -> bool:
        seen = {
            "verified": row["verification"] == "verified",
            "external": row["_external"],
            "datacenter": row["hosting_type"] == 1,
            "id": None,  # filtering by it matches nothing; `ask_contract_id` does
        }
        have = seen.get(field, row.get(field))
        return all(have is not None and OPS[op](have, want) for op, want in ops.items())

    def _invalid(self, query: Any) -> Response | None:
        if not isinstance(query, dict):
            return refusal(400, "invalid_args", "q: Field required")
        if query.get("type", "ondemand") not in (*TYPES, "reserved"):
            return refusal(400, "invalid_args", f"type: {query['type']!r} is not a type")
        known = {k for k in self.asks[0] if not k.startswith("_")} | MORE_FILTERS | {"dph_total", "is_bid"}
        for key, ops in query.items():
            if key in NOT_FILTERS:
                continue
            if key not in known:
                return refusal(400, "invalid_args", f"{key}: Extra inputs are not permitted")
            if not isinstance(ops, dict) or not set(ops) <= set(OPS):
                return refusal(400, "invalid_args", f"{key}: not an operator of {sorted(OPS)}")
        return None

    def _over_quota(self) -> Response | None:
        with self._counting:
            now = time.monotonic()
            self._searches = [*(at for at in self._searches if now - at < 60), now]
            if self.searches_per_minute is not None and len(self._searches) > self.searches_per_minute:
                return Response(status=429, body="API requests too frequent")
            if self.quota_left is None:
                return None
            self.quota_left -= 1
            if self.quota_left >= 0:
                return None
        reset = {"X-RateLimit-Reset": f"{self.quota_resets_at or time.time() + 3600:.0f}"}
        return refusal(429, "search_quota_exceeded", "Daily search quota exceeded", **reset)

    def _endless(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """A full page of offers that were never seen before, each dearer than the last."""
        names = query.get("gpu_name", {}).get("in") or ["H100 SXM"]
        shape = {"gpu_name": names[0], "num_gpus": query.get("num_gpus", {}).get("eq", 1)}
        rows = []
        with self._counting:
            for _ in range(self.cap):
                self._made_up += 1
                n, ask = self._made_up, {**self.asks[0], **shape, "min_bid": 0.5 + self._made_up / 1000}
                ask |= {"id": n, "ask_contract_id": n, "machine_id": n, "dph_base": 1 + n / 1000, "reliability2": 0.99}
                row = self.row(ask, bid=False, disk_gb=API_ALLOCATES_GB)
                rows.append({k: v for k, v in row.items() if not k.startswith("_")})
        return rows

    @route("GET", "/api/v0/gpu_names/unique/")
    def gpu_names(self, request: Request) -> Response:
        return Response(body={"gpu_names": sorted({ask["gpu_name"] for ask in self.asks})})

    # -- the account -------------------------------------------------------------------------------------

    @route("GET", "/api/v0/users/current/")
    def user(self, request: Request) -> Response:
        if refused := self._bad_key(request, needed=True):
            return refused
        return Response(
            body={
                "id": 4711001,
                "username": "marker-user",
                "email": "marker@example.com",
                "credit": self.credit,
                "balance": 0.0,
                "balance_threshold": 0.0,
                "ssh_key": "",
            }
        )
