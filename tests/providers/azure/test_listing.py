"""What is listed, in which phase and with which reason; how many calls that takes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch import errors
from spotlaunch.core.facts import SeenMachine
from spotlaunch_providers.azure.activity import read
from spotlaunch_providers.azure.adapter import AzureProvider
from spotlaunch_providers.azure.machines import of_group_row, of_rows, phase_of
from tests.fakes.clouds import azure_machines
from tests.fakes.clouds.azure import FakeAzure
from tests.fakes.waiting import eventually
from tests.providers.azure.launching_help import KEY, T4, offer, order, provider


@pytest.fixture
def azure(cloud: FakeAzure, tmp_path: Path) -> AzureProvider:
    return provider(cloud, tmp_path)


def seen(azure: AzureProvider, key: str = KEY) -> SeenMachine:
    (found,) = (m for m in azure.list_machines() if m.launch_key == key)
    return found


def running(azure: AzureProvider) -> SeenMachine:
    azure.launch(order())
    return eventually(lambda: next((m for m in azure.list_machines() if m.phase == "running"), None))


def test_a_running_machine_is_listed_with_the_time_that_its_bill_began(cloud: FakeAzure, azure: AzureProvider) -> None:
    machine = running(azure)
    assert machine.started_at == pytest.approx(cloud.fleet.machines[KEY].billed_from, abs=1e-3)
    assert (machine.instance_id, machine.pool, machine.ending_reason) == (KEY, offer().pool, "")


def test_a_machine_shut_down_from_inside_is_stopped_and_goes_when_it_is_ended(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    running(azure)
    cloud.fleet.on_power_off(cloud.fleet.machines[KEY])
    assert (seen(azure).phase, seen(azure).ending_reason) == ("stopped", "itself")
    assert cloud.fleet.up()
    assert azure.terminate([KEY]) == {} and cloud.fleet.left() == []


def test_an_evicted_machine_is_gone_with_the_reason_and_its_group_is_left(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    running(azure)
    cloud.leave_behind("disk", "ip")
    cloud.preempt(KEY, notice_s=0)
    eventually(lambda: not cloud.machines)
    left, gone = azure.list_machines()
    assert (gone.phase, gone.ending_reason, gone.instance_id) == ("gone", "preempted", KEY)
    assert gone.pool == offer().pool and "evictSpotVM" in gone.detail
    assert gone.ended_at == pytest.approx(cloud.fleet.machines[KEY].ended_at, abs=0.05)
    assert (left.phase, left.launch_key, left.instance_id) == ("stopped", KEY, f"{KEY}/group")
    assert {h.partition(":")[0] for h in cloud.fleet.left()} == {"group", "disk", "ip"}
    assert azure.terminate([left.instance_id]) == {}
    assert cloud.fleet.left() == [] and list(azure.list_machines()) == []


def test_the_log_is_asked_only_when_something_vanished_and_once_for_all_of_it(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    keys = [f"sl-ab12cd-train-{n}-0" for n in range(3)]
    for key in keys:
        azure.launch(order(key=key))
    azure.list_machines()
    azure.list_machines()
    assert not cloud.called("Microsoft.Insights")
    for key in keys:
        cloud.preempt(key, notice_s=0)
    eventually(lambda: not cloud.machines)
    gone = [m for m in azure.list_machines() if m.phase == "gone"]
    assert [m.ending_reason for m in gone] == ["preempted"] * 3
    azure.list_machines()
    assert len(cloud.called("Microsoft.Insights")) == 1


def test_a_log_that_lags_tells_the_reason_later(cloud: FakeAzure, azure: AzureProvider) -> None:
    running(azure)
    cloud.log_lag_s = 3600
    cloud.preempt(KEY, notice_s=0)
    eventually(lambda: not cloud.machines)
    assert [(m.phase, m.instance_id) for m in azure.list_machines()] == [("stopped", f"{KEY}/group")]
    cloud.log_lag_s = 0
    assert [m.ending_reason for m in azure.list_machines()] == ["", "preempted"]


def test_a_log_that_may_not_be_read_costs_only_the_reason(cloud: FakeAzure, azure: AzureProvider) -> None:
    running(azure)
    cloud.fail("forbidden", path="Microsoft.Insights")
    cloud.vanish(KEY)
    assert (seen(azure).phase, seen(azure).ending_reason) == ("stopped", "")


def test_a_machine_deleted_by_somebody_else_is_told_as_by_hand(
    cloud: FakeAzure, azure: AzureProvider, tmp_path: Path
) -> None:
    running(azure)
    other = provider(cloud, tmp_path)
    other.terminate([KEY])
    gone = seen(azure)
    assert (gone.phase, gone.ending_reason) == ("gone", "by-hand")


def test_what_we_ended_ourselves_is_not_listed_again(cloud: FakeAzure, azure: AzureProvider) -> None:
    running(azure)
    azure.terminate([KEY])
    assert list(azure.list_machines()) == [] and not cloud.called("Microsoft.Insights")


def test_a_group_without_a_machine_is_left_alone_while_it_is_young(
    cloud: FakeAzure, azure: AzureProvider, tmp_path: Path
) -> None:
    azure.launch(order())
    cloud.list_lag_s = 3600
    fresh = provider(cloud, tmp_path)
    assert list(fresh.list_machines()) == []
    time.sleep(0.002)  # the mark is of whole milliseconds
    impatient = provider(cloud, tmp_path, settle_s=0.0)
    left = seen(impatient)
    assert (left.phase, left.instance_id, left.pool) == ("stopped", f"{KEY}/group", offer().pool)


def test_a_machine_that_failed_late_is_stopped_and_named_by_itself_beside_one_that_runs(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    cloud.fail_launch("AllocationFailed", late=True)
    cloud.fail("server-error", path="/virtualMachines/vm-0$")  # its deletion fails
    cloud._faults[-1].path = "never"
    delete = cloud.delete
    cloud.delete = lambda machine, why: None  # type: ignore[method-assign]
    azure.launch(order(offer("NC24ads_A100_v4"), offer()))
    cloud.delete = delete  # type: ignore[method-assign]
    eventually(lambda: any(m.phase == "running" for m in azure.list_machines()))
    by_id = {m.instance_id: m for m in azure.list_machines()}
    assert by_id[KEY].phase == "running" and by_id[KEY].pool == offer().pool
    dead = by_id[f"{KEY}/vm-0"]
    assert (dead.phase, dead.ending_reason) == ("stopped", "failed") and "AllocationFailed" in dead.detail
    assert azure.terminate([dead.instance_id]) == {}
    assert [m.instance_id for m in azure.list_machines()] == [KEY] and len(cloud.fleet.up()) == 1


def test_a_machine_in_a_group_that_is_being_deleted_is_ending(cloud: FakeAzure, azure: AzureProvider) -> None:
    running(azure)
    cloud.delete_s = 3600
    azure.terminate([KEY])
    assert seen(azure).phase == "ending" and not cloud.fleet.up()


def test_a_shells_address_is_told_only_of_machines_that_allow_one(cloud: FakeAzure, azure: AzureProvider) -> None:
    running(azure)
    assert seen(azure).ssh == "" and not cloud.called("publicIPAddresses")
    azure.launch(order(key="sl-ab12cd-train-2-0", ssh_key="ssh-ed25519 AAAA me"))
    assert seen(azure, "sl-ab12cd-train-2-0").ssh.startswith("spotlaunch@20.10.")
    assert seen(azure, "sl-ab12cd-train-2-0").ssh.endswith(":22") and seen(azure).ssh == ""
    cloud.fail("forbidden", path="publicIPAddresses")
    assert seen(azure, "sl-ab12cd-train-2-0").ssh == ""


def test_a_thousand_machines_take_as_many_calls_as_there_are_pages(
    cloud: FakeAzure, azure: AzureProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "rent", lambda machine: None)
    azure.launch(order())
    one = cloud.machines[KEY, "vm-0"]
    for n in range(2, 1001):
        key = f"sl-ab12cd-train-{n}-0"
        body = {**one.body, "tags": {**one.body["tags"], "spotlaunch-key": key}}
        cloud.machines[key, "vm-0"] = type(one)(group=key, name="vm-0", body=body, made_at=one.made_at)
    before = len(cloud.calls)
    assert len(azure.list_machines()) == 1000
    pages = -(-1000 // azure_machines.PAGE)
    assert len(cloud.calls) - before == 2 * pages + 1


@pytest.mark.parametrize(
    "path", ["/providers/Microsoft.Compute/virtualMachines$", "/resourcegroups$"], ids=["machines", "groups"]
)
@pytest.mark.parametrize("kind", ["server-error", "drop", "malformed", "throttle", "forbidden", "endless-paging"])
def test_half_a_listing_is_none(cloud: FakeAzure, azure: AzureProvider, kind: str, path: str) -> None:
    azure.launch(order())
    cloud.fail(kind, path=path)
    with pytest.raises(errors.ProviderError):
        azure.list_machines()


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_word_that_nobody_knows_is_never_the_end_of_a_machine(made: str, power: str) -> None:
    phase, _ = phase_of(made, power)
    known = {"deleting", "failed", "canceled"}
    stopped = {"stopped", "deallocated", "stopping", "deallocating"}
    assert phase in ("starting", "running") or made.lower() in known or power.lower() in stopped


@pytest.mark.parametrize(
    ("made", "power", "phase", "reason"),
    [
        ("Creating", "", "starting", ""),
        ("Creating", "starting", "starting", ""),
        ("Succeeded", "running", "running", ""),
        ("Failed", "running", "running", ""),  # its system told nobody that it is up; it bills, and may work
        ("Failed", "", "stopped", "failed"),
        ("Succeeded", "deallocated", "stopped", "by-hand"),
        ("Succeeded", "stopped", "stopped", "itself"),
        ("Succeeded", "deallocating", "ending", ""),
        ("Deleting", "running", "ending", ""),
        ("Updating", "unknown", "running", ""),
        ("Succeeded", "", "running", ""),
    ],
)
def test_the_two_words_for_a_state_make_a_phase(made: str, power: str, phase: str, reason: str) -> None:
    assert phase_of(made, power) == (phase, reason)


JSON = st.recursive(st.none() | st.booleans() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.sampled_from(["id", "tags", "properties", "location", "name"]), JSON, max_size=5))
def test_rows_of_any_form_are_no_error(row) -> None:
    of_group_row(row)
    read([row])
    whole = {**row, "id": f"/subscriptions/s/resourceGroups/{KEY}/providers/x/vm-0", "tags": {"spotlaunch-owner": "o"}}
    if isinstance(whole.get("properties") or {}, dict):
        assert list(of_rows([whole], {}, "o")) == [KEY]


def test_other_peoples_machines_in_the_subscription_are_not_listed(
    cloud: FakeAzure, azure: AzureProvider, tmp_path: Path
) -> None:
    provider(cloud, tmp_path, owner="ffffff").launch(order(key="sl-ffffff-train-1-0"))
    assert list(azure.list_machines()) == []
    assert T4 in offer().pool.instance_type


def test_a_group_that_is_going_and_holds_no_machine_any_more_is_not_listed(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    running(azure)
    azure.list_machines()
    cloud.delete_s = 3600
    azure.terminate([KEY])
    cloud.machines.clear()
    assert list(azure.list_machines()) == []


def test_an_eviction_counts_more_than_the_deletion_by_which_it_was_carried_out() -> None:
    def row(operation: str) -> dict[str, object]:
        where = f"/subscriptions/s/resourceGroups/{KEY.upper()}/providers/Microsoft.Compute/virtualMachines/vm-0"
        named = {"value": f"Microsoft.Compute/virtualMachines/{operation}"}
        at = "2026-11-21T12:00:00.1234567Z"
        return {"operationName": named, "resourceId": where, "status": {"value": "Succeeded"}, "eventTimestamp": at}

    for rows in ([row("delete"), row("evictSpotVM/action")], [row("evictSpotVM/action"), row("delete")]):
        assert read(rows)[KEY].reason == "preempted"
    assert read([row("delete")])[KEY].reason == "by-hand" and read([row("start/action")]) == {}
