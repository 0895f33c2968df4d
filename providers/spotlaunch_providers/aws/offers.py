"""From AWS's answers to offers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from spotlaunch.core.facts import Market, Offer, Pool
from spotlaunch_providers.aws.advisor import Bands
from spotlaunch_providers.aws.ondemand import OnDemandPrices
from spotlaunch_providers.aws.shapes import Shape
from spotlaunch_providers.aws.spot import SpotPrices
from spotlaunch_providers.aws.terms import egress_usd_gb, storage_usd_gb_month

NAME = "aws"


def spot_offers(
    shapes: Iterable[Shape],
    prices: SpotPrices,
    *,
    on_demand: OnDemandPrices,
    bands: Bands,
    seen_at: float,
    source: str = "live",
) -> list[Offer]:
    """One offer for each priced zone (or region, where the zone is empty) of the shapes that are sold as spot."""
    by_name = {s.instance_type: s for s in shapes if "spot" in s.markets}
    offers = []
    for (region, zone, name), price in sorted(prices.items()):
        if name not in by_name:
            continue
        band = bands.get((region, name))
        offers.append(
            _offer(
                by_name[name],
                pool=_pool(region, zone, name, "spot"),
                price=price,
                on_demand=on_demand.get((region, name)),
                interruptions_per_hour=band.interruptions_per_hour if band else None,
                seen_at=seen_at,
                source=source,
                extra={"interruptions_month": band.label} if band else {},
            )
        )
    return offers


def on_demand_offers(shapes: Iterable[Shape], prices: OnDemandPrices, *, seen_at: float) -> list[Offer]:
    """One offer for each region. The price is the same in all its zones, and which of them have the type costs a call
    for each region to find out: launching does that for the one region that it takes."""
    by_name = {s.instance_type: s for s in shapes if "on-demand" in s.markets}
    return [
        _offer(
            by_name[name],
            pool=_pool(region, "", name, "on-demand"),
            price=price,
            on_demand=price,
            interruptions_per_hour=None,
            seen_at=seen_at,
            source="live",
            extra={},
        )
        for (region, name), price in sorted(prices.items())
        if name in by_name
    ]


def _pool(region: str, zone: str, name: str, market: Market) -> Pool:
    return Pool(provider=NAME, region=region, zone=zone, instance_type=name, market=market)


def _offer(
    shape: Shape,
    *,
    pool: Pool,
    price: Decimal,
    on_demand: Decimal | None,
    interruptions_per_hour: float | None,
    seen_at: float,
    source: str,
    extra: Mapping[str, str],
) -> Offer:
    return Offer(
        pool=pool,
        gpu=shape.gpu,
        gpu_count=shape.gpu_count,
        gpu_memory_gb=shape.gpu_memory_gb,
        vcpus=shape.vcpus,
        memory_gb=shape.memory_gb,
        price_usd_hour=price,
        on_demand_usd_hour=on_demand,
        storage_usd_gb_month=storage_usd_gb_month(pool.region),
        egress_usd_gb=egress_usd_gb(pool.region),
        available="unknown",  # AWS tells by refusing a launch, and not before
        interruptions_per_hour=interruptions_per_hour,
        seen_at=seen_at,
        source=source,
        extra={"arch": shape.arch, **extra},
    )
