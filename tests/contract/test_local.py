from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spotlaunch.core.facts import Pool
from spotlaunch_providers.local.adapter import LocalProvider
from tests.contract.provider_contract import Cloud, ProviderContract
from tests.fakes.local_machines import SLEEPER, end_everything


class LocalCloud:
    """Its faults are switched by writing its market file anew, which the provider notices by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.dry: set[str] = set()
        self.heal()
        self.provider = LocalProvider(owner="own", folder=folder, agent_command=SLEEPER)
        self.stranger = LocalProvider(owner="stranger", folder=folder, agent_command=SLEEPER)

    def run_dry(self, pool: Pool) -> None:
        self.dry.add(pool.instance_type)
        self.write()

    def lose_answers(self) -> None:
        self.write(lost=1)

    def break_listing(self) -> None:
        self.write(listing=1)

    def heal(self) -> None:
        self.dry = set()
        self.write()

    def write(self, *, lost: int = 0, listing: int = 0) -> None:
        pools = "\n".join(
            f"  - {{name: {name}, market: {market}, price_usd_hour: {price}, boot: 0.2s, capacity: 8,"
            f" faults: {{dry: {str(name in self.dry).lower()}, lose_answer: {lost}}}}}"
            for name, market, price in (("small", "spot", "0.5"), ("large", "spot", "0.9"), ("dear", "on-demand", "2"))
        )
        text = f"traits: {{settle_s: 0.1}}\nfaults: {{listing: {listing}}}\npools:\n{pools}\n"
        (self.folder / "market.yaml").write_text(text)


class TestLocal(ProviderContract):
    @pytest.fixture
    def cloud(self, tmp_path: Path) -> Iterator[Cloud]:
        cloud = LocalCloud(tmp_path / "cloud")
        yield cloud
        end_everything(cloud.folder)
