"""Google Cloud as a server: Compute Engine's machines, lists and advice, and the Cloud Billing catalog, on one port."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import unquote

from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp_filter import BadFilter, parse
from tests.fakes.clouds.gcp_machines import Machines
from tests.fakes.clouds.gcp_rules import compute_error
from tests.fakes.clouds.server import Request, Response, route

_PROJECT = r"/compute/v1/projects/(?P<project>[^/]+)"
_ADVICE = r"/compute/(?P<version>v1|beta)/projects/(?P<project>[^/]+)/regions/(?P<region>[^/]+)/advice"
_SYSTEM = {"alt", "prettyPrint", "key", "quotaUser", "userIp", "$.xgafv", "access_token", "callback", "upload_protocol"}
_LIST = {"filter", "maxResults", "orderBy", "pageToken", "returnPartialSuccess"}
_AGGREGATED = {*_LIST, "includeAllScopes", "serviceProjectNumber"}
# As of the discovery document of 2026-11-06 this parameter is gone; a server tells so.
_LIST.discard("returnPartialSuccess")
_AGGREGATED.discard("returnPartialSuccess")


def rpc_error(status: int, name: str, message: str, reason: str = "", domain: str = "googleapis.com") -> Response:
    """An error in the shape of Google's newer APIs, as Cloud Billing."""
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if reason:
        info = "type.googleapis.com/google.rpc.ErrorInfo"
        metadata = {"service": "cloudbilling.googleapis.com", "consumer": f"projects/{data.PROJECT_NUMBER}"}
        error["details"] = [{"@type": info, "reason": reason, "domain": domain, "metadata": metadata}]
    return Response(status=status, body={"error": error})


def disabled(service: str) -> Response:
    """The API was never enabled in the project. Google says its number, and where to enable it."""
    link = f"https://console.developers.google.com/apis/api/{service}/overview?project={data.PROJECT_NUMBER}"
    message = (
        f"API has not been used in project {data.PROJECT_NUMBER} before or it is disabled. Enable it by visiting {link}"
    )
    return compute_error(403, "accessNotConfigured", message, "usageLimits")


