"""Offers, put together from what Google told: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from spotlaunch.core.facts import Availability, Market, Offer, Pool
from spotlaunch_providers.gcp import families
from spotlaunch_providers.gcp.advice import HIGH, LOW, History
from spotlaunch_providers.gcp.shapes import Shape
from spotlaunch_providers.gcp.skus import Prices

NAME = "gcp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one round of asking found: machines, histories by `Shape.pool`, scores by machine and zone, part prices.

    ``missing``: what could not be asked, a sentence each.
    """

    shapes: tuple[Shape, ...]
    histories: Mapping[str, History] = field(default_factory=dict)
    scores: Mapping[tuple[str, str], float] = field(default_factory=dict)
    prices: Prices = field(default_factory=Prices)
    missing: tuple[str, ...] = ()


def offers(seen: Seen, markets: Iterable[Market], *, now: float) -> list[Offer]:
    """One offer for each machine type, zone and market that has a price. What has none cannot be offered.

    Pools are zones in both markets, though prices are those of the region: what runs dry is a zone.
    """
    markets = tuple(markets)
    return [offer for shape in seen.shapes for offer in _of(shape, seen, markets, now)]


def spot_price(shape: Shape, histories: Mapping[str, History], prices: Prices) -> Decimal | None:
    """The list price of a spot machine: Google's own for the machine type, else the sum of its parts."""
    told = None if shape.attached else histories.get(shape.pool)
    return (told and told.price_usd_hour) or prices.of(shape, "spot")


def _of(shape: Shape, seen: Seen, markets: tuple[Market, ...], now: float) -> Iterator[Offer]:
    on_demand = seen.prices.of(shape, "on-demand") if shape.on_demand else None
    if "on-demand" in markets and on_demand is not None:
        yield _offer(shape, "on-demand", on_demand, on_demand, now)
    spot = spot_price(shape, seen.histories, seen.prices) if "spot" in markets else None
    if spot is not None:
        told = None if shape.attached else seen.histories.get(shape.pool)
        yield _offer(
            shape,
            "spot",
            spot,
            on_demand,
            now,
            score=seen.scores.get((shape.name, shape.zone)),
            rate=told.interruptions_per_hour if told else None,
        )


def _offer(
    shape: Shape,
    market: Market,
    price: Decimal,
    on_demand: Decimal | None,
    now: float,
    *,
    score: float | None = None,
    rate: float | None = None,
) -> Offer:
    available, why = availability(score)
    return Offer(
        pool=Pool(provider=NAME, region=shape.region, zone=shape.zone, instance_type=shape.name, market=market),
        gpu=shape.gpu,
        gpu_count=shape.gpu_count,
        gpu_memory_gb=shape.gpu_memory_gb,
        vcpus=shape.vcpus,
        memory_gb=float(shape.memory_gib),  # what Google calls GB
        disk_gb=shape.disk_gb,
        price_usd_hour=price,
        on_demand_usd_hour=on_demand,
        storage_usd_gb_month=families.STORAGE_USD_GB_MONTH,
        egress_usd_gb=families.EGRESS_USD_GB,
        available=available,
        why=why,
        obtainability=score,
        interruptions_per_hour=rate,
        seen_at=now,
        extra={
            "machine_type": shape.machine_type,
            "accelerator": shape.accelerator,
            "attached": str(shape.gpu_count if shape.attached else 0),
            "arch": shape.arch,
        },
    )


def availability(score: float | None) -> tuple[Availability, str]:
    """What Google's score means for a buyer. It is a chance, not a promise, so a low one is not a no.

    "yes" from 0.7, which Google calls likely; "unknown" below it and without a score, with the reason where
    Google calls it unlikely.
    """
    if score is None:
        return "unknown", ""
    if score >= HIGH:
        return "yes", ""
    return "unknown", f"Google gives it a chance of {score:.0%}" if score < LOW else ""
