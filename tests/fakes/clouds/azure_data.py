"""What the fake Azure sells: 30 regions, GPU sizes with prices near the real ones, and every trap of the fact sheet.

All of it follows from the tables here, without chance: the same rows come out every time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

REGIONS = [
    "eastus",
    "eastus2",
    "westus",
    "westus2",
    "westus3",
    "centralus",
    "northcentralus",
    "southcentralus",
    "westcentralus",
    "canadacentral",
    "canadaeast",
    "brazilsouth",
    "northeurope",
    "westeurope",
    "uksouth",
    "ukwest",
    "francecentral",
    "germanywestcentral",
    "switzerlandnorth",
    "norwayeast",
    "swedencentral",
    "polandcentral",
    "italynorth",
    "uaenorth",
    "southafricanorth",
    "centralindia",
    "southeastasia",
    "eastasia",
    "japaneast",
    "australiaeast",
]
FOREIGN = ("usgovvirginia", "usgovarizona")  # in the feed, and not for an ordinary subscription


@dataclass(frozen=True, kw_only=True)
class Sold:
    """A size: product as the feed names it, US dollars an hour on demand, part of it for spot, where it is."""

    size: str
    product: str
    vcpus: int
    memory_gb: float
    gpus: int | None  # as the catalog says, which is not always true
    usd: float
    spot: float
    every: int  # in each n-th region
    family: str
    windows: str = " Windows"
    generations: str = "V2"
    arch: str = "x64"
    listed: bool = True  # in the catalog of sizes


def _sold(
    size: str,
    product: str,
    shape: tuple[int, float, int | None],
    usd: float,
    spot: float,
    every: int,
    family: str,
    **more: Any,
) -> Sold:
    vcpus, memory_gb, gpus = shape
    return Sold(
        size=f"Standard_{size}",
        product=f"Virtual Machines {product}",
        vcpus=vcpus,
        memory_gb=memory_gb,
        gpus=gpus,
        usd=usd,
        spot=spot,
        every=every,
        family=family,
        **more,
    )


_T4, _A10, _A100 = "NCasv3_T4 Series", "NVadsA10v5 Series", "NCadsA100v4 Series"
_PRO, _PRO_FAMILY = "NCsRTXPRO6000BSEv6 Series", "standardNCRTXPRO6000BSEv6Family"
_H100: Mapping[str, Any] = {"windows": " Srs Win"}  # the rows that do not say Windows
GHOST: Mapping[str, Any] = {"listed": False}

SIZES: tuple[Sold, ...] = (
    _sold("NC4as_T4_v3", _T4, (4, 28, 1), 0.526, 0.2, 1, "Standard NCASv3_T4 Family", generations="V1,V2"),
    _sold("NC8as_T4_v3", _T4, (8, 56, 1), 0.752, 0.2, 1, "Standard NCASv3_T4 Family", generations="V1,V2"),
    _sold("NC16as_T4_v3", _T4, (16, 110, 1), 1.204, 0.2, 1, "Standard NCASv3_T4 Family", generations="V1,V2"),
    _sold("NC64as_T4_v3", _T4, (64, 440, 4), 4.352, 0.2, 1, "Standard NCASv3_T4 Family", generations="V1,V2"),
    # Slices of a card, of which the catalog says that they have one GPU.
    _sold("NV6ads_A10_v5", _A10, (6, 55, 1), 0.454, 0.2, 1, "StandardNVADSA10v5Family"),
    _sold("NV12ads_A10_v5", _A10, (12, 110, 1), 0.908, 0.2, 1, "StandardNVADSA10v5Family"),
    _sold("NV18ads_A10_v5", _A10, (18, 220, 1), 1.6, 0.2, 1, "StandardNVADSA10v5Family"),
    _sold("NV36ads_A10_v5", _A10, (36, 440, 1), 3.2, 0.2, 1, "StandardNVADSA10v5Family"),
    _sold("NV36adms_A10_v5", _A10, (36, 880, 1), 4.52, 0.2, 1, "StandardNVADSA10v5Family"),
    _sold("NV72ads_A10_v5", _A10, (72, 880, 2), 6.52, 0.2, 1, "StandardNVADSA10v5Family"),
    _sold("NC24ads_A100_v4", _A100, (24, 220, 1), 3.673, 0.185, 2, "StandardNCADSA100v4Family"),
    _sold("NC48ads_A100_v4", _A100, (48, 440, 2), 7.346, 0.185, 2, "StandardNCADSA100v4Family"),
    _sold("NC96ads_A100_v4", _A100, (96, 880, 4), 14.692, 0.185, 2, "StandardNCADSA100v4Family"),
    _sold("ND96asr_v4", "NDasrA100v4 Series", (96, 900, 8), 27.197, 0.3, 4, "standardNDASv4_A100Family"),
    _sold("ND96asr_A100_v4", "NDasrA100v4 Series", (96, 900, 8), 27.197, 0.1, 4, "standardNDASv4_A100Family", **GHOST),
    _sold("ND96amsr_A100_v4", "NDamsrA100v4 Series", (96, 1900, 8), 32.77, 0.3, 4, "standardNDAMSv4_A100Family"),
    _sold("NC40ads_H100_v5", "NCadsH100v5", (40, 320, 1), 6.98, 0.3, 2, "StandardNCadsH100v5Family", **_H100),
    _sold("NC80adis_H100_v5", "NCadsH100v5", (80, 640, 2), 13.96, 0.3, 2, "StandardNCadsH100v5Family", **_H100),
    _sold("NCC40ads_H100_v5", "NCCadsH100v5", (40, 320, 1), 6.98, 0.25, 3, "StandardNCCadsH100v5Family", **_H100),
    _sold("ND96isr_H100_v5", "NDsrH100v5", (96, 1900, 8), 98.32, 0.25, 2, "standardNDSH100v5Family", **_H100),
    _sold("ND96is_H100_v5", "NDsrH100v5", (96, 1900, 8), 88.49, 0.25, 6, "standardNDSH100v5Family", **_H100),
    _sold("ND96isr_H200_v5", "NDsrH200v5 Series", (96, 1850, 8), 84.8, 0.25, 3, "standardNDISRH200v5Family"),
    _sold(
        "ND128isr_NDR_GB200_v6",
        "NDsrGB200v6 Series",
        (128, 900, None),
        108.16,
        0.3,
        10,
        "standardNDGB200v6Family",
        arch="Arm64",
    ),
    _sold(
        "ND128isr_GB300_v6",
        "NDsrGB300v6 Series",
        (128, 900, None),
        131.4,
        0.3,
        15,
        "standardNDGB300v6Family",
        arch="Arm64",
    ),
    _sold("ND96isr_MI300X_v5", "NDsrMI300Xv5 Series", (96, 1850, None), 48.0, 0.25, 6, "standardNDISRMI300Xv5Family"),
    *(
        _sold(f"{name}_xl_RTXPRO6000BSE_v6", _PRO, (vcpus, memory, gpus), usd, 0.25, 5, _PRO_FAMILY, **more)
        for name, vcpus, memory, gpus, usd, more in (
            ("NC24lds", 24, 72, 1, 1.35, {}),
            ("NC36lds", 36, 72, 1, 1.61, {}),
            ("NC36ds", 36, 132, 1, 1.84, {}),
            ("NC72lds", 72, 132, 1, 3.22, {}),
            ("NC72ds", 72, 264, 1, 3.68, {}),
            ("NC144lds", 144, 264, 1, 6.44, {}),
            ("NC144ds", 144, 516, 1, 7.36, {}),
            ("NC288lds", 288, 516, 2, 12.88, {}),
            ("NC288ds", 288, 1032, 2, 14.72, {}),
            # Previews: priced, and nobody can make one.
            ("NC128ds", 128, 512, 1, 0.9, GHOST),
            ("NC256ds", 256, 1024, 2, 1.8, GHOST),
            ("NC320ds", 320, 1280, 2, 2.2, GHOST),
        )
    ),
    # A size that nobody has described: in the feed and in the catalog, but not in our table.
    _sold("NV4ads_V710_v5", "NVadsV710v5 Series", (4, 16, 1), 0.17, 0.2, 5, "StandardNVadsV710v5Family"),
    # No GPU at all.
    _sold("D4s_v5", "Dsv5 Series", (4, 16, None), 0.192, 0.2, 1, "standardDSv5Family", generations="V1,V2"),
    _sold("B2s", "BS Series", (2, 4, None), 0.0416, 0.2, 1, "standardBSFamily", generations="V1,V2"),
)

# Priced here, but missing from this region's catalog: a ghost that only the catalog tells of.
MISSING_HERE = {("northeurope", "Standard_NC40ads_H100_v5"), ("uksouth", "Standard_ND96isr_H100_v5")}
# (region, size) -> restriction of the catalog.
CLOSED = {
    ("eastus", "Standard_NC40ads_H100_v5"): "NotAvailableForSubscription",
    ("westus", "Standard_NC80adis_H100_v5"): "QuotaId",
}
ZONE_CLOSED = {("westus3", "Standard_NC40ads_H100_v5")}
NOT_AS_SPOT = {("francecentral", "Standard_NC40ads_H100_v5")}
ODD_CASE = {"westus3": "WestUS3", "northeurope": "NorthEurope"}


def part(*words: str) -> float:
    """Between 0 and 1, always the same for the same words."""
    return int.from_bytes(hashlib.sha256("/".join(words).encode()).digest()[:4], "big") / 2**32


def regions_of(sold: Sold) -> list[str]:
    """Where a size is priced."""
    return [r for n, r in enumerate(REGIONS) if n % sold.every == 0]


def usd(sold: Sold, region: str, *, spot: bool) -> float:
    """The price that is really paid for Linux: regions differ, and spot prices more so."""
    base = sold.usd * (1 + 0.3 * part(region)) if region != "eastus" else sold.usd
    return round(base * sold.spot * (0.7 + 0.6 * part(region, sold.size)), 6) if spot else round(base, 4)


def rows() -> list[dict[str, Any]]:
    """The price feed: every row that is true, and many that are not for us."""
    return list(_rows())


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    for sold in SIZES:
        for region in regions_of(sold):
            found += _honest(sold, region)
            found += _traps(sold, region)
    for region in FOREIGN:
        found += _honest(SIZES[0], region, cheap=0.1)
    return tuple(found)


def _honest(sold: Sold, region: str, cheap: float = 1.0) -> Iterator[dict[str, Any]]:
    yield _row(sold, region, usd(sold, region, spot=False) * cheap)
    yield _row(sold, region, usd(sold, region, spot=True) * cheap, kind=" Spot", start="2024-11-01T00:00:00Z")


def _traps(sold: Sold, region: str) -> Iterator[dict[str, Any]]:
    """Rows that look like the above and cost less."""
    low = usd(sold, region, spot=True) / 10
    yield _row(sold, region, low, kind=" Low Priority")
    # Windows, cheaper than it would be, so that whoever takes it for Linux shows a wrong price.
    newer = "2024-11-10T00:00:00Z"
    yield _row(sold, region, low, product=sold.windows, start=newer)
    yield _row(sold, region, low, product=sold.windows, kind=" Spot", start=newer)
    yield _row(sold, region, low, product=sold.windows, type_="DevTestConsumption", start=newer)
    yield _row(sold, region, low, type_="DevTestConsumption", start=newer)
    n = REGIONS.index(region) % 5
    if n == 0:
        yield _row(
            sold, region, low, product=" CloudServices" if part(sold.size) > 0.5 else " Cloud Services", start=newer
        )
        yield _row(sold, region, 0.0, kind=" Spot", start=newer)
    if n == 1:
        yield _row(sold, region, low, kind=" Spot", start="2099-01-01T00:00:00Z")
        yield _row(sold, region, low, kind=" Spot", start="2024-10-01T00:00:00Z", end="2024-10-31T23:59:59Z")
    if n == 2 and ("A10" in sold.size or "T4" in sold.size):
        yield _row(sold, region, 0.002, kind=" Spot", start="2024-11-20T00:00:00Z", end="2024-11-19T23:59:59Z")
    if n == 3:
        yield _row(sold, region, low, product=" Dedicated Host", start=newer)
        yield _row(sold, region, usd(sold, region, spot=True) * 3, kind=" Spot", start="2024-09-01T00:00:00Z")
    yield _row(sold, region, usd(sold, region, spot=False) * 5000, type_="Reservation")


def _row(
    sold: Sold,
    region: str,
    price: float,
    *,
    kind: str = "",
    product: str = "",
    type_: str = "Consumption",
    start: str = "2024-06-01T00:00:00Z",
    end: str | None = None,
) -> dict[str, Any]:
    short = sold.size.removeprefix("Standard_").replace("_", " ")
    row = {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": round(price, 7),
        "unitPrice": round(price, 7),
        "armRegionName": region,
        "location": region.upper(),
        "effectiveStartDate": start,
        "meterId": hashlib.sha256(f"{sold.size}{region}{kind}{product}{type_}{start}".encode()).hexdigest()[:32],
        "meterName": short + kind,
        "productId": "DZH318Z0" + hashlib.sha256(sold.product.encode()).hexdigest()[:4].upper(),
        "skuId": "DZH318Z0/" + hashlib.sha256(f"{sold.size}{kind}{product}".encode()).hexdigest()[:4].upper(),
        "productName": sold.product + product,
        "skuName": short + kind,
        "serviceName": "Virtual Machines",
        "serviceId": "DZH313Z7MMC8",
        "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour" if type_ != "Reservation" else "1 Year",
        "type": type_,
        "isPrimaryMeterRegion": True,
        "armSkuName": sold.size,
    }
    return row | ({"effectiveEndDate": end} if end else {})
