"""The fake Azure against the official descriptions: the models and clients of Azure's own libraries.

Both ways: Azure's clients accept all that the fake answers, without a field that they do not know, and the fake
accepts what Azure's clients send, which is what our adapter sends. The Retail Prices API has no description that a
machine can read: its answers are held against the fields of its page and of the fact sheet.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.compute import ComputeManagementClient, models

from spotlaunch.core.facts import Offer, Order, Pool, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.azure.account import Account
from spotlaunch_providers.azure.adapter import AzureProvider
from spotlaunch_providers.azure.credentials import Placeholder
from spotlaunch_providers.azure.sdk import compute_client
from tests.fakes.clouds import azure_catalog
from tests.fakes.clouds.azure import FakeAzure

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"

# https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices, fact sheet 3.2
PRICE_PAGE = {"BillingCurrency", "CustomerEntityId", "CustomerEntityType", "Items", "NextPageLink", "Count"}
PRICE_ROW = {
    *("currencyCode", "tierMinimumUnits", "retailPrice", "unitPrice", "armRegionName", "location"),
    *("effectiveStartDate", "meterId", "meterName", "productId", "skuId", "productName", "skuName", "serviceName"),
    *("serviceId", "serviceFamily", "unitOfMeasure", "type", "isPrimaryMeterRegion", "armSkuName"),
}
PRICE_ROW_MAY = {"effectiveEndDate", "reservationTerm", "savingsPlan"}


class Header(SansIOHTTPPolicy):
    def on_request(self, request: Any) -> None:
        request.http_request.headers["Authorization"] = "Bearer test"


@pytest.fixture
def cloud() -> Iterator[FakeAzure]:
    made = FakeAzure()
    with made.serving():
        yield made


@pytest.fixture
def compute(cloud: FakeAzure) -> ComputeManagementClient:
    """Azure's own client, as it comes, without what our adapter does to it."""
    options: Any = {"authentication_policy": Header(), "retry_total": 0}
    return ComputeManagementClient(Placeholder(), SUBSCRIPTION, base_url=cloud.url, **options)


def unknown_fields(data: Any, model: Any, where: str = "") -> list[str]:
    """The keys of ``data`` that ``model`` does not have, at any depth."""
    if typing.get_origin(model) is list:
        (inner,) = typing.get_args(model)
        return [bad for n, item in enumerate(data) for bad in unknown_fields(item, inner, f"{where}[{n}]")]
    if not isinstance(data, dict) or typing.get_origin(model) is dict:  # tags may have any name
        return []
    fields = {field._rest_name: name for name, field in model({})._attr_to_rest_field.items()}
    hints = typing.get_type_hints(model, vars(models) | {"_models": models})
    found = [f"{where}.{key}" for key in data if key not in fields]
    for key in data.keys() & fields.keys():
        found += unknown_fields(data[key], _bare(hints[fields[key]]), f"{where}.{key}")
    return found


def _bare(hint: Any) -> Any:
    """``Optional[X]`` as X."""
    inner = [h for h in typing.get_args(hint) if h is not type(None)]
    return inner[0] if typing.get_origin(hint) is typing.Union and inner else hint


@pytest.mark.parametrize("region", ["eastus", "westus3", "northeurope"])
def test_the_catalog_has_no_field_that_azures_models_do_not_know(region: str) -> None:
    rows = azure_catalog.catalog(region)
    assert unknown_fields(rows, list[models.ResourceSku]) == []
    assert unknown_fields([{"nmae": 1, "restrictions": [{"tpye": 1}]}], list[models.ResourceSku]) == [
        "[0].nmae",
        "[0].restrictions[0].tpye",
    ]


def test_quotas_have_no_field_that_azures_models_do_not_know() -> None:
    assert unknown_fields(azure_catalog.usages(), list[models.Usage]) == []


