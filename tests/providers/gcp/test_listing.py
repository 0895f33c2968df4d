from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from spotlaunch.core.facts import SeenMachine
from spotlaunch.errors import ProviderError, Transient
from spotlaunch_providers.gcp import launching
from spotlaunch_providers.gcp.adapter import GcpProvider
from spotlaunch_providers.gcp.leftovers import LEAST_AGE_S
from spotlaunch_providers.gcp.listing import GONE_S, LEFTOVERS_EVERY_S
from spotlaunch_providers.gcp.machines import PHASES
from tests.contract.test_gcp_api import document
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp
from tests.fakes.clouds.gcp_operations import Instance
from tests.fakes.clouds.server import Response
from tests.fakes.waiting import eventually
from tests.providers.gcp.conftest import Make, offer, order

ID = "us-central1-a/sl-o-job-1-0"


def only(provider: GcpProvider) -> SeenMachine:
    (seen,) = provider.list_machines()
    return seen


@pytest.fixture
def up(cloud: FakeGcp, renting: Make) -> GcpProvider:
    """A provider with one machine, which runs and was listed."""
    provider = renting()
    provider.launch(order())
    eventually(lambda: only(provider).phase == "running")
    cloud.calls.clear()
    return provider


# -- what is there -----------------------------------------------------------------------------------------


def test_each_status_of_googles_documents_has_a_phase() -> None:
    enum = document("compute.v1")["schemas"]["Instance"]["properties"]["status"]["enum"]
    assert set(PHASES) == set(enum)


@pytest.mark.parametrize(("status", "phase"), [*PHASES.items(), ("DREAMING", "running"), ("", "running")])
def test_a_status_is_a_phase_and_one_that_nobody_knows_is_running(
    cloud: FakeGcp, up: GcpProvider, status: str, phase: str
) -> None:
    cloud.set_status(ID, status)
    assert only(up).phase == phase


def test_a_machine_is_told_with_its_pool_its_bill_and_its_exact_key(cloud: FakeGcp, renting: Make) -> None:
    key = f"sl-o-{'x' * 32}-{'9' * 30}-0"
    t4 = offer("n1-standard-8+2xnvidia-tesla-t4", "us-central1-b", "on-demand", count=2)
    made = renting().launch(order(t4, key=key))
    seen = only(renting())
    assert (seen.launch_key, seen.instance_id, seen.pool) == (key, made.instance_id, t4.pool)
    (machine,) = cloud.fleet.up()
    assert machine.key == key and seen.started_at == pytest.approx(machine.billed_from, abs=0.002)
    assert seen.ssh == ""


def test_a_shell_is_told_of_only_where_a_key_was_given(renting: Make) -> None:
    provider = renting()
    provider.launch(order(ssh_key="ssh-ed25519 AAAA job"))
    seen = only(provider)
    assert seen.ssh.startswith("spotlaunch@203.0.113.") and seen.ssh.endswith(":22")
    hidden = renting(external_ip="no")
    hidden.launch(order(key="sl-o-job-2-0", ssh_key="ssh-ed25519 AAAA job"))
    assert {m.launch_key: bool(m.ssh) for m in hidden.list_machines()} == {"sl-o-job-1-0": True, "sl-o-job-2-0": False}


def test_machines_of_zones_that_no_setting_names_are_listed_and_ended(cloud: FakeGcp, renting: Make) -> None:
    renting().launch(order(offer(zone="europe-west4-a")))
    here = renting(regions="us-central1")
    assert here.terminate([only(here).instance_id]) == {}
    assert cloud.fleet.left() == [] and here.list_machines() == []


def test_a_thousand_machines_are_two_pages(cloud: FakeGcp, renting: Make) -> None:
    provider = renting()
    provider.launch(order())
    (one,) = cloud.instances.values()
    for n in range(2, 1001):
        asked = {**one.asked, "name": f"sl-o-job-{n}-0"}
        made = Instance(zone=one.zone, asked=asked, number=str(n), made_at=one.made_at)
        cloud.instances[made.id] = made
    provider.list_machines()
    cloud.calls.clear()
    assert len({m.instance_id for m in provider.list_machines()}) == 1000
    assert len(cloud.calls) == 2


