"""The fake Azure's catalog of sizes, quotas, eviction rates and placement scores, with the lies of the real one."""

from __future__ import annotations

from typing import Any

from tests.fakes.clouds.azure_data import (
    CLOSED,
    MISSING_HERE,
    NOT_AS_SPOT,
    ODD_CASE,
    SIZES,
    ZONE_CLOSED,
    Sold,
    part,
    regions_of,
)

BUCKETS = ("0-5", "5-10", "10-15", "15-20", "20+")
_FILLERS = 150  # the real catalog has about 1300 rows per region


def catalog(region: str) -> list[dict[str, Any]]:
    """``Microsoft.Compute/skus`` of one region: the GPU sizes among many others, and disks."""
    listed = [s for s in SIZES if s.listed and region in regions_of(s) and (region, s.size) not in MISSING_HERE]
    rows = [_sku(sold, region) for sold in listed]
    rows += [_sku(_filler(n), region) for n in range(_FILLERS)]
    disk = {"resourceType": "disks", "name": "Premium_LRS", "tier": "Premium", "size": "P10", "locations": [region]}
    return [
        *rows,
        {**disk, "locationInfo": [{"location": region, "zones": []}], "capabilities": [], "restrictions": []},
    ]


def _filler(n: int) -> Sold:
    return Sold(
        size=f"Standard_E{n}s_v5",
        product="",
        vcpus=n,
        memory_gb=8 * n,
        gpus=None,
        usd=1,
        spot=0.2,
        every=1,
        family="standardESv5Family",
    )


def _sku(sold: Sold, region: str) -> dict[str, Any]:
    place = ODD_CASE.get(region, region)
    capabilities = {
        "MaxResourceVolumeMB": "65536",
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(sold.vcpus),
        "HyperVGenerations": sold.generations,
        "CpuArchitectureType": sold.arch,
        "MemoryGB": f"{sold.memory_gb:g}",
        "MaxDataDiskCount": "8",
        # True also of the B series, which is never sold as spot.
        "LowPriorityCapable": "False" if (region, sold.size) in NOT_AS_SPOT else "True",
        "PremiumIO": "True",
        "VMDeploymentTypes": "IaaS",
        "AcceleratedNetworkingEnabled": "True",
        "RdmaEnabled": "False",
        "MaxNetworkInterfaces": "4",
        # Of slices it says 1, and of GB200, GB300 and MI300X nothing.
        **({"GPUs": str(sold.gpus)} if sold.gpus is not None else {}),
    }
    return {
        "resourceType": "virtualMachines",
        "name": sold.size,
        "tier": "Standard",
        "size": sold.size.removeprefix("Standard_"),
        "family": sold.family,
        "locations": [place],
        "locationInfo": [
            {
                "location": place,
                "zones": ["3", "1"],
                "zoneDetails": [{"Name": ["3"], "capabilities": [{"name": "UltraSSDAvailable", "value": "True"}]}],
            }
        ],
        "capabilities": [{"name": name, "value": value} for name, value in capabilities.items()],
        "restrictions": _restrictions(sold, region, place),
    }


def _restrictions(sold: Sold, region: str, place: str) -> list[dict[str, Any]]:
    found = []
    if code := CLOSED.get((region, sold.size)):
        found.append(
            {"type": "Location", "values": [place], "restrictionInfo": {"locations": [place]}, "reasonCode": code}
        )
    if (region, sold.size) in ZONE_CLOSED:
        info = {"locations": [place], "zones": ["1", "2"]}
        code = "NotAvailableForSubscription"
        found.append({"type": "Zone", "values": [place], "restrictionInfo": info, "reasonCode": code})
    return found


def evictions(names: list[str]) -> list[dict[str, str]]:
    """Eviction rates of the sizes named; not of all of them, as in the real table."""
    wanted = {name.lower() for name in names}
    return [
        {
            "sku": sold.size.lower(),
            "location": region,
            "rate": BUCKETS[int(part("evicted", sold.size, region) * len(BUCKETS))],
        }
        for sold in SIZES
        if sold.size.lower() in wanted
        for region in regions_of(sold)
        if part("known", sold.size, region) > 0.2
    ]


def scores(sizes: list[str], regions: list[str]) -> list[dict[str, Any]]:
    """Spot placement scores. Sizes that are not sold in a region are restricted there."""
    found = []
    sold_in = {(s.size.lower(), r) for s in SIZES for r in regions_of(s)}
    for size in sizes:
        for region in regions:
            n = part("score", size, region)
            word = "High" if n > 0.6 else "Medium" if n > 0.3 else "Low" if n > 0.1 else "DataNotFoundOrStale"
            if (size.lower(), region) not in sold_in:
                word = "RestrictedSkuNotAvailable"
            found.append({"sku": size, "region": region, "score": word, "isQuotaAvailable": n < 0.95})
    return found


def usages() -> list[dict[str, Any]]:
    """The quotas of a region: few spot vCPUs, T4 on demand, and no other GPU, as new subscriptions have it."""
    named = [
        ("availabilitySets", "Availability Sets", 0, 2500),
        ("cores", "Total Regional vCPUs", 4, 100),
        ("lowPriorityCores", "Total Regional Spot vCPUs", 0, 100),
        ("standardDSv5Family", "Standard DSv5 Family vCPUs", 4, 100),
        ("Standard NCASv3_T4 Family", "Standard NCASv3_T4 Family vCPUs", 4, 8),
        ("StandardNCADSA100v4Family", "Standard NCADSA100v4 Family vCPUs", 0, 0),
        ("StandardNCadsH100v5Family", "Standard NCadsH100v5 Family vCPUs", 0, 0),
        ("standardNDSH100v5Family", "Standard NDSH100v5 Family vCPUs", 0, 0),
    ]
    return [
        {"unit": "Count", "currentValue": used, "limit": limit, "name": {"value": value, "localizedValue": words}}
        for value, words, used, limit in named
    ]
