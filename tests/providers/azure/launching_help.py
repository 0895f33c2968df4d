"""Orders for the fake Azure, and a provider that is patient with nobody."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from spotlaunch.core.facts import Market, Offer, Order, Pool
from spotlaunch_providers.azure.adapter import AzureProvider
from tests.fakes.clouds import azure_data
from tests.fakes.clouds.azure import FakeAzure
from tests.providers.azure.conftest import settings

KEY = "sl-ab12cd-train-1-0"
T4, A100 = "NC4as_T4_v3", "NC24ads_A100_v4"
SOLD = {sold.size: sold for sold in azure_data.SIZES}
SCRIPT = "#!/bin/sh\necho hello\n"


def offer(size: str = T4, *, region: str = "westus", market: Market = "spot") -> Offer:
    """What the fake sells, at its price."""
    pool = Pool(provider="azure", region=region, zone="", instance_type=f"Standard_{size}", market=market)
    sold = SOLD.get(pool.instance_type)
    price = Decimal(str(azure_data.usd(sold, region, spot=market == "spot"))) if sold else Decimal(1)
    return Offer(pool=pool, price_usd_hour=price, vcpus=sold.vcpus if sold else 0, seen_at=0.0)


def order(*offers: Offer, key: str = KEY, **more: Any) -> Order:
    made = Order(launch_key=key, job="train", attempt=1, alternatives=offers or (offer(),), script=SCRIPT)
    return replace(made, **more)


def provider(
    cloud: FakeAzure, tmp_path: Path, *, owner: str = "ab12cd", launch_s: float = 20.0, **more: Any
) -> AzureProvider:
    settle_s = more.pop("settle_s", 60.0)
    chosen = settings(cloud, **more)
    return AzureProvider(owner=owner, folder=tmp_path / "azure", settings=chosen, launch_s=launch_s, settle_s=settle_s)
