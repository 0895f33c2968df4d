from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Offer
from spotlaunch.core.settings import Settings
from spotlaunch_providers.azure.adapter import AzureProvider
from tests.fakes.clouds.azure import FakeAzure

NOW = 1_795_262_400.0  # 2026-11-21T12:00:00Z
SUBSCRIPTION = "5ec2e700-aaaa-4bbb-8ccc-0123456789ab"

Connect = Callable[..., AzureProvider]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud() -> Iterator[FakeAzure]:
    made = FakeAzure()
    with made.serving():
        yield made


def settings(cloud: FakeAzure, **more: str) -> Settings:
    """Resource Manager and prices at ``cloud``; an empty text takes a setting out."""
    values = {
        "endpoint": cloud.url,
        "prices_endpoint": cloud.url,
        "auth": "none",
        "subscription_id": SUBSCRIPTION,
        **more,
    }
    return Settings(provider="azure", values={k: v for k, v in values.items() if v}, origin={})


@pytest.fixture
def connect(cloud: FakeAzure, tmp_path: Path, clock: Clock) -> Connect:
    def make(*, ask_s: float = 10.0, **more: str) -> AzureProvider:
        chosen = settings(cloud, **more)
        return AzureProvider(owner="me", folder=tmp_path / "azure", settings=chosen, ask_s=ask_s, now=clock)

    return make


@pytest.fixture
def refused_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets a token."""

    def refused(self: object) -> str:
        raise errors.NotAuthorized("no token: AADSTS7000215", hint="az login")

    monkeypatch.setattr("spotlaunch_providers.azure.credentials.Placeholder.header", refused)


@pytest.fixture
def public(connect: Connect) -> Connect:
    """Prices only: no Resource Manager, as without credentials."""

    def make(**more: object) -> AzureProvider:
        return connect(**{"endpoint": "", "auth": "", "subscription_id": "", **more})

    return make


def one(offers: list[Offer], *, size: str, region: str, market: str = "spot") -> Offer:
    """The offer of that pool."""
    (found,) = (
        o
        for o in offers
        if (o.pool.instance_type, o.pool.region, o.pool.market) == (f"Standard_{size}", region, market)
    )
    return found
