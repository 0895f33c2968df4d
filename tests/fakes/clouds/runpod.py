"""A fake RunPod: REST v2 (catalog, pods) and the part of GraphQL that is still of use. Written from the fact sheet."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.fakes.clouds.runpod_billing import RunpodBilling
from tests.fakes.clouds.runpod_data import COMMUNITY, DATA_CENTERS, SECURE, GpuType, gpu_types
from tests.fakes.clouds.runpod_graphql import execute
from tests.fakes.clouds.runpod_pods import RunpodPods
from tests.fakes.clouds.runpod_rules import CUDA, pod_key, problem
from tests.fakes.clouds.server import Request, Response, route

OF_AVAILABILITY = ("product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion")


class FakeRunpod(RunpodBilling, RunpodPods):
    """RunPod with its catalog and one account. Its pods: `RunpodPods`.

    ``keys``: those that are good (None: any). ``strict_ua``: Cloudflare in front refuses Python's default user
    agents. ``retired``: what has ended answers 410. ``gpus`` may be changed by a test.
    """

    name = "runpod"
    refusals: ClassVar = {
        "throttle": problem(429, "rate limit exceeded for the minute window"),
        "server-error": problem(500, "internal error"),
        "expired-token": problem(401, "invalid bearer token"),
        "forbidden": problem(403, "access denied"),
    }

    def __init__(self, *, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__(run_machines=run_machines, boot_s=boot_s)
        self.keys: set[str] | None = None
        self.strict_ua = True
        self.retired = False
        self.gpus: list[GpuType] = gpu_types()
        self.balance = 25.5

    def environment(self, url: str) -> dict[str, str]:
        """The variables that point spotlaunch here."""
        return {"SPOTLAUNCH_RUNPOD_ENDPOINT": url, "SPOTLAUNCH_RUNPOD_AUTH": "none"}

    def not_found(self, request: Request) -> Response:
        return problem(404, f"no route for {request.method} {request.path}")

    # -- what stands in front ----------------------------------------------------------------------------

    def _route(self, request: Request) -> Response:
        agent = request.headers.get("User-Agent", "")
        if self.strict_ua and (not agent or agent.startswith(("Python-urllib", "python-requests"))):
            return Response(status=403, body="error code: 1010", headers={"Content-Type": "text/html"})
        if request.path.startswith("/v1/") or (self.retired and request.path.startswith("/graphql")):
            return Response(status=410)
        if request.path.startswith("/v2/") and (refused := self._unauthorized(request)):
            return refused
        return super()._route(request)

    def _unauthorized(self, request: Request) -> Response | None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            return problem(401, "missing bearer token")
        if (pod := self.pod_of(key)) is not None:
            own = request.method == "DELETE" and request.path == f"/v2/pods/{pod}" and self.pod_keys_on_rest
            return None if own else problem(403, "access denied")
        return None if self.knows(key) else problem(401, "invalid bearer token")

    def pod_of(self, key: str) -> str | None:
        """Whose own key this is, if it is a pod's."""
        return next((pod for pod in self.pods if key == pod_key(pod)), None)

    def knows(self, key: str) -> bool:
        return self.keys is None or key in self.keys

    # -- the catalog -------------------------------------------------------------------------------------

    @route("GET", "/v2/catalog/gpus")
    def catalog(self, request: Request) -> Response:
        if refused := self._bad_query(request):
            return refused
        if self.paging() == "empty-pages":
            return Response(body={"gpus": []})
        return Response(body={"gpus": [self.gpu(g, request) for g in self.gpus]})

    @route("GET", "/v2/catalog/gpus/(?P<id>.+)")
    def one(self, request: Request) -> Response:
        from urllib.parse import unquote

        if refused := self._bad_query(request):
            return refused
        found = [g for g in self.gpus if g.id == unquote(request.found["id"])]
        return Response(body=self.gpu(found[0], request)) if found else problem(404, "GPU type not found")

    @route("GET", "/v2/catalog/datacenters")
    def data_centers(self, request: Request) -> Response:
        return Response(body={"dataCenters": [{"id": dc, "name": _dc_name(dc)} for dc in DATA_CENTERS]})

    def _bad_query(self, request: Request) -> Response | None:
        query = request.query
        if query.get("include", "") not in ("", "AVAILABILITY"):
            return problem(400, "include must be AVAILABILITY")
        if "include" not in query:
            extra = [k for k in OF_AVAILABILITY if k in query]
            return problem(400, f"{extra[0]} needs include=AVAILABILITY") if extra else None
        if query.get("product") not in ("POD", "CLUSTER", "SERVERLESS"):
            return problem(400, "product is required: POD, CLUSTER or SERVERLESS")
        if query.get("cloud", SECURE) not in (SECURE, COMMUNITY):
            return problem(400, "cloud must be SECURE or COMMUNITY")
        if not query.get("count", "1").isdigit() or int(query.get("count", "1")) < 1:
            return problem(400, "count must be a positive integer")
        if "cudaVersions" in query and "minCudaVersion" in query:
            return problem(400, "cudaVersions and minCudaVersion exclude each other")
        return None

    def gpu(self, gpu: GpuType, request: Request) -> dict[str, Any]:
        prices = {"secure": gpu.secure_price, "community": gpu.community_price}
        row: dict[str, Any] = {
            "id": gpu.id,
            "name": gpu.name,
            "pool": None,
            "manufacturer": gpu.manufacturer,
            "memory": gpu.memory,
            "secure": gpu.secure,
            "community": gpu.community,
            "price": {k: v for k, v in prices.items() if v is not None},
            "maxCount": {"secure": gpu.max_secure, "community": gpu.max_community},
        }
        if "include" not in request.query:
            return row
        count, cloud = int(request.query.get("count", "1")), request.query.get("cloud", SECURE)
        stock = {dc: self.stock(gpu, cloud, dc, count) for dc in gpu.free.get(cloud, {})}
        row["availability"] = max(stock.values(), key=_WORDS.index, default="NONE")
        centers = [
            {"id": dc, "name": _dc_name(dc), "availability": word}
            for dc, word in stock.items()
            if dc and word != "NONE"
        ]
        if centers:
            row["dataCenters"] = centers
        if gpu.manufacturer == "NVIDIA":
            row["cudaVersions"] = [{"version": v, "available": row["availability"] != "NONE"} for v in CUDA]
        return row

    def stock(self, gpu: GpuType, cloud: str, data_center: str, count: int) -> str:
        """RunPod's word on how many machines of ``count`` are free; the thresholds are this fake's own."""
        sold, most = (gpu.secure, gpu.max_secure) if cloud == SECURE else (gpu.community, gpu.max_community)
        machines = gpu.free.get(cloud, {}).get(data_center, 0) // count if sold and count <= most else 0
        return "NONE" if machines < 1 else "LOW" if machines < 3 else "MEDIUM" if machines < 9 else "HIGH"

    # -- GraphQL -----------------------------------------------------------------------------------------

    @route("POST", "/graphql")
    def graphql(self, request: Request) -> Response:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.query.get("api_key", "")
        pod = self.pod_of(key)
        if key and pod is None and not self.knows(key):
            return Response(status=401, body={"errors": [{"message": "Unauthorized"}]})
        return execute(self, request.json or {}, signed_in=bool(key), pod=pod)


_WORDS = ("NONE", "LOW", "MEDIUM", "HIGH")


def _dc_name(dc: str) -> str:
    country, place, number = dc.split("-")
    return f"{country} {place} {number}"