def test_a_list_that_does_not_reach_every_zone_is_an_error(
    cloud: FakeGcp, up: GcpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.unreachable = {"europe-west4-a"}
    with pytest.raises(Transient, match=r"no answer from europe-west4-a: UNREACHABLE"):
        up.list_machines()
    cloud.heal()
    partial = Response(body={"items": {}, "unreachables": ["projects/p/zones/europe-west4-b"]})
    monkeypatch.setattr(cloud, "answer", lambda request: (partial, []))
    with pytest.raises(Transient, match="no answer from europe-west4-b"):
        up.list_machines()


@pytest.mark.parametrize("kind", ["malformed", "expired-token", "forbidden", "throttle", "endless-paging"])
def test_a_list_that_fails_is_an_error_and_not_an_empty_one(cloud: FakeGcp, up: GcpProvider, kind: str) -> None:
    cloud.fail(kind)
    with pytest.raises(ProviderError):
        up.list_machines()


def test_without_filters_the_labels_are_read_here(cloud: FakeGcp, up: GcpProvider, renting: Make) -> None:
    renting(owner="x").launch(order(key="sl-x-job-1-0"))
    cloud.filters = False
    assert only(up).launch_key == "sl-o-job-1-0"


# -- why it is gone ----------------------------------------------------------------------------------------


def asked_why(cloud: FakeGcp) -> int:
    return len(cloud.called("aggregated/operations"))


def test_as_long_as_all_run_nobody_is_asked_why(cloud: FakeGcp, up: GcpProvider) -> None:
    for _ in range(3):
        assert only(up).ending_reason == ""
    assert asked_why(cloud) == 0 and len(cloud.calls) == 3


def test_a_machine_that_is_taken_is_preempted_while_it_ends_and_when_it_is_gone(
    cloud: FakeGcp, up: GcpProvider
) -> None:
    cloud.preempt(ID, notice_s=0.6)
    seen = only(up)
    assert (seen.phase, seen.ending_reason, seen.detail) == ("ending", "preempted", "compute.instances.preempted")
    eventually(lambda: not cloud.fleet.up())
    seen = only(up)
    ended_at = cloud.fleet.machines[ID].ended_at
    assert (seen.phase, seen.ending_reason) == ("gone", "preempted")
    assert ended_at is not None and seen.ended_at == pytest.approx(ended_at, abs=0.1)
    assert cloud.fleet.left() == []
    assert only(up) == seen and asked_why(cloud) == 2


def test_a_machine_that_was_taken_between_two_lists_is_told_of_for_a_while(cloud: FakeGcp, renting: Make) -> None:
    clock = [time.time()]
    provider = renting(now=lambda: clock[0])
    provider.launch(order())
    provider.list_machines()
    cloud.preempt(ID, notice_s=0)
    eventually(lambda: not cloud.fleet.up())
    assert only(provider).ending_reason == "preempted"
    clock[0] += GONE_S + 1
    provider.list_machines()
    assert provider.list_machines() == []


def test_a_machine_that_was_taken_before_it_was_ever_listed_is_told_of(cloud: FakeGcp, renting: Make) -> None:
    provider = renting()
    provider.launch(order())
    cloud.preempt(ID, notice_s=0)
    eventually(lambda: not cloud.fleet.up())
    assert only(provider).ending_reason == "preempted"


def test_a_launch_that_fails_after_all_shows_as_failed(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "WAIT_S", 0.2)
    cloud.refuse_s = 0.8
    cloud.run_dry()
    provider = renting()
    provider.launch(order())
    assert only(provider).phase == "starting"
    seen = eventually(lambda: next((m for m in provider.list_machines() if m.phase == "gone"), None))
    assert seen.ending_reason == "failed" and "does not have enough resources" in seen.detail
    assert data.PROJECT not in repr(seen)


def test_one_that_vanished_without_a_word_is_not_listed_and_not_asked_about_for_ever(
    cloud: FakeGcp, up: GcpProvider
) -> None:
    cloud.vanish(ID)
    for _ in range(10):
        assert up.list_machines() == []
    assert asked_why(cloud) == 4


def test_what_others_deleted_is_told_apart_from_what_we_did(cloud: FakeGcp, up: GcpProvider, renting: Make) -> None:
    cloud.delete_by_hand(ID)
    assert only(up).ending_reason == "by-hand"
    up.launch(order(key="sl-o-job-2-0"))
    up.list_machines()
    other_process = renting()
    assert other_process.terminate(["us-central1-a/sl-o-job-2-0"]) == {}
    assert {m.launch_key: m.ending_reason for m in up.list_machines()} == {
        "sl-o-job-1-0": "by-hand",
        "sl-o-job-2-0": "asked",
    }


def test_what_we_ended_ourselves_needs_no_question(cloud: FakeGcp, up: GcpProvider) -> None:
    up.terminate([ID])
    assert up.list_machines() == [] and asked_why(cloud) == 0


def test_one_that_we_ended_and_that_takes_its_time_needs_no_question(cloud: FakeGcp, up: GcpProvider) -> None:
    up._roll.asked_to_end(ID)
    cloud.set_status(ID, "STOPPING")
    seen = only(up)
    assert (seen.phase, seen.ending_reason) == ("ending", "asked") and asked_why(cloud) == 0


def test_one_that_stopped_without_a_word_is_not_asked_about_for_ever(cloud: FakeGcp, up: GcpProvider) -> None:
    cloud.set_status(ID, "TERMINATED")
    for _ in range(10):
        assert (only(up).phase, only(up).ending_reason) == ("stopped", "")
    assert asked_why(cloud) == 4


def test_a_machine_whose_host_broke_is_stopped_and_its_disk_goes_when_it_is_ended(
    cloud: FakeGcp, up: GcpProvider
) -> None:
    cloud.host_error(ID)
    seen = only(up)
    assert (seen.phase, seen.ending_reason) == ("stopped", "host-lost")
    assert seen.ended_at == pytest.approx(cloud.fleet.machines[ID].ended_at, abs=0.002)
    assert cloud.fleet.left() == [f"disk:{ID}"]
    up.terminate([ID])
    assert cloud.fleet.left() == []


def test_a_machine_that_shut_itself_down_is_stopped_by_itself(cloud: FakeGcp, up: GcpProvider) -> None:
    cloud._powered_off(cloud.fleet.machines[ID])
    seen = only(up)
    assert (seen.phase, seen.ending_reason) == ("stopped", "itself")
    assert only(up) == seen and asked_why(cloud) == 1


def test_a_machine_whose_time_is_over_is_ended_by_google(cloud: FakeGcp, renting: Make) -> None:
    provider = renting()
    provider.launch(order(ttl_s=30))
    provider.list_machines()
    cloud.fleet.machines[ID].taken_at = time.time()
    eventually(lambda: not cloud.fleet.up())
    assert only(provider).ending_reason == "ttl"


def test_google_ending_one_for_a_reason_that_nobody_knows_gives_none(cloud: FakeGcp, up: GcpProvider) -> None:
    cloud._operation("delete", cloud.instances[ID], user="system")
    cloud.vanish(ID)
    assert up.list_machines() == []


@pytest.mark.parametrize("kind", ["forbidden", "malformed", "server-error"])
def test_reasons_that_cannot_be_had_cost_only_the_reasons(cloud: FakeGcp, up: GcpProvider, kind: str) -> None:
    cloud.preempt(ID, notice_s=30)
    cloud.fail(kind, path="operations")
    seen = only(up)
    assert (seen.phase, seen.ending_reason) == ("ending", "")
    cloud.heal()
    assert only(up).ending_reason == "preempted"


def test_where_operations_cannot_be_filtered_by_name_preemptions_still_are(
    cloud: FakeGcp, up: GcpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    aggregated = cloud.aggregated
    no = Response(status=400, body={"error": {"errors": [{"reason": "invalid", "message": "filter"}]}})
    monkeypatch.setattr(
        cloud, "aggregated", lambda r, *a: no if "targetLink" in r.query.get("filter", "") else aggregated(r, *a)
    )
    cloud.preempt(ID, notice_s=30)
    assert only(up).ending_reason == "preempted"


@pytest.mark.parametrize("known", ["operationType", "none"])
def test_preemptions_are_found_whatever_filters_are_known(
    cloud: FakeGcp, up: GcpProvider, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    """One server finds nothing by a filter that it does not know; another refuses all."""
    aggregated = cloud.aggregated
    no = Response(status=400, body={"error": {"errors": [{"reason": "invalid", "message": "filter"}]}})

    def lists(request: Any, key: str, kind: str, rows: Any) -> Response:
        words = request.query.get("filter", "")
        if key != "operations" or not words or known in words:
            return aggregated(request, key, kind, rows)
        return no if known == "none" else Response(body={"items": {}})

    monkeypatch.setattr(cloud, "aggregated", lists)
    cloud.preempt(ID, notice_s=30)
    assert only(up).ending_reason == "preempted"


def test_a_server_without_disks_lists_its_machines(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    renting().launch(order())
    aggregated = cloud.aggregated
    no = Response(status=404, body={"error": {"errors": [{"reason": "notFound", "message": "no such list"}]}})
    monkeypatch.setattr(cloud, "aggregated", lambda r, key, *a: no if key == "disks" else aggregated(r, key, *a))
    assert only(renting()).phase in ("starting", "running")


def test_a_second_machine_of_a_name_is_not_taken_for_the_first(cloud: FakeGcp, up: GcpProvider) -> None:
    """Operations of a name's earlier bearer say nothing of this one."""
    cloud.preempt(ID, notice_s=0)
    eventually(lambda: not cloud.fleet.up())
    up.list_machines()
    cloud.tokens = {}
    up.launch(order())
    assert eventually(lambda: [m for m in up.list_machines() if m.phase == "running"])[0].ending_reason == ""
    cloud.vanish(ID)
    assert not [m for m in up.list_machines() if m.phase != "gone"]


# -- leftovers ---------------------------------------------------------------------------------------------


def test_a_disk_that_outlived_its_machine_is_listed_and_ended(cloud: FakeGcp, renting: Make) -> None:
    clock = [time.time()]
    provider = renting(now=lambda: clock[0])
    cloud.fail_launch("UNSUPPORTED_OPERATION", leaves_disk=True)
    with pytest.raises(ProviderError):
        provider.launch(order())
    assert cloud.fleet.left() == [f"disk:{ID}"]
    assert provider.list_machines() == []  # it may still get its machine
    clock[0] += max(LEAST_AGE_S, LEFTOVERS_EVERY_S) + 1
    seen = only(provider)
    assert (seen.launch_key, seen.phase) == ("sl-o-job-1-0", "stopped")
    assert provider.terminate([seen.instance_id]) == {}
    assert cloud.fleet.left() == [] and provider.list_machines() == []
    assert provider.terminate([seen.instance_id]) == {}


def test_disks_of_machines_and_of_others_are_no_leftovers(cloud: FakeGcp, renting: Make) -> None:
    clock = [time.time()]
    renting(owner="x").launch(order(key="sl-x-job-1-0"))
    provider = renting(now=lambda: clock[0])
    provider.launch(order())
    clock[0] += LEAST_AGE_S + 1
    assert [m.instance_id for m in provider.list_machines()] == [ID]


def test_a_disk_that_somebody_put_into_another_machine_is_no_leftover(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [time.time()]
    provider = renting(now=lambda: clock[0])
    cloud.fail_launch("UNSUPPORTED_OPERATION", leaves_disk=True)
    with pytest.raises(ProviderError):
        provider.launch(order())
    monkeypatch.setitem(cloud.disks[ID], "users", ["somebody-elses-machine"])
    clock[0] += LEAST_AGE_S + 1
    assert provider.list_machines() == []


def test_a_listing_never_shows_the_script_or_the_key_file(cloud: FakeGcp, renting: Make) -> None:
    provider = renting()
    one = order(script="echo hush-5b1c9e")
    provider.launch(replace(one, ssh_key="ssh-ed25519 AAAAKEY job"))
    assert not [m for m in ("hush-5b1c9e", "AAAAKEY") if m in repr((provider.list_machines(), vars(provider)))]
