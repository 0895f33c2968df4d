from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.facts import Offer, Want
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
        *, tries: int = 1, ask_s: float = 10.0, now: Callable[[], float] = time.time, **values: Any
    ) -> AwsProvider:
        access = Access(settings(cloud, **values), tries=tries)
        return AwsProvider(
            owner="o", folder=tmp_path / "aws", access=access, now=now, ask_s=ask_s, pause=lambda s: None
        )

    return made


def settings(cloud: FakeAws, **values: str) -> Settings:
    given = {"endpoint": cloud.url, "advisor_endpoint": cloud.url, "auth": "none", **values}
    return Settings(provider="aws", values={k: v for k, v in given.items() if v})


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
