from __future__ import annotations

import logging

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch_providers.azure import examine
from spotlaunch_providers.azure.examining import examine as look
from tests.fakes.clouds import azure_catalog
from tests.fakes.clouds.azure import FakeAzure
from tests.providers.azure.conftest import SUBSCRIPTION, settings


def by_name(findings):
    return {f.name: f for f in findings}


def test_a_good_account_has_all_calls_and_its_quotas(cloud: FakeAzure) -> None:
    found = by_name(examine(settings=settings(cloud)))
    calls = {f.name for f in found.values() if f.kind == "call"}
    assert calls == {"retail prices", "sizes", "eviction rates", "placement score", "quotas", "machines"}
    assert all(f.ok for f in found.values() if f.kind != "quota")
    assert found["spot vCPUs in eastus"].detail == "0 of 100 vCPUs are used"
    assert found["NCASv3_T4 on demand in eastus"].ok
    others = found["other GPUs on demand in eastus"]
    assert "NCadsH100v5" in others.detail and "Quotas" in others.hint


def test_the_subscription_is_in_no_log_line(cloud: FakeAzure, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    examine(settings=settings(cloud))
    assert SUBSCRIPTION not in caplog.text


def test_an_empty_quota_says_how_to_get_more(cloud: FakeAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    usages = [u | {"limit": 0} for u in azure_catalog.usages()]
    monkeypatch.setattr(azure_catalog, "usages", lambda: usages)
    found = by_name(examine(settings=settings(cloud)))
    spot, others = found["spot vCPUs in eastus"], found["other GPUs on demand in eastus"]
    assert not spot.ok and spot.hint and not others.ok and others.hint


def test_a_role_that_is_missing_is_named(cloud: FakeAzure) -> None:
    cloud.may_score = False
    score = by_name(examine(settings=settings(cloud)))["placement score"]
    assert not score.ok and "Compute Recommendations Role" in score.hint


def test_permissions_for_machines_that_are_missing_are_named(cloud: FakeAzure) -> None:
    cloud.permitted = ["Microsoft.Compute/*", "microsoft.resources/subscriptions/resourcegroups/write"]
    machines = by_name(examine(settings=settings(cloud)))["machines"]
    assert not machines.ok and "configs/permissions/azure.json" in machines.hint
    assert "Microsoft.Network/virtualNetworks/write" in machines.detail
    assert "virtualMachines/write" not in machines.detail and "resourceGroups/write" not in machines.detail


def test_without_an_account_the_prices_are_looked_at_and_the_way_to_one_is_told(cloud: FakeAzure) -> None:
    found = examine(settings=settings(cloud, endpoint="", auth=""))
    assert [(f.name, f.ok) for f in found] == [("Azure login", False), ("retail prices", True)]
    assert found[0].hint


def test_a_region_without_prices_is_doubted(cloud: FakeAzure) -> None:
    prices = by_name(examine(settings=settings(cloud, regions="atlantis")))["retail prices"]
    assert not prices.ok and "atlantis" in prices.detail


@pytest.mark.parametrize(
    "kind",
    ["hang", "throttle", "server-error", "bad-gateway", "malformed", "truncated", "drop", "expired-token", "forbidden"],
)
def test_a_cloud_in_trouble_is_a_finding_for_each_call_and_no_error(cloud: FakeAzure, kind: str) -> None:
    cloud.fail(kind)
    found = look(settings=settings(cloud), ask_s=1.0 if kind == "hang" else 6.0)
    calls = [f for f in found if f.kind == "call"]
    assert len(calls) == 6 and not any(f.ok for f in calls)
    assert all(f.detail and f.hint for f in calls)
    said = repr(found)
    assert SUBSCRIPTION not in said and "deadbeef" not in said and "example.com" not in said


def test_a_login_that_fails_is_a_finding(cloud: FakeAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    def refused(found: object) -> object:
        raise ClientAuthenticationError("Authentication failed: AADSTS90002: Tenant 'x' not found. Check it.")

    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "marker-value")
    monkeypatch.setattr("spotlaunch_providers.azure.credentials._credential", refused)
    values = {
        "subscription_id": SUBSCRIPTION,
        "prices_endpoint": "https://127.0.0.1:9",
        "endpoint": "https://127.0.0.1:9",
    }
    login = look(settings=Settings(provider="azure", values=values), ask_s=0.5)[0]
    assert not login.ok and "AADSTS90002" in login.detail and "service principal" in login.detail
    assert "marker-value" not in repr(login) and login.hint
