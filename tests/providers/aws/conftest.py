from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.facts import Market, Offer, Order, Pool, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.adapter import AwsProvider
from tests.fakes.clouds.aws import FakeAws

Make = Callable[..., AwsProvider]


@pytest.fixture
def cloud() -> Iterator[FakeAws]:
    made = FakeAws()
    with made.serving():
        yield made


@pytest.fixture
def make(cloud: FakeAws, tmp_path: Path) -> Make:
    """A provider over the fake, which is given `auth: none`; ``values`` are settings that differ ("": left out)."""

    def made(
        *,
        owner: str = "o",
        tries: int = 1,
        ask_s: float = 10.0,
        launch_s: float = 20.0,
        now: Callable[[], float] = time.time,
        **values: Any,
    ) -> AwsProvider:
        given = settings(cloud, **values)
        return AwsProvider(
            owner=owner,
            folder=tmp_path / "aws",
            access=Access(given, tries=tries),
            settings=given,
            now=now,
            ask_s=ask_s,
            launch_s=launch_s,
            pause=lambda s: None,
        )

    return made


def settings(cloud: FakeAws, **values: str) -> Settings:
    given = {"endpoint": cloud.url, "advisor_endpoint": cloud.url, "auth": "none", **values}
    return Settings(provider="aws", values={k: v for k, v in given.items() if v})


def an_offer(
    instance_type: str = "g6.xlarge",
    zone: str = "us-east-1a",
    market: Market = "spot",
    *,
    region: str = "us-east-1",
    price: str = "0.5",
    vcpus: int = 4,
    arch: str = "x86_64",
) -> Offer:
    """An offer as `offers` gives it: an on-demand one has no zone."""
    zone = zone if market == "spot" else ""
    pool = Pool(provider="aws", region=region, zone=zone, instance_type=instance_type, market=market)
    return Offer(pool=pool, price_usd_hour=Decimal(price), vcpus=vcpus, seen_at=0.0, extra={"arch": arch})


def an_order(*alternatives: Offer, key: str = "sl-o-job-1-0", **more: Any) -> Order:
    return Order(launch_key=key, job="job", attempt=1, alternatives=alternatives, **{"script": "#!/bin/sh\n", **more})


def gpus(*names: str) -> Want:
    return Want(gpus=tuple((name, 0) for name in names))


def find(offers: Any, instance_type: str, place: str, market: str = "spot") -> Offer:
    """The one offer of a type in a zone (or region)."""
    (offer,) = [
        o
        for o in offers
        if (o.pool.instance_type, o.pool.zone or o.pool.region, o.pool.market) == (instance_type, place, market)
    ]
    return offer
