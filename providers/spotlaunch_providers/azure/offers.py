"""From prices, the catalog and the hints to offers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from spotlaunch.core.facts import Availability, Market, Offer, Pool
from spotlaunch.core.gpus import gpu_memory_gb
from spotlaunch_providers.azure.constants import ARM64_REFUSED, EGRESS_USD_GB, STORAGE_USD_GB_MONTH
from spotlaunch_providers.azure.eviction import Rates
from spotlaunch_providers.azure.images import why_none
from spotlaunch_providers.azure.placement import Score, Scores
from spotlaunch_providers.azure.prices import Price
from spotlaunch_providers.azure.sizes import Size, size_of
from spotlaunch_providers.azure.skus import Sku, Skus

FEED = "public feed: retail prices"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the account's own answers say. Without an account all of it is empty.

    ``skus``: the catalog of each region that was read; ``unread``: why that of another region was not.
    """

    account: bool = False
    skus: Mapping[str, Skus] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    rates: Rates = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)
    grid_image: str = ""


def offers(
    prices: Sequence[Price], known: Known, *, sizes: Sequence[Size], markets: Sequence[Market], seen_at: float
) -> list[Offer]:
    """The offers of ``sizes``, one per size, region and market. Sizes that the account's catalog lacks are none."""
    return [
        offer
        for price in prices
        if (size := size_of(price.size)) is not None and size in sizes and not _ghost(price, known)
        for offer in _of(price, size, known, markets, seen_at)
    ]


def _ghost(price: Price, known: Known) -> bool:
    """Priced, and in a region whose catalog we have read, but not in that catalog: nobody can make it."""
    catalog = known.skus.get(price.region)
    return catalog is not None and price.size.lower() not in catalog


def _of(price: Price, size: Size, known: Known, markets: Sequence[Market], seen_at: float) -> Iterator[Offer]:
    key = (price.size.lower(), price.region)
    sku = known.skus.get(price.region, {}).get(key[0], Sku())
    amounts: dict[Market, Decimal | None] = {"spot": price.spot_usd_hour, "on-demand": price.on_demand_usd_hour}
    for market in markets:
        amount = amounts[market]
        if amount is None:
            continue
        spot = market == "spot"
        score = known.scores.get(key) if spot else None
        available, why = _available(price.region, size, sku, known, score, spot=spot)
        yield Offer(
            pool=Pool(provider="azure", region=price.region, zone="", instance_type=price.size, market=market),
            gpu=size.gpu,
            gpu_count=size.gpu_count,
            gpu_memory_gb=gpu_memory_gb(size.gpu),
            vcpus=sku.vcpus or size.vcpus,
            memory_gb=sku.memory_gb or size.memory_gb,
            price_usd_hour=amount,
            on_demand_usd_hour=price.on_demand_usd_hour,
            storage_usd_gb_month=STORAGE_USD_GB_MONTH,
            egress_usd_gb=EGRESS_USD_GB,
            available=available,
            why=why,
            obtainability=score.obtainability if score and available != "no" else None,
            interruptions_per_hour=known.rates.get(key) if spot else None,
            seen_at=seen_at,
            source="live" if known.account else FEED,
            extra=_extra(size, sku),
        )


def _available(
    region: str, size: Size, sku: Sku, known: Known, score: Score | None, *, spot: bool
) -> tuple[Availability, str]:
    """Whether it can be had, and the reason where not. Azure never promises: "yes" is its highest score."""
    if size.arch == "arm64":
        return "no", ARM64_REFUSED
    if sku.refused:
        return "no", sku.refused
    if known.account and (why := why_none(size, grid_image=known.grid_image)):
        return "no", why
    if spot and sku.spot is False:
        return "no", "not sold as spot in this region"
    if score is not None:
        if score.word == "RestrictedSkuNotAvailable":
            return "no", "not open to this subscription as spot in this region"
        if not score.quota:
            return "no", "the spot quota of this region is used up"
        if score.word.lower() == "high":
            return "yes", ""
    return "unknown", known.unread.get(region, "")


def _extra(size: Size, sku: Sku) -> dict[str, str]:
    """What a launch will need to know: architecture and driver of the image, generation, quota, zones."""
    told = {
        "arch": size.arch,
        "driver": size.driver,
        "confidential": "yes" if size.confidential else "",
        "quota": sku.quota,
        "zones": ",".join(sku.zones),
        "generations": sku.generations,
    }
    return {key: value for key, value in told.items() if value}
