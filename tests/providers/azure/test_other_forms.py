"""Answers in other forms than those that our fake gives: shorter ones, with other words, with less filtering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch import errors
from spotlaunch_providers.azure.activity import read
from spotlaunch_providers.azure.adapter import AzureProvider
from spotlaunch_providers.azure.prices import prices
from tests.fakes.clouds.azure import FakeAzure
from tests.fakes.clouds.azure_wire import refusal
from tests.fakes.clouds.server import Request, Response
from tests.providers.azure.conftest import NOW
from tests.providers.azure.launching_help import KEY, offer, order, provider

Change = Callable[[Request, Response], Response]


@pytest.fixture
def azure(cloud: FakeAzure, tmp_path: Path) -> AzureProvider:
    return provider(cloud, tmp_path)


def answering(cloud: FakeAzure, change: Change) -> None:
    """From now on what the fake says goes through ``change``."""
    plain = cloud.answer

    def answer(request: Request) -> Any:
        response, hits = plain(request)
        return change(request, response), hits

    cloud.answer = answer  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "body",
    [{"error": {"code": "NotFound"}}, {"error": {"code": "ParentResourceNotFound"}}, {}, None, "Not Found"],
    ids=["code", "unknown-code", "empty-json", "nothing", "text"],
)
def test_what_is_not_there_is_not_there_in_any_words(cloud: FakeAzure, azure: AzureProvider, body: object) -> None:
    answering(cloud, lambda _, r: Response(status=404, body=body) if r.status == 404 else r)
    assert azure.launch(order()).instance_id == KEY  # its network was not there
    assert azure.terminate([KEY]) == {} and cloud.fleet.left() == []
    assert azure.terminate([KEY, "sl-ab12cd-absent-1-0", f"{KEY}/vm-3"]) == {}


def test_a_read_that_is_forbidden_without_a_word_is_a_matter_of_the_account(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    answering(cloud, lambda *_: Response(status=403))
    with pytest.raises(errors.NotAuthorized):
        azure.list_machines()


def test_groups_of_others_are_never_ours_to_end_though_the_filter_is_not_heeded(
    cloud: FakeAzure, azure: AzureProvider, tmp_path: Path
) -> None:
    provider(cloud, tmp_path, owner="zz99zz").launch(order(key="sl-zz99zz-train-1-0"))

    def all_groups(request: Request, response: Response) -> Response:
        if not request.path.lower().endswith("/resourcegroups"):
            return response
        group = {"name": "sl-zz99zz-old-1-0", "location": "westus", "tags": {"spotlaunch-owner": "zz99zz"}}
        bare = {"name": "sl-zz99zz-old-2-0", "location": "westus"}
        return Response(body={"value": [group, bare]})

    answering(cloud, all_groups)
    assert list(azure.list_machines()) == []


def test_too_many_calls_for_its_group_are_no_fault_of_the_order(cloud: FakeAzure, azure: AzureProvider) -> None:
    said = "The server rejected the request because too many requests have been received for this subscription."
    no = refusal(429, "OperationNotAllowed", said, **{"Retry-After": "20"})
    answering(cloud, lambda request, r: no if request.method == "PUT" and request.path.endswith(KEY) else r)
    with pytest.raises(errors.Throttled) as caught:
        azure.launch(order(offer(), offer(region="eastus")))
    assert caught.value.retry_after_s == 20 and len(caught.value.refused) == 1


def test_an_accepted_machine_that_azure_does_not_describe_is_kept(cloud: FakeAzure, azure: AzureProvider) -> None:
    def short(request: Request, response: Response) -> Response:
        if request.method != "PUT" or "/virtualMachines/" not in request.path:
            return response
        body: Any = response.body
        return replace(response, body={"id": body["id"], "properties": {"provisioningState": "Creating"}})

    answering(cloud, short)
    assert azure.launch(order()).instance_id == KEY
    assert [m.instance_id for m in azure.list_machines()] == [KEY]


def test_a_machine_that_was_there_is_found_among_the_offers_however_its_size_is_spelled(
    cloud: FakeAzure, azure: AzureProvider, tmp_path: Path
) -> None:
    azure.launch(order())

    def other_case(request: Request, response: Response) -> Response:
        body: Any = response.body
        for row in body.get("value", []) if isinstance(body, dict) else []:
            hardware = (row.get("properties") or {}).get("hardwareProfile")
            if hardware:
                hardware["vmSize"] = hardware["vmSize"].upper()
                row["location"] = "West US"
        return response

    answering(cloud, other_case)
    assert provider(cloud, tmp_path).launch(order()).offer == offer()


def test_a_word_of_the_log_counts_without_its_time_and_without_its_translation() -> None:
    row = {
        "operationName": "Microsoft.Compute/virtualMachines/evictSpotVM/action",
        "status": "Succeeded",
        "resourceId": f"/subscriptions/x/resourceGroups/{KEY}/providers/Microsoft.Compute/virtualMachines/vm-0",
    }
    assert read([row])[KEY].reason == "preempted"


def test_a_price_row_may_leave_out_what_was_asked_for_anyway() -> None:
    row = {
        "armSkuName": "Standard_NC40ads_H100_v5",
        "armRegionName": "eastus",
        "productName": "Virtual Machines NCadsH100v5 Series",
        "skuName": "NC40adsH100v5 Spot",
        "meterName": "NC40adsH100v5 Spot",
        "retailPrice": 1.5,
    }
    (price,) = prices([row], now=NOW)
    assert price.spot_usd_hour is not None and price.on_demand_usd_hour is None
