"""Against moto, which somebody else wrote: what the adapter sends is what a server of EC2's language takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from spotlaunch.core.facts import Market, Offer, Order, Pool
from spotlaunch.core.settings import Settings
from spotlaunch_providers.aws import regions
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.adapter import AwsProvider
from spotlaunch_providers.aws.asking import ask_regions
from tests.fakes.s3 import s3_server

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIX+4lUY0LAMYSmLmJBRUAhI5fqLDKMsNCNhpo3SZVWv job"
# moto has this parameter, and not the one of AWS's images for deep learning.
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsProvider]:
    # moto takes the region out of the signature's scope, and any key.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    # moto builds each region when it is first asked, which takes a while.
    monkeypatch.setattr(regions, "ask_regions", lambda *a, **k: ask_regions(*a, **k)[:2])
    with s3_server() as url:
        values = {"endpoint": url, "regions": "us-east-1", "image": IMAGE}
        settings = Settings(provider="aws", values=values)
        yield AwsProvider(owner="o", folder=tmp_path, access=Access(settings), settings=settings)


def an_offer(market: Market, zone: str = "") -> Offer:
    pool = Pool(provider="aws", region="us-east-1", zone=zone, instance_type="g6.xlarge", market=market)
    return Offer(pool=pool, price_usd_hour=Decimal("0.4"), vcpus=4, seen_at=0.0, extra={"arch": "x86_64"})


def test_moto_takes_every_call_of_a_machines_life(provider: AwsProvider) -> None:
    order = Order(
        launch_key="sl-o-job-1-0",
        job="job",
        attempt=1,
        alternatives=(an_offer("spot", "us-east-1a"),),
        script="#!/bin/sh\necho hello\n",
        price_cap_usd_hour=Decimal("0.5"),
        ssh_key=PUBLIC_KEY,
    )
    spot = provider.launch(order)
    on_demand = provider.launch(replace(order, launch_key="sl-o-job-2-0", alternatives=(an_offer("on-demand"),)))
    seen = {m.launch_key: m for m in provider.list_machines()}
    assert seen["sl-o-job-1-0"].instance_id == spot.instance_id
    assert seen["sl-o-job-1-0"].pool == order.alternatives[0].pool and seen["sl-o-job-1-0"].phase == "running"
    assert seen["sl-o-job-1-0"].ssh.startswith("ubuntu@")
    assert seen["sl-o-job-2-0"].pool == an_offer("on-demand").pool
    assert provider.terminate([spot.instance_id, on_demand.instance_id, "i-00000000000000000"]) == {}
    after = provider.list_machines()
    assert {(m.phase, m.ending_reason) for m in after} == {("gone", "asked")}
    assert provider.terminate([spot.instance_id]) == {}
