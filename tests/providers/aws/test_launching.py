"""What a launch asks EC2 for, and the traps on the way: lost answers, stale ids, zones that are dry."""

from __future__ import annotations

import base64
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Scope
from spotlaunch.core.settings import Settings
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.adapter import AwsProvider
from spotlaunch_providers.aws.recipe import token
from tests.fakes.clouds.aws import FakeAws
from tests.fakes.clouds.aws_form import read
from tests.providers.aws.conftest import Make, an_offer, an_order, settings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIX+4lUY0LAMYSmLmJBRUAhI5fqLDKMsNCNhpo3SZVWv job"


def sent(cloud: FakeAws) -> list[dict[str, Any]]:
    """What RunInstances was asked, call by call."""
    return [read("RunInstances", c.form) for c in cloud.called("RunInstances")]


def zones_asked(cloud: FakeAws) -> list[str]:
    places = {s: z for z, s in cloud.subnets("us-east-1").items()}
    return [places[asked["SubnetId"]] for asked in sent(cloud)]


# -- what is asked for -------------------------------------------------------------------------------------


def test_spot_is_asked_for_with_its_cap_and_all_that_goes_with_it(cloud: FakeAws, make: Make) -> None:
    cap = Decimal("0.80")
    launched = make(regions="us-east-1").launch(
        an_order(an_offer(), price_cap_usd_hour=cap, script="#!/bin/sh\necho hi\n")
    )
    (asked,) = sent(cloud)
    options = asked["InstanceMarketOptions"]
    assert options["MarketType"] == "spot" and options["SpotOptions"] == {
        "SpotInstanceType": "one-time",
        "InstanceInterruptionBehavior": "terminate",
        "MaxPrice": "0.80",
    }
    assert asked["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert asked["MetadataOptions"]["HttpTokens"] == "required"
    (disk,) = asked["BlockDeviceMappings"]
    assert disk["Ebs"] == {"VolumeSize": 100, "VolumeType": "gp3", "DeleteOnTermination": True}
    assert base64.b64decode(asked["UserData"]) == b"#!/bin/sh\necho hi\n"
    kinds = {spec["ResourceType"] for spec in asked["TagSpecifications"]}
    assert kinds == {"instance", "volume", "network-interface", "spot-instances-request"}
    tags = {t["Key"]: t["Value"] for t in asked["TagSpecifications"][0]["Tags"]}
    assert tags["Name"] == tags["spotlaunch-key"] == "sl-o-job-1-0" and tags["spotlaunch-owner"] == "o"
    assert "KeyName" not in asked and "IamInstanceProfile" not in asked
    (machine,) = cloud.fleet.up()
    assert (machine.id, machine.key, machine.market) == (launched.instance_id, "sl-o-job-1-0", "spot")
    assert machine.script == "#!/bin/sh\necho hi\n"


def test_on_demand_differs_in_the_market_only(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    launched = provider.launch(an_order(an_offer(market="on-demand", price="0.9"), price_cap_usd_hour=Decimal(1)))
    (asked,) = sent(cloud)
    assert "InstanceMarketOptions" not in asked and asked["ClientToken"]
    assert launched.offer.pool == an_offer(market="on-demand").pool  # the whole region, as it was offered
    assert "spot-instances-request" not in {s["ResourceType"] for s in asked["TagSpecifications"]}
    assert cloud.fleet.up()[0].market == "on-demand"


def test_settings_and_the_order_choose_image_disk_profile_and_size(cloud: FakeAws, make: Make) -> None:
    ami = next(iter(cloud.images("us-east-1")))
    provider = make(regions="us-east-1", image=ami, disk_type="gp2", instance_profile="trainer")
    provider.launch(an_order(an_offer(), disk_gb=250.5))
    (asked,) = sent(cloud)
    assert (asked["ImageId"], asked["IamInstanceProfile"]) == (ami, {"Name": "trainer"})
    assert asked["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 251
    assert asked["BlockDeviceMappings"][0]["Ebs"]["VolumeType"] == "gp2"


def test_a_disk_is_never_smaller_than_its_image(cloud: FakeAws, make: Make) -> None:
    make(regions="us-east-1").launch(an_order(an_offer(), disk_gb=10))
    assert sent(cloud)[0]["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 75


def test_an_arm_machine_gets_the_image_for_arm(cloud: FakeAws, make: Make) -> None:
    make(regions="us-east-1").launch(an_order(an_offer("g5g.xlarge", arch="arm64")))
    (asked,) = sent(cloud)
    assert cloud.images("us-east-1")[asked["ImageId"]] == "arm64"


@pytest.mark.parametrize("name", ["ubuntu", "ami-0123456789abcdef0", "/aws/service/nosuch"])
def test_an_image_that_is_none_refuses_the_region_for_this_job(cloud: FakeAws, make: Make, name: str) -> None:
    with pytest.raises(errors.InvalidOrder, match="image") as caught:
        make(regions="us-east-1").launch(an_order(an_offer(), vm_image=name))
    assert caught.value.refused[0].scope == Scope(provider="aws", region="us-east-1") and caught.value.hint
    assert not cloud.called("RunInstances")


def test_what_a_region_needs_is_found_once(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda n: provider.launch(an_order(an_offer(), key=f"sl-o-job-{n}-0")), range(4)))
    asked = [c.path.rpartition("/")[2] for c in cloud.calls]
    for action in (
        "DescribeSubnets",
        "DescribeSecurityGroups",
        "CreateSecurityGroup",
        "GetParameter",
        "DescribeImages",
    ):
        assert asked.count(action) == 1
    assert asked.count("RunInstances") == 4


def test_processes_that_make_the_security_group_at_a_time_share_it(cloud: FakeAws, make: Make) -> None:
    providers = [make(regions="us-east-1") for _ in range(4)]
    with ThreadPoolExecutor(4) as workers:
        calls = [
            lambda p=p, n=n: p.launch(an_order(an_offer(), key=f"sl-o-job-{n}-0")) for n, p in enumerate(providers)
        ]
        list(workers.map(lambda call: call(), calls))
    (group,) = cloud.groups.values()
    assert group["GroupName"] == "spotlaunch" and group["IpPermissions"] == []
    assert {tuple(asked["SecurityGroupIds"]) for asked in sent(cloud)} == {(group["GroupId"],)}


def test_a_security_group_that_another_has_just_made_is_taken(
    cloud: FakeAws, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(regions="us-east-1").launch(an_order(an_offer()))
    provider = make(regions="us-east-1")
    network, asked = provider._tools.network, []
    usual = network._ask_groups

    def late(*what: Any) -> Any:
        asked.append(what)
        return usual(*what) if len(asked) > 1 else []  # it was made after this look

    monkeypatch.setattr(network, "_ask_groups", late)
    assert provider.launch(an_order(an_offer(), key="sl-o-job-2-0")).refused == ()
    assert len(cloud.groups) == 1 and len(asked) == 2


def test_subnets_and_security_groups_that_are_set_are_used(cloud: FakeAws, make: Make) -> None:
    make(regions="us-east-1").launch(an_order(an_offer()))
    (group,) = cloud.groups
    subnet = cloud.subnets("us-east-1")["us-east-1b"]
    cloud.calls.clear()
    provider = make(regions="us-east-1", subnets=subnet, security_groups=group)
    launched = provider.launch(an_order(an_offer(), an_offer(zone="us-east-1b"), key="sl-o-job-2-0"))
    (asked,) = sent(cloud)
    assert (asked["SubnetId"], asked["SecurityGroupIds"]) == (subnet, [group])
    assert launched.refused[0].scope == Scope(provider="aws", region="us-east-1", zone="us-east-1a")
    assert "subnets" in launched.refused[0].hint


def test_a_region_without_any_subnet_is_passed_over(cloud: FakeAws, make: Make) -> None:
    cloud.no_subnets.add("us-east-1")
    there = an_offer(region="eu-west-2", zone="eu-west-2a")
    launched = make(regions="us-east-1").launch(an_order(an_offer(), an_offer(market="on-demand"), there))
    assert launched.offer.pool == there.pool
    (no,) = launched.refused
    assert no.scope == Scope(provider="aws", region="us-east-1") and "create-default-vpc" in no.hint


# -- a shell -----------------------------------------------------------------------------------------------


def test_a_public_key_opens_a_shell_and_is_taken_away_with_the_last_machine(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    first = provider.launch(an_order(an_offer(), ssh_key=KEY))
    second = provider.launch(an_order(an_offer(), ssh_key=KEY, key="sl-o-job-2-0"))
    closed = provider.launch(an_order(an_offer(), key="sl-o-job-3-0"))
    (name,) = cloud.keys_of["us-east-1"]
    assert name.startswith("spotlaunch-o-job-")
    seen = {m.instance_id: m for m in provider.list_machines()}
    assert seen[first.instance_id].ssh == f"ubuntu@{cloud.instances[first.instance_id].told['PublicIpAddress']}:22"
    assert seen[closed.instance_id].ssh == ""
    open_group = next(g for g in cloud.groups.values() if g["GroupName"] == "spotlaunch-ssh")
    assert [p["FromPort"] for p in open_group["IpPermissions"]] == [22]
    assert open_group["GroupId"] not in sent(cloud)[2]["SecurityGroupIds"]
    provider._tools.key_pairs._used_at.clear()  # it is long ago that the key was given
    provider.terminate([first.instance_id])
    provider.list_machines()
    assert cloud.keys_of["us-east-1"]  # the second machine has it still
    provider.terminate([second.instance_id])
    provider.list_machines()
    provider.list_machines()
    assert not cloud.keys_of["us-east-1"] and len(cloud.called("DeleteKeyPair")) == 1


def test_a_key_of_a_launch_that_is_under_way_is_not_taken_away(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    gone = provider.launch(an_order(an_offer(), ssh_key=KEY))
    provider.terminate([gone.instance_id])
    provider.list_machines()
    assert cloud.keys_of["us-east-1"] and not cloud.called("DeleteKeyPair")


# -- zones -------------------------------------------------------------------------------------------------


def test_on_demand_tries_zones_until_one_has_a_machine(cloud: FakeAws, make: Make) -> None:
    cloud.names_zones = False
    for zone in "abcd":
        cloud.run_dry(zone=f"us-east-1{zone}", instance_type="g6.xlarge")
    launched = make(regions="us-east-1").launch(an_order(an_offer(market="on-demand")))
    asked = zones_asked(cloud)
    assert (
        launched.refused == () and len(asked) == len(set(asked)) and asked[-1] not in {f"us-east-1{z}" for z in "abcd"}
    )


def test_zones_that_aws_names_are_tried_and_no_others(cloud: FakeAws, make: Make) -> None:
    for zone in ("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1f"):
        cloud.run_dry(zone=zone)
    provider = make(regions="us-east-1")
    for n in range(10):  # each begins with another zone
        cloud.calls.clear()
        provider.launch(an_order(an_offer(market="on-demand"), key=f"sl-o-job-{n}-0"))
        assert len(zones_asked(cloud)) <= 2 and zones_asked(cloud)[-1] == "us-east-1d"


def test_alternatives_in_zones_that_aws_names_are_tried_first(cloud: FakeAws, make: Make) -> None:
    words = "no capacity ... or choosing us-east-1c, us-east-1d."
    cloud.fail_launch("InsufficientInstanceCapacity", times=1, message=words)
    offers = [an_offer(zone=f"us-east-1{z}") for z in "abd"]
    launched = make(regions="us-east-1").launch(an_order(*offers))
    assert zones_asked(cloud) == ["us-east-1a", "us-east-1d"] and launched.offer.pool.zone == "us-east-1d"
    assert "us-east-1c, us-east-1d" in launched.refused[0].reason


def test_a_region_that_is_dry_is_one_refusal_of_its_pool(cloud: FakeAws, make: Make) -> None:
    cloud.run_dry(region="us-east-1", market="on-demand")
    offer = an_offer(market="on-demand")
    with pytest.raises(errors.NoCapacity) as caught:
        make(regions="us-east-1").launch(an_order(offer))
    assert [r.scope for r in caught.value.refused] == [Scope.of(offer.pool)]
    assert len(zones_asked(cloud)) > 1  # all that sell it


def test_a_type_that_no_zone_sells_is_not_asked_for(cloud: FakeAws, make: Make) -> None:
    with pytest.raises(errors.NoCapacity, match="sells") as caught:
        make(regions="us-west-1").launch(an_order(an_offer("p5.4xlarge", region="us-west-1", market="on-demand")))
    assert caught.value.refused[0].retry_after_s == 86400 and not cloud.called("RunInstances")


# -- prices ------------------------------------------------------------------------------------------------


def test_what_costs_more_than_the_cap_is_refused_without_a_call(cloud: FakeAws, make: Make) -> None:
    dear, cheap = an_offer(price="0.9"), an_offer(zone="us-east-1b", price="0.5")
    launched = make(regions="us-east-1").launch(an_order(dear, cheap, price_cap_usd_hour=Decimal("0.6")))
    assert zones_asked(cloud) == ["us-east-1b"] and launched.refused[0].error == "PriceTooLow"


def test_a_price_that_rose_since_the_offer_is_refused_by_aws_itself(cloud: FakeAws, make: Make) -> None:
    cloud.set_price(1.25, zone="us-east-1a", instance_type="g6.xlarge", market="spot")
    with pytest.raises(errors.PriceTooLow, match=re.escape("$1.25")):
        make(regions="us-east-1").launch(an_order(an_offer(), price_cap_usd_hour=Decimal("0.6")))


# -- answers that are lost ---------------------------------------------------------------------------------


def test_a_machine_whose_answer_was_lost_is_found_by_its_key(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    cloud.lose_answers(after=True)
    launched = provider.launch(an_order(an_offer(), an_offer(zone="us-east-1b")))
    assert launched.instance_id in cloud.instances and len(cloud.called("RunInstances")) == 1


def test_an_answer_of_500_that_made_a_machine_is_found_by_its_key(cloud: FakeAws, make: Make) -> None:
    cloud.break_after_launch()
    launched = make(regions="us-east-1").launch(an_order(an_offer()))
    assert launched.instance_id in cloud.instances and len(cloud.called("RunInstances")) == 1


def test_a_machine_that_is_not_listed_yet_leaves_the_outcome_open(cloud: FakeAws, make: Make) -> None:
    cloud.list_lag_s = 60
    cloud.lose_answers(after=True)
    with pytest.raises(errors.OutcomeUnknown):
        make(regions="us-east-1").launch(an_order(an_offer(), an_offer(zone="us-east-1b")))
    assert len(cloud.instances) == 1
    cloud.heal()
    # Whoever asks again with the same key, from another process too, gets the same machine.
    assert make(regions="us-east-1").launch(an_order(an_offer())).instance_id in cloud.instances
    assert len(cloud.instances) == 1


@pytest.mark.parametrize("kind", ["hang", "drip", "malformed", "truncated", "drop", "bad-gateway", "server-error"])
def test_a_launch_that_is_cut_off_is_unknown_in_time_and_nothing_else_is_tried(
    cloud: FakeAws, make: Make, kind: str
) -> None:
    provider = make(regions="us-east-1", launch_s=7.0)
    provider.launch(an_order(an_offer(), key="sl-o-warm-1-0"))
    cloud.list_lag_s = 60
    cloud.fail(kind, path="RunInstances", seconds=0.5)
    began = time.monotonic()
    with pytest.raises(errors.OutcomeUnknown):
        provider.launch(an_order(an_offer(), an_offer(zone="us-east-1b")))
    assert time.monotonic() - began < 8.5
    assert len(cloud.called("RunInstances")) == 2


def test_a_connection_that_never_came_about_is_no_launch(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    provider.launch(an_order(an_offer(), key="sl-o-warm-1-0"))
    nobody = Access(Settings(provider="aws", values={"endpoint": "http://127.0.0.1:9", "auth": "none"}), tries=1)
    provider._tools.access._clients = {
        k: nobody._client("ec2", k[1], once=k[2]) for k in provider._tools.access._clients
    }
    with pytest.raises(errors.Transient):
        provider.launch(an_order(an_offer()))


def test_a_key_that_was_tried_before_is_looked_for_first(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    first = provider.launch(an_order(an_offer(), an_offer(zone="us-east-1b")))
    # Its token is of one zone: in another one the same key would make a second machine.
    again = provider.launch(an_order(an_offer(zone="us-east-1b"), an_offer()))
    assert (again.instance_id, again.offer.pool) == (first.instance_id, an_offer().pool)
    assert len(cloud.instances) == 1


def test_a_key_that_cannot_be_looked_for_is_not_launched_again(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    provider.launch(an_order(an_offer()))
    cloud.fail("server-error", path="DescribeInstances$")
    with pytest.raises(errors.OutcomeUnknown):
        provider.launch(an_order(an_offer(zone="us-east-1b")))
    assert len(cloud.called("RunInstances")) == 1


def test_a_token_whose_parameters_changed_finds_the_machine_of_the_first_call(cloud: FakeAws, make: Make) -> None:
    first = make(regions="us-east-1").launch(an_order(an_offer()))
    again = make(regions="us-east-1").launch(an_order(an_offer(), script="#!/bin/sh\n# another start key\n"))
    assert again.instance_id == first.instance_id and len(cloud.instances) == 1


def test_a_token_of_a_machine_that_has_ended_makes_none(cloud: FakeAws, make: Make) -> None:
    first = make(regions="us-east-1").launch(an_order(an_offer()))
    cloud.preempt(first.instance_id, notice_s=0)
    while cloud.fleet.up():
        time.sleep(0.01)
    with pytest.raises(errors.NoCapacity, match="has ended already"):
        make(regions="us-east-1").launch(an_order(an_offer()))


def test_tokens_differ_by_key_type_zone_and_market() -> None:
    offer = an_offer()
    tokens = {
        token("sl-o-job-1-0", offer, "us-east-1a"),
        token("sl-o-job-2-0", offer, "us-east-1a"),
        token("sl-o-job-1-0", offer, "us-east-1b"),
        token("sl-o-job-1-0", an_offer("g5.xlarge"), "us-east-1a"),
        token("sl-o-job-1-0", an_offer(market="on-demand"), "us-east-1a"),
    }
    assert len(tokens) == 5 and all(len(t) <= 64 and t.isascii() for t in tokens)


# -- what is stale, and what is wrong ----------------------------------------------------------------------


def test_ids_that_have_become_stale_are_found_anew(cloud: FakeAws, make: Make) -> None:
    provider = make(regions="us-east-1")
    provider.launch(an_order(an_offer(), ssh_key=KEY))
    cloud.renew()
    launched = provider.launch(an_order(an_offer(), ssh_key=KEY, key="sl-o-job-2-0"))
    assert launched.refused == () and launched.instance_id in cloud.instances
    assert len(cloud.called("RunInstances")) == 3


def test_a_machine_that_is_another_than_was_ordered_is_ended_and_refused(
    cloud: FakeAws, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = FakeAws.told
    monkeypatch.setattr(FakeAws, "told", lambda self, i: told(self, i) | {"InstanceType": "t3.micro"})
    with pytest.raises(errors.NoCapacity, match=r"something else.*t3\.micro"):
        make(regions="us-east-1").launch(an_order(an_offer()))
    assert cloud.instances and not cloud.fleet.up()


def test_throttling_ends_the_launch_and_is_not_repeated(cloud: FakeAws, make: Make) -> None:
    cloud.fail("throttle", path="RunInstances")
    with pytest.raises(errors.Throttled):
        make(regions="us-east-1", tries=3).launch(an_order(an_offer(), an_offer(zone="us-east-1b")))
    assert len(cloud.called("RunInstances")) == 1


def test_no_capacity_is_not_asked_for_three_times(cloud: FakeAws, make: Make) -> None:
    cloud.run_dry()
    with pytest.raises(errors.NoCapacity):
        make(regions="us-east-1", tries=3).launch(an_order(an_offer()))
    assert len(cloud.called("RunInstances")) == 1


@pytest.mark.parametrize("action", ["DescribeSubnets", "CreateSecurityGroup", "DescribeImages", "GetParameter"])
def test_what_fails_before_the_call_is_surely_no_launch(cloud: FakeAws, make: Make, action: str) -> None:
    cloud.fail("server-error", path=f"/us-east-1/{action}$")
    there = an_offer(region="eu-west-2", zone="eu-west-2a")
    launched = make(regions="us-east-1").launch(an_order(an_offer(), there))
    assert launched.offer.pool == there.pool
    assert [(r.error, r.scope.region) for r in launched.refused] == [("Transient", "us-east-1")]


def test_an_order_without_alternatives_is_invalid(make: Make) -> None:
    with pytest.raises(errors.InvalidOrder):
        make(regions="us-east-1").launch(an_order())


def test_a_spot_offer_of_the_public_feed_is_launched_in_a_zone_that_sells_it(cloud: FakeAws, make: Make) -> None:
    offer = an_offer(zone="")
    provider = make(regions="us-east-1")
    launched = provider.launch(an_order(offer))
    (seen,) = provider.list_machines()
    assert launched.offer.pool == replace(offer.pool, zone=zones_asked(cloud)[0]) == seen.pool


def test_keys_and_accounts_stay_out_of_what_is_told(
    cloud: FakeAws, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMARKERMARKER0001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "marker-secret-93hf83h")
    given = settings(cloud, auth="", regions="us-east-1")
    provider = AwsProvider(owner="o", folder=provider_folder(make), access=Access(given, tries=1), settings=given)
    cloud.fail_launch("UnauthorizedOperation")
    with pytest.raises(errors.NotAuthorized) as caught:
        provider.launch(an_order(an_offer(), secret_env={"TOKEN": "marker-token"}))
    shown = f"{caught.value!r} {caught.value.refused} {provider.__dict__!r}"
    assert "marker" not in shown.lower() and "210987654321" not in shown
    bodies = b"".join(c.body for c in cloud.calls)
    assert b"marker" not in bodies and base64.b64encode(b"marker-token") not in bodies


def provider_folder(make: Make) -> Any:
    return make()._tools.regions._path.parent