def test_azures_client_reads_the_catalog(compute: ComputeManagementClient) -> None:
    skus = {s.name: s for s in compute.resource_skus.list(filter="location eq 'eastus'") if s.name}
    sku = skus["Standard_NC40ads_H100_v5"]
    (restriction,) = sku.restrictions or []
    assert restriction.type == models.ResourceSkuRestrictionsType.LOCATION
    assert restriction.reason_code == models.ResourceSkuRestrictionsReasonCode.NOT_AVAILABLE_FOR_SUBSCRIPTION
    assert {c.name: c.value for c in sku.capabilities or []}["vCPUs"] == "40"
    assert "GPUs" not in {c.name for c in skus["Standard_ND128isr_NDR_GB200_v6"].capabilities or []}


def test_azures_client_and_ours_send_the_same_question_for_the_catalog(
    cloud: FakeAzure, compute: ComputeManagementClient, tmp_path: Path
) -> None:
    values = {"endpoint": cloud.url, "prices_endpoint": cloud.url, "auth": "none", "regions": "eastus"}
    settings = Settings(provider="azure", values=values)
    AzureProvider(owner="me", folder=tmp_path, settings=settings).offers(Want(gpus=(("H100", 1),)))
    list(compute.resource_skus.list(filter="location eq 'eastus'"))
    ours, theirs = cloud.called("/skus$")
    assert (ours.path, ours.query) == (theirs.path, theirs.query)


def test_azures_client_reads_the_quotas_as_it_comes_and_as_we_use_it(
    cloud: FakeAzure, compute: ComputeManagementClient
) -> None:
    account = Account(endpoint=cloud.url, subscription=SUBSCRIPTION, tokens=Placeholder(), kinds=())
    for client in (compute, compute_client(account)):
        limits = {u.name.value: u.limit for u in client.usage.list("eastus")}
        assert limits["lowPriorityCores"] == 100
    first, second = cloud.called("/usages$")
    assert (first.path, first.query) == (second.path, second.query)


def test_azures_client_and_ours_send_the_same_question_for_placement(cloud: FakeAzure, tmp_path: Path) -> None:
    recommender = pytest.importorskip("azure.mgmt.computerecommender")
    values = {"endpoint": cloud.url, "prices_endpoint": cloud.url, "auth": "none"}
    settings = Settings(provider="azure", values=values)
    AzureProvider(owner="me", folder=tmp_path, settings=settings).offers(Want(gpus=(("H100", 1),)))
    (ours,) = cloud.called("placementScores")
    client = next(v for n, v in vars(recommender).items() if n.endswith("Client"))(
        Placeholder(),
        SUBSCRIPTION,
        base_url=cloud.url,
        authentication_policy=Header(),
        retry_total=0,
        api_version=ours.query["api-version"],
    )
    location = ours.path.split("/locations/")[1].split("/")[0]
    answer = client.spot_placement_scores.post(
        location, recommender.models.SpotPlacementScoresInput(**ours_as_words(ours))
    )
    theirs = cloud.called("placementScores")[1]
    assert (ours.path, ours.query, ours.json) == (theirs.path, theirs.query, theirs.json)
    assert {s.score for s in answer.placement_scores} & {"High", "Medium", "Low"}
    assert all(s.sku and s.region and s.is_quota_available is not None for s in answer.placement_scores)


def ours_as_words(request: Any) -> dict[str, Any]:
    body = request.json
    return {
        "desired_locations": body["desiredLocations"],
        "desired_sizes": body["desiredSizes"],
        "desired_count": body["desiredCount"],
        "availability_zones": body["availabilityZones"],
    }


def test_the_price_feed_has_the_fields_of_its_page(cloud: FakeAzure) -> None:
    import requests

    page = requests.get(f"{cloud.url}/api/retail/prices", timeout=5).json()
    assert page.keys() == PRICE_PAGE
    assert page["Count"] == len(page["Items"]) == 1000
    assert page["NextPageLink"].startswith(cloud.url)
    for row in page["Items"]:
        assert row.keys() >= PRICE_ROW and not row.keys() - PRICE_ROW - PRICE_ROW_MAY


