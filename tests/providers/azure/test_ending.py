"""Ending machines: by force, with all that was made for them, and nothing else ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch_providers.azure.adapter import AzureProvider
from spotlaunch_providers.azure.names import Id, parse
from tests.fakes.clouds.azure import FakeAzure
from tests.providers.azure.launching_help import KEY, order, provider


@pytest.fixture
def azure(cloud: FakeAzure, tmp_path: Path) -> AzureProvider:
    return provider(cloud, tmp_path)


def test_the_machine_is_ended_by_force_before_its_group(cloud: FakeAzure, azure: AzureProvider) -> None:
    azure.launch(order())
    assert azure.terminate([KEY]) == {}
    machine, group = (c for c in cloud.calls if c.method == "DELETE")
    assert machine.path.endswith("/vm-0") and machine.query["forceDeletion"] == "true"
    assert group.path.endswith(KEY) and group.query["forceDeletionTypes"] == "Microsoft.Compute/virtualMachines"
    assert cloud.fleet.left() == []


def test_one_call_is_enough_for_a_machine_that_this_process_never_saw(
    cloud: FakeAzure, azure: AzureProvider, tmp_path: Path
) -> None:
    azure.launch(order())
    assert provider(cloud, tmp_path, regions="westeurope").terminate([KEY]) == {}
    assert cloud.fleet.left() == []


@pytest.mark.parametrize(
    "text", ["", "production", "spotlaunch-net-eastus", "sl-", "sl-a-b", "i-0123", f"{KEY}/", f"{KEY}/web", f"../{KEY}"]
)
def test_what_cannot_be_ours_is_never_deleted_and_counts_as_done(
    cloud: FakeAzure, azure: AzureProvider, text: str
) -> None:
    assert azure.terminate([text]) == {} or parse(text) == Id(group=KEY)
    assert not [c for c in cloud.calls if c.method == "DELETE" and KEY not in c.path]
    assert parse(text) in (None, Id(group=KEY))


def test_one_that_cannot_be_ended_does_not_spoil_the_others(cloud: FakeAzure, azure: AzureProvider) -> None:
    keys = [f"sl-ab12cd-train-{n}-0" for n in range(1, 4)]
    for key in keys:
        azure.launch(order(key=key))
    cloud.fail("forbidden", path=f"{keys[1]}")
    failures = azure.terminate([*keys, "sl-ab12cd-absent-1-0"])
    assert failures.keys() == {keys[1]}
    assert "AuthorizationFailed" in failures[keys[1]] and "deadbeef" not in failures[keys[1]]
    cloud.heal()
    assert azure.terminate(keys) == {} and cloud.fleet.left() == []


@pytest.mark.parametrize("kind", ["server-error", "drop", "throttle", "bad-gateway"])
def test_an_end_that_nobody_confirms_is_a_failure_and_may_be_repeated(
    cloud: FakeAzure, azure: AzureProvider, kind: str
) -> None:
    azure.launch(order())
    cloud.fail(kind, path=f"{KEY}$")
    assert azure.terminate([KEY])[KEY]
    cloud.heal()
    assert azure.terminate([KEY]) == {} and cloud.fleet.left() == []


def test_a_group_that_is_going_already_is_done(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.delete_s = 3600
    azure.launch(order())
    for _ in range(3):
        assert azure.terminate([KEY]) == {}


@pytest.mark.usefixtures("refused_login")
def test_without_a_login_every_end_fails_with_the_reason(azure: AzureProvider) -> None:
    assert azure.terminate([KEY, "other"]) == {KEY: "no token: AADSTS7000215"}
