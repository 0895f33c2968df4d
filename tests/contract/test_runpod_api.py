"""The fake RunPod against the fields of its documentation, as runpod/docs (2026-08-20) and its clients have them.

No machine-readable description can be had offline, so the tables stand here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from spotlaunch.core.facts import Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.runpod.asking import Asking
from tests.fakes.clouds.runpod import FakeRunpod

GPU = {
    "id": str,
    "name": str,
    "pool": (str, type(None)),
    "manufacturer": str,
    "memory": int,
    "secure": bool,
    "community": bool,
    "price": dict,
    "maxCount": dict,
    "availability": str,
    "dataCenters": list,
    "cudaVersions": list,
}
MAY_BE_MISSING = {"dataCenters", "cudaVersions"}
PARAMS = {"include", "product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion"}


@pytest.fixture
def cloud() -> Iterator[FakeRunpod]:
    made = FakeRunpod()
    with made.serving():
        yield made


def get(fake: FakeRunpod, path: str, **params: Any) -> requests.Response:
    headers = {"Authorization": "Bearer k", "User-Agent": "test/1"}
    return requests.get(fake.url + path, params=params, headers=headers, timeout=5)


def test_a_row_of_the_catalog_has_the_documented_fields(cloud: FakeRunpod) -> None:
    rows = get(cloud, "/v2/catalog/gpus", include="AVAILABILITY", product="POD").json()["gpus"]
    assert len(rows) > 20
    for row in rows:
        assert set(row) <= set(GPU) and set(GPU) - set(row) <= MAY_BE_MISSING
        assert all(isinstance(row[k], GPU[k]) for k in row)  # type: ignore[arg-type]
        assert row["availability"] in ("NONE", "LOW", "MEDIUM", "HIGH")
        assert set(row["price"]) <= {"secure", "community", "serverless"}
        assert all(set(dc) == {"id", "name", "availability"} for dc in row.get("dataCenters", ()))
        assert row.get("dataCenters") != [], "data centers are left out where there are none"
        assert ("cudaVersions" in row) == (row["manufacturer"] == "NVIDIA")


def test_the_catalog_without_availability_has_none(cloud: FakeRunpod) -> None:
    rows = get(cloud, "/v2/catalog/gpus").json()["gpus"]
    assert not {"availability", "dataCenters", "cudaVersions"} & set().union(*rows)


def test_one_gpu_is_found_by_its_id(cloud: FakeRunpod) -> None:
    assert get(cloud, "/v2/catalog/gpus/NVIDIA%20H100%20PCIe").json()["name"] == "H100 PCIe"
    assert get(cloud, "/v2/catalog/gpus/nothing").status_code == 404


@pytest.mark.parametrize(
    "params",
    [
        {"include": "AVAILABILITY"},
        {"product": "POD"},
        {"include": "AVAILABILITY", "product": "POD", "cloud": "ALL"},
        {"include": "AVAILABILITY", "product": "POD", "count": "0"},
        {"include": "AVAILABILITY", "product": "POD", "cudaVersions": "12.8", "minCudaVersion": "12.1"},
    ],
    ids=str,
)
def test_a_question_that_the_catalog_would_refuse_is_refused(cloud: FakeRunpod, params: dict[str, str]) -> None:
    answer = get(cloud, "/v2/catalog/gpus", **params)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.json()) == {"title", "status", "detail"}


def test_calls_need_a_bearer_and_a_user_agent(cloud: FakeRunpod) -> None:
    url = cloud.url + "/v2/pods"
    assert requests.get(url, headers={"User-Agent": "t/1"}, timeout=5).json()["detail"] == "missing bearer token"
    refused = requests.get(url, headers={"Authorization": "Bearer k", "User-Agent": "Python-urllib/3.11"}, timeout=5)
    assert (refused.status_code, refused.text) == (403, "error code: 1010")


def test_pods_come_in_pages_that_may_be_short(cloud: FakeRunpod) -> None:
    made = [cloud.add(f"p{n}").id for n in range(5)]
    cloud.page_size = 2
    seen, cursor = [], None
    while True:
        page = get(cloud, "/v2/pods", limit=1000, cursor=cursor).json()
        seen += [p["id"] for p in page["pods"]]
        cursor = page["pagination"]["nextCursor"]
        if not page["pagination"]["hasNextPage"]:
            break
    assert seen == made[::-1], "the newest comes first"
    assert get(cloud, "/v2/pods", limit=0).status_code == get(cloud, "/v2/pods", cursor="x").status_code == 422


def test_what_was_retired_is_gone(cloud: FakeRunpod) -> None:
    assert get(cloud, "/v1/pods").status_code == 410


def test_graphql_answers_the_catalog_to_anybody_and_the_account_to_its_owner(cloud: FakeRunpod) -> None:
    def ask(query: str, **headers: str) -> requests.Response:
        headers = {"User-Agent": "t/1", **headers}
        return requests.post(cloud.url + "/graphql", json={"query": query}, headers=headers, timeout=5)

    assert len(ask("{ gpuTypes { id lowestPrice(input: {gpuCount: 1}) { stockStatus } } }").json()["data"]["gpuTypes"])
    refused = ask("{ myself { clientBalance } }")
    assert refused.status_code == 200 and refused.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert ask("{ myself { clientBalance } }", Authorization="Bearer k").json()["data"]["myself"]["clientBalance"] > 0
    assert ask("{ gpuTypes { spotPriceNow } }").status_code == 400


def test_the_adapter_asks_only_what_is_documented(cloud: FakeRunpod) -> None:
    settings = Settings(provider="runpod", values={"endpoint": cloud.url, "auth": "none"})
    RunpodProvider(Asking.of(settings)).offers(Want(gpus=(("H100", 0),)))
    assert len(cloud.calls) == 8
    for call in cloud.calls:
        assert set(call.query) <= PARAMS and call.query["include"] == "AVAILABILITY"