@pytest.mark.parametrize(
    ("query", "good"),
    [
        ("armRegionName eq 'eastus' and startswith(armSkuName,'Standard_N')", True),
        ("contains(productName,'Windows') eq false and priceType eq 'Consumption'", True),
        ("contains(armSkuName,'_H100_v5')", True),
        ("armSkuName like 'x'", False),
        ("contains(colour,'red')", False),
        ("armRegionName eq eastus", False),
    ],
)
def test_the_price_feed_takes_the_filters_that_it_knows(cloud: FakeAzure, query: str, good: bool) -> None:
    import requests

    params = {"api-version": "2023-01-01-preview", "currencyCode": "'USD'", "$filter": query}
    reply = requests.get(f"{cloud.url}/api/retail/prices", params=params, timeout=5)
    assert (reply.status_code == 200) is good
    assert not good or reply.json()["Items"]


def test_values_of_a_filter_are_case_sensitive(cloud: FakeAzure) -> None:
    import requests

    params = {"api-version": "2023-01-01-preview", "$filter": "armRegionName eq 'EastUS'"}
    assert requests.get(f"{cloud.url}/api/retail/prices", params=params, timeout=5).json()["Items"] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/skus", "MissingApiVersionParameter"),
        (f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/skus?api-version=1999-01-01", "InvalidApiVersion"),
        (
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/nothing?api-version=2021-07-01",
            "InvalidResource",
        ),
    ],
)
def test_resource_manager_turns_down_what_it_does_not_know(cloud: FakeAzure, path: str, code: str) -> None:
    import requests

    reply = requests.get(cloud.url + path, headers={"Authorization": "Bearer test"}, timeout=5)
    assert reply.status_code >= 400 and reply.json()["error"]["code"].startswith(code)
    assert requests.get(cloud.url + path, timeout=5).status_code in (401, 404)


# -- machines: what we send and what the fake answers, against azure-mgmt-compute and azure-mgmt-resource ----------


KEY = "sl-ab12cd-train-1-0"


def launch(cloud: FakeAzure, folder: Path, **more: Any) -> AzureProvider:
    provider = machines_of(cloud, folder)
    pool = Pool(provider="azure", region="westus", zone="", instance_type="Standard_NC4as_T4_v3", market="spot")
    offer = Offer(pool=pool, price_usd_hour=Decimal("0.2"), seen_at=0.0)
    order = Order(launch_key=KEY, job="train", attempt=1, alternatives=(offer,), script="#!/bin/sh\n", **more)
    provider.launch(order)
    return provider


def machines_of(cloud: FakeAzure, folder: Path) -> AzureProvider:
    values = {"endpoint": cloud.url, "prices_endpoint": cloud.url, "auth": "none", "regions": "westus"}
    return AzureProvider(owner="ab12cd", folder=folder, settings=Settings(provider="azure", values=values))


def sent(cloud: FakeAzure, method: str, path: str) -> Any:
    return [c for c in cloud.called(path) if c.method == method][-1]


def words_outside_their_enums(data: Any, model: Any) -> list[str]:
    """Values that the model declares as an enum, and that the enum does not have."""
    if typing.get_origin(model) is list:
        return [bad for item in data for bad in words_outside_their_enums(item, typing.get_args(model)[0])]
    if not isinstance(data, dict) or not hasattr(model, "__mro__") or not hasattr(model({}), "_attr_to_rest_field"):
        return []
    fields = {field._rest_name: name for name, field in model({})._attr_to_rest_field.items()}
    hints = typing.get_type_hints(model, vars(models) | {"_models": models})
    found = []
    for key in data.keys() & fields.keys():
        hint = hints[fields[key]]
        enums = [h for h in typing.get_args(hint) if isinstance(h, type) and issubclass(h, enum.Enum)]
        # Sizes are so many that Azure's own list of them is years behind.
        if enums and key != "vmSize" and data[key] not in {e.value for e in enums[0]}:
            found.append(f"{key}={data[key]}")
        found += words_outside_their_enums(data[key], _bare(hint))
    return found


@pytest.mark.parametrize("more", [{}, {"ssh_key": "ssh-ed25519 AAAA me", "disk_gb": 500.0}])
def test_a_machine_is_asked_for_in_words_that_azures_models_know(
    cloud: FakeAzure, tmp_path: Path, more: dict[str, Any]
) -> None:
    launch(cloud, tmp_path, **more)
    body = sent(cloud, "PUT", "/vm-0$").json
    assert unknown_fields(body, models.VirtualMachine) == []
    assert words_outside_their_enums(body, models.VirtualMachine) == []
    spoiled = {"properties": {**body["properties"], "priority": "Cheap", "evictionPolcy": "Delete"}}
    assert unknown_fields(spoiled, models.VirtualMachine) == [".properties.evictionPolcy"]
    assert words_outside_their_enums(spoiled, models.VirtualMachine) == ["priority=Cheap"]


