from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.facts import Order
from spotlaunch.core.settings import Settings
from spotlaunch.errors import UsageError
from spotlaunch_providers.gcp import names
from spotlaunch_providers.gcp.blueprint import body, machine
from spotlaunch_providers.gcp.choices import IMAGE, Choices, choices
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp_rules import check
from tests.fakes.clouds.server import Request
from tests.providers.gcp.conftest import offer, order

CALM = Choices()


def made(one: Order, chosen: Choices = CALM, *, notice: bool = True) -> dict[str, Any]:
    """The body, after the fake's rules have passed it."""
    found = body(one, one.alternatives[0], owner="a1b2c3", choices=chosen, notice=notice)
    zone = one.alternatives[0].pool.zone
    request = Request(method="POST", path="/", query={}, headers={}, body=json.dumps(found).encode())
    return check(request, zone, long_notice=True)


def items(found: dict[str, Any]) -> dict[str, str]:
    return {i["key"]: i["value"] for i in found["metadata"]["items"]}


def test_a_machine_bears_its_key_its_owner_and_its_script() -> None:
    found = made(order(script="#!/bin/sh\necho hello\n"))
    assert found["name"] == "sl-o-job-1-0"
    assert found["labels"] == {"spotlaunch_owner": "a1b2c3", "spotlaunch_key": "sl-o-job-1-0", "spotlaunch_job": "job"}
    assert items(found)["spotlaunch-key"] == "sl-o-job-1-0"
    assert items(found)["startup-script"] == "#!/bin/sh\necho hello\n"


def test_all_that_is_made_with_a_machine_goes_with_it() -> None:
    found = made(order())
    (disk,) = found["disks"]
    assert disk["autoDelete"] is True
    assert disk["initializeParams"]["labels"]["spotlaunch_owner"] == "a1b2c3"
    ((access,),) = [i["accessConfigs"] for i in found["networkInterfaces"]]
    assert "natIP" not in access  # an address of its own would be kept


def test_spot_is_deleted_when_it_is_taken_and_is_never_started_again() -> None:
    assert made(order())["scheduling"] == {
        "provisioningModel": "SPOT",
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
        "instanceTerminationAction": "DELETE",
        "preemptionNoticeDuration": {"seconds": "120"},
    }


def test_on_demand_is_deleted_by_google_only_at_a_limit() -> None:
    plain = {"provisioningModel": "STANDARD", "onHostMaintenance": "TERMINATE", "automaticRestart": False}
    assert made(order(offer(market="on-demand")))["scheduling"] == plain
    limited = made(order(offer(market="on-demand"), ttl_s=100.2))["scheduling"]
    assert limited == {**plain, "instanceTerminationAction": "DELETE", "maxRunDuration": {"seconds": "101"}}


@pytest.mark.parametrize(("ttl_s", "seconds"), [(1, "30"), (3600, "3600"), (10**9, str(120 * 86400))])
def test_a_time_to_live_is_kept_within_what_google_takes(ttl_s: float, seconds: str) -> None:
    assert made(order(ttl_s=ttl_s))["scheduling"]["maxRunDuration"] == {"seconds": seconds}


@pytest.mark.parametrize("row", [r for r in data.TYPES if r[3] and not r[0].startswith("a4x")], ids=lambda r: r[0])
def test_each_family_gets_a_disk_that_it_takes(row: data.Row) -> None:
    found = made(order(offer(row[0], min(row[1]))))
    disk = found["disks"][0]["initializeParams"]["diskType"].rpartition("/")[2]
    hyper = row[0].startswith(("g4-", "a3-ultra", "a4-"))
    assert disk == ("hyperdisk-balanced" if hyper else "pd-balanced")


def test_gpus_of_n1_are_put_in() -> None:
    found = made(order(offer("n1-standard-8+2xnvidia-tesla-t4", count=2)))
    kind = "zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4"
    assert found["guestAccelerators"] == [{"acceleratorType": kind, "acceleratorCount": 2}]
    assert found["machineType"] == "zones/us-central1-a/machineTypes/n1-standard-8"
    assert machine("g2-standard-4").accelerator == ""


@pytest.mark.parametrize(("disk_gb", "size"), [(0, "100"), (5, "30"), (250.5, "251")])
def test_the_boot_disk_is_as_large_as_wanted_and_never_too_small(disk_gb: float, size: str) -> None:
    assert made(order(disk_gb=disk_gb))["disks"][0]["initializeParams"]["diskSizeGb"] == size


