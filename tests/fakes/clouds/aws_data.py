"""What the fake AWS sells: instance types and zones from real answers (moto ships a dump of them), prices made up.

Prices are a function of type, place and time, so that every run sees the same market.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Enabled in every account; the others have to be opted into first.
REGIONS = (
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
)
NOT_OPTED_IN = ("af-south-1", "ap-east-1", "ap-southeast-3", "eu-south-2", "me-central-1")

PRODUCTS = {"Linux/UNIX": 1.0, "Red Hat Enterprise Linux": 1.12, "SUSE Linux": 1.1, "Windows": 1.6}

# USD an hour for one GPU with its share of the machine, on demand in us-east-1.
_PER_GPU = {
    "T4": 0.45,
    "T4g": 0.38,
    "A10G": 0.85,
    "L4": 0.7,
    "L40S": 1.6,
    "RTX PRO 4500": 1.3,
    "RTX PRO Server 6000": 2.6,
    "V100": 3.9,
    "A100": 2.75,
    "H100": 6.88,
    "H200": 7.9,
    "B200": 14.2,
    "B300": 17.8,
}
_DEARER = {"sa-east-1": 1.6, "ap-northeast-1": 1.35, "ap-southeast-2": 1.3, "eu-central-1": 1.25, "eu-west-2": 1.17}
# Within one of these many seconds a spot price stands still.
PERIOD_S = 5 * 3600


def _resources() -> Path:
    found = find_spec("moto")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "ec2" / "resources"


def _read(*path: str) -> Any:
    return json.loads(gzip.decompress(_resources().joinpath(*path).read_bytes()))


@lru_cache(maxsize=1)
def instance_types() -> dict[str, dict[str, Any]]:
    """Every type as DescribeInstanceTypes gives it; beside the real ones an UltraServer, which the dump lacks."""
    types: dict[str, dict[str, Any]] = _read("instance_types.json.gz")
    types["p6e-gb200.36xlarge"] = {
        "InstanceType": "p6e-gb200.36xlarge",
        "CurrentGeneration": True,
        "SupportedUsageClasses": ["capacity-block"],
        "VCpuInfo": {"DefaultVCpus": 144},
        "MemoryInfo": {"SizeInMiB": 960 * 1024},
        "ProcessorInfo": {"SupportedArchitectures": ["arm64"]},
        "GpuInfo": {
            "Gpus": [
                {
                    "Name": "GB200",
                    "Manufacturer": "NVIDIA",
                    "Count": 4,
                    "LogicalGpuCount": 4,
                    "GpuPartitionSize": 1.0,
                    "MemoryInfo": {"SizeInMiB": 189471},
                }
            ],
            "TotalGpuMemoryInMiB": 4 * 189471,
        },
    }
    return types


@lru_cache(maxsize=64)
def zones_of(region: str) -> dict[str, tuple[str, ...]]:
    """The zones of a region that have each type, types with GPUs and a few others."""
    path = ("instance_type_offerings", "availability-zone", f"{region}.json.gz")
    found: dict[str, list[str]] = {}
    for row in _read(*path):
        name = row["InstanceType"]
        if has_gpus(name) or name in ("m5.large", "c7i.xlarge"):
            found.setdefault(name, []).append(row["Location"])
    if region in ("us-east-1", "us-west-2"):
        found["p6e-gb200.36xlarge"] = [f"{region}a"]
    return {name: tuple(sorted(zones)) for name, zones in sorted(found.items())}


def has_gpus(name: str) -> bool:
    return bool(instance_types().get(name, {}).get("GpuInfo"))


def on_demand_usd_hour(name: str, region: str) -> float:
    told = instance_types()[name]
    usd = told["VCpuInfo"]["DefaultVCpus"] * 0.01 + told["MemoryInfo"]["SizeInMiB"] / 1024 * 0.001
    for gpu in (told.get("GpuInfo") or {}).get("Gpus", ()):
        usd += (gpu["Count"] or gpu["GpuPartitionSize"]) * _PER_GPU.get(gpu["Name"], 5.0)
    return round(usd * _DEARER.get(region, 1.0 + _share(region) * 0.15), 4)


def spot_changes(name: str, region: str, zone: str, *, start: float, end: float) -> Iterator[tuple[float, float]]:
    """(when, USD an hour) of Linux: the last change before ``start``, then those until ``end``; newest first."""
    phase = _share(f"{name}{zone}") * PERIOD_S
    last, first = int((end - phase) // PERIOD_S), int((start - phase) // PERIOD_S)
    for n in range(last, first - 1, -1):
        off = 0.3 + 0.35 * _share(f"{name}{zone}") + 0.06 * _share(f"{name}{zone}{n}")
        yield n * PERIOD_S + phase, round(on_demand_usd_hour(name, region) * (1 - off), 6)


@lru_cache(maxsize=1)
def products() -> tuple[dict[str, str], ...]:
    """The attributes of every product of the price list, with its price under `usd`. The ordinary one is among others
    that are of the same type and region: Windows, SQL, dedicated, reserved capacity (0.00), capacity blocks."""
    made = []
    for region in REGIONS:
        for name in zones_of(region):
            usd = on_demand_usd_hour(name, region)
            plain = {
                "instanceType": name,
                "regionCode": region,
                "operatingSystem": "Linux",
                "tenancy": "Shared",
                "preInstalledSw": "NA",
                "capacitystatus": "Used",
                "marketoption": "OnDemand",
                "servicecode": "AmazonEC2",
                "locationType": "AWS Region",
                "operation": "RunInstances",
                "usd": f"{usd:.10f}",
            }
            if "on-demand" in instance_types()[name]["SupportedUsageClasses"]:
                made.append(plain)
            made.append({**plain, "operatingSystem": "Windows", "usd": f"{usd * 1.5:.10f}"})
            made.append({**plain, "preInstalledSw": "SQL Web", "usd": f"{usd * 1.9:.10f}"})
            made.append({**plain, "tenancy": "Dedicated", "usd": f"{usd * 1.06:.10f}"})
            made.append({**plain, "capacitystatus": "AllocatedCapacityReservation", "usd": f"{0:.10f}"})
            if "capacity-block" in instance_types()[name]["SupportedUsageClasses"]:
                made.append({**plain, "marketoption": "CapacityBlock", "usd": f"{usd * 0.4:.10f}"})
    return tuple(made)


@lru_cache(maxsize=1)
def advisor() -> dict[str, Any]:
    """The Spot Advisor's file. ``max`` beside the labels is odd in the real one too."""
    bands = (("<5%", 5), ("5-10%", 11), ("10-15%", 16), ("15-20%", 22), (">20%", 100))
    regions: dict[str, Any] = {}
    for region in REGIONS:
        rows = {
            name: {"s": round(40 + 40 * _share(name)), "r": int(_share(f"{region}{name}") * 5)}
            for name in zones_of(region)
            if name != "g5.16xlarge"  # it does not know every type
        }
        regions[region] = {"Linux": rows, "Windows": {name: {**row, "r": 4 - row["r"]} for name, row in rows.items()}}
    held = {name: instance_types()[name] for region in REGIONS for name in zones_of(region)}
    return {
        "global_rate": "<10%",
        "ranges": [{"index": n, "label": label, "dots": n, "max": most} for n, (label, most) in enumerate(bands)],
        "instance_types": {
            name: {
                "cores": told["VCpuInfo"]["DefaultVCpus"],
                "ram_gb": told["MemoryInfo"]["SizeInMiB"] / 1024,
                "emr": False,
            }
            for name, told in held.items()
        },
        "spot_advisor": regions,
    }


