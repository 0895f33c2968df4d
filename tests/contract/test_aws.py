from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spotlaunch.core.facts import Pool, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.adapter import AwsProvider
from tests.contract.provider_contract import Cloud, ProviderContract
from tests.fakes.clouds.aws import FakeAws


class AwsCloud:
    """The fake, in which machines settle, boot and are forgotten within a second."""

    def __init__(self, fake: FakeAws, folder: Path) -> None:
        self.fake, self.folder = fake, folder
        fake.forget_after_s = 0.2
        self.provider = self.make("o")
        self.stranger = self.make("x")

    def make(self, owner: str) -> AwsProvider:
        values = {"endpoint": self.fake.url, "auth": "none", "regions": "us-east-1"}
        settings = Settings(provider="aws", values=values)
        made = AwsProvider(owner=owner, folder=self.folder / owner, access=Access(settings, tries=1), settings=settings)
        made.traits = replace(made.traits, settle_s=0.1)
        return made

    def run_dry(self, pool: Pool) -> None:
        self.fake.run_dry(region=pool.region, zone=pool.zone, instance_type=pool.instance_type, market=pool.market)

    def lose_answers(self) -> None:
        self.fake.lose_answers(before=True, after=True)
        # The connection is broken for whoever asks what came of it, too.
        self.fake.fail("drop", path="DescribeInstances$")

    def break_listing(self) -> None:
        self.fake.fail("server-error", path="DescribeInstances$")

    def heal(self) -> None:
        self.fake.heal()
        self.fake.refill()


class TestAws(ProviderContract):
    want = Want(gpus=(("L4", 1), ("T4", 1)))

    @pytest.fixture
    def cloud(self, tmp_path: Path) -> Iterator[Cloud]:
        fake = FakeAws(boot_s=1.0)
        with fake.serving():
            yield AwsCloud(fake, tmp_path)
