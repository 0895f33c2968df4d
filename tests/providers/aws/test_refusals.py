"""Every code of the fact sheet, as a launch meets it: which error, how far it reaches, what is not tried after it."""

from __future__ import annotations

import re

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Scope
from spotlaunch_providers.aws.refusals import NOES
from tests.fakes.clouds.aws import ACCOUNT, USER, FakeAws
from tests.fakes.clouds.aws_codes import LAUNCH_CODES
from tests.providers.aws.conftest import Make, an_offer, an_order

FIRST = an_offer()
POOL, ZONE = Scope.of(FIRST.pool), Scope(provider="aws", region="us-east-1", zone="us-east-1a")
REGION, SPOT, CLOUD = (
    Scope(provider="aws", region="us-east-1"),
    Scope(provider="aws", market="spot"),
    Scope(provider="aws"),
)
MARKERS = (ACCOUNT, USER, "marker", "arn:")

TABLE: dict[str, tuple[type[errors.ProviderError], Scope]] = {
    "InsufficientInstanceCapacity": (errors.NoCapacity, POOL),
    "UnfulfillableCapacity": (errors.NoCapacity, POOL),
    "InsufficientHostCapacity": (errors.NoCapacity, POOL),
    "InsufficientReservedInstanceCapacity": (errors.NoCapacity, POOL),
    "Unsupported": (errors.NoCapacity, POOL),
    "InvalidFleetConfiguration": (errors.NoCapacity, POOL),
    "SpotMaxPriceTooLow": (errors.PriceTooLow, POOL),
    "MaxSpotInstanceCountExceeded": (errors.QuotaExceeded, POOL),
    "VcpuLimitExceeded": (errors.QuotaExceeded, POOL),
    "InstanceLimitExceeded": (errors.QuotaExceeded, POOL),
    "InsufficientFreeAddressesInSubnet": (errors.NoCapacity, ZONE),
    "MaxFleetCountExceeded": (errors.QuotaExceeded, REGION),
    "VolumeLimitExceeded": (errors.QuotaExceeded, REGION),
    "InsufficientVolumeCapacity": (errors.NoCapacity, ZONE),
    "PendingVerification": (errors.NotAuthorized, CLOUD),
    "OptInRequired": (errors.NotAuthorized, CLOUD),
    "Blocked": (errors.NotAuthorized, CLOUD),
    "AuthFailure": (errors.NotAuthorized, CLOUD),
    "UnauthorizedOperation": (errors.NotAuthorized, CLOUD),
    "SsmAccessDenied": (errors.NotAuthorized, CLOUD),
    "InvalidClientTokenId": (errors.NotAuthorized, CLOUD),
    "ExpiredToken": (errors.NotAuthorized, CLOUD),
    "RequestExpired": (errors.NotAuthorized, CLOUD),
    "SignatureDoesNotMatch": (errors.NotAuthorized, CLOUD),
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": (errors.QuotaExceeded, SPOT),
    "RequestLimitExceeded": (errors.Throttled, CLOUD),
    "InvalidParameterValue": (errors.InvalidOrder, POOL),
    "InvalidAMIID.NotFound": (errors.InvalidOrder, REGION),
    "InvalidSubnetID.NotFound": (errors.InvalidOrder, ZONE),
    "InvalidInstanceType": (errors.InvalidOrder, POOL),
    "InvalidInstanceType.NotFound": (errors.InvalidOrder, POOL),
    "InvalidUserData.Malformed": (errors.InvalidOrder, CLOUD),
    "MissingParameter": (errors.InvalidOrder, POOL),
}
# A machine may have been made.
UNKNOWN = {"InternalError", "Unavailable", "ServiceUnavailable", "IdempotentParameterMismatch"}


def test_every_code_of_the_fact_sheet_has_its_row() -> None:
    assert {*TABLE, *UNKNOWN} == set(LAUNCH_CODES)


@pytest.mark.parametrize("code", TABLE)
def test_a_code_refuses_what_it_concerns_and_no_more(cloud: FakeAws, make: Make, code: str) -> None:
    cloud.fail_launch(code)
    with pytest.raises(TABLE[code][0]) as caught:
        make(regions="us-east-1").launch(an_order(FIRST))
    (no,) = caught.value.refused
    assert (no.error, no.scope) == (TABLE[code][0].__name__, TABLE[code][1])
    shown = f"{caught.value!r} {caught.value.hint} {no}"
    assert not [m for m in MARKERS if m in shown] and "{" not in no.reason + no.hint and no.reason
    assert not cloud.instances


