"""The network of a region: made once, by whoever comes first, and made again when it is gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.clouds.azure import FakeAzure
from tests.providers.azure.launching_help import order, provider


def made(cloud: FakeAzure) -> list[str]:
    return [c.path.rpartition("/")[2] for c in cloud.calls if c.method == "PUT" and "spotlaunch-net-westus" in c.path]


def test_the_network_of_a_region_is_made_once_for_all_launches(cloud: FakeAzure, tmp_path: Path) -> None:
    azure = provider(cloud, tmp_path)
    with ThreadPoolExecutor(6) as workers:
        list(workers.map(lambda n: azure.launch(order(key=f"sl-ab12cd-train-{n}-0")), range(6)))
    assert made(cloud) == ["spotlaunch-net-westus", "spotlaunch", "spotlaunch"]
    assert len(cloud.fleet.up()) == 6


def test_a_network_that_is_there_is_found_and_left_as_it_is(cloud: FakeAzure, tmp_path: Path) -> None:
    provider(cloud, tmp_path).launch(order())
    before = len(made(cloud))
    provider(cloud, tmp_path).launch(order(key="sl-ab12cd-train-2-0"))
    assert len(made(cloud)) == before


def test_several_processes_may_make_it_at_a_time(cloud: FakeAzure, tmp_path: Path) -> None:
    ours = [provider(cloud, tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda n: ours[n].launch(order(key=f"sl-ab12cd-train-{n}-0")), range(4)))
    assert len(cloud.fleet.up()) == 4


def test_nothing_comes_in_but_a_shell_where_a_job_allows_one(cloud: FakeAzure, tmp_path: Path) -> None:
    azure = provider(cloud, tmp_path)
    azure.launch(order())
    rules = {path.rpartition("/")[2]: body for path, body in cloud.networks.items() if "securitygroups" in path}
    assert rules["spotlaunch"]["properties"]["securityRules"] == []
    azure.launch(order(key="sl-ab12cd-train-2-0", ssh_key="ssh-ed25519 AAAA me"))
    (opened,) = next(b for p, b in cloud.networks.items() if p.endswith("spotlaunch-ssh"))["properties"][
        "securityRules"
    ]
    assert (opened["properties"]["destinationPortRange"], opened["properties"]["direction"]) == ("22", "Inbound")


def test_a_network_that_was_deleted_is_made_again(cloud: FakeAzure, tmp_path: Path) -> None:
    azure = provider(cloud, tmp_path)
    azure.launch(order())
    cloud.networks.clear()
    launched = azure.launch(order(key="sl-ab12cd-train-2-0"))
    assert launched.refused == () and len(cloud.fleet.up()) == 2 and len(cloud.networks) == 2


def test_a_subnet_of_ones_own_is_used_and_nothing_is_made_beside_it(cloud: FakeAzure, tmp_path: Path) -> None:
    base = "/subscriptions/s/resourceGroups/corp/providers/Microsoft.Network/virtualNetworks/hub"
    cloud.networks[base.lower()] = {"location": "westus", "properties": {}}
    provider(cloud, tmp_path, subnets=f"westus={base}/subnets/gpu").launch(order())
    (put,) = (c for c in cloud.called("/vm-0$") if c.method == "PUT")
    interface = put.json["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]
    assert interface["ipConfigurations"][0]["properties"]["subnet"]["id"] == f"{base}/subnets/gpu"
    assert "networkSecurityGroup" not in interface and made(cloud) == []


@pytest.mark.parametrize("code", ["AnotherOperationInProgress", "RetryableError"])
def test_somebody_who_makes_it_at_the_same_moment_is_waited_for(
    cloud: FakeAzure, tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes.clouds.azure_wire import refusal
    from tests.fakes.clouds.server import Request, Response

    put = FakeAzure.put_network

    def busy(request: Request) -> Response:
        put(cloud, request)
        return refusal(409, code, "Another operation is in progress.")

    cloud._routes = [(m, p, busy if h == cloud.put_network else h) for m, p, h in cloud._routes]
    provider(cloud, tmp_path).launch(order())
    assert len(cloud.fleet.up()) == 1