def test_what_the_fake_lists_has_no_field_that_azures_models_do_not_know(cloud: FakeAzure, tmp_path: Path) -> None:
    launch(cloud, tmp_path)
    (machine,) = cloud.machines.values()
    assert unknown_fields([cloud.show(machine), cloud.status(machine)], list[models.VirtualMachine]) == []


def test_azures_client_makes_lists_and_ends_a_machine_by_the_same_calls_as_ours(
    cloud: FakeAzure, tmp_path: Path
) -> None:
    from azure.core import MatchConditions

    ours = launch(cloud, tmp_path)
    ours.list_machines()
    put = sent(cloud, "PUT", "/vm-0$")
    options: Any = {"authentication_policy": Header(), "retry_total": 0, "polling_interval": 0}
    client = ComputeManagementClient(Placeholder(), SUBSCRIPTION, base_url=cloud.url, **options).virtual_machines
    as_ours: Any = {"api_version": put.query["api-version"]}
    new: Any = {"etag": "*", "match_condition": MatchConditions.IfMissing}
    made = client.begin_create_or_update(KEY, "vm-1", put.json, **new, **as_ours)
    assert made.result().properties.vm_id
    theirs = sent(cloud, "PUT", "/vm-1$")
    assert (theirs.path.replace("vm-1", "vm-0"), theirs.query) == (put.path, put.query)
    assert (theirs.json, theirs.headers["If-None-Match"]) == (put.json, put.headers["If-None-Match"])
    assert {m.name for m in client.list_all(**as_ours)} == {"vm-0", "vm-1"}
    states = [
        s.code for m in client.list_all(status_only="true", **as_ours) for s in m.properties.instance_view.statuses
    ]
    assert any(code.startswith("PowerState/") for code in states)
    asked = [(c.path, c.query) for c in cloud.called("/providers/Microsoft.Compute/virtualMachines$")]
    assert sorted(asked[:2], key=str) == sorted(asked[2:], key=str)
    client.begin_delete(KEY, "vm-1", force_deletion=True, **as_ours).result()
    ours.terminate([KEY])
    ends = [c for c in cloud.called("/vm-[01]$") if c.method == "DELETE"]
    assert ends[0].query == ends[1].query and ends[0].path[:-1] == ends[1].path[:-1]


def test_groups_are_made_listed_and_ended_by_the_calls_of_azures_own_client(cloud: FakeAzure, tmp_path: Path) -> None:
    resources = pytest.importorskip("azure.mgmt.resource.resources")
    ours = launch(cloud, tmp_path)
    ours.list_machines()
    listed = sent(cloud, "GET", "/resourcegroups$")
    put = sent(cloud, "PUT", f"/resourceGroups/{KEY}$")
    ours.terminate([KEY])
    end = sent(cloud, "DELETE", f"/resourceGroups/{KEY}$")
    client = resources.ResourceManagementClient(
        Placeholder(),
        SUBSCRIPTION,
        base_url=cloud.url,
        authentication_policy=Header(),
        retry_total=0,
        polling_interval=0,
        api_version=put.query["api-version"],
    ).resource_groups
    assert client.create_or_update(KEY, put.json).properties.provisioning_state == "Succeeded"
    assert [g.name for g in client.list(filter=listed.query["$filter"])] == [KEY]
    client.begin_delete(KEY, force_deletion_types=end.query["forceDeletionTypes"], polling=False)
    assert [g.name for g in client.list()] == ["spotlaunch-net-westus"]
    theirs = [c for c in cloud.called("(?i)/resourcegroups") if "/providers/" not in c.path][-4:]
    for mine, other in zip((put, listed, end), theirs, strict=False):
        assert (mine.method, mine.path.lower(), mine.query) == (other.method, other.path.lower(), other.query)
