from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.facts import Offer, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.adapter import GcpProvider
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


def find(offers: list[Offer], instance_type: str, zone: str, market: str) -> Offer:
    """The one offer of a pool."""
    (offer,) = [
        o for o in offers if (o.pool.instance_type, o.pool.zone, o.pool.market) == (instance_type, zone, market)
    ]
    return offer


def gpus(*names: str) -> Want:
    return Want(gpus=tuple((name, 0) for name in names))