@pytest.mark.parametrize("code", TABLE)
def test_after_a_refusal_only_what_it_does_not_cover_is_tried(cloud: FakeAws, make: Make, code: str) -> None:
    cloud.fail_launch(code, times=2 if code in ("InvalidAMIID.NotFound", "InvalidSubnetID.NotFound") else 1)
    scope = TABLE[code][1]
    elsewhere = an_offer(region="eu-west-2", zone="eu-west-2a")
    others = [an_offer(zone="us-east-1b"), an_offer("g5.xlarge"), an_offer(market="on-demand"), elsewhere]
    free = [o for o in others if not scope.covers(o.pool)]
    order = an_order(FIRST, *others)
    if not free:
        with pytest.raises(TABLE[code][0]):
            make(regions="us-east-1").launch(order)
        assert not cloud.instances
        return
    launched = make(regions="us-east-1").launch(order)
    if TABLE[code][0] is errors.QuotaExceeded and scope == POOL:
        free = [an_offer(market="on-demand")]  # the quota is that of all spot types of these letters
    assert launched.offer.pool == free[0].pool
    assert launched.refused[0].scope == scope


@pytest.mark.parametrize("code", [*sorted(UNKNOWN), "SomethingNew"])
def test_where_a_machine_may_have_been_made_nothing_else_is_tried(cloud: FakeAws, make: Make, code: str) -> None:
    cloud.fail_launch(code)
    with pytest.raises(errors.OutcomeUnknown):
        make(regions="us-east-1").launch(an_order(FIRST, an_offer(zone="us-east-1b")))
    assert len(cloud.called("RunInstances")) == 1


def test_a_refusal_by_quota_skips_types_of_the_same_quota_that_are_no_smaller(cloud: FakeAws, make: Make) -> None:
    cloud.fail_launch("MaxSpotInstanceCountExceeded", times=1)
    large, small = an_offer("g6.2xlarge", vcpus=8), an_offer("g5.xlarge", vcpus=4)
    huge, other = an_offer("g6.4xlarge", vcpus=16), an_offer("p5.4xlarge", vcpus=16)
    launched = make(regions="us-east-1").launch(an_order(large, huge, small, other))
    assert launched.offer.pool == small.pool
    assert [r.scope for r in launched.refused] == [Scope.of(large.pool), Scope.of(huge.pool)]
    assert "L-3819A6DF" in launched.refused[0].hint and len(cloud.called("RunInstances")) == 2


def test_the_limit_and_the_price_in_awss_words_are_told(cloud: FakeAws, make: Make) -> None:
    for code, words in (("VcpuLimitExceeded", "it is 0"), ("SpotMaxPriceTooLow", "$0.5278")):
        cloud.heal()
        cloud.fail_launch(code)
        with pytest.raises(errors.ProviderError, match=re.escape(words)):
            make(regions="us-east-1").launch(an_order(FIRST))


def test_a_region_that_is_not_enabled_rests_alone(cloud: FakeAws, make: Make) -> None:
    cloud.disabled.add("eu-west-2")
    away = an_offer(region="af-south-1", zone="af-south-1a")
    launched = make(regions="us-east-1").launch(an_order(away, FIRST))
    (no,) = launched.refused
    assert (no.error, no.scope) == ("QuotaExceeded", Scope(provider="aws", region="af-south-1"))
    assert "not enabled" in no.reason


def test_credentials_that_are_bad_everywhere_are_not_taken_for_a_closed_region(cloud: FakeAws, make: Make) -> None:
    cloud.keys = set()
    with pytest.raises(errors.NotAuthorized) as caught:
        make(regions="us-east-1").launch(an_order(FIRST, an_offer(region="eu-west-2", zone="eu-west-2a")))
    assert [r.scope for r in caught.value.refused] == [CLOUD]


def test_every_row_can_be_told(cloud: FakeAws) -> None:
    from spotlaunch_providers.aws.refusals import refused

    for code in NOES:
        no = refused(code, FIRST.pool, price="1", cap="2")
        assert no.reason.startswith("us-east-1a: ") and "{" not in no.reason + no.hint
