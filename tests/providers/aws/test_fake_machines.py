"""What machines of the fake find: the script they were given, and the metadata service that tells of their end."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.fakes.clouds.aws import FakeAws
from tests.fakes.waiting import eventually
from tests.providers.aws.conftest import Make, an_offer, an_order


def ask(url: str, *, method: str = "GET", **headers: str) -> tuple[int, str]:
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=named)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, ""


def test_the_metadata_service_tells_of_the_end_to_those_with_a_token(cloud: FakeAws, make: Make) -> None:
    machine = make(regions="us-east-1").launch(an_order(an_offer())).instance_id
    base = cloud.fleet.machines[machine].env["SPOTLAUNCH_METADATA_AWS"]
    action = f"{base}/latest/meta-data/spot/instance-action"
    assert ask(action)[0] == 401 and ask(f"{base}/latest/api/token", method="PUT")[0] == 400
    _, token = ask(f"{base}/latest/api/token", method="PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
    assert ask(action, X_aws_ec2_metadata_token=token)[0] == 404
    cloud.preempt(machine, notice_s=60)
    status, body = ask(action, X_aws_ec2_metadata_token=token)
    assert status == 200 and json.loads(body)["action"] == "terminate"
    rebalance = f"{base}/latest/meta-data/events/recommendations/rebalance"
    assert "noticeTime" in json.loads(ask(rebalance, X_aws_ec2_metadata_token=token)[1])


def test_a_machine_runs_the_script_that_was_sent(make: Make, cloud: FakeAws) -> None:
    cloud.fleet.run = True
    make(regions="us-east-1").launch(
        an_order(an_offer(), script='#!/bin/sh\necho "$SPOTLAUNCH_METADATA_AWS" > ../said\n')
    )
    (machine,) = cloud.fleet.up()
    folder = eventually(lambda: machine.folder)
    said = eventually(lambda: (folder / "said").read_text() if (folder / "said").exists() else "")
    assert said.strip() == f"{cloud.url}/-/metadata/{machine.id}"


@pytest.mark.parametrize("limit", [4, 0])
def test_quotas_are_counted_in_vcpus_where_they_are_enforced(cloud: FakeAws, make: Make, limit: float) -> None:
    from spotlaunch.errors import QuotaExceeded

    cloud.enforces_quotas, cloud.quotas["L-3819A6DF"] = True, limit
    provider = make(regions="us-east-1")
    if limit:
        provider.launch(an_order(an_offer()))
    with pytest.raises(QuotaExceeded):
        provider.launch(an_order(an_offer(), key="sl-o-job-2-0"))
