"""Offers to write and read back, one or many."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from spotlaunch.core.facts import Offer, Pool

POOL = Pool(provider="one", region="r1", zone="r1a", instance_type="h100x8", market="spot")


def an_offer(pool: Pool = POOL, /, **changes: Any) -> Offer:
    """An offer of eight H100; ``changes`` may also name fields of its pool."""
    places = {f: changes.pop(f) for f in ("provider", "region", "zone", "instance_type", "market") if f in changes}
    offer = Offer(
        pool=replace(pool, **places),
        gpu="H100-SXM",
        gpu_count=8,
        gpu_memory_gb=80.0,
        vcpus=96,
        memory_gb=1024.0,
        price_usd_hour=Decimal("12.50"),
        on_demand_usd_hour=Decimal("55.04"),
        available="yes",
        seen_at=1000.0,
    )
    return replace(offer, **changes)
