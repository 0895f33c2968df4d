"""Retail prices: from the rows of the feed to what a size costs in a region, spot and on demand. Pure.

The feed lists far more than can be had: Windows, batch nodes, cloud services, development offers, prices of the
past and of the future, placeholders. Each of these would look like a bargain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from spotlaunch.core.facts import Market
from spotlaunch_providers.azure.constants import FOREIGN_REGIONS
from spotlaunch_providers.shared.times import seconds

_MACHINES = "Virtual Machines"
# Some rows of H100 sizes say "Srs Win", not "Windows".
_NOT_LINUX = " win"
_ALWAYS = "1970-01-01T00:00:00Z"
_NOT_A_MACHINE = ("low priority", "cloudservices", "cloud services", "dedicated")


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What a size costs an hour in a region. ``size`` is spelled as in the feed."""

    size: str
    region: str
    spot_usd_hour: Decimal | None = None
    on_demand_usd_hour: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    size: str
    region: str
    market: Market
    price: Decimal
    start_s: float


def prices(rows: Iterable[Any], *, now: float) -> list[Price]:
    """One price per size and region that can be bought at ``now`` on Linux, in order of size and region.

    Where two rows of a kind are valid the newer holds; of two as new the dearer, since it may be the one billed.
    """
    best: dict[tuple[str, str, Market], _Row] = {}
    for raw in rows:
        row = _read(raw, now)
        if row is None:
            continue
        key = (row.size.lower(), row.region, row.market)
        held = best.get(key)
        if held is None or (row.start_s, row.price) > (held.start_s, held.price):
            best[key] = row
    merged: dict[tuple[str, str], Price] = {}
    for (size, region, market), row in sorted(best.items()):
        price = merged.setdefault((size, region), Price(size=row.size, region=region))
        if market == "spot":
            merged[size, region] = replace(price, spot_usd_hour=row.price)
        else:
            merged[size, region] = replace(price, on_demand_usd_hour=row.price)
    return list(merged.values())


def _read(raw: Any, now: float) -> _Row | None:
    """The row, if it is a price of a Linux machine that holds now."""
    if not isinstance(raw, Mapping):
        return None
    words = {k: str(raw.get(k) or "") for k in ("armSkuName", "armRegionName", "productName", "skuName", "meterName")}
    size, region = words["armSkuName"], words["armRegionName"].replace(" ", "").lower()
    if not size or not region or region.startswith(FOREIGN_REGIONS) or not _is_linux_machine(raw, words):
        return None
    start_s, end_s = seconds(raw.get("effectiveStartDate", _ALWAYS)), seconds(raw.get("effectiveEndDate"))
    if start_s is None or start_s > now:
        return None
    if end_s is not None and (end_s < start_s or end_s <= now):
        return None  # placeholders of 0.002 end before they start
    price = _money(raw.get("retailPrice"))
    if price is None or price <= 0:
        return None
    spot = words["skuName"].endswith(" Spot") or words["meterName"].endswith(" Spot")
    return _Row(size=size, region=region, market="spot" if spot else "on-demand", price=price, start_s=start_s)


def _is_linux_machine(raw: Mapping[str, Any], words: Mapping[str, str]) -> bool:
    if raw.get("serviceName", _MACHINES) != _MACHINES:
        return False
    # What was asked for, or is so for all machines, need not be said.
    usual = {"type": "Consumption", "currencyCode": "USD", "unitOfMeasure": "1 Hour"}
    if any(raw.get(key, word) != word for key, word in usual.items()):
        return False
    if _NOT_LINUX in words["productName"].lower() or raw.get("tierMinimumUnits"):
        return False
    said = " ".join(words.values()).lower()
    return not any(mark in said for mark in _NOT_A_MACHINE)


def _money(value: Any) -> Decimal | None:
    # JSON has given us the shortest text of the number again, so this is exact.
    try:
        amount = Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() else None