def price_feed(now: float) -> dict[str, Any]:
    """spot.json: the average of a region's zones, with the oldest region under its old name, and gaps."""
    regions = []
    for region in REGIONS:
        kinds: dict[str, list[dict[str, Any]]] = {}
        for name, zones in zones_of(region).items():
            linux = [usd for z in zones for _, usd in spot_changes(name, region, z, start=now, end=now)]
            usd = "N/A*" if name == "p6e-gb200.36xlarge" else f"{sum(linux) / len(linux):.4f}"
            windows = "N/A*" if usd == "N/A*" else f"{float(usd) * 1.6:.4f}"
            columns = [{"name": "linux", "prices": {"USD": usd}}, {"name": "mswin", "prices": {"USD": windows}}]
            kind = "gpuCurrentGen" if has_gpus(name) else "generalCurrentGen"
            kinds.setdefault(kind, []).append({"size": name, "valueColumns": columns})
        told = [{"type": kind, "sizes": sizes} for kind, sizes in kinds.items()]
        regions.append({"region": "us-east" if region == "us-east-1" else region, "instanceTypes": told})
    config = {"rate": "perhr", "valueColumns": ["linux", "mswin"], "currencies": ["USD"], "regions": regions}
    return {"vers": 0.01, "config": config}


def _share(word: str) -> float:
    """A number in [0, 1) that belongs to the word."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:6], "big") / 2**48
