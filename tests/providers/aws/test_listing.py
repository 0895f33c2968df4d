"""Machines as EC2 lists them: whole or an error, why each ended, and what a disk without its machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch import errors
from spotlaunch.core.facts import SeenMachine
from spotlaunch_providers.aws import ending, listing
from spotlaunch_providers.aws.adapter import AwsProvider
from spotlaunch_providers.aws.listing import VOLUMES_S, Listing
from spotlaunch_providers.aws.machines import instance_of
from spotlaunch_providers.aws.memory import Memory
from tests.fakes.clouds.aws import FakeAws
from tests.fakes.clouds.aws_machines import SPOT_END
from tests.fakes.waiting import eventually
from tests.providers.aws.conftest import Make, an_offer, an_order

EAST = "us-east-1"


def launch(provider: AwsProvider, n: int = 1, **more: object) -> str:
    return provider.launch(an_order(an_offer(**more), key=f"sl-o-job-{n}-0")).instance_id  # type: ignore[arg-type]


def only(provider: AwsProvider) -> SeenMachine:
    (seen,) = provider.list_machines()
    return seen


# -- phases and reasons ------------------------------------------------------------------------------------


def test_a_machine_boots_runs_ends_and_is_told_as_gone(cloud: FakeAws, make: Make) -> None:
    cloud.fleet.boot_s, cloud.end_s = 0.3, 0.3
    provider = make(regions=EAST)
    machine = launch(provider)
    seen = only(provider)
    assert (seen.phase, seen.launch_key, seen.instance_id) == ("starting", "sl-o-job-1-0", machine)
    assert seen.started_at is not None and abs(seen.started_at - time.time()) < 5
    eventually(lambda: only(provider).phase == "running")
    provider.terminate([machine])
    assert only(provider).phase == "ending"
    gone = eventually(lambda: [m for m in provider.list_machines() if m.phase == "gone"])[0]
    assert gone.ending_reason == "asked" and gone.ended_at is not None and abs(gone.ended_at - time.time()) < 5
    assert "User initiated" in gone.detail


def test_a_machine_that_is_taken_away_is_told_as_preempted(cloud: FakeAws, make: Make) -> None:
    provider = make(regions=EAST)
    cloud.preempt(launch(provider), notice_s=0)
    eventually(lambda: only(provider).ending_reason == "preempted")
    assert not cloud.fleet.left()


def test_who_ended_a_machine_by_a_call_is_told_apart(cloud: FakeAws, make: Make) -> None:
    provider = make(regions=EAST)
    machine = launch(provider)
    eventually(lambda: only(provider).phase == "running")
    cloud.end_by_hand(machine)
    assert only(provider).ending_reason == "by-hand"
    # Another process cannot know whether an earlier one of ours has asked.
    assert only(make(regions=EAST)).ending_reason == "" and only(make(regions=EAST)).detail


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("Client.InstanceInitiatedShutdown", "itself"),
        ("Server.InsufficientInstanceCapacity", "failed"),
        ("Client.VolumeLimitExceeded", "failed"),
        ("Server.InternalError", "failed"),
        ("Server.ScheduledStop", "host-lost"),
        (SPOT_END, "preempted"),
        ("Server.SomethingNew", ""),
    ],
)
def test_a_machine_that_never_came_up_tells_why(cloud: FakeAws, make: Make, code: str, reason: str) -> None:
    provider = make(regions=EAST)
    cloud.evicts_at_creation = code
    with pytest.raises(errors.NoCapacity):
        launch(provider)  # the answer tells already that it has ended
    seen = only(provider)
    assert (seen.phase, seen.ending_reason) == ("gone", reason) and code in seen.detail


def test_a_machine_that_shuts_itself_down_is_told_so(cloud: FakeAws, make: Make) -> None:
    cloud.fleet.run = True
    provider = make(regions=EAST)
    provider.launch(an_order(an_offer(), script="#!/bin/sh\nshutdown -h now\n"))
    eventually(lambda: only(provider).ending_reason == "itself")
    assert not cloud.fleet.left()


def test_a_stopped_machine_is_listed_until_it_is_ended(cloud: FakeAws, make: Make) -> None:
    provider = make(regions=EAST)
    machine = launch(provider)
    cloud.stop(machine)
    assert only(provider).phase == "stopped" and cloud.fleet.left()
    assert provider.terminate([machine]) == {}
    assert only(provider).phase == "gone" and not cloud.fleet.left()


def test_a_machine_that_vanishes_is_no_longer_listed(cloud: FakeAws, make: Make) -> None:
    provider = make(regions=EAST)
    cloud.vanish(launch(provider))
    assert provider.list_machines() == ()


def test_a_machine_that_never_boots_stays_at_its_start(cloud: FakeAws, make: Make) -> None:
    cloud.never_boot()
    provider = make(regions=EAST)
    launch(provider)
    time.sleep(0.1)
    assert only(provider).phase == "starting"


@given(st.text(), st.text())
def test_no_state_or_reason_of_tomorrow_is_an_error_or_an_end(state: str, reason: str) -> None:
    told = {"InstanceId": "i-1", "State": {"Name": state}, "StateReason": {"Code": reason}}
    seen = instance_of(told, EAST, Memory()).seen
    known = {"pending": "starting", "shutting-down": "ending", "stopping": "ending", "terminated": "gone"}
    assert seen.phase == known.get(state, "stopped" if state == "stopped" else "running")


def test_when_a_machine_ended_is_read_out_of_awss_words() -> None:
    told = {
        "InstanceId": "i-1",
        "State": {"Name": "terminated"},
        "StateTransitionReason": "User initiated (2026-11-21 10:00:00 GMT)",
    }
    assert instance_of(told, EAST, Memory()).seen.ended_at == datetime(2026, 11, 21, 10, tzinfo=UTC).timestamp()
    assert instance_of(told | {"StateTransitionReason": ""}, EAST, Memory()).seen.ended_at is None


# -- whole or an error -------------------------------------------------------------------------------------


def test_machines_of_all_regions_are_listed_also_of_those_that_are_no_longer_set(cloud: FakeAws, make: Make) -> None:
    launch(make(regions=EAST))
    launch(make(regions="eu-west-2"), 2, zone="eu-west-2a", region="eu-west-2")
    assert {m.pool.region for m in make().list_machines()} == {EAST, "eu-west-2"}
    assert {m.pool.region for m in make(regions="us-west-2").list_machines()} == {EAST, "eu-west-2"}


def test_one_region_that_does_not_answer_spoils_the_listing(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1,eu-west-2")
    launch(provider)
    cloud.fail("server-error", path="/eu-west-2/DescribeInstances")
    with pytest.raises(errors.ProviderError):
        provider.list_machines()


def test_a_region_that_is_set_and_not_enabled_holds_no_machines(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1,af-south-1")
    launch(provider)
    assert len(provider.list_machines()) == 1


def test_bad_credentials_are_not_an_empty_listing(cloud: FakeAws, make: Make) -> None:
    provider = make(regions=EAST)
    launch(provider)
    cloud.keys = set()
    with pytest.raises(errors.NotAuthorized):
        provider.list_machines()


def test_machines_of_others_are_not_listed(cloud: FakeAws, make: Make) -> None:
    launch(make(regions=EAST, owner="x"))
    assert make(regions=EAST).list_machines() == ()


def test_many_machines_cost_one_call_for_each_page(cloud: FakeAws, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 100)
    monkeypatch.setattr(ending, "BATCH", 20)
    provider = make(regions=EAST)
    one = cloud.instances[launch(provider)]
    rented = cloud.fleet.machines[one.id]
    for n in range(119):
        again = replace(one, id=f"i-{n:017x}", told={**one.told, "InstanceId": f"i-{n:017x}"})
        cloud.instances[again.id] = again
        cloud.fleet.machines[again.id] = replace(rented, id=again.id)
    cloud.calls.clear()
    assert len(provider.list_machines()) == 120
    assert len(cloud.called("DescribeInstances")) == 2 and len(cloud.calls) == 3  # and one for disks
    cloud.calls.clear()
    assert len(provider.list_machines()) == 120
    assert len(cloud.calls) == 2
    cloud.calls.clear()
    assert provider.terminate([m.instance_id for m in provider.list_machines()]) == {}
    assert len(cloud.called("TerminateInstances")) == 6


# -- disks -------------------------------------------------------------------------------------------------


def test_a_disk_that_outlives_its_machine_is_listed_and_ended(cloud: FakeAws, make: Make) -> None:
    provider = make(regions=EAST)
    machine = launch(provider)
    cloud.instances[machine].keeps_volume = True
    provider.terminate([machine])
    disk = next(m for m in provider.list_machines() if m.phase == "stopped")
    assert disk.instance_id == cloud.instances[machine].volume and disk.launch_key == "sl-o-job-1-0"
    assert cloud.fleet.left() == [f"disk:{disk.instance_id}"]
    assert disk in provider.list_machines()  # until it is gone
    assert provider.terminate([disk.instance_id]) == {} and not cloud.fleet.left()
    assert disk not in provider.list_machines()
    assert provider.terminate([disk.instance_id]) == {}


def test_the_disk_of_a_machine_that_lives_is_no_orphan(cloud: FakeAws, make: Make) -> None:
    provider = make(regions=EAST)
    volume = cloud.instances[launch(provider)].volume
    cloud.volumes[volume]["State"] = "available"  # for a moment, before it is attached
    assert [m.phase for m in provider.list_machines()] in (["starting"], ["running"])


def test_disks_are_looked_for_now_and_then(cloud: FakeAws, make: Make) -> None:
    provider, at = make(regions=EAST), [0.0]
    tools = provider._tools
    mono: Callable[[], float] = lambda: at[0]  # noqa: E731
    listing = Listing(
        access=tools.access,
        owner="o",
        regions=tools.regions,
        memory=tools.memory,
        key_pairs=tools.key_pairs,
        mono=mono,
    )
    from spotlaunch_providers.shared.deadline import Deadline

    for at[0] in (0.0, 10.0, VOLUMES_S - 1, VOLUMES_S):
        listing.machines(deadline=Deadline(10))
    assert len(cloud.called("DescribeVolumes")) == 2
