from __future__ import annotations

import time

import pytest

from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.checks import findings
from tests.fakes.clouds.aws import ACCOUNT, USER, FakeAws
from tests.providers.aws.conftest import settings

KEY, SECRET = "AKIAMARKERMARKER0001", "marker-secret-93hf83h"
CALLS = [
    "sts:GetCallerIdentity",
    "ec2:DescribeRegions",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeSpotPriceHistory",
    "pricing:GetProducts",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeSubnets",
    "ssm:GetParameter, ec2:DescribeImages",
    "ec2:DescribeSecurityGroups",
    "ec2:CreateSecurityGroup",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:ImportKeyPair",
    "ec2:DeleteKeyPair",
    "ec2:RunInstances, ec2:CreateTags",
    "ec2:DescribeInstances",
    "ec2:TerminateInstances",
    "ec2:DescribeVolumes",
    "ec2:DeleteVolume",
]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def test_a_good_account_is_told_call_by_call_and_quota_by_quota(cloud: FakeAws, keys: None) -> None:
    found = findings(Access(settings(cloud, auth=""), tries=1))
    assert [f.name for f in found if f.kind == "call"] == CALLS
    assert all(f.ok for f in found if f.kind != "quota")
    assert found[0].kind == "credentials" and found[0].detail == "found by env"
    quotas = {f.name: f for f in found if f.kind == "quota"}
    assert quotas["vCPUs, spot G and VT"].ok and "64 at a time in us-east-1" in quotas["vCPUs, spot G and VT"].detail
    none = quotas["vCPUs, spot P5"]
    assert not none.ok and "--quota-code L-C4BD4855" in none.hint and len(quotas) == 5


def test_neither_key_nor_account_is_told(cloud: FakeAws, keys: None) -> None:
    good = findings(Access(settings(cloud, auth=""), tries=1))
    cloud.fail("forbidden")
    bad = findings(Access(settings(cloud, auth=""), tries=1))
    cloud.heal()
    cloud.keys = set()
    unknown = findings(Access(settings(cloud, auth=""), tries=1))
    told = repr((good, bad, unknown))
    assert not [m for m in (KEY, SECRET, ACCOUNT, USER, "AIDA", "arn:") if m in told]


def test_a_call_that_is_not_permitted_is_told_with_what_to_do(cloud: FakeAws) -> None:
    cloud.fail("forbidden", path="GetProducts|GetServiceQuota")
    found = {f.name: f for f in findings(Access(settings(cloud), tries=1))}
    assert not found["pricing:GetProducts"].ok and "permission" in found["pricing:GetProducts"].hint
    assert not found["vCPUs, spot P5"].ok and "GetServiceQuota" in found["vCPUs, spot P5"].detail
    assert found["ec2:DescribeRegions"].ok and found["credentials"].ok


def test_trying_the_calls_of_a_machines_life_makes_nothing(cloud: FakeAws) -> None:
    found = {f.name: f for f in findings(Access(settings(cloud), tries=1))}
    assert "nothing" in found["ec2:RunInstances, ec2:CreateTags"].detail.replace("anything", "nothing")
    assert not cloud.instances and not cloud.groups and not any(cloud.keys_of.values())


@pytest.mark.parametrize("action", ["RunInstances", "TerminateInstances", "CreateSecurityGroup", "DeleteVolume"])
def test_a_machines_call_that_is_not_permitted_is_told(cloud: FakeAws, action: str) -> None:
    cloud.fail("forbidden", path=f"{action}$")
    bad = [f for f in findings(Access(settings(cloud), tries=1)) if not f.ok and f.kind == "call"]
    assert len(bad) == 1 and action in bad[0].name and "permission" in bad[0].hint


def test_a_region_without_a_subnet_is_told(cloud: FakeAws) -> None:
    cloud.no_subnets.add("us-east-1")
    found = {f.name: f for f in findings(Access(settings(cloud), tries=1))}
    assert not found["ec2:DescribeSubnets"].ok and "create-default-vpc" in found["ec2:DescribeSubnets"].hint


def test_a_quota_that_the_region_does_not_know_is_told(cloud: FakeAws) -> None:
    del cloud.quotas["L-7212CCBC"]
    found = {f.name: f for f in findings(Access(settings(cloud), tries=1))}
    assert "knows no quota L-7212CCBC" in found["vCPUs, spot P4, P3 and P2"].detail


def test_regions_that_are_set_and_not_enabled_are_told(cloud: FakeAws) -> None:
    found = {f.name: f for f in findings(Access(settings(cloud, regions="us-east-1,af-south-1"), tries=1))}
    assert found["ec2:DescribeRegions"].detail == "17 regions enabled; not among them: af-south-1"


def test_without_credentials_the_public_feed_is_tried(cloud: FakeAws) -> None:
    first, feed = findings(Access(settings(cloud, auth=""), tries=1))
    assert (first.kind, first.ok, first.detail) == ("credentials", False, "none found") and "AWS_PROFILE" in first.hint
    assert feed.ok and "17 regions" in feed.detail
    cloud.fail("forbidden")
    assert not findings(Access(settings(cloud, auth=""), tries=1))[1].ok
    assert len(findings(Access(settings(cloud, auth="", advisor_endpoint=""), tries=1))) == 1


def test_credentials_that_cannot_be_had_are_the_only_finding(cloud: FakeAws) -> None:
    (found,) = findings(Access(settings(cloud, auth="", profile="nosuch"), tries=1))
    assert found.kind == "credentials" and not found.ok and "nosuch" in found.detail


@pytest.mark.parametrize("kind", ["hang", "throttle", "malformed", "truncated", "expired-token", "clock-skew"])
def test_a_fault_is_a_finding_in_time(cloud: FakeAws, kind: str) -> None:
    access = Access(settings(cloud), tries=1)
    access.look()
    cloud.fail(kind, seconds=86_400.0)
    began = time.monotonic()
    found = findings(access, ask_s=1.2)
    assert time.monotonic() - began < 6  # a call alone may take ten
    bad = [f for f in found if not f.ok]
    assert len(bad) >= 6 and all(f.detail and f.hint for f in bad)
