"""One launch: what is sent, what becomes of each "no", and what is left behind."""

from __future__ import annotations

import base64
import time
from decimal import Decimal
from pathlib import Path

import pytest

from spotlaunch import errors
from spotlaunch_providers.azure.adapter import AzureProvider
from spotlaunch_providers.azure.names import is_key
from tests.fakes.clouds.azure import FakeAzure
from tests.fakes.clouds.azure_rules import quota
from tests.providers.azure.launching_help import A100, KEY, SCRIPT, T4, offer, order, provider


@pytest.fixture
def azure(cloud: FakeAzure, tmp_path: Path) -> AzureProvider:
    return provider(cloud, tmp_path)


def puts(cloud: FakeAzure):
    return [c for c in cloud.called(r"/virtualMachines/[\w-]+$") if c.method == "PUT"]


def test_all_that_may_outlive_a_machine_is_set_to_go_with_it(cloud: FakeAzure, azure: AzureProvider) -> None:
    azure.launch(order())
    (put,) = puts(cloud)
    sent = put.json["properties"]
    (interface,) = sent["networkProfile"]["networkInterfaceConfigurations"]
    (address,) = interface["properties"]["ipConfigurations"]
    assert sent["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert interface["properties"]["deleteOption"] == "Delete"
    assert address["properties"]["publicIPAddressConfiguration"]["properties"]["deleteOption"] == "Delete"
    assert (sent["priority"], sent["evictionPolicy"]) == ("Spot", "Delete")
    assert put.headers["If-None-Match"] == "*"
    assert base64.b64decode(sent["osProfile"]["customData"]).decode() == SCRIPT
    assert put.json["tags"]["spotlaunch-key"] == KEY and f"/resourceGroups/{KEY}/" in put.path


def test_on_demand_goes_the_same_way_without_the_words_for_spot(cloud: FakeAzure, azure: AzureProvider) -> None:
    launched = azure.launch(order(offer(market="on-demand"), price_cap_usd_hour=Decimal(50)))
    assert not {"priority", "evictionPolicy", "billingProfile"} & puts(cloud)[0].json["properties"].keys()
    (seen,) = azure.list_machines()
    assert seen.pool == launched.offer.pool and seen.pool.market == "on-demand"


@pytest.mark.parametrize(("cap", "sent"), [(None, -1), ("0.5", 0.5), ("0.2345678", 0.23456), ("12", 12.0)])
def test_the_cap_goes_to_azure_and_is_never_rounded_up(
    cloud: FakeAzure, azure: AzureProvider, cap: str | None, sent: float
) -> None:
    most = None if cap is None else Decimal(cap)
    azure.launch(order(price_cap_usd_hour=most))
    assert puts(cloud)[0].json["properties"]["billingProfile"] == {"maxPrice": sent}


def test_what_costs_more_than_the_cap_is_refused_without_a_call(cloud: FakeAzure, azure: AzureProvider) -> None:
    with pytest.raises(errors.PriceTooLow):
        azure.launch(order(price_cap_usd_hour=Decimal("0.001")))
    assert cloud.calls == []


def test_a_price_that_has_risen_since_the_offer_is_refused_by_azure(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.set_price("0.4", region="westus", instance_type=f"Standard_{T4}", market="spot")
    with pytest.raises(errors.PriceTooLow) as caught:
        azure.launch(order(price_cap_usd_hour=Decimal("0.2")))
    assert caught.value.refused[0].scope.market == "spot"
    assert cloud.fleet.left() == []


def test_the_disk_holds_the_image_and_what_the_job_asked_for(cloud: FakeAzure, azure: AzureProvider) -> None:
    azure.launch(order(disk_gb=300.5))
    azure.launch(order(key="sl-ab12cd-train-2-0"))
    assert [p.json["properties"]["storageProfile"]["osDisk"]["diskSizeGB"] for p in puts(cloud)] == [301, 128]


def test_a_machine_that_nobody_may_enter_has_a_key_that_nobody_holds(cloud: FakeAzure, azure: AzureProvider) -> None:
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    azure.launch(order())
    azure.launch(order(key="sl-ab12cd-train-2-0", ssh_key="ssh-ed25519 AAAA me"))
    nobodys, ours = (
        p.json["properties"]["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"] for p in puts(cloud)
    )
    assert ours == "ssh-ed25519 AAAA me"
    assert load_ssh_public_key(nobodys.encode()) is not None
    guards = [
        p.json["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]["properties"][
            "networkSecurityGroup"
        ]["id"].rpartition("/")[2]
        for p in puts(cloud)
    ]
    assert guards == ["spotlaunch", "spotlaunch-ssh"]


def test_images_and_disks_are_chosen_by_the_job_before_the_settings(cloud: FakeAzure, tmp_path: Path) -> None:
    azure = provider(cloud, tmp_path, image="a:b:c:d", grid_image="g:r:i:d", disk_type="StandardSSD_LRS")
    azure.launch(order())
    azure.launch(order(offer("NV36ads_A10_v5"), key="sl-ab12cd-train-2-0"))
    azure.launch(order(key="sl-ab12cd-train-3-0", vm_image="/CommunityGalleries/x/Images/y/Versions/latest"))
    stores = [p.json["properties"]["storageProfile"] for p in puts(cloud)]
    assert [s["imageReference"].get("publisher") for s in stores] == ["a", "g", None]
    assert stores[2]["imageReference"]["communityGalleryImageId"].startswith("/CommunityGalleries/")
    assert {s["osDisk"]["managedDisk"]["storageAccountType"] for s in stores} == {"StandardSSD_LRS"}


@pytest.mark.parametrize("size", ["NV36ads_A10_v5", "ND96isr_MI300X_v5", "NCC40ads_H100_v5", "ND128isr_GB300_v6"])
def test_a_size_that_no_image_fits_is_an_invalid_order_without_a_call(
    cloud: FakeAzure, azure: AzureProvider, size: str
) -> None:
    with pytest.raises(errors.InvalidOrder) as caught:
        azure.launch(order(offer(size)))
    assert cloud.calls == [] and caught.value.refused[0].scope.instance_type == f"Standard_{size}"


@pytest.mark.parametrize("image", ["ubuntu", "a:b", "/etc/passwd"])
def test_an_image_that_is_none_is_an_invalid_order_without_a_call(
    cloud: FakeAzure, azure: AzureProvider, image: str
) -> None:
    with pytest.raises(errors.InvalidOrder, match="is no image"):
        azure.launch(order(vm_image=image))
    assert cloud.calls == []


def test_no_room_that_shows_late_leads_to_the_next_alternative_and_leaves_nothing(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    cloud.allocate_s = 0.2
    cloud.run_dry(region="westus", instance_type=f"Standard_{A100}", late=True)
    launched = azure.launch(order(offer(A100, region="westus"), offer(T4)))
    assert launched.offer == offer(T4)
    assert [r.error for r in launched.refused] == ["NoCapacity"]
    (seen,) = azure.list_machines()
    assert seen.instance_id == KEY and seen.pool == offer(T4).pool
    assert azure.terminate([seen.instance_id]) == {}
    assert cloud.fleet.left() == []


def test_when_no_alternative_can_be_had_no_group_is_left(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.run_dry()
    with pytest.raises(errors.NoCapacity):
        azure.launch(order(offer(), offer(A100)))
    assert cloud.fleet.left() == [] and azure.list_machines() == []


def test_a_refusal_of_both_markets_spares_the_calls_that_it_covers(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.fail_launch("AllocationFailed", times=None)
    with pytest.raises(errors.NoCapacity) as caught:
        azure.launch(order(offer(), offer(market="on-demand")))
    assert len(puts(cloud)) == 1 and len(caught.value.refused) == 1


def test_a_refusal_of_the_account_ends_the_call(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.fail_launch("AuthorizationFailed", times=None)
    with pytest.raises(errors.NotAuthorized) as caught:
        azure.launch(order(offer(), offer(A100)))
    assert len(puts(cloud)) == 1
    assert "Microsoft.Compute/virtualMachines/write" in caught.value.message
    assert "configs/permissions/azure.json" in caught.value.hint
    assert "deadbeef" not in repr(caught.value) and "example.com" not in repr(caught.value.refused)


def test_throttling_ends_the_call_and_says_when_to_come_again(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.fail("throttle-retry-after", seconds=17, path="virtualMachines/vm-0$")
    with pytest.raises(errors.Throttled) as caught:
        azure.launch(order(offer(), offer(A100)))
    assert caught.value.refused[0].retry_after_s == 17
    assert len(puts(cloud)) == 1


def test_machines_that_fit_into_what_is_left_of_a_quota_are_still_tried(
    cloud: FakeAzure, azure: AzureProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = {"spot": (409, "OperationNotAllowed", quota("LowPriorityCores quota", limit=32, used=8, more=24 + 8))}
    monkeypatch.setattr("tests.fakes.clouds.azure_estate.FAILURES", failures)
    cloud.fail_launch("spot")
    large, larger = offer(A100), offer("NC48ads_A100_v4")
    launched = azure.launch(order(larger, offer("NC96ads_A100_v4"), offer(T4)))
    assert launched.offer.pool.instance_type == f"Standard_{T4}"
    assert len(puts(cloud)) == 2
    assert [r.error for r in launched.refused] == ["QuotaExceeded"] * 2
    assert "8 of 32 vCPUs are used, and 32 more are needed" in launched.refused[0].reason
    assert not any(r.scope.covers(large.pool) for r in launched.refused)


def test_a_family_without_quota_is_not_asked_for_again_in_its_region(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.fail_launch("Family Cores")
    first, sister = (offer(size, market="on-demand") for size in (A100, "NC48ads_A100_v4"))
    launched = azure.launch(order(first, sister, offer(market="on-demand")))
    assert launched.offer.pool.instance_type == f"Standard_{T4}" and len(puts(cloud)) == 2
    assert [r.scope.instance_type for r in launched.refused] == [first.pool.instance_type, sister.pool.instance_type]


def test_an_answer_that_was_lost_is_looked_up_by_name_once(cloud: FakeAzure, azure: AzureProvider) -> None:
    for n, how in enumerate(("cut", "500")):
        cloud.lose_answers(after=True, how=how)
        key = f"sl-ab12cd-train-{n}-0"
        launched = azure.launch(order(offer(), offer(A100), key=key))
        assert launched.instance_id == key and launched.offer.pool == offer().pool
        assert len([c for c in cloud.called(f"{key}/providers.*/vm-0$") if c.method == "GET"]) == 1


@pytest.mark.parametrize("how", ["cut", "500"])
def test_nothing_else_is_tried_while_nobody_knows_what_came_of_a_launch(
    cloud: FakeAzure, azure: AzureProvider, how: str
) -> None:
    dry, lost, never = offer(A100), offer(), offer("NC8as_T4_v3")
    cloud.run_dry(instance_type=dry.pool.instance_type)
    cloud.lose_answers(never=1, before=True, how=how)
    with pytest.raises(errors.OutcomeUnknown) as caught:
        azure.launch(order(dry, lost, never))
    assert [r.error for r in caught.value.refused] == ["NoCapacity"]
    assert len(puts(cloud)) == 2


def test_a_code_that_nobody_knows_is_an_unknown_outcome(
    cloud: FakeAzure, azure: AzureProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fakes.clouds.azure_estate.FAILURES", {"odd": (409, "OddNewCode", "who knows")})
    for late in (False, True):
        cloud.fail_launch("odd", late=late)
        with pytest.raises(errors.OutcomeUnknown, match="OddNewCode: who knows"):
            azure.launch(order(offer(), offer(A100), key=f"sl-ab12cd-train-{int(late)}-0"))


def test_a_launch_that_is_still_under_way_at_the_deadline_gives_its_id(cloud: FakeAzure, tmp_path: Path) -> None:
    cloud.allocate_s = 3600
    began = time.monotonic()
    launched = provider(cloud, tmp_path, launch_s=1.5).launch(order())
    assert launched.instance_id == KEY and time.monotonic() - began < 5


def test_an_eviction_during_creation_is_no_capacity_there(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.never_boot()
    cloud.allocate_s = 0.5
    evict = cloud.rent

    def rented(machine: object) -> None:
        evict(machine)  # type: ignore[arg-type]
        cloud.preempt(KEY, notice_s=0)

    cloud.rent = rented  # type: ignore[assignment, method-assign]
    with pytest.raises(errors.NoCapacity, match="vanished while it was made"):
        azure.launch(order())


def test_azure_that_makes_another_machine_than_was_asked_for_is_not_believed(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    show = cloud.show

    def other(machine: object) -> object:
        shown = show(machine)  # type: ignore[arg-type]
        shown["properties"]["hardwareProfile"] = {"vmSize": "Standard_NC64as_T4_v3"}
        return shown

    cloud.show = other  # type: ignore[assignment, method-assign]
    with pytest.raises(errors.NoCapacity, match="another machine"):
        azure.launch(order())
    assert cloud.fleet.left() == []


def test_a_key_that_cannot_name_a_group_is_an_invalid_order(cloud: FakeAzure, azure: AzureProvider) -> None:
    for key in ("", "production", "sl-ab12cd-train", "SL-AB-x-1-0", f"sl-ab12cd-{'x' * 80}-1-0"):
        assert not is_key(key)
        with pytest.raises(errors.InvalidOrder):
            azure.launch(order(key=key))
    assert is_key(f"sl-ab12cd-{'x' * 32}-100-7") and cloud.calls == []


@pytest.mark.parametrize("path", [f"resourceGroups/{KEY}$", "networkSecurityGroups", "virtualNetworks", "net-westus$"])
@pytest.mark.parametrize("kind", ["drop", "server-error", "malformed"])
def test_a_network_or_group_that_cannot_be_made_means_that_surely_no_machine_was(
    cloud: FakeAzure, azure: AzureProvider, kind: str, path: str
) -> None:
    cloud.fail(kind, path=path)
    with pytest.raises(errors.Transient) as caught:
        azure.launch(order(offer(), offer(A100)))
    assert [r.error for r in caught.value.refused] == ["Transient"] and not puts(cloud)


def test_a_launch_that_is_repeated_finds_its_machine_though_its_best_region_is_another_now(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    first = azure.launch(order(offer(), offer(region="eastus2")))
    again = azure.launch(order(offer(region="eastus2"), offer()))
    assert (again.instance_id, again.offer) == (first.instance_id, first.offer)
    assert len(cloud.fleet.up()) == 1


def test_a_subnet_that_is_not_there_is_told_with_the_setting_to_look_at(cloud: FakeAzure, tmp_path: Path) -> None:
    where = "/subscriptions/s/resourceGroups/corp/providers/Microsoft.Network/virtualNetworks/hub/subnets/gpu"
    with pytest.raises(errors.InvalidOrder) as caught:
        provider(cloud, tmp_path, subnets=f"westus={where}").launch(order())
    assert "subnets" in caught.value.hint and cloud.fleet.left() == []


def test_a_group_that_was_there_before_is_never_deleted_unseen(
    cloud: FakeAzure, azure: AzureProvider, tmp_path: Path
) -> None:
    azure.launch(order())
    cloud.fail("server-error", path=f"{KEY}/providers/Microsoft.Compute/virtualMachines$")
    with pytest.raises(errors.Transient):
        azure.launch(order())
    assert len(cloud.fleet.up()) == 1
    cloud.heal()
    assert azure.launch(order()).instance_id == KEY and len(cloud.fleet.up()) == 1


@pytest.mark.usefixtures("refused_login")
def test_a_login_that_is_refused_is_told_as_that_of_the_whole_provider(azure: AzureProvider) -> None:
    with pytest.raises(errors.NotAuthorized, match="AADSTS7000215") as caught:
        azure.launch(order(offer(), offer(A100)))
    assert [str(r.scope) for r in caught.value.refused] == ["azure"] and caught.value.hint == "az login"


@pytest.mark.parametrize(("status", "error"), [(400, errors.InvalidOrder), (401, errors.NotAuthorized)])
def test_a_no_without_a_word_is_one_all_the_same(
    cloud: FakeAzure, azure: AzureProvider, monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    from tests.fakes.clouds import azure_machines
    from tests.fakes.clouds.server import Response

    monkeypatch.setattr(azure_machines, "refusal", lambda *a, **k: Response(status=status, body=b""))
    cloud.fail_launch("SkuNotAvailable")
    with pytest.raises(error):
        azure.launch(order())


def test_trouble_that_passes_ends_the_call_too(cloud: FakeAzure, azure: AzureProvider) -> None:
    cloud.fail_launch("AnotherOperationInProgress")
    with pytest.raises(errors.Transient):
        azure.launch(order(offer(), offer(A100)))
    assert len(puts(cloud)) == 1 and cloud.fleet.left() == []


def test_a_launch_that_is_repeated_goes_round_the_name_of_a_machine_that_failed(
    cloud: FakeAzure, azure: AzureProvider
) -> None:
    cloud.fail_launch("InternalExecutionError", late=True)
    with pytest.raises(errors.OutcomeUnknown):
        azure.launch(order())
    assert azure.launch(order()).instance_id == KEY
    assert [c.path.rpartition("/")[2] for c in puts(cloud)] == ["vm-0", "vm-1"]
    assert len(cloud.fleet.up()) == 1
