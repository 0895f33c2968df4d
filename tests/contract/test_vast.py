from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

import pytest

from spotlaunch.core.facts import Pool, Traits
from spotlaunch.core.settings import Settings
from spotlaunch_providers.vast.adapter import VastProvider
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.searches import Terms
from tests.contract.provider_contract import Cloud, ProviderContract
from tests.fakes.clouds.vast import FakeVast
from tests.providers.vast.conftest import ask


class VastCloud:
    """Four hosts, each with one GPU to hire or to bid for."""

    def __init__(self, fake: FakeVast) -> None:
        self.fake = fake
        fake.asks = [
            ask(id=n, machine_id=n, dph_base=2.0 + n / 10, min_bid=1.0 + n / 10, gpu_frac=1.0) for n in range(1, 5)
        ]
        settings = Settings(provider="vast", values={"endpoint": fake.url, "auth": "none"})
        self.provider = VastProvider(Asking.of(settings, margin=0), Terms(), owner="o")
        self.stranger = VastProvider(Asking.of(settings, margin=0), Terms(), owner="x")

    def run_dry(self, pool: Pool) -> None:
        self.fake.run_dry(zone=pool.zone, instance_type=pool.instance_type, market=pool.market)

    def lose_answers(self) -> None:
        # Before and after in turn: an answer that is lost, and a call that is.
        ways = cycle(({"before": 1}, {"after": 1}))
        create = self.fake.create

        def losing(*call: object) -> object:
            self.fake._losing = {"before": 0, "after": 0} | next(ways)
            return create(*call)  # type: ignore[arg-type]

        self.fake.create = losing  # type: ignore[method-assign,assignment]

    def break_listing(self) -> None:
        self.fake.fail("forbidden", path="/api/v1/instances/")

    def heal(self) -> None:
        self.fake.__dict__.pop("create", None)
        self.fake.heal()


class TestVast(ProviderContract):
    @pytest.fixture
    def cloud(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        fake = FakeVast(boot_s=1.0)
        with fake.serving():
            cloud = VastCloud(fake)
            # What it takes a real contract to show; here it shows at once.
            for provider in (cloud.provider, cloud.stranger):
                monkeypatch.setattr(provider, "traits", _soon(provider))
            yield cloud


def _soon(provider: VastProvider) -> Traits:
    return replace(provider.traits, settle_s=0.2)
