"""From RunPod's catalog to offers. Pure.

A pool is a size of one GPU type in one data center ("secure", whose machines are RunPod's own), or in all of the
"community" cloud: of that the catalog gives no places, and the stock it tells is of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from spotlaunch.core.facts import Availability, Offer, Pool, Want
from spotlaunch.core.gpus import canonical, gpu_matches, gpu_memory_gb
from spotlaunch_providers.runpod import figures

SECURE, COMMUNITY = "SECURE", "COMMUNITY"
CLOUDS = (SECURE, COMMUNITY)

# Where no data center has any, the secure cloud as a whole is the pool that is dry.
REGIONS: Mapping[str, str] = {SECURE: "secure", COMMUNITY: "community"}
_PLACES: Mapping[str, str] = {"secure": "the secure cloud", "community": "the community cloud"}


def counts(want: Want) -> tuple[int, ...]:
    """The sizes of pod to ask for."""
    asked = {count for _, count in want.gpus}
    if not asked or 0 in asked:
        asked = (asked - {0}) | set(figures.ANY_COUNT)
    return tuple(sorted(asked))


@dataclass(frozen=True, kw_only=True, slots=True)
class Lot:
    """Pods of ``count`` GPUs in one region of one cloud, as a catalog tells of them.

    ``usd_hour`` is the price of one GPU; ``stock`` is RunPod's own word, empty where it says nothing.
    """

    gpu_id: str
    gpu: str
    memory_gb: float | None
    count: int
    cloud: str
    region: str
    stock: str
    usd_hour: Decimal


def catalog_lots(rows: Iterable[Mapping[str, Any]], *, count: int, cloud: str, want: Want) -> Iterator[Lot]:
    """What is wanted in one answer of the REST catalog, to a question for pods of ``count`` in ``cloud``."""
    for row in rows:
        gpu_id, memory_gb, usd_hour = str(row.get("id") or ""), positive(row.get("memory")), price(row, cloud)
        gpu = canonical(gpu_id, memory_gb=memory_gb)
        if usd_hour is None or not wanted(want, gpu, count) or count > ceiling(row, cloud):
            continue
        for region, stock in _stock(row, cloud):
            yield Lot(
                gpu_id=gpu_id,
                gpu=gpu,
                memory_gb=memory_gb,
                count=count,
                cloud=cloud,
                region=region,
                stock=stock,
                usd_hour=usd_hour,
            )


def offer(lot: Lot, *, want: Want, now: float, source: str = "live") -> Offer:
    """A lot as an offer. A pod gets the CPUs and the memory that its order asks for, so these are what is wanted."""
    available, why = availability(lot.stock, lot.region)
    return Offer(
        pool=Pool(
            provider="runpod",
            region=lot.region,
            zone="",
            instance_type=instance_type(lot.gpu_id, lot.count),
            market="on-demand",
        ),
        gpu=lot.gpu,
        gpu_count=lot.count,
        gpu_memory_gb=lot.memory_gb or gpu_memory_gb(lot.gpu),
        vcpus=min(want.cpus, lot.count * figures.MOST_VCPUS_PER_GPU),
        memory_gb=min(want.memory_gb, lot.count * figures.MOST_MEMORY_GB_PER_GPU),
        price_usd_hour=lot.usd_hour * lot.count,
        on_demand_usd_hour=lot.usd_hour * lot.count,
        storage_usd_gb_month=figures.STORAGE_USD_GB_MONTH,
        egress_usd_gb=figures.EGRESS_USD_GB,
        available=available,
        why=why,
        obtainability=figures.OBTAINABILITY.get(lot.stock),
        seen_at=now,
        source=source,
        extra={"gpu_id": lot.gpu_id, "cloud": lot.cloud, "count": str(lot.count)},
    )


def instance_type(gpu_id: str, count: int) -> str:
    """Our word for a size of pod: RunPod has none."""
    return f"{count}x-{gpu_id.replace(' ', '-')}"


def availability(stock: str, region: str) -> tuple[Availability, str]:
    """RunPod's word on its stock, as ours. It is advice, so that even HIGH is no more than a "yes"."""
    if stock == "NONE":
        return "no", f"{_PLACES.get(region, region)} has no machine of this size free"
    if stock in figures.OBTAINABILITY:
        return "yes", f"stock: {stock.lower()}"
    return "unknown", "RunPod does not say whether there is any"


def price(row: Mapping[str, Any], cloud: str) -> Decimal | None:
    """USD per hour of one GPU in ``cloud``; None where the type is not sold there.

    The flag says so, not the price: a type that is sold in one cloud only may have a price for both.
    """
    prices = row.get("price")
    if not row.get("id") or row.get(cloud.lower()) is not True or not isinstance(prices, Mapping):
        return None
    return dollars(prices.get(cloud.lower()))


def dollars(number: Any) -> Decimal | None:
    """A price, exactly as it was written; None for what is none."""
    if isinstance(number, bool) or not isinstance(number, int | float | str):
        return None
    try:
        amount = Decimal(str(number))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None


def ceiling(row: Mapping[str, Any], cloud: str) -> float:
    """GPUs of the largest machine of this type; without limit where RunPod does not say."""
    most = row.get("maxCount")
    number = most.get(cloud.lower()) if isinstance(most, Mapping) else None
    return number if isinstance(number, int) else float("inf")


def wanted(want: Want, gpu: str, count: int) -> bool:
    """Whether somebody asked for so many of this GPU."""
    return bool(gpu) and (not want.gpus or any(n in (0, count) and gpu_matches(name, gpu) for name, n in want.gpus))


def _stock(row: Mapping[str, Any], cloud: str) -> Iterator[tuple[str, str]]:
    """Each region with its stock: the data centers that have any, or the cloud as a whole."""
    centers = row.get("dataCenters")
    seen = set()
    for center in centers if cloud == SECURE and isinstance(centers, list) else ():
        name = center.get("id") if isinstance(center, Mapping) else None
        if isinstance(name, str) and name and name not in seen:
            seen.add(name)
            yield name, _word(center.get("availability"))
    if not seen:
        yield REGIONS[cloud], _word(row.get("availability"))


def _word(stock: Any) -> str:
    return stock.upper() if isinstance(stock, str) else ""


def positive(number: Any) -> float | None:
    """A number above zero, or None."""
    return float(number) if isinstance(number, int | float) and number > 0 else None
