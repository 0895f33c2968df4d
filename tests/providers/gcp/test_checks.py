from __future__ import annotations

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch_providers.gcp.checks import findings
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp

CALLS = {
    "machineTypes.aggregatedList",
    "advice.capacityHistory",
    "advice.capacity",
    "instances.aggregatedList",
    "disks.aggregatedList",
    "operations.aggregatedList",
    "regions.list",
    "projects.get",
    "cloudbilling skus.list",
}


def test_credentials_calls_and_quotas_are_told(settings: Settings) -> None:
    found = {f.name: f for f in findings(settings)}
    assert found["credentials"].ok
    assert {name for name, f in found.items() if f.kind == "call" and f.ok} == CALLS
    assert found["PREEMPTIBLE_NVIDIA_H100_GPUS"].detail == "8 in us-central1, 8 in us-east4"
    assert found["NVIDIA_L4_GPUS"].ok and found["GPUS_ALL_REGIONS"].detail == "16, of which 1 are used"
    assert not [name for name in found if "A100" in name or "VWS" in name or "CPUS" in name]


def test_calls_are_tried_on_a_machine_that_is_sold(
    cloud: FakeGcp, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a zone that has lost the GPU would look like a call that is not permitted."""
    monkeypatch.setattr(data, "TYPES", [row for row in data.TYPES if row[0] == "a4-highgpu-8g"])
    assert {f.name for f in findings(settings) if f.kind == "call" and f.ok} == CALLS
    assert {c.path.split("/")[6] for c in cloud.called("advice")} == {"us-central1"}
    cloud.filters = False
    assert {f.name for f in findings(settings) if f.kind == "call" and f.ok} == CALLS


def test_what_is_forbidden_is_a_finding_with_a_hint(cloud: FakeGcp, settings: Settings) -> None:
    cloud.fail("forbidden", path="advice|services")
    calls = {f.name: f for f in findings(settings) if f.kind == "call"}
    assert {name for name, f in calls.items() if not f.ok} == {
        "advice.capacityHistory",
        "advice.capacity",
        "cloudbilling skus.list",
    }
    assert all(f.hint for f in calls.values() if not f.ok)
    assert data.PROJECT not in repr(calls)


def test_no_quota_at_all_says_where_to_ask_for_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "QUOTAS", dict.fromkeys(data.QUOTAS, 0.0))
    quotas = {f.name: f for f in findings(settings) if f.kind == "quota"}
    assert not quotas["spot GPUs"].ok and not quotas["on-demand GPUs"].ok
    assert "https://console.cloud.google.com/iam-admin/quotas" in quotas["spot GPUs"].hint


def test_spot_without_a_quota_of_its_own_uses_the_standard_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "QUOTAS", {"NVIDIA_L4_GPUS": 4.0})
    quotas = {f.name: f for f in findings(settings) if f.kind == "quota"}
    assert quotas["spot GPUs"].ok and "standard quota" in quotas["spot GPUs"].detail


def test_a_cloud_that_hangs_is_told_of_within_the_deadline(cloud: FakeGcp, settings: Settings) -> None:
    cloud.fail("hang")
    found = findings(settings, ask_s=0.5)
    assert {f.name for f in found if not f.ok} == CALLS
