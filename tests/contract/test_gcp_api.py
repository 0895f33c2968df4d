"""The fake Google, and what the adapter asks of it, against Google's own discovery documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient
import pytest
import yaml

from spotlaunch.core.facts import Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NoCapacity
from spotlaunch_providers import gcp
from spotlaunch_providers.gcp.adapter import GcpProvider
from spotlaunch_providers.gcp.choices import Choices
from tests.fakes.clouds import gcp as fake
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp
from tests.fakes.clouds.gcp_rules import FIELDS
from tests.fakes.clouds.server import Fault, Request, Response
from tests.providers.gcp.conftest import offer, order

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "configs" / "permissions" / "gcp.yaml"
DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
NAMES = ("compute.v1", "compute.beta", "cloudbilling.v1")

_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}


@dataclass(frozen=True)
class Method:
    document: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def parameters(self) -> set[str]:
        """What may stand in the query: the method's own, and those of all methods."""
        own = {name for name, p in self.spec.get("parameters", {}).items() if p["location"] == "query"}
        return own | set(self.document["parameters"])

    @property
    def own_parameters(self) -> set[str]:
        return {name for name, p in self.spec.get("parameters", {}).items() if p["location"] == "query"}

    def problems(self, what: str, value: Any) -> list[str]:
        """Where ``value`` is not a good ``request`` or ``response``."""
        return list(misfits(self.spec[what], value, self.document["schemas"], what))


@cache
def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCUMENTS / f"{name}.json").read_text())
    return found


@cache
def methods() -> list[tuple[str, re.Pattern[str], Method]]:
    """Verb, pattern of the path, and the method, of all documents."""
    found = []

    def walk(doc: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
        for resource in resources.values():
            for spec in resource.get("methods", {}).values():
                path = "/" + doc["servicePath"] + spec.get("flatPath", spec["path"])
                pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))
                found.append((spec["httpMethod"], pattern, Method(doc, spec)))
            walk(doc, resource.get("resources", {}))

    for name in NAMES:
        walk(document(name), document(name)["resources"])
    return found


def method(verb: str, path: str) -> Method:
    fitting = [m for v, pattern, m in methods() if v == verb and pattern.fullmatch(path)]
    assert fitting, f"no such method: {verb} {path}"
    return fitting[0]