class FakeGcp(Machines):
    """Knows one project. With a ``token`` it wants that one; without, it lets everybody in, as for `auth: none`.

    ``filler``: useless rows a region in the price list, which make it as long as Google's (five pages).
    ``unsupported``: machine types of which the advice API knows nothing; ``advice_versions``: which versions of
    that API answer questions about spot; ``filters``: whether lists understand a filter.
    """

    name: ClassVar[str] = "gcp"
    refusals: ClassVar[Mapping[str, Response]] = {
        # 403, not 429: this is how Compute Engine says it.
        "throttle": compute_error(
            403,
            "rateLimitExceeded",
            f"Quota exceeded for quota group 'ReadGroup' and limit 'Read requests per minute' of service "
            f"'compute.googleapis.com' for consumer 'project_number:{data.PROJECT_NUMBER}'.",
            "usageLimits",
        ),
        "server-error": compute_error(500, "internalError", "Internal error. Please try again or contact support."),
        "expired-token": compute_error(401, "authError", "Invalid Credentials"),
        "forbidden": compute_error(
            403,
            "forbidden",
            f"Required 'compute.machineTypes.list' permission for 'projects/{data.PROJECT}' by {data.SERVICE_ACCOUNT}",
        ),
    }

    def __init__(self, *, token: str = "", filler: int = 700, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__(run_machines=run_machines, boot_s=boot_s)
        self.token = token
        self.filler = filler
        self.unsupported: set[str] = set()
        self.filters = True
        self.advice_versions = {"v1", "beta"}

    @staticmethod
    def environment(url: str) -> dict[str, str]:
        """The variables that point spotlaunch at this server."""
        return {
            "SPOTLAUNCH_GCP_ENDPOINT": url,
            "SPOTLAUNCH_GCP_BILLING_ENDPOINT": url,
            "SPOTLAUNCH_GCP_PROJECT": data.PROJECT,
            "SPOTLAUNCH_GCP_AUTH": "none",
        }

    # -- Compute Engine ----------------------------------------------------------------------------------

    @route("GET", rf"{_PROJECT}/aggregated/machineTypes")
    def machine_types(self, request: Request) -> Response:
        rows = ((zone, data.machine_type(row, zone)) for zone in data.ZONES for row in data.TYPES if zone in row[1])
        return self.aggregated(request, "machineTypes", "compute#machineTypeAggregatedList", rows)

    @route("GET", rf"{_PROJECT}/aggregated/acceleratorTypes")
    def accelerator_types(self, request: Request) -> Response:
        rows = (
            (zone, data.accelerator_type(name, zone))
            for zone in data.ZONES
            for name, (_, zones) in data.ACCELERATORS.items()
            if zone in zones
        )
        return self.aggregated(request, "acceleratorTypes", "compute#acceleratorTypeAggregatedList", rows)

    @route("GET", rf"{_PROJECT}/regions")
    def regions(self, request: Request) -> Response:
        if (refusal := self.guard(request, _LIST)) is not None:
            return refusal
        page = self._page(request, [("", data.region(name)) for name in data.REGIONS])
        if isinstance(page, Response):
            return page
        rows, more = page
        body = {"kind": "compute#regionList", "id": f"projects/{data.PROJECT}/regions", "items": [r for _, r in rows]}
        return Response(body={**body, **more})

    @route("GET", _PROJECT)
    def project(self, request: Request) -> Response:
        if (refusal := self.guard(request, set())) is not None:
            return refusal
        quotas = [{"metric": "GPUS_ALL_REGIONS", "limit": 16.0, "usage": 1.0}]
        return Response(
            body={
                "kind": "compute#project",
                "id": data.PROJECT_NUMBER,
                "name": data.PROJECT,
                "defaultServiceAccount": f"{data.PROJECT_NUMBER}-compute@developer.gserviceaccount.com",
                "quotas": quotas,
            }
        )

    @route("POST", rf"{_ADVICE}/capacityHistory")
    def capacity_history(self, request: Request) -> Response:
        asked = self._advice(request, {"types", "instanceProperties", "locationPolicy"})
        if isinstance(asked, Response):
            return asked
        region, properties = request.found["region"], asked.get("instanceProperties") or {}
        name, zone = str(properties.get("machineType", "")), _zone((asked.get("locationPolicy") or {}).get("location"))
        types = asked.get("types") or []
        if not types or not set(types) <= {"PRICE", "PREEMPTION"}:
            return compute_error(400, "invalid", f"Invalid value for field 'types': {types}")
        if (refusal := self._pool(name, region, zone)) is not None:
            return refusal
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        body: dict[str, Any] = {"machineType": name, "location": f"{request.path.split('/regions')[0]}/zones/{zone}"}
        if "PRICE" in types:
            price = int(self.spot_price(name, region).scaleb(9))
            before = price * 2
            body["priceHistory"] = [
                {"interval": _interval(now, 30, 9), "listPrice": _money(before)},
                {"interval": _interval(now, 9, 0), "listPrice": _money(price)},
            ]
        if "PREEMPTION" in types:
            body["preemptionHistory"] = [
                {"interval": _interval(now, 30 - day, 29 - day), "preemptionRate": rate}
                for day, rate in enumerate(data.preemption_rates(name, zone))
            ]
        return Response(body=body)

    @route("POST", rf"{_ADVICE}/capacity")
    def capacity(self, request: Request) -> Response:
        asked = self._advice(request, {"size", "distributionPolicy", "instanceProperties", "instanceFlexibilityPolicy"})
        if isinstance(asked, Response):
            return asked
        size, policy = asked.get("size"), asked.get("distributionPolicy") or {}
        if not isinstance(size, int) or size < 1:
            return compute_error(400, "required", "Required field 'size' not specified")
        if policy.get("targetShape") not in ("ANY", "ANY_SINGLE_ZONE", "BALANCED"):
            return compute_error(400, "invalid", "Invalid value for field 'distributionPolicy.targetShape'")
        region = request.found["region"]
        zones = [_zone(z.get("zone")) for z in policy.get("zones") or []]
        selections = (asked.get("instanceFlexibilityPolicy") or {}).get("instanceSelections") or {}
        names = [name for s in selections.values() for name in s.get("machineTypes") or []]
        if not names:
            return compute_error(400, "required", "Required field 'instanceFlexibilityPolicy' not specified")
        zones = zones or [z for z, r in data.ZONES.items() if r == region]
        for name in names:
            for zone in zones:
                if (refusal := self._pool(name, region, zone)) is not None:
                    return refusal
        # One recommendation, the best, whatever was asked for.
        score, name, zone = max((data.obtainability(n, z), n, z) for n in names for z in zones)
        shard = {"zone": f"zones/{zone}", "machineType": name, "instanceCount": size, "provisioningModel": "SPOT"}
        scores = {"obtainability": score, "estimatedUptime": "3600s" if score > 0.5 else "600s"}
        return Response(body={"recommendations": [{"scores": scores, "shards": [shard]}]})

    # -- Cloud Billing -----------------------------------------------------------------------------------

    @route("GET", r"/v1/services/(?P<service>[^/]+)/skus")
    def skus(self, request: Request) -> Response:
        if not self._signed(request):
            return rpc_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        unknown = set(request.query) - _SYSTEM - {"pageSize", "pageToken", "currencyCode", "startTime", "endTime"}
        if unknown:
            return rpc_error(400, "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{min(unknown)}"')
        if request.found["service"] != data.SERVICE:
            return rpc_error(404, "NOT_FOUND", "Requested entity was not found.")
        if request.query.get("currencyCode", "USD") != "USD":
            return rpc_error(400, "INVALID_ARGUMENT", "this fake knows dollars only")
        size = int(request.query.get("pageSize") or 5000)
        if not 1 <= size <= 5000:
            return rpc_error(400, "INVALID_ARGUMENT", "page_size must be between 1 and 5000.")
        if self.paging() == "empty-pages":
            token = request.query.get("pageToken", "")
            return Response(body={"skus": [], "nextPageToken": "" if token else "AIPageToken1"})
        pages = data.sku_pages(size, self.filler) if size > 1 else data.sku_pages(5000, self.filler)[:1]
        token = request.query.get("pageToken", "")
        n = (
            int(token.removeprefix("AIPageToken") or 0)
            if token.removeprefix("AIPageToken").isdigit() or not token
            else -1
        )
        if not 0 <= n < len(pages):
            return rpc_error(400, "INVALID_ARGUMENT", "The page token is invalid.")
        if self.paging() == "endless-paging":
            return Response(body={"skus": json.loads(pages[n])["skus"], "nextPageToken": "AIPageToken0"})
        return Response(body=pages[n], headers={"Content-Type": "application/json"})

    # -- what they share ---------------------------------------------------------------------------------

    def not_found(self, request: Request) -> Response:
        return compute_error(404, "notFound", f"The requested URL {request.path} was not found on this server.")

    def _signed(self, request: Request) -> bool:
        said = next((v for k, v in request.headers.items() if k.lower() == "authorization"), "")
        return said == f"Bearer {self.token}" if self.token else not said

    def guard(self, request: Request, known: set[str]) -> Response | None:
        """Whatever is wrong with a call before its meaning: credentials, project, unknown parameters."""
        if not self._signed(request):
            return compute_error(401, "authError", "Invalid Credentials")
        project = unquote(request.found["project"])
        if project != data.PROJECT:
            return compute_error(404, "notFound", f"The resource 'projects/{project}' was not found")
        unknown = set(request.query) - known - _SYSTEM
        if unknown:
            return compute_error(400, "invalidParameter", f"Unknown parameter: {min(unknown)}")
        return None

    def aggregated(self, request: Request, key: str, kind: str, rows: Iterable[tuple[str, dict[str, Any]]]) -> Response:
        if (refusal := self.guard(request, _AGGREGATED)) is not None:
            return refusal
        page = self._page(request, rows)
        if isinstance(page, Response):
            return page
        chosen, more = page
        items: dict[str, Any] = {}
        for zone, thing in chosen:
            items.setdefault(f"zones/{zone}", {}).setdefault(key, []).append(thing)
        for zone in data.ZONES:  # places without any hold a warning in its stead
            items.setdefault(f"zones/{zone}", _unreachable(zone) if zone in self.unreachable else _nothing_there(zone))
        body = {"kind": kind, "id": f"projects/{data.PROJECT}/aggregated/{key}", "items": items}
        return Response(body={**body, **more})

    def _page(
        self, request: Request, rows: Iterable[tuple[str, dict[str, Any]]]
    ) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, str]] | Response:
        """The rows of a page that pass the filter, and its token of the next."""
        try:
            if "filter" in request.query and not self.filters:
                raise BadFilter("Invalid list filter expression.")
            passes: Callable[[Mapping[str, Any]], bool] = parse(request.query.get("filter", ""))
            size, at = int(request.query.get("maxResults") or 500), int(request.query.get("pageToken") or 0)
        except (BadFilter, ValueError) as e:
            return compute_error(400, "invalid", f"Invalid value for field 'filter': {e}")
        if not 0 <= size <= 500:
            return compute_error(400, "invalid", f"Invalid value for field 'maxResults': '{size}'")
        if self.paging() == "empty-pages":
            return [], {"nextPageToken": str(at + 1)} if at < 2 else {}
        found = [row for row in rows if passes(row[1])]
        if self.paging() == "endless-paging":
            return found[:size], {"nextPageToken": "1"}
        return found[at : at + size], {"nextPageToken": str(at + size)} if at + size < len(found) else {}

    def _advice(self, request: Request, known: set[str]) -> dict[str, Any] | Response:
        """The body of a question to the advice API, or what is wrong with it."""
        if (refusal := self.guard(request, set())) is not None:
            return refusal
        try:
            asked = request.json
        except ValueError:
            return compute_error(400, "parseError", "Parse Error")
        if not isinstance(asked, dict) or set(asked) - known:
            unknown = min(set(asked) - known) if isinstance(asked, dict) else ""
            return compute_error(400, "invalid", f'Invalid JSON payload received. Unknown name "{unknown}"')
        if request.found["region"] not in data.REGIONS:
            return compute_error(404, "notFound", f"The resource 'regions/{request.found['region']}' was not found")
        if request.found["version"] not in self.advice_versions:
            return compute_error(400, "invalid", "Provisioning model SPOT is not supported")
        scheduling = (asked.get("instanceProperties") or {}).get("scheduling") or {}
        if scheduling.get("provisioningModel") != "SPOT":
            return compute_error(400, "invalid", "The provisioning model must be SPOT")
        return asked

    def _pool(self, name: str, region: str, zone: str) -> Response | None:
        row = next((r for r in data.TYPES if r[0] == name), None)
        if data.ZONES.get(zone) != region:
            return compute_error(400, "invalid", f"Location {zone} is not in region {region}")
        if row is None or zone not in row[1]:
            where = f"projects/{data.PROJECT}/zones/{zone}/machineTypes/{name}"
            return compute_error(404, "notFound", f"The resource '{where}' was not found")
        if name in self.unsupported or name.startswith("n1-"):
            return compute_error(400, "invalid", f"Machine type {name} is not supported")
        return None


def _zone(location: Any) -> str:
    """``us-central1-a`` of a zone's URL, partial or whole."""
    words = str(location or "").split("/")
    return words[-1] if len(words) > 1 and words[-2] == "zones" else ""


def _interval(now: datetime, from_days: int, to_days: int) -> dict[str, str]:
    start, end = now - timedelta(days=from_days), now - timedelta(days=to_days)
    return {"startTime": start.isoformat().replace("+00:00", "Z"), "endTime": end.isoformat().replace("+00:00", "Z")}


def _money(nanos: int) -> dict[str, Any]:
    return {"currencyCode": "USD", "units": str(nanos // 10**9), "nanos": nanos % 10**9}


def _unreachable(zone: str) -> dict[str, Any]:
    said = f"The zone '{zone}' could not be reached."
    return {"warning": {"code": "UNREACHABLE", "message": said, "data": [{"key": "scope", "value": f"zones/{zone}"}]}}


def _nothing_there(zone: str) -> dict[str, Any]:
    return {
        "warning": {
            "code": "NO_RESULTS_ON_PAGE",
            "message": f"There are no results for scope 'zones/{zone}' on this page.",
            "data": [{"key": "scope", "value": f"zones/{zone}"}],
        }
    }
