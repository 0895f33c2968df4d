from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from spotlaunch.core.facts import Pool, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.runpod.asking import Asking
from tests.contract.provider_contract import Cloud, ProviderContract
from tests.fakes.clouds.runpod import FakeRunpod

KEY = "rpa_CONTRACT"


class RunpodCloud:
    """The fake, whose pods take so long to boot that every test sees them start."""

    def __init__(self, fake: FakeRunpod) -> None:
        self.fake = fake
        fake.keys = {KEY}
        fake.list_lag_s = 0.05
        self.provider, self.stranger = self.connect("o"), self.connect("x")

    def connect(self, owner: str) -> RunpodProvider:
        settings = Settings(provider="runpod", values={"endpoint": self.fake.url}, secrets={"api_key": KEY})
        asking = Asking.of(settings)
        asking._api._sleep = lambda _: None
        provider = RunpodProvider(asking, owner=owner)
        provider.traits = replace(provider.traits, settle_s=0.3)  # the fake's listings lag no longer
        return provider

    def run_dry(self, pool: Pool) -> None:
        self.fake.run_dry(region=pool.region, instance_type=pool.instance_type, market=pool.market)

    def lose_answers(self) -> None:
        self.fake.lose_answers(before=2, after=2)

    def break_listing(self) -> None:
        self.fake.fail("server-error", path="/v2/pods$")

    def heal(self) -> None:
        self.fake.heal()


class TestRunpod(ProviderContract):
    want = Want(gpus=(("RTX4090", 0), ("RTXA5000", 1)), cpus=1)

    @pytest.fixture
    def cloud(self) -> Iterator[Cloud]:
        fake = FakeRunpod(boot_s=60)
        with fake.serving():
            yield RunpodCloud(fake)
