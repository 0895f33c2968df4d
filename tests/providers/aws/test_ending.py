"""The end of machines: absent ones, bad ids and failures each stay alone."""

from __future__ import annotations

import pytest

from spotlaunch_providers.aws.adapter import AwsProvider
from tests.fakes.clouds.aws import FakeAws
from tests.providers.aws.conftest import Make, an_offer, an_order

ABSENT = "i-0123456789abcdef0"


def launch(provider: AwsProvider, n: int, region: str = "us-east-1") -> str:
    return provider.launch(an_order(an_offer(region=region, zone=f"{region}a"), key=f"sl-o-job-{n}-0")).instance_id


def test_one_bad_id_does_not_spoil_the_others(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    ids = [launch(provider, n) for n in range(5)]
    cloud.vanish(ids[1])
    cloud.instances[ids[3]].protected = True
    provider._tools.memory.ended(ids)  # they are not new any more
    failures = provider.terminate([*ids, ABSENT, "nonsense", "i-xyz", "vol-0123456789abcdef0", ""])
    assert set(failures) == {ids[3]} and "terminate" in failures[ids[3]]
    assert {m.id for m in cloud.fleet.up()} == {ids[3]}


def test_a_machine_that_this_process_never_saw_is_found_wherever_it_is(cloud: FakeAws, make: Make) -> None:
    machine = launch(make(regions="eu-west-2"), 1, region="eu-west-2")
    (make()._tools.regions._path).unlink()
    assert make(regions="us-east-1").terminate([machine]) == {}
    assert not cloud.fleet.left()


def test_an_id_that_may_be_where_nobody_answered_is_a_failure(cloud: FakeAws, make: Make) -> None:
    machine = launch(make(regions="us-east-1"), 1)
    cloud.fail("server-error", path="/eu-west-2/DescribeInstances")
    provider = make(regions="us-east-1")
    assert provider.terminate([machine, ABSENT]).keys() == {ABSENT} and not cloud.fleet.left()
    cloud.heal()
    assert provider.terminate([ABSENT]) == {}


def test_an_account_that_may_not_list_regions_ends_machines_in_its_own(cloud: FakeAws, make: Make) -> None:
    machine = launch(make(regions="us-east-1"), 1)
    cloud.fail("forbidden", path="DescribeRegions")
    assert make(regions="us-east-1").terminate([machine, ABSENT]) == {}
    assert not cloud.fleet.left()


def test_a_new_machine_that_aws_does_not_know_yet_is_not_taken_for_ended(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    machine = launch(provider, 1)
    known = cloud.instances.pop(machine)
    assert provider.terminate([machine]) == {machine: "AWS does not know the machine yet"}
    cloud.instances[machine] = known
    assert provider.terminate([machine]) == {} and not cloud.fleet.left()


@pytest.mark.parametrize("kind", ["throttle", "server-error", "drop", "malformed", "forbidden", "expired-token"])
def test_a_call_that_fails_is_told_and_can_be_repeated(cloud: FakeAws, make: Make, kind: str) -> None:
    provider = make(regions="us-east-1,eu-west-2", tries=3)
    here, there = launch(provider, 1), launch(provider, 2, region="eu-west-2")
    cloud.fail(kind, path="/us-east-1/TerminateInstances")
    failures = provider.terminate([here, there])
    assert set(failures) == {here} and failures[here] and "marker" not in failures[here]
    assert len(cloud.called("/us-east-1/TerminateInstances")) == 1
    assert {m.id for m in cloud.fleet.up()} <= {here}
    cloud.heal()
    assert provider.terminate([here, there]) == {} and not cloud.fleet.left()


def test_nothing_to_end_is_no_call(cloud: FakeAws, make: Make) -> None:
    assert make().terminate([]) == {} and make().terminate(["pod-1", "sl-o-job"]) == {}
    assert not cloud.calls
