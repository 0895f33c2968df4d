"""The fake RunPod, and what the adapter sends, against RunPod's documentation.

The tables are taken from `api-reference-v2/openapi.json` of runpod/docs (September 2026): names, types, what is
required, what is open to more. `entrypoint` and `cmd` of a create are newer than that and known from its clients.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
import requests

from spotlaunch.core.facts import Order, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NoCapacity, OutOfFunds
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.runpod.asking import Asking
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.runpod_rules import CREATE
from tests.fakes.clouds.runpod_rules import CREATE_GPU as RULES_GPU
from tests.fakes.waiting import eventually
from tests.providers.runpod.ordering import an_offer, an_order, stock

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
TEXTS = {"type": "array", "items": {"type": "string"}}
NULLABLE_TEXT = {"type": ["string", "null"]}
CREATE_GPU = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "count": {"type": "integer", "minimum": 1},
        "allowedCudaVersions": TEXTS,
        "minCudaVersion": {"type": "string", "pattern": r"^\d+\.\d+$"},
        "minRamPerGpu": {"type": "integer", "minimum": 1},
        "minVcpuCountPerGpu": {"type": "integer", "minimum": 1},
    },
    "additionalProperties": False,
}
# What is said of a pod in the words in which it was asked for.
ASKED = {
    "image": {"type": "string"},
    "args": {"type": "string"},
    "entrypoint": TEXTS,
    "cmd": TEXTS,
    "disk": {"type": "integer", "minimum": 1},
    "env": {"type": "object", "additionalProperties": {"type": "string"}},
    "ports": TEXTS,
    "registry": NULLABLE_TEXT,
    "cloud": {"enum": ["SECURE", "COMMUNITY"]},
}
CREATE_POD = {
    "type": "object",
    "required": ["name", "image", "disk"],  # `disk` by what was seen, not by the description
    "properties": {
        **ASKED,
        "name": {"type": "string", "minLength": 1, "maxLength": 191},
        "dataCenterIds": TEXTS,
        "gpu": CREATE_GPU,
    },
    "additionalProperties": False,
}
SSH_ENDPOINT = {
    "type": ["object", "null"],
    "required": ["host", "port", "username", "command"],
    "properties": {"host": {"type": "string"}, "port": {"type": "integer"}, "username": {"type": "string"}},
}
POD = {
    "type": "object",
    "required": [
        *("id", "name", "status", "actions", "image", "args", "disk", "mounts", "ports", "env", "registry", "cloud"),
        *("dataCenterId", "cudaVersion", "ssh", "template", "cost", "locked", "runtime", "createdAt", "startedAt"),
        *("globalNetworking", "gpu"),
    ],
    "properties": {
        **ASKED,
        "id": {"type": "string"},
        "name": {"type": "string"},
        "status": {"enum": ["PROVISIONING", "STARTING", "RUNNING", "EXITED", "ERROR", "TERMINATED"]},
        "actions": {"type": "array", "items": {"enum": ["start", "stop", "restart", "terminate"]}},
        "mounts": {"type": "object"},
        "gpu": {
            "type": "object",
            "required": ["id", "vcpuCount", "memory"],
            "properties": {
                "id": {"type": "string"},
                "count": {"type": "integer", "minimum": 1},
                "vcpuCount": {"type": "number", "minimum": 1},
                "memory": {"type": "number", "minimum": 1},
            },
        },
        "dataCenterId": NULLABLE_TEXT,
        "cudaVersion": NULLABLE_TEXT,
        "ssh": {
            "type": "object",
            "required": ["proxy", "direct"],
            "properties": {"proxy": SSH_ENDPOINT, "direct": SSH_ENDPOINT},
        },
        "template": NULLABLE_TEXT,
        "cost": {"type": "number"},
        "locked": {"type": "boolean"},
        "globalNetworking": {"type": "object", "required": ["enabled"]},
        "runtime": {
            "type": ["object", "null"],
            "properties": {
                "uptime": {"type": "integer"},
                "ports": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "private": {"type": "integer"},
                            "public": {"type": ["integer", "null"]},
                            "type": {"type": "string"},
                            "ip": NULLABLE_TEXT,
                        },
                        "additionalProperties": False,
                    },
                },
            },
        },
        "createdAt": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
        "startedAt": NULLABLE_TEXT,
    },
    "additionalProperties": False,
}
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


@pytest.fixture
def provider(cloud: FakeRunpod) -> RunpodProvider:
    stock(cloud)
    settings = Settings(provider="runpod", values={"endpoint": cloud.url, "auth": "none"})
    return RunpodProvider(Asking.of(settings), owner="o")


@pytest.mark.parametrize(
    "order",
    [
        an_order(),
        an_order(
            an_offer(region="community", count=8, vcpus=17.5, memory_gb=100.1), disk_gb=33.3, image="a/b:cuda12.4"
        ),
        an_order(an_offer(region="secure"), ssh_key="ssh-ed25519 AAAA me"),
        an_order(an_offer("AMD Instinct MI300X OAM", gpu="MI300X", price="2.49"), script=""),
    ],
)
def test_a_launch_is_asked_for_as_the_description_has_it(
    cloud: FakeRunpod, provider: RunpodProvider, order: Order
) -> None:
    for takes_commands in (True, False):
        cloud.takes_commands = takes_commands
        provider.launch(order)
    bodies = [c.json for c in cloud.called("/v2/pods$")]
    assert len(bodies) >= 2
    for body in bodies:
        jsonschema.validate(body, CREATE_POD)
    assert set(CREATE_POD["properties"]) <= CREATE and set(CREATE_GPU["properties"]) == RULES_GPU


def test_a_pod_is_told_of_as_the_description_has_it(cloud: FakeRunpod, provider: RunpodProvider) -> None:
    cloud.fleet.boot_s = 0.8
    pod_id = provider.launch(an_order(ssh_key="ssh-ed25519 AAAA me")).instance_id
    rows = [get(cloud, f"/v2/pods/{pod_id}").json()]
    eventually(cloud.fleet.booted)
    for status in ("", "EXITED", "ERROR", "TERMINATED"):
        cloud.pods[pod_id].status = status
        rows += get(cloud, "/v2/pods").json()["pods"]
    assert [r["status"] for r in rows] == ["PROVISIONING", "RUNNING", "EXITED", "ERROR", "TERMINATED"]
    for row in rows:
        jsonschema.validate(row, POD)
        assert bool(row["runtime"]) == (row["status"] == "RUNNING") == bool(row["ssh"]["direct"])


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"interruptible": True}, 422, "$: additional properties 'interruptible' not allowed"),
        ({"bidPerGpu": 0.2}, 422, "'bidPerGpu'"),
        ({"gpu": {"id": "NVIDIA L40S", "gpuCount": 1}}, 422, "$.gpu: additional properties 'gpuCount' not allowed"),
        ({"gpu": {"id": "NVIDIA L40S", "count": 0}}, 422, "gpu.count"),
        ({"gpu": {"id": "NVIDIA L40S", "minRamPerGpu": 0.5}}, 422, "gpu.minRamPerGpu"),
        ({"gpu": {"id": "NVIDIA L40S", "minCudaVersion": "12"}}, 422, "gpu.minCudaVersion"),
        ({"gpu": {"id": "RTX L40S"}}, 422, "gpu.id"),
        ({"gpu": None}, 400, "exactly one"),
        ({"cpu": {"id": "cpu5c", "vcpuCount": 2}}, 400, "exactly one"),
        ({"name": ""}, 422, "name"),
        ({"name": "n" * 192}, 422, "name"),
        ({"env": {"A": 1}}, 422, "env"),
        ({"ports": ["22"]}, 422, "ports"),
        ({"cloud": "ALL"}, 422, "cloud"),
        ({"disk": None}, 400, "template id or pod configuration parameters"),
        ({"disk": 10}, 400, "no longer any instances"),
        ({"gpu": {"id": "NVIDIA L40S", "minCudaVersion": "14.0"}}, 400, "no longer any instances"),
        ({"gpu": {"id": "NVIDIA L40S", "count": 9}}, 400, "no longer any instances"),
        ({"gpu": {"id": "NVIDIA L40S", "minCudaVersion": "12.8", "allowedCudaVersions": ["12.8"]}}, 400, "exclude"),
        ({"mounts": {"persistent": {}, "network": []}}, 400, "exclude"),
        ({"dataCenterIds": ["XX-YY-1"]}, 400, "no longer any instances"),
        ({"image": "i" * 110_000}, 413, "too large"),
    ],
    ids=str,
)
def test_a_create_that_runpod_would_refuse_is_refused(
    cloud: FakeRunpod, change: dict[str, Any], status: int, words: str
) -> None:
    stock(cloud)
    good = {"name": "n", "image": "i", "disk": 20, "gpu": {"id": "NVIDIA L40S"}}
    body = {k: v for k, v in {**good, **change}.items() if v is not None}
    headers = {"Authorization": "Bearer k", "User-Agent": "test/1"}
    answer = requests.post(cloud.url + "/v2/pods", json=body, headers=headers, timeout=5)
    assert answer.status_code == status and words in str(answer.json())
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert cloud.fleet.left() == []
    assert requests.post(cloud.url + "/v2/pods", json=good, headers=headers, timeout=5).status_code == 201


def test_an_empty_account_cannot_rent(cloud: FakeRunpod, provider: RunpodProvider) -> None:
    cloud.balance = 0.5
    with pytest.raises(OutOfFunds, match="balance is too low"):
        provider.launch(an_order())


def test_what_is_taken_is_not_to_be_had_again_until_it_is_given_back(
    cloud: FakeRunpod, provider: RunpodProvider
) -> None:
    ids = [provider.launch(an_order(an_offer(count=8))).instance_id for _ in range(2)]
    with pytest.raises(NoCapacity):
        provider.launch(an_order(an_offer(count=8)))
    provider.terminate(ids)
    provider.launch(an_order(an_offer(count=8)))


def test_a_test_may_move_prices_dry_pools_and_keep_pods_from_booting(
    cloud: FakeRunpod, provider: RunpodProvider
) -> None:
    pool = an_offer().pool
    cloud.set_price(0.5, region=pool.region, instance_type=pool.instance_type)
    prices = {o.pool.region: o.price_usd_hour for o in provider.offers(Want(gpus=(("L40S", 1),)))}
    assert (prices["US-KS-2"], prices["community"]) == (Decimal("0.5"), Decimal("0.79"))
    cloud.run_dry(region="US-KS-2")
    with pytest.raises(NoCapacity):
        provider.launch(an_order(an_offer(price="0.5")))
    cloud.refill()
    cloud.never_boot()
    provider.launch(an_order(an_offer(price="0.5")))
    time.sleep(0.1)
    assert [m.phase for m in provider.list_machines()] == ["starting"]


def test_actions_are_those_that_a_pod_allows(cloud: FakeRunpod) -> None:
    pod = cloud.add("n")
    headers = {"Authorization": "Bearer k", "User-Agent": "test/1"}

    def act(action: str) -> requests.Response:
        url = f"{cloud.url}/v2/pods/{pod.id}/action"
        return requests.post(url, json={"action": action}, headers=headers, timeout=5)

    assert act("start").status_code == 409
    assert act("stop").json()["status"] == "EXITED"
    assert "not enough free GPUs" in act("start").json()["detail"]
    assert (act("terminate").status_code, act("terminate").status_code) == (204, 404)


def test_the_adapter_asks_only_what_is_documented(cloud: FakeRunpod) -> None:
    settings = Settings(provider="runpod", values={"endpoint": cloud.url, "auth": "none"})
    RunpodProvider(Asking.of(settings)).offers(Want(gpus=(("H100", 0),)))
    assert len(cloud.calls) == 8
    for call in cloud.calls:
        assert set(call.query) <= PARAMS and call.query["include"] == "AVAILABILITY"