def misfits(schema: Mapping[str, Any], value: Any, schemas: Mapping[str, Any], at: str) -> Iterator[str]:
    """Every place where a JSON value does not fit its schema. Unknown fields do not fit."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    kind = schema.get("type")
    if kind == "object":
        if not isinstance(value, dict):
            yield f"{at}: {value!r} is no object"
            return
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        for key, item in value.items():
            if key in known or more is not None:
                yield from misfits(known.get(key) or more, item, schemas, f"{at}.{key}")
            else:
                yield f"{at}.{key}: no such field"
    elif kind == "array":
        if not isinstance(value, list):
            yield f"{at}: {value!r} is no array"
            return
        for n, item in enumerate(value):
            yield from misfits(schema["items"], item, schemas, f"{at}[{n}]")
    elif not _fits(kind, schema, value):
        yield f"{at}: {value!r} is no {kind} {schema.get('format', '')}".rstrip()


def _fits(kind: Any, schema: Mapping[str, Any], value: Any) -> bool:
    if kind == "any":
        return True
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        low, high = _INTEGERS[schema["format"]]
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if not isinstance(value, str):
        return False
    # 64-bit numbers are texts: JSON's numbers would lose digits.
    if schema.get("format") in ("int64", "uint64") and not re.fullmatch(r"-?[0-9]+", value):
        return False
    if schema.get("format") == "google-datetime" and not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*Z$", value):
        return False
    return "enum" not in schema or value in schema["enum"]


class Recorded(FakeGcp):
    """Keeps what it answered."""

    def __init__(self) -> None:
        super().__init__(filler=20)
        self.answers: list[tuple[Request, Response]] = []

    def answer(self, request: Request) -> tuple[Response, list[Fault]]:
        response, hits = super().answer(request)
        self.answers.append((request, response))
        return response, hits


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Request, Response]]:
    """All calls that the adapter makes, and their answers."""
    cloud = Recorded()
    with cloud.serving() as url:
        values = {"endpoint": url, "billing_endpoint": url, "project": data.PROJECT, "auth": "none"}
        settings = Settings(provider="gcp", values=values)
        provider = gcp.connect(owner="o", folder=tmp_path_factory.mktemp("gcp"), settings=settings)
        assert provider.offers(Want())
        cloud.advice_versions = {"beta"}
        provider = gcp.connect(owner="o", folder=tmp_path_factory.mktemp("gcp"), settings=settings)
        assert provider.offers(Want(gpus=(("A100-80GB", 1), ("T4", 1))))
        assert all(f.ok for f in gcp.examine(settings=settings) if "advice" not in f.name)
        _rent(cloud, provider)
    return cloud.answers


def _rent(cloud: FakeGcp, provider: GcpProvider) -> None:
    """Launches of each kind, with every setting and every ending."""
    t4 = offer("n1-standard-4+1xnvidia-tesla-t4", gpu="T4")
    cloud.place_s = 0.2
    provider.launch(order(t4, key="sl-o-job-1-0", ttl_s=3600, script="true", ssh_key="ssh-ed25519 AAAA job"))
    provider.launch(order(offer("g4-standard-48", "us-central1-b"), key="sl-o-job-2-0"))
    provider.launch(order(offer(market="on-demand"), key="sl-o-job-3-0"))
    chosen = Choices(subnetwork="lab", external_ip=False, service_account="x@p.iam")
    provider._account.choices = chosen
    cloud.run_dry(zone="us-central1-a")
    provider.launch(order(offer(), offer(zone="us-central1-c"), key="sl-o-job-4-0"))
    cloud.fail_launch("UNSUPPORTED_OPERATION", leaves_disk=True)
    with pytest.raises(NoCapacity):
        provider.launch(order(key="sl-o-job-5-0"))
    cloud.host_error("us-central1-a/sl-o-job-1-0")
    cloud.preempt("us-central1-b/sl-o-job-2-0")
    provider.list_machines()
    provider.terminate([f"us-central1-{z}" for z in ("a/sl-o-job-1-0", "a/sl-o-job-3-0", "c/sl-o-job-4-0")])
    provider.terminate(["us-central1-a/disks/sl-o-job-5-0"])
    cloud.vanish("us-central1-b/sl-o-job-2-0")
    provider.list_machines()
    assert cloud.fleet.left() == []


def test_all_that_the_adapter_asks_exists(talk: list[tuple[Request, Response]]) -> None:
    asked = set()
    for request, _ in talk:
        m = method(request.method, request.path)
        asked.add(m.spec["id"])
        assert set(request.query) <= m.parameters, request.path
        if request.body:
            assert m.problems("request", request.json) == [], request.path
    assert asked == {
        "compute.machineTypes.aggregatedList",
        "compute.acceleratorTypes.aggregatedList",
        "compute.advice.capacity",
        "compute.advice.capacityHistory",
        "compute.regions.list",
        "compute.projects.get",
        "cloudbilling.services.skus.list",
        "compute.instances.insert",
        "compute.instances.get",
        "compute.instances.aggregatedList",
        "compute.instances.delete",
        "compute.zoneOperations.wait",
        "compute.globalOperations.aggregatedList",
        "compute.disks.aggregatedList",
        "compute.disks.delete",
    }


# What Google wants for each method, from its reference of each. For advice [MEM], as for the labels of new disks.
PERMISSIONS = {
    "compute.machineTypes.aggregatedList": {"compute.machineTypes.list"},
    "compute.acceleratorTypes.aggregatedList": {"compute.acceleratorTypes.list"},
    "compute.advice.capacity": {"compute.advice.capacity"},
    "compute.advice.capacityHistory": {"compute.advice.capacityHistory"},
    "compute.regions.list": {"compute.regions.list"},
    "compute.projects.get": {"compute.projects.get"},
    "cloudbilling.services.skus.list": set(),
    "compute.instances.insert": {
        "compute.instances.create",
        "compute.instances.setMetadata",
        "compute.instances.setLabels",
        "compute.disks.create",
        "compute.disks.setLabels",
        "compute.subnetworks.use",
        "compute.subnetworks.useExternalIp",
    },
    "compute.instances.get": {"compute.instances.get"},
    "compute.instances.aggregatedList": {"compute.instances.list"},
    "compute.instances.delete": {"compute.instances.delete"},
    "compute.zoneOperations.wait": {"compute.zoneOperations.get"},
    "compute.globalOperations.aggregatedList": {"compute.globalOperations.list", "compute.zoneOperations.list"},
    "compute.disks.aggregatedList": {"compute.disks.list"},
    "compute.disks.delete": {"compute.disks.delete"},
}


def test_the_role_permits_exactly_what_the_adapter_asks(talk: list[tuple[Request, Response]]) -> None:
    asked = {method(request.method, request.path).spec["id"] for request, _ in talk}
    role = yaml.safe_load(ROLE.read_text())
    needed = {permission for id_ in asked for permission in PERMISSIONS[id_]}
    assert sorted(role["includedPermissions"]) == sorted(needed)
    assert set(role) == {"title", "description", "stage", "includedPermissions"}
    assert role["stage"] in document("iam.v1")["schemas"]["Role"]["properties"]["stage"]["enum"]


def test_the_documents_tell_of_every_permission() -> None:
    told = (ROOT / "docs" / "providers" / "gcp.md").read_text()
    assert not [p for p in yaml.safe_load(ROLE.read_text())["includedPermissions"] if f"`{p}`" not in told]


def test_all_that_the_fake_answers_has_the_documented_form(talk: list[tuple[Request, Response]]) -> None:
    good = [(request, response) for request, response in talk if response.status == 200]
    assert len(good) > 100
    seen: set[tuple[str, int]] = set()
    for request, response in good:
        m = method(request.method, request.path)
        kind = (m.spec["id"], 0 if "advice" in request.path else len(seen))
        if kind in seen:
            continue  # hundreds of answers of the advice API are alike
        seen.add(kind)
        assert m.problems("response", json.loads(response.content))[:3] == [], request.path


def test_every_row_of_the_price_list_has_the_documented_form() -> None:
    schema = {"$ref": "ListSkusResponse"}
    for page in data.sku_pages(5000, 3):
        assert list(misfits(schema, json.loads(page), document("cloudbilling.v1")["schemas"], "skus"))[:3] == []


def test_the_fake_takes_the_documented_parameters_and_no_others() -> None:
    base = f"/compute/v1/projects/{data.PROJECT}"
    lists = {f"{base}/aggregated/machineTypes": fake._AGGREGATED, f"{base}/regions": fake._LIST}
    for path, known in lists.items():
        assert known == method("GET", path).own_parameters
    assert set(document("compute.v1")["parameters"]) >= fake._SYSTEM - {"$.xgafv", "access_token", "callback"}
    skus = method("GET", f"/v1/services/{data.SERVICE}/skus")
    cloud = FakeGcp(filler=20)
    for name in (*skus.own_parameters, "nonsense"):
        value = {"pageSize": "5", "currencyCode": "USD"}.get(name, "")
        request = Request(
            method="GET", path=f"/v1/services/{data.SERVICE}/skus", query={name: value}, headers={}, body=b""
        )
        assert (cloud.answer(request)[0].status == 200) == (name != "nonsense"), name


def test_the_ruler_measures() -> None:
    """A schema check that never fails would prove nothing."""
    m = method("POST", f"/compute/v1/projects/{data.PROJECT}/regions/us-central1/advice/capacity")
    assert m.problems("request", {"size": "1"}) == ["request.size: '1' is no integer int32"]
    assert m.problems("request", {"zise": 1}) == ["request.zise: no such field"]
    money = {"currencyCode": "USD", "units": 1, "nanos": 0}
    prices = {"priceHistory": [{"listPrice": money}]}
    history = method("POST", f"/compute/v1/projects/{data.PROJECT}/regions/us-central1/advice/capacityHistory")
    assert history.problems("response", prices) == ["response.priceHistory[0].listPrice.units: 1 is no string int64"]
    model = {"instanceProperties": {"scheduling": {"provisioningModel": "CHEAP"}}}
    assert len(m.problems("request", model)) == 1


def test_the_fake_knows_fields_of_an_instance_that_google_has() -> None:
    """And words of its lists: a fake that takes what Google refuses would hide a mistake."""
    schemas = document("compute.v1")["schemas"]
    for at, names in FIELDS.items():
        schema = schemas["Instance"]
        for word in at.split(".") if at else ():
            schema = schema["properties"][word]
            schema = schema.get("items", schema)
            schema = schemas[schema["$ref"]] if "$ref" in schema else schema
        assert names <= set(schema["properties"]), at
