"""The GraphQL of the fake RunPod: a schema with the fields of the fact sheet, and what they resolve to."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, build_schema, graphql_sync

from tests.fakes.clouds.runpod_data import COMMUNITY, DATA_CENTERS, SECURE, GpuType
from tests.fakes.clouds.server import Response

if TYPE_CHECKING:
    from tests.fakes.clouds.runpod import FakeRunpod

SDL = """
input GpuTypeFilter { id: String ids: [String!] cluster: Boolean }
input GpuLowestPriceInput {
  gpuCount: Int! secureCloud: Boolean dataCenterId: String countryCode: String minDisk: Int minMemoryInGb: Int
  minVcpuCount: Int minCudaVersion: String
}
type LowestPrice {
  minimumBidPrice: Float uninterruptablePrice: Float stockStatus: String minVcpu: Int minMemory: Int
  availableGpuCounts: [Int!] countryCode: String
}
type GpuType {
  id: String displayName: String memoryInGb: Int manufacturer: String secureCloud: Boolean communityCloud: Boolean
  securePrice: Float communityPrice: Float secureSpotPrice: Float communitySpotPrice: Float maxGpuCount: Int
  lowestPrice(input: GpuLowestPriceInput): LowestPrice
}
type DataCenter { id: String listed: Boolean }
type User { id: String clientBalance: Float currentSpendPerHr: Float }
type Query {
  gpuTypes(input: GpuTypeFilter): [GpuType!] dataCenters: [DataCenter!] countryCodes: [String!] myself: User
}
scalar Void
input PodTerminateInput { podId: String! }
type Mutation { podTerminate(input: PodTerminateInput!): Void }
"""


@cache
def _schema() -> Any:
    return build_schema(SDL)


class _Gpu:
    """Fields of a GpuType. The spot prices are still there, and stale."""

    def __init__(self, cloud: FakeRunpod, gpu: GpuType) -> None:
        self._cloud, self._gpu = cloud, gpu
        self.id, self.displayName, self.memoryInGb = gpu.id, gpu.name, gpu.memory
        self.manufacturer = gpu.manufacturer
        self.secureCloud, self.communityCloud = gpu.secure, gpu.community
        self.securePrice, self.communityPrice = gpu.secure_price, gpu.community_price
        self.secureSpotPrice = self.communitySpotPrice = 0.11
        self.maxGpuCount = max(gpu.max_secure, gpu.max_community)

    def lowestPrice(self, info: Any, input: Any = None) -> dict[str, Any]:  # noqa: A002, N802 - GraphQL's names
        asked = input or {"gpuCount": 1}
        cloud = COMMUNITY if asked.get("secureCloud") is False else SECURE
        words = [self._cloud.stock(self._gpu, cloud, dc, asked["gpuCount"]) for dc in self._gpu.free.get(cloud, {})]
        best = next((w for w in ("HIGH", "MEDIUM", "LOW") if w in words), None)
        price = self.securePrice if cloud == SECURE else self.communityPrice
        return {
            "minimumBidPrice": 0.11,
            "uninterruptablePrice": price if best else None,
            "stockStatus": best.capitalize() if best else None,
            "minVcpu": 8 if best else None,
            "minMemory": 32 if best else None,
        }


class _Root:
    def __init__(self, cloud: FakeRunpod, signed_in: bool, pod: str | None) -> None:
        self._cloud, self._signed_in, self._pod = cloud, signed_in, pod

    def gpuTypes(self, info: Any, input: Any = None) -> list[_Gpu]:  # noqa: A002, N802
        ids = [(input or {}).get("id")] if (input or {}).get("id") else (input or {}).get("ids")
        if self._cloud.paging() == "empty-pages":
            return []
        return [_Gpu(self._cloud, g) for g in self._cloud.gpus if ids is None or g.id in ids]

    def dataCenters(self, info: Any) -> list[dict[str, Any]]:  # noqa: N802
        return [{"id": dc, "listed": True} for dc in DATA_CENTERS]

    def myself(self, info: Any) -> dict[str, Any]:
        if not self._signed_in or self._pod:
            raise GraphQLError("You must be signed in.", extensions={"code": "UNAUTHENTICATED"})
        return {"id": "user_fake", "clientBalance": self._cloud.balance, "currentSpendPerHr": 0.0}

    def podTerminate(self, info: Any, input: Any) -> None:  # noqa: A002, N802
        pod = self._cloud.pods.get(input["podId"])
        if (
            not self._signed_in
            or (self._pod and self._pod != input["podId"])
            or pod is None
            or pod.ended_at is not None
        ):
            raise GraphQLError("pod not found to terminate")
        self._cloud.delete(input["podId"], "ended itself")


def execute(cloud: FakeRunpod, body: dict[str, Any], *, signed_in: bool, pod: str | None = None) -> Response:
    """The answer to one query: 200 also for errors while running it, 400 for a query that is not valid.

    ``pod``: whose own key it is that came with the query. It may end that pod, and nothing else.
    """
    query = body.get("query")
    if not isinstance(query, str):
        return Response(status=400, body={"errors": [{"message": "Must provide query string."}]})
    done = graphql_sync(
        _schema(), query, root_value=_Root(cloud, signed_in, pod), variable_values=body.get("variables")
    )
    formatted: dict[str, Any] = dict(done.formatted)
    return Response(status=200 if done.data is not None else 400, body=formatted)
