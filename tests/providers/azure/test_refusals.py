"""Each code of the fact sheet (3.5), from the cloud's answer to the refusal with its reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Scope
from spotlaunch_providers.azure.errors import CODES
from spotlaunch_providers.azure.refusals import NOT_SOLD_REST_S, USED_UP_REST_S, refusal, scope_of
from spotlaunch_providers.shared.redact import Redactor
from tests.fakes.clouds.azure import FakeAzure
from tests.fakes.clouds.azure_rules import FAILURES, quota
from tests.providers.azure.launching_help import A100, T4, offer, order, provider

POOL = {"region": "westus", "instance_type": f"Standard_{T4}"}
SIZE = {"instance_type": f"Standard_{T4}"}
SPOT = {"market": "spot"}
WHOLE: dict[str, str] = {}

# failure of a spot launch -> error, and how far it reaches.
MEANING: dict[str, tuple[str, dict[str, str]]] = {
    "SkuNotAvailable": ("NoCapacity", POOL | SPOT),
    "AllocationFailed": ("NoCapacity", POOL),
    "ZonalAllocationFailed": ("NoCapacity", POOL),
    "OverconstrainedAllocationRequest": ("NoCapacity", POOL | SPOT),
    "OverconstrainedZonalAllocationRequest": ("NoCapacity", POOL | SPOT),
    "LowPriorityCores": ("QuotaExceeded", {"region": "westus"} | SPOT),
    "Family Cores": ("QuotaExceeded", POOL | SPOT),  # asked for spot: told of the other market, it covers this pool
    "Total Regional Cores": ("QuotaExceeded", POOL | SPOT),
    "QuotaExceeded": ("QuotaExceeded", POOL | SPOT),
    "not allowed": ("InvalidOrder", POOL | SPOT),
    "throttled": ("Throttled", WHOLE),
    "TooManyRequests": ("Throttled", WHOLE),
    "SubscriptionRequestsThrottled": ("Throttled", WHOLE),
    "SpotPriceGreaterThanProvidedMaxPrice": ("PriceTooLow", POOL | SPOT),
    "MaxPriceValueInvalid": ("InvalidOrder", POOL | SPOT),
    "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines": ("InvalidOrder", POOL | SPOT),
    "AzureSpotIsNotSupportedForThisAPIVersion": ("InvalidOrder", POOL | SPOT),
    "InvalidParameter": ("InvalidOrder", POOL | SPOT),
    "BadRequest": ("InvalidOrder", POOL | SPOT),
    "InvalidTemplateDeployment": ("InvalidOrder", POOL | SPOT),
    "AzureSpotIsNotSupportedForThisVMSize": ("InvalidOrder", SIZE | SPOT),
    "AzureSpotFeatureNotEnabledForSubscription": ("QuotaExceeded", SPOT),
    "InvalidAuthenticationToken": ("NotAuthorized", WHOLE),
    "ExpiredAuthenticationToken": ("NotAuthorized", WHOLE),
    "AuthorizationFailed": ("NotAuthorized", WHOLE),
    "LinkedAuthorizationFailed": ("NotAuthorized", WHOLE),
    "ReadOnlyDisabledSubscription": ("NotAuthorized", WHOLE),
    "SubscriptionNotFound": ("NotAuthorized", WHOLE),
    "MissingSubscriptionRegistration": ("NotAuthorized", WHOLE),
    "MarketplacePurchaseEligibilityFailed": ("InvalidOrder", {"region": "westus"}),
    "PlatformImageNotFound": ("InvalidOrder", {"region": "westus"}),
    "ImageNotFound": ("InvalidOrder", {"region": "westus"}),
    "PublicIPCountLimitReached": ("QuotaExceeded", {"region": "westus"}),
    "SubnetIsFull": ("QuotaExceeded", {"region": "westus"}),
    "InternalServerError": ("OutcomeUnknown", WHOLE),
    "InternalExecutionError": ("OutcomeUnknown", WHOLE),
    "NetworkingInternalOperationError": ("OutcomeUnknown", WHOLE),
    "RetryableError": ("Transient", POOL | SPOT),
    "Conflict": ("Transient", POOL | SPOT),
    "AnotherOperationInProgress": ("Transient", POOL | SPOT),
    "ResourceNotFound": ("NoCapacity", POOL | SPOT),
    "ResourceGroupNotFound": ("NoCapacity", POOL | SPOT),
    "ResourceGroupBeingDeleted": ("NoCapacity", POOL | SPOT),
}


def test_every_code_of_the_fact_sheet_is_known_to_the_fake_and_to_the_table() -> None:
    assert MEANING.keys() == FAILURES.keys()
    assert {code for _, code, _ in FAILURES.values()} <= CODES.keys()


@pytest.mark.parametrize("failure", MEANING)
def test_each_code_has_its_error_and_reach(cloud: FakeAzure, tmp_path: Path, failure: str) -> None:
    error, reach = MEANING[failure]
    cloud.fail_launch(failure)
    with pytest.raises(errors.ProviderError) as caught:
        provider(cloud, tmp_path).launch(order())
    assert type(caught.value).__name__ == error
    if error != "OutcomeUnknown":
        (refused,) = caught.value.refused
        assert (refused.error, refused.scope) == (error, Scope(provider="azure", **reach))
        assert refused.reason and "deadbeef" not in refused.reason
        assert refused.hint or error in ("NoCapacity", "PriceTooLow", "Throttled", "InvalidOrder")


@pytest.mark.parametrize(
    ("failure", "scope"),
    [
        ("QuotaExceeded", {"region": "westus", "market": "on-demand"}),
        ("Total Regional Cores", {"region": "westus", "market": "on-demand"}),
        ("AllocationFailed", POOL),
    ],
)
def test_quotas_of_a_region_reach_all_of_it_on_demand(
    cloud: FakeAzure, tmp_path: Path, failure: str, scope: dict[str, str]
) -> None:
    cloud.fail_launch(failure)
    with pytest.raises(errors.ProviderError) as caught:
        provider(cloud, tmp_path).launch(order(offer(market="on-demand")))
    assert caught.value.refused[0].scope == Scope(provider="azure", **scope)


def meaning(code: str, said: str, **more):
    sold = offer(A100, market=more.pop("market", "spot"))
    found = refusal(code, said, sold, status=more.pop("status", 409), redact=Redactor(), retry_after_s=None)
    assert found is not None
    return found


def test_a_quota_that_others_use_up_rests_shorter_than_one_that_is_too_small() -> None:
    used_up = meaning("OperationNotAllowed", quota("LowPriorityCores quota", limit=48, used=46, more=24))
    too_small = meaning("OperationNotAllowed", quota("LowPriorityCores quota", limit=0, used=0, more=24))
    assert used_up.refused.retry_after_s == USED_UP_REST_S and too_small.refused.retry_after_s is None
    assert "46 of 48 vCPUs are used, and 24 more are needed" in used_up.refused.reason


def test_a_size_that_is_not_sold_on_demand_rests_for_a_day() -> None:
    assert meaning("SkuNotAvailable", "no", market="on-demand").refused.retry_after_s == NOT_SOLD_REST_S
    assert meaning("SkuNotAvailable", "no").refused.retry_after_s is None


def test_what_must_be_registered_is_named() -> None:
    said = "The subscription is not registered to use namespace 'Microsoft.Network'. See https://aka.ms/rps"
    assert meaning("MissingSubscriptionRegistration", said).refused.hint.endswith("--namespace Microsoft.Network")


def test_trouble_of_azures_own_is_no_refusal_where_a_machine_may_have_come_of_it() -> None:
    for status in (200, 500, 503):
        assert refusal("InternalServerError", "", offer(), status=status, redact=Redactor(), retry_after_s=None) is None
    assert refusal("NeverHeardOf", "", offer(), status=409, redact=Redactor(), retry_after_s=None) is None


def test_every_reach_of_the_table_covers_the_pool_that_was_asked_for() -> None:
    for rows in CODES.values():
        for row in rows:
            for pool in (offer().pool, offer(market="on-demand").pool):
                assert scope_of(row.reach, pool).covers(pool)


def test_a_quota_with_room_for_smaller_sizes_refuses_only_this_one() -> None:
    room = meaning("OperationNotAllowed", quota("LowPriorityCores quota", limit=48, used=40, more=24))
    none = meaning("OperationNotAllowed", quota("LowPriorityCores quota", limit=48, used=46, more=24))
    assert (room.refused.scope, room.left_vcpus) == (Scope.of(offer(A100).pool), 8)
    assert (none.refused.scope, none.left_vcpus) == (Scope(provider="azure", region="westus", market="spot"), None)
