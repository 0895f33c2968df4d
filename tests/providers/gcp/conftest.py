from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.facts import Market, Offer, Order, Pool, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.adapter import TRAITS, GcpProvider
from spotlaunch_providers.gcp.shapes import region_of
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp

NOW = 1_800_000_000.0


@pytest.fixture
def cloud() -> Iterator[FakeGcp]:
    made = FakeGcp(filler=20)
    with made.serving():
        yield made


@pytest.fixture
def settings(cloud: FakeGcp) -> Settings:
    values = {"endpoint": cloud.url, "billing_endpoint": cloud.url, "project": data.PROJECT, "auth": "none"}
    return Settings(provider="gcp", values=values)


Make = Callable[..., GcpProvider]


@pytest.fixture
def make(settings: Settings, tmp_path: Path) -> Make:
    """A provider over the fake; ``values`` are settings that differ, and the folder stays the same."""

    def made(*, ask_s: float = 10.0, now: Callable[[], float] = lambda: NOW, **values: Any) -> GcpProvider:
        mine = Settings(provider="gcp", values={k: v for k, v in {**settings.values, **values}.items() if v})
        return GcpProvider(owner="o", folder=tmp_path / "gcp", account=Account(mine), now=now, ask_s=ask_s)

    return made


@pytest.fixture
def renting(settings: Settings, tmp_path: Path) -> Make:
    """A provider that launches; time is real, since the fake's machines live in it."""

    def made(
        *, owner: str = "o", launch_s: float = 10.0, now: Callable[[], float] = time.time, **values: Any
    ) -> GcpProvider:
        mine = Settings(provider="gcp", values={k: v for k, v in {**settings.values, **values}.items() if v})
        traits = replace(TRAITS, settle_s=0.0)
        account = Account(mine)
        return GcpProvider(
            owner=owner, folder=tmp_path / "gcp", account=account, now=now, launch_s=launch_s, traits=traits
        )

    return made


def offer(
    instance_type: str = "g2-standard-4",
    zone: str = "us-central1-a",
    market: Market = "spot",
    *,
    price: str = "0.30",
    gpu: str = "L4",
    count: int = 1,
) -> Offer:
    """An offer as the adapter would make it, without asking."""
    pool = Pool(provider="gcp", region=region_of(zone), zone=zone, instance_type=instance_type, market=market)
    return Offer(pool=pool, gpu=gpu, gpu_count=count, price_usd_hour=Decimal(price), seen_at=NOW)


def order(*alternatives: Offer, key: str = "sl-o-job-1-0", **more: Any) -> Order:
    """An order for these; for the plain `offer` without any."""
    return Order(launch_key=key, job="job", attempt=1, alternatives=alternatives or (offer(),), **more)


def find(offers: list[Offer], instance_type: str, zone: str, market: str) -> Offer:
    """The one offer of a pool."""
    (offer,) = [
        o for o in offers if (o.pool.instance_type, o.pool.zone, o.pool.market) == (instance_type, zone, market)
    ]
    return offer


def gpus(*names: str) -> Want:
    return Want(gpus=tuple((name, 0) for name in names))
