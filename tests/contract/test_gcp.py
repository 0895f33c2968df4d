"""The contract of all providers, for Google Cloud over its fake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spotlaunch.core.facts import Pool, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.adapter import TRAITS, GcpProvider
from tests.contract.provider_contract import Cloud, ProviderContract
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp


class GcpCloud:
    def __init__(self, fake: FakeGcp, folder: Path) -> None:
        self.fake = fake
        values = {"endpoint": fake.url, "billing_endpoint": fake.url, "project": data.PROJECT, "auth": "none"}
        self.account = Account(Settings(provider="gcp", values={**values, "regions": "us-central1,us-west4"}))
        self.provider = self.seen_by("o", folder)
        self.stranger = self.seen_by("x", folder)

    def seen_by(self, owner: str, folder: Path) -> GcpProvider:
        traits = replace(TRAITS, settle_s=0.2)  # which a test would wait for
        return GcpProvider(owner=owner, folder=folder, account=self.account, traits=traits)

    def run_dry(self, pool: Pool) -> None:
        self.fake.run_dry(zone=pool.zone, instance_type=pool.instance_type, market=pool.market)

    def lose_answers(self) -> None:
        """Also of the look at what became of it: the network is down for a while."""
        self.fake.lose_answers(before=True, after=True)
        self.fake.fail("drop", path="/instances/")

    def break_listing(self) -> None:
        self.fake.unreachable = {"us-central1-b"}

    def heal(self) -> None:
        self.fake.heal()


class TestGcp(ProviderContract):
    want = Want(gpus=(("L4", 1), ("T4", 1)))

    @pytest.fixture
    def cloud(self, tmp_path: Path) -> Iterator[Cloud]:
        fake = FakeGcp(filler=2, boot_s=1.5)
        with fake.serving():
            yield GcpCloud(fake, tmp_path)
