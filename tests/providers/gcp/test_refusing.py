"""Every code of the table as a launch meets it: which error, how far it reaches, and who else is still asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotlaunch import errors
from spotlaunch.core.facts import Refused, Scope
from spotlaunch.errors import ProviderError
from spotlaunch_providers.gcp.errors import CODES, OF_LAUNCHES
from spotlaunch_providers.gcp.verdicts import verdict
from tests.fakes.clouds.gcp import FakeGcp
from tests.fakes.clouds.gcp_operations import ANSWERS
from tests.providers.gcp.conftest import Make, offer, order

HERE, NEXT_DOOR, ABROAD = offer(), offer(zone="us-central1-b"), offer(zone="us-east4-a")
POOL = HERE.pool
SCOPES = {
    "pool": Scope.of(POOL),
    "zone": Scope(provider="gcp", region="us-central1", zone="us-central1-a"),
    "region": Scope(provider="gcp", region="us-central1"),
    "quota": Scope(provider="gcp", region="us-central1", instance_type="g2-standard-4", market="spot"),
    "account": Scope(provider="gcp"),
}
ASKED = {"pool": 3, "zone": 3, "region": 2, "quota": 2, "account": 1}

# Fact sheet, 2.5: code -> our error, reach.
FACTS = {
    "ZONE_RESOURCE_POOL_EXHAUSTED": ("NoCapacity", "pool"),
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": ("NoCapacity", "pool"),
    "RESOURCE_POOL_EXHAUSTED": ("NoCapacity", "pool"),
    "insufficientCapacity": ("NoCapacity", "pool"),
    "stockout": ("NoCapacity", "pool"),
    "UNSUPPORTED_OPERATION": ("NoCapacity", "pool"),
    "RESOURCE_NOT_READY": ("NoCapacity", "pool"),
    "RESOURCE_NOT_FOUND": ("NoCapacity", "pool"),
    "QUOTA_EXCEEDED": ("QuotaExceeded", "quota"),
    "quotaExceeded": ("QuotaExceeded", "quota"),
    "rateLimitExceeded": ("Throttled", "account"),
    "forbidden": ("NotAuthorized", "account"),
    "accessNotConfigured": ("NotAuthorized", "account"),
    "PERMISSIONS_ERROR": ("NotAuthorized", "account"),
    "IAM_PERMISSION_DENIED": ("NotAuthorized", "account"),
    "authError": ("NotAuthorized", "account"),
    "notFound": ("InvalidOrder", "pool"),
    "invalid": ("InvalidOrder", "pool"),
    "required": ("InvalidOrder", "pool"),
    "CONDITION_NOT_MET": ("NotAuthorized", "account"),
    "conditionNotMet": ("NotAuthorized", "account"),
    "IP_SPACE_EXHAUSTED": ("QuotaExceeded", "region"),
    "IP_SPACE_EXHAUSTED_WITH_DETAILS": ("QuotaExceeded", "region"),
    "resourceInUseByAnotherResource": ("Transient", "pool"),
    "RESOURCE_OPERATION_RATE_EXCEEDED": ("Throttled", "zone"),
    "internalError": ("OutcomeUnknown", "account"),
    "backendError": ("OutcomeUnknown", "account"),
    "alreadyExists": ("OutcomeUnknown", "pool"),
}


def refused(cloud: FakeGcp, renting: Make, *offers: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        renting().launch(order(*offers))
    return caught.value


def inserts(cloud: FakeGcp) -> int:
    return len([c for c in cloud.calls if c.method == "POST" and c.path.endswith("/instances")])


@pytest.mark.parametrize("code", FACTS)
def test_the_table_says_what_the_facts_say(code: str) -> None:
    row = OF_LAUNCHES[code]
    assert (row.error.__name__, row.reach) == FACTS[code]


def test_no_word_of_a_read_is_unknown_to_a_launch() -> None:
    assert set(CODES) <= set(OF_LAUNCHES)


@pytest.mark.parametrize("code", OF_LAUNCHES)
def test_a_code_gives_its_error_and_spares_calls_that_it_covers(cloud: FakeGcp, renting: Make, code: str) -> None:
    row = OF_LAUNCHES[code]
    cloud.fail_launch(code)
    error = refused(cloud, renting, HERE, NEXT_DOOR, ABROAD)
    assert type(error) is row.error
    assert error.message and "{" not in error.message + error.hint
    if row.error is errors.OutcomeUnknown:
        assert error.refused == () and inserts(cloud) == 1
        return
    assert error.refused[0].scope == SCOPES[row.reach]
    assert error.refused[0].error == row.error.__name__
    # A 400 for spot is asked again without the long notice.
    asked = inserts(cloud) / (2 if ANSWERS.get(code) == 400 else 1)
    assert asked == (1 if row.reach == "account" else ASKED[row.reach])


def test_a_code_in_either_shape_and_place_is_read() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED"}
    shapes: list[tuple[dict[str, Any], int, type[ProviderError]]] = [
        ({"errors": [{"reason": "quotaExceeded", "message": "x"}], "code": 403}, 403, errors.QuotaExceeded),
        ({"status": "PERMISSION_DENIED", "details": [info], "message": "x"}, 403, errors.NotAuthorized),
        ({"errors": [{"code": "ODD", "errorDetails": [{"errorInfo": {"reason": "stockout"}}]}]}, 0, errors.NoCapacity),
        ({"message": "x"}, 429, errors.Throttled),
        ({"errors": [{"code": "{odd}"}]}, 0, errors.OutcomeUnknown),
        ({}, 418, errors.OutcomeUnknown),
        ({"errors": "odd"}, 400, errors.OutcomeUnknown),
    ]  # fmt: skip
    for body, status, kind in shapes:
        said = verdict(body, status=status)
        assert said.code.error is kind, body
        assert type(said.error()) is kind and said.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(sorted(FACTS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["errors", "code", "reason", "message", "details", "errorDetails", "errorInfo", "metadatas", "status"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["errors", "code", "message", "details", "status"]), JSON), st.integers(0, 600))
def test_whatever_google_says_is_a_verdict_and_never_a_crash(body: dict[str, Any], status: int) -> None:
    said = verdict(body, status=status)
    assert isinstance(said.error(), ProviderError) and isinstance(said.hint, str)


# -- what the words of a code tell more --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ("The resource 'projects/p/global/images/family/x' was not found", "account"),
        ("The resource 'projects/p/global/networks/x' was not found", "account"),
        ("The resource 'projects/p/regions/us-central1/subnetworks/x' was not found", "region"),
        ("The resource 'projects/p/zones/us-central1-a/machineTypes/x' was not found", "pool"),
    ],
)
def test_what_is_missing_is_missing_for_one_machine_or_for_all(
    cloud: FakeGcp, renting: Make, said: str, scope: str
) -> None:
    cloud.fail_launch("notFound", message=said)
    error = refused(cloud, renting, HERE, NEXT_DOOR, ABROAD)
    assert type(error) is errors.InvalidOrder and error.refused[0].scope == SCOPES[scope]


def test_a_zone_that_google_keeps_to_itself_is_left_out_whole(cloud: FakeGcp, renting: Make) -> None:
    cloud.fail_launch("forbidden", message="Location us-central1-a is not found or access is unauthorized.", times=1)
    launched = renting().launch(order(HERE, offer("g2-standard-8"), NEXT_DOOR))
    assert launched.offer == NEXT_DOOR
    assert [(r.error, r.scope) for r in launched.refused] == [("InvalidOrder", SCOPES["zone"])]


def quota(metric: str, limit: float, where: str = "in region us-central1") -> str:
    return f"Quota '{metric}' exceeded.  Limit: {limit} {where}."


def of_quota(cloud: FakeGcp, renting: Make, said: str, *offers: Any) -> tuple[Refused, ...]:
    cloud.fail_launch("QUOTA_EXCEEDED", message=said, times=1)
    return tuple(renting().launch(order(*offers, ABROAD)).refused)


def test_a_quota_covers_all_that_counts_against_it_and_needs_as_much(cloud: FakeGcp, renting: Make) -> None:
    larger = offer("g2-standard-24", count=2)
    other_size = offer("g2-standard-8", "us-central1-c")
    refusals = of_quota(cloud, renting, quota("PREEMPTIBLE_NVIDIA_L4_GPUS", 0.0), HERE, NEXT_DOOR, larger, other_size)
    assert inserts(cloud) == 2
    assert {r.scope.instance_type for r in refusals} == {"g2-standard-4", "g2-standard-8", "g2-standard-24"}
    assert {(r.scope.region, r.scope.market, r.scope.zone) for r in refusals} == {("us-central1", "spot", "")}
    assert all(r.retry_after_s is None and "iam-admin/quotas" in r.hint for r in refusals)


def test_fewer_gpus_may_still_fit_a_quota(cloud: FakeGcp, renting: Make) -> None:
    cloud.fail_launch("QUOTA_EXCEEDED", message=quota("PREEMPTIBLE_NVIDIA_L4_GPUS", 1.0), times=1)
    launched = renting().launch(order(offer("g2-standard-24", count=2), HERE))
    assert launched.offer == HERE and len(launched.refused) == 1


def test_a_quota_of_the_other_market_is_another(cloud: FakeGcp, renting: Make) -> None:
    cloud.fail_launch("QUOTA_EXCEEDED", message=quota("PREEMPTIBLE_NVIDIA_L4_GPUS", 0.0), times=1)
    on_demand = offer(market="on-demand")
    assert renting().launch(order(HERE, NEXT_DOOR, on_demand)).offer == on_demand


def test_cores_and_addresses_are_counted_by_region(cloud: FakeGcp, renting: Make) -> None:
    refusals = of_quota(cloud, renting, quota("IN_USE_ADDRESSES", 8.0), HERE, NEXT_DOOR)
    assert [r.scope for r in refusals] == [SCOPES["region"]]


def test_the_quota_of_all_gpus_covers_the_project(cloud: FakeGcp, renting: Make) -> None:
    cloud.fail_launch("QUOTA_EXCEEDED", message=quota("GPUS_ALL_REGIONS", 0.0, "globally"))
    error = refused(cloud, renting, HERE, ABROAD)
    assert [r.scope for r in error.refused] == [SCOPES["account"]] and inserts(cloud) == 1


def test_a_machine_with_more_gpus_than_the_project_may_have_is_left_out_everywhere(
    cloud: FakeGcp, renting: Make
) -> None:
    cloud.fail_launch("QUOTA_EXCEEDED", message=quota("GPUS_ALL_REGIONS", 1.0, "globally"), times=1)
    large = offer("g2-standard-24", count=2)
    launched = renting().launch(order(large, offer("g2-standard-24", "us-east4-a", count=2), HERE))
    assert launched.offer == HERE
    assert [r.scope for r in launched.refused] == [Scope(provider="gcp", instance_type="g2-standard-24")]


def test_a_quota_that_is_only_used_up_rests_for_a_quarter_of_an_hour(cloud: FakeGcp, renting: Make) -> None:
    refusals = of_quota(cloud, renting, quota("PREEMPTIBLE_NVIDIA_L4_GPUS", 8.0), HERE)
    assert [r.retry_after_s for r in refusals] == [900.0]


def test_what_nobody_at_google_said_is_so_for_all(renting: Make) -> None:
    provider = renting(endpoint="http://127.0.0.1:9")
    with pytest.raises(errors.Transient):
        provider.launch(order(HERE, NEXT_DOOR))
