from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotlaunch.core.facts import Pool
from spotlaunch.core.settings import Settings
from spotlaunch_providers.azure.adapter import AzureProvider
from spotlaunch_providers.shared.http import Api
from tests.contract.provider_contract import Cloud, ProviderContract
from tests.fakes.clouds.azure import FakeAzure


class AzureCloud:
    """The fake Azure, as two owners of one subscription see it."""

    def __init__(self, fake: FakeAzure, folder: Path) -> None:
        self.fake = fake
        self.provider = self.connect("o", folder / "ours")
        self.stranger = self.connect("x", folder / "theirs")

    def connect(self, owner: str, folder: Path) -> AzureProvider:
        values = {"endpoint": self.fake.url, "prices_endpoint": self.fake.url, "auth": "none", "regions": "eastus2"}
        settings = Settings(provider="azure", values=values)
        return AzureProvider(owner=owner, folder=folder, settings=settings, settle_s=0.3)

    def run_dry(self, pool: Pool) -> None:
        self.fake.run_dry(region=pool.region, instance_type=pool.instance_type, market=pool.market)

    def lose_answers(self) -> None:
        self.fake.lose_answers(before=True, after=True, lookups=True)

    def break_listing(self) -> None:
        # The second of the two lists alone: half a listing is none.
        self.fake.fail("server-error", path="/providers/Microsoft.Compute/virtualMachines$", times=4)
        self.fake.fail("server-error", path="/resourcegroups$")

    def heal(self) -> None:
        self.fake.heal()


class TestAzure(ProviderContract):
    @pytest.fixture
    def cloud(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        monkeypatch.setitem(Api.__init__.__kwdefaults__, "sleep", lambda s: time.sleep(s / 10))
        fake = FakeAzure(boot_s=1.0)
        fake.list_lag_s = 0.1
        with fake.serving():
            yield AzureCloud(fake, tmp_path)