def test_nobody_may_open_a_shell_unless_a_key_is_given() -> None:
    closed, opened = items(made(order())), items(made(order(ssh_key="ssh-ed25519 AAAA job")))
    assert "ssh-keys" not in closed and closed["block-project-ssh-keys"] == "TRUE"
    assert opened["ssh-keys"] == "spotlaunch:ssh-ed25519 AAAA job"
    assert opened["block-project-ssh-keys"] == "TRUE" and opened["enable-oslogin"] == "FALSE"


def test_secrets_of_the_order_are_not_sent() -> None:
    assert "hush" not in json.dumps(made(order(secret_env={"TOKEN": "hush"}, agent_env={"A": "hush"})))


# -- what a person chooses ---------------------------------------------------------------------------------


def chosen(**values: str) -> Choices:
    return choices(Settings(provider="gcp", values=values))


def test_without_settings_a_machine_acts_as_nobody_on_ubuntu_with_a_driver() -> None:
    found = made(order())
    assert "serviceAccounts" not in found
    assert found["disks"][0]["initializeParams"]["sourceImage"] == IMAGE
    assert found["networkInterfaces"][0]["network"] == "global/networks/default"


def test_settings_choose_image_network_disk_and_account() -> None:
    mine = chosen(image="mine", network="lab", external_ip="no", disk_type="pd-ssd", service_account="x@p.iam")
    found = made(order(), mine)
    params = found["disks"][0]["initializeParams"]
    assert params["sourceImage"] == "global/images/mine" and params["diskType"].endswith("/pd-ssd")
    assert found["networkInterfaces"] == [{"network": "global/networks/lab"}]
    assert found["serviceAccounts"] == [
        {"email": "x@p.iam", "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
    ]


def test_an_image_of_the_job_comes_before_that_of_the_settings() -> None:
    image = "projects/deeplearning-platform-release/global/images/family/common-cu128"
    found = made(order(vm_image=image), chosen(image="mine"))
    assert found["disks"][0]["initializeParams"]["sourceImage"] == image


def test_a_subnetwork_is_a_name_in_each_region_or_a_path() -> None:
    found = made(order(), chosen(subnetwork="lab"))["networkInterfaces"][0]
    assert found["subnetwork"] == "regions/us-central1/subnetworks/lab" and "network" not in found
    assert chosen(subnetwork="projects/p/regions/r/subnetworks/s").interface("x")["subnetwork"].endswith("/s")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "values", [{"image": "a b"}, {"external_ip": "maybe"}, {"disk_type": "Fast!"}, {"service_account": "me"}]
)
def test_settings_that_google_could_not_understand_are_told(values: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(values))) as caught:
        chosen(**values)
    assert caught.value.hint


# -- names -------------------------------------------------------------------------------------------------

KEYS = st.from_regex(r"sl-[a-z0-9]{1,8}-[a-z0-9][a-z0-9-]{0,40}-[0-9]{1,9}-[0-9]{1,9}", fullmatch=True)


@settings(deadline=None)
@given(KEYS, KEYS)
def test_a_key_becomes_a_name_that_google_takes_and_no_other_key_has(one: str, other: str) -> None:
    name = names.machine_name(one)
    assert len(name) <= 63 and names.parse(names.instance_id("us-central1-a", name)) == ("us-central1-a", name)
    assert name.startswith("sl-") and (len(one) > 63 or name == one)
    assert (name == names.machine_name(other)) == (one == other)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_becomes_a_name(text: str) -> None:
    assert names.parse(f"us-central1-a/{names.machine_name(text)}")


@pytest.mark.parametrize(
    "text", ["", "x", "i-0abc", "us-central1-a/", "us-central1-a/a/b", "../x", "zone/UPPER", "a/b"]
)
def test_what_is_no_id_of_ours_is_nowhere(text: str) -> None:
    assert names.parse(text) is None


def test_a_deletion_bears_a_sign_of_its_owner_and_is_never_the_same_twice() -> None:
    tokens = {names.delete_token("o") for _ in range(20)}
    assert len(tokens) == 20
    assert all(names.is_ours(t, "o") and not names.is_ours(t, "x") for t in tokens)
    assert not names.is_ours("", "o")
