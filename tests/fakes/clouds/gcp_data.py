"""What the fake Google sells: regions, machine types, prices, and a price list with all its traps. Deterministic.

Machine types are those of Google's page of 2026-04-14; rates are near the real ones of us-central1, and differ by
region with a factor. Everything is computed from tables, nothing is drawn.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from typing import Any

PROJECT = "spotlaunch-fake-4711"
PROJECT_NUMBER = "123456789012"
SERVICE_ACCOUNT = f"robot@{PROJECT}.iam.gserviceaccount.com"
SERVICE = "6F81-5844-456A"

# region -> zone letters, what the price list calls the place, price factor in thousandths
REGIONS: dict[str, tuple[str, str, int]] = {
    "us-central1": ("abcf", "Americas", 1000),
    "us-east1": ("bcd", "South Carolina", 1000),
    "us-east4": ("abc", "Virginia", 1126),
    "us-east5": ("abc", "Columbus", 1003),
    "us-west1": ("abc", "Oregon", 1001),
    "us-west2": ("abc", "Los Angeles", 1201),
    "us-west3": ("abc", "Salt Lake City", 1204),
    "us-west4": ("abc", "Las Vegas", 1127),
    "us-south1": ("abc", "Dallas", 1180),
    "northamerica-northeast1": ("abc", "Montreal", 1101),
    "southamerica-east1": ("abc", "Sao Paulo", 1587),
    "europe-west1": ("bcd", "Belgium", 1100),
    "europe-west2": ("abc", "London", 1288),
    "europe-west3": ("abc", "Frankfurt", 1289),
    "europe-west4": ("abc", "Netherlands", 1102),
    "europe-west9": ("abc", "Paris", 1160),
    "europe-north1": ("abc", "Finland", 1104),
    "asia-east1": ("abc", "Taiwan", 1158),
    "asia-northeast1": ("abc", "Tokyo", 1283),
    "asia-northeast3": ("abc", "Seoul", 1281),
    "asia-southeast1": ("abc", "Singapore", 1234),
    "asia-south1": ("abc", "Mumbai", 1202),
    "australia-southeast1": ("abc", "Sydney", 1419),
    "me-west1": ("abc", "Tel Aviv", 1100),
}
ZONES = {f"{region}-{letter}": region for region, (letters, _, _) in REGIONS.items() for letter in letters}


def _on(*places: str) -> frozenset[str]:
    """Zones, from words like ``us-central1:abc``."""
    return frozenset(f"{r}-{z}" for r, _, letters in (p.partition(":") for p in places) for z in letters)


# Where each kind is. Not every zone of a region has every type, and many zones have none.
_G2 = _on(
    "us-central1:abc", "us-east1:bcd", "us-east4:ac", "us-west1:abc", "us-west4:ac", "europe-west1:bc",
    "europe-west2:ab", "europe-west3:ab", "europe-west4:abc", "asia-east1:abc", "asia-northeast1:ac",
    "asia-northeast3:ab", "asia-southeast1:abc", "asia-south1:abc", "me-west1:bc", "northamerica-northeast1:ab",
)  # fmt: skip
_G4 = _on("us-central1:b", "us-east4:c", "us-west4:b", "europe-west4:a", "asia-southeast1:b", "us-south1:a")
_A2 = _on("us-central1:abcf", "us-east1:b", "us-west1:b", "us-west3:b", "us-west4:b", "europe-west4:ab",
          "asia-northeast1:ac", "asia-northeast3:b", "asia-southeast1:bc", "me-west1:bc")  # fmt: skip
_A2U = _on("us-central1:ac", "us-east4:c", "us-east5:b", "europe-west4:a", "asia-southeast1:c")
_H100 = _on("us-central1:ac", "us-east4:ab", "us-east5:a", "us-west1:ab", "us-west4:a", "europe-west1:b",
            "europe-west2:b", "europe-west3:a", "europe-west4:bc", "europe-west9:c", "asia-northeast1:b",
            "asia-southeast1:bc", "asia-northeast3:a")  # fmt: skip
_EDGE = _on("us-east5:a", "europe-west3:a", "asia-northeast3:a", "asia-southeast1:b")
_MEGA = _on("us-central1:abc", "us-east4:abc", "us-east5:a", "us-west1:a", "us-west4:a", "europe-west1:bc",
            "europe-west4:bc", "asia-northeast1:b", "asia-southeast1:b", "asia-south1:b",
            "australia-southeast1:c")  # fmt: skip
_H200 = _on("us-central1:b", "us-east1:b", "us-east4:b", "us-east5:a", "us-west1:c", "europe-west1:b",
            "europe-west4:a", "asia-south1:b", "us-south1:b")  # fmt: skip
_B200 = _on("us-central1:b", "us-east1:b", "us-east4:b", "us-south1:b", "us-west2:c", "us-west3:c",
            "europe-west4:b", "asia-southeast1:b", "asia-northeast1:b")  # fmt: skip
_GB200 = _on("us-central1:a", "us-west2:b")
_ALL_N1 = _on(*(f"{r}:{letters}" for r, (letters, _, _) in REGIONS.items()))

# name, zones, accelerator, count, vCPUs, GiB, local SSD partitions, architecture
Row = tuple[str, frozenset[str], str, int, int, int, int, str]
_X, _ARM = "X86_64", "ARM64"
TYPES: list[Row] = [
    *((f"g2-standard-{v}", _G2, "nvidia-l4", n, v, 4 * v, 0, _X)
      for v, n in ((4, 1), (8, 1), (12, 1), (16, 1), (32, 1), (24, 2), (48, 4), (96, 8))),
    *((f"g4-standard-{v}", _G4, "nvidia-rtx-pro-6000", n, v, gib, ssd, _X)
      for v, n, gib, ssd in ((6, 1, 22, 0), (12, 1, 45, 0), (24, 1, 90, 0), (48, 1, 180, 4), (96, 2, 360, 8),
                             (192, 4, 720, 16), (384, 8, 1440, 32))),
    *((f"a2-highgpu-{n}g", _A2, "nvidia-tesla-a100", n, 12 * n, 85 * n, 0, _X) for n in (1, 2, 4, 8)),
    ("a2-megagpu-16g", _A2, "nvidia-tesla-a100", 16, 96, 1360, 0, _X),
    *((f"a2-ultragpu-{n}g", _A2U, "nvidia-a100-80gb", n, 12 * n, 170 * n, n, _X) for n in (1, 2, 4, 8)),
    *((f"a3-highgpu-{n}g", _H100, "nvidia-h100-80gb", n, 26 * n, 234 * n, 2 * n, _X) for n in (1, 2, 4, 8)),
    ("a3-edgegpu-8g", _EDGE, "nvidia-h100-80gb", 8, 208, 1872, 16, _X),
    ("a3-megagpu-8g", _MEGA, "nvidia-h100-mega-80gb", 8, 208, 1872, 16, _X),
    ("a3-ultragpu-8g", _H200, "nvidia-h200-141gb", 8, 224, 2952, 32, _X),
    ("a4-highgpu-8g", _B200, "nvidia-b200", 8, 224, 3968, 32, _X),
    ("a4x-highgpu-4g", _GB200, "nvidia-gb200", 4, 140, 884, 32, _ARM),
    ("a4x-maxgpu-4g-metal", _GB200, "nvidia-gb300", 4, 144, 960, 32, _ARM),
    # A workstation's licence on the same card, and a type that is on its way out.
    ("g2-workstation-8", _G2, "nvidia-l4-vws", 1, 8, 32, 0, _X),
    ("a2-highgpu-3g", _on("us-central1:a"), "nvidia-tesla-a100", 3, 36, 255, 0, _X),
    *((f"n1-standard-{v}", _ALL_N1, "", 0, v, 0, 0, _X) for v in (1, 2, 4, 8, 16, 32, 64, 96)),
    *((f"n2-standard-{v}", _ALL_N1, "", 0, v, 4 * v, 0, _X) for v in (2, 4, 8, 16, 32, 64)),
    ("g1-small", _ALL_N1, "", 0, 1, 2, 0, _X),
]  # fmt: skip

# accelerator -> most per machine, zones
ACCELERATORS: dict[str, tuple[int, frozenset[str]]] = {
    "nvidia-tesla-t4": (4, _on("us-central1:abcf", "us-east1:cd", "us-west1:ab", "europe-west4:bc", "asia-south1:ab")),
    "nvidia-tesla-t4-vws": (4, _on("us-central1:abcf", "us-east1:cd")),
    "nvidia-tesla-v100": (8, _on("us-central1:acf", "us-west1:ab", "europe-west4:abc")),
    "nvidia-tesla-p4": (4, _on("us-central1:ac", "us-east4:abc")),
    "nvidia-tesla-p100": (4, _on("us-central1:cf", "europe-west1:bd")),
    "nvidia-l4": (8, _G2),
    "nvidia-h100-80gb": (8, _H100),
}


def machine_type(row: Row, zone: str) -> dict[str, Any]:
    """As Compute Engine describes it."""
    name, _, accelerator, count, cpus, gib, ssd, arch = row
    made: dict[str, Any] = {
        "kind": "compute#machineType",
        "id": str(int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": name,
        "description": f"{cpus} vCPUs, {gib} GB RAM" + (f", {count} GPUs" if count else ""),
        "guestCpus": cpus,
        "memoryMb": gib * 1024 if gib else 3840 * cpus,
        "imageSpaceGb": 0,
        "maximumPersistentDisks": 128,
        "maximumPersistentDisksSizeGb": "263168",
        "zone": zone,
        "selfLink": f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{zone}/machineTypes/{name}",
        "isSharedCpu": name == "g1-small",
        "architecture": arch,
    }
    if count:
        made["accelerators"] = [{"guestAcceleratorType": accelerator, "guestAcceleratorCount": count}]
    if ssd:
        made["bundledLocalSsds"] = {"defaultInterface": "NVME", "partitionCount": ssd}
    if name == "a2-highgpu-3g":
        made["deprecated"] = {"state": "DEPRECATED", "deprecated": "2026-01-01T00:00:00.000-08:00"}
    return made


def accelerator_type(name: str, zone: str) -> dict[str, Any]:
    most, _ = ACCELERATORS[name]
    return {
        "kind": "compute#acceleratorType",
        "id": str(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)),
        "name": name,
        "description": name.replace("-", " ").upper(),
        "zone": f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{zone}",
        "selfLink": f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{zone}/acceleratorTypes/{name}",
        "maximumCardsPerInstance": most,
    }


# -- prices ------------------------------------------------------------------------------------------------

# Billionths of a dollar, on demand and spot, in us-central1: per core, per GiB, per GPU an hour, per GiB-month.
CORES: dict[str, tuple[int, int, int, int]] = {  # core, spot core, ram, spot ram
    "G2": (24_988_000, 9_995_000, 2_927_000, 1_171_000),
    "G4": (45_000_000, 18_000_000, 5_000_000, 2_000_000),
    "A2": (31_611_000, 12_640_000, 4_237_000, 1_694_000),
    "A3": (29_322_700, 6_744_000, 2_553_400, 587_000),
    "A3Plus": (29_322_700, 6_744_000, 2_553_400, 587_000),
    "A3Ultra": (37_000_000, 9_250_000, 3_000_000, 750_000),
    "A4": (40_000_000, 10_000_000, 3_500_000, 900_000),
    "N1 Predefined": (31_611_000, 6_655_000, 4_237_000, 892_000),
}
GPUS: dict[str, tuple[int, int]] = {
    "Nvidia Tesla T4 GPU": (350_000_000, 140_000_000),
    "Nvidia Tesla P4 GPU": (600_000_000, 216_000_000),
    "Nvidia Tesla P100 GPU": (1_460_000_000, 584_000_000),
    "Nvidia Tesla V100 GPU": (2_480_000_000, 992_000_000),
    "Nvidia L4 GPU": (560_004_000, 223_600_000),
    "Nvidia Tesla A100 GPU": (2_933_908_000, 1_173_563_000),
    "Nvidia Tesla A100 80GB GPU": (3_929_000_000, 1_571_600_000),
    "Nvidia H100 80GB GPU": (9_796_550_000, 2_253_206_000),
    "Nvidia H100 80GB Mega GPU": (10_040_000_000, 2_309_000_000),
    "H200 141GB GPU": (9_460_000_000, 2_365_000_000),
    "RTX 6000 96GB": (2_500_000_000, 1_000_000_000),
}
B200 = (16_100_000_000, 4_950_000_000)
SSD_MONTH = (80_000_000, 40_000_000)

# What a machine type's parts are called; the fake's own table, so that the adapter's is not its own judge.
PARTS: dict[str, tuple[str, str]] = {
    "g2": ("G2", "Nvidia L4 GPU"),
    "g4": ("G4", "RTX 6000 96GB"),
    "a2-highgpu": ("A2", "Nvidia Tesla A100 GPU"),
    "a2-megagpu": ("A2", "Nvidia Tesla A100 GPU"),
    "a2-ultragpu": ("A2", "Nvidia Tesla A100 80GB GPU"),
    "a3-highgpu": ("A3", "Nvidia H100 80GB GPU"),
    "a3-edgegpu": ("A3", "Nvidia H100 80GB GPU"),
    "a3-megagpu": ("A3Plus", "Nvidia H100 80GB Mega GPU"),
    "a3-ultragpu": ("A3Ultra", "H200 141GB GPU"),
}


def parts_nanos(name: str, region: str, *, spot: bool) -> float:
    """What a machine's parts cost together, in billionths of a dollar an hour, as a person would add them up."""
    row = next(r for r in TYPES if r[0] == name)
    factor, pick = REGIONS[region][2] / 1000, 1 if spot else 0
    if name.startswith("a4"):  # of a4x the list has nothing; its history has a price, though nobody can have one
        return row[3] * B200[pick] * factor
    series, gpu = PARTS["-".join(name.split("-")[:2])] if name.startswith("a") else PARTS[name.split("-")[0]]
    core, ram = CORES[series][pick], CORES[series][2 + pick]
    ssd = row[6] * 375 * SSD_MONTH[pick] / 730
    return (row[4] * core + row[5] * ram + row[3] * GPUS[gpu][pick] + ssd) * factor


def spot_nanos(name: str, region: str) -> int:
    """The spot list price of a machine type: 3 % under the sum of its parts, so that tests tell the two apart."""
    parts = {"g4-standard-6": 8, "g4-standard-12": 4, "g4-standard-24": 2}.get(name)
    if parts:
        return round(spot_nanos("g4-standard-48", region) / parts)
    return round(parts_nanos(name, region, spot=True) * 0.97 / 1000) * 1000


def attached_nanos(name: str, gpu: dict[str, Any], region: str, *, spot: bool) -> float:
    """An N1 machine and the GPUs that were put into it."""
    _, _, _, _, cpus, _, _, _ = next(r for r in TYPES if r[0] == name)
    pick = 1 if spot else 0
    core, ram = CORES["N1 Predefined"][pick], CORES["N1 Predefined"][2 + pick]
    word = gpu["acceleratorType"].rpartition("-")[2].upper()
    one = GPUS[f"Nvidia Tesla {word} GPU"][pick]
    return (cpus * core + cpus * 3.75 * ram + gpu["acceleratorCount"] * one) * REGIONS[region][2] / 1000


# Not to be had on demand without a reservation.
SPOT_ONLY = {"a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g", "a3-ultragpu-8g", "a4-highgpu-8g"}


def sells(name: str, zone: str) -> bool:
    """Whether a zone has this machine type."""
    return any(row[0] == name and zone in row[1] for row in TYPES)


def gpu_count(name: str) -> int:
    return next((row[3] for row in TYPES if row[0] == name), 0)


def accelerators(name: str, asked: list[dict[str, Any]], zone: str) -> list[dict[str, Any]]:
    """The GPUs of an instance as it is described: those that were put in, or those that are built in."""
    base = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{zone}/acceleratorTypes"
    row = next((r for r in TYPES if r[0] == name), None)
    found = [(a["acceleratorType"].rpartition("/")[2], a["acceleratorCount"]) for a in asked]
    if row is not None and row[3]:
        found = [(row[2], row[3])]
    return [{"acceleratorType": f"{base}/{word}", "acceleratorCount": n} for word, n in found]


def share(*words: str) -> float:
    """A number from 0 to 1 that belongs to these words."""
    return int(hashlib.sha256("/".join(words).encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


def preemption_rates(name: str, zone: str) -> list[float]:
    """The share of preemptions of each of the last 30 days in a zone; today's, the last, is wild."""
    usual = round(0.05 + 0.4 * share("rate", name, zone), 3)
    return [*(round(usual + 0.01 * (day % 3 - 1), 3) for day in range(29)), 0.99]


def obtainability(name: str, zone: str) -> float:
    return round(share("score", name, zone), 2)


# -- the price list ----------------------------------------------------------------------------------------


def _sku(words: str, family: str, group: str, usage: str, region: str, nanos: int, unit: str = "h") -> dict[str, Any]:
    number = hashlib.sha256(f"{words}{region}{usage}".encode()).hexdigest().upper()
    sku_id = f"{number[:4]}-{number[4:8]}-{number[8:12]}"
    return {
        "name": f"services/{SERVICE}/skus/{sku_id}",
        "skuId": sku_id,
        "description": words,
        "category": {
            "serviceDisplayName": "Compute Engine",
            "resourceFamily": family,
            "resourceGroup": group,
            "usageType": usage,
        },
        "serviceRegions": [region],
        "pricingInfo": [
            {
                "summary": "",
                "pricingExpression": {
                    "usageUnit": unit,
                    "displayQuantity": 1,
                    "tieredRates": [
                        {
                            "startUsageAmount": 0,
                            "unitPrice": {
                                "currencyCode": "USD",
                                "units": str(nanos // 10**9),
                                "nanos": nanos % 10**9,
                            },
                        }
                    ],
                    "usageUnitDescription": {"h": "hour", "GiBy.h": "gibibyte hour"}.get(unit, "gibibyte month"),
                    "baseUnit": "s" if unit == "h" else "By.s",
                    "baseUnitDescription": "second" if unit == "h" else "byte second",
                    "baseUnitConversionFactor": 3600,
                },
                "currencyConversionRate": 1,
                "effectiveTime": "2026-11-20T18:00:00.250Z",
            }
        ],
        "serviceProviderName": "Google",
        "geoTaxonomy": {"type": "REGIONAL", "regions": [region]},
    }


def _region_skus(region: str) -> Iterator[dict[str, Any]]:
    _, place, factor = REGIONS[region]

    def at(nanos: int) -> int:
        return nanos * factor // 1000

    def row(words: str, group: str, usage: str, nanos: int, unit: str = "h", family: str = "Compute") -> dict[str, Any]:
        return _sku(words, family, group, usage, region, at(nanos), unit)

    for series, (core, spot_core, ram, spot_ram) in CORES.items():
        group = ("N1Standard", "N1Standard") if series.startswith("N1") else ("CPU", "RAM")
        yield row(f"{series} Instance Core running in {place}", group[0], "OnDemand", core)
        yield row(f"{series} Instance Ram running in {place}", group[1], "OnDemand", ram, "GiBy.h")
        yield row(f"Spot Preemptible {series} Instance Core running in {place}", group[0], "Preemptible", spot_core)
        yield row(f"Spot Preemptible {series} Instance Ram running in {place}", group[1], "Preemptible", spot_ram, "GiBy.h")  # noqa: E501  # fmt: skip
        yield from _other_terms(f"{series} Instance Core", group[0], core, place, row)
    for gpu, (price, spot) in GPUS.items():
        yield row(f"{gpu} running in {place}", "GPU", "OnDemand", price)
        yield row(f"{gpu} attached to Spot Preemptible VMs running in {place}", "GPU", "Preemptible", spot)
        yield from _other_terms(gpu, "GPU", price, place, row)
    # The trap: spot by its words, on demand by its category. And the machine's cores are in the slice already.
    yield row(f"Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in {place}", "GPU", "OnDemand", B200[1])
    yield row(f"A4 Nvidia B200 (1 gpu slice) running in {place}", "GPU", "OnDemand", B200[0])
    yield row(f"Nvidia L40 GPU running in {place}", "GPU", "OnDemand", 9_000_000)
    yield row(f"Nvidia Tesla T4 Virtual Workstation GPU running in {place}", "GPU", "OnDemand", 1_000_000)
    yield row(f"SSD backed Local Storage in {place}", "LocalSSD", "OnDemand", SSD_MONTH[0], "GiBy.mo", "Storage")
    yield row(f"SSD backed Local Storage attached to Spot Preemptible VMs in {place}", "LocalSSD", "Preemptible", SSD_MONTH[1], "GiBy.mo", "Storage")  # noqa: E501  # fmt: skip
    yield row(f"DWS Defined Duration SSD backed Local Storage in {place}", "LocalSSD", "OnDemand", 1_000, "GiBy.mo", "Storage")  # noqa: E501  # fmt: skip


def _other_terms(words: str, group: str, nanos: int, place: str, row: Any) -> Iterator[dict[str, Any]]:
    """The same part on other terms, cheaper or free; each would spoil a price that takes it for the plain one."""
    yield row(f"Commitment v1: {words} in {place} for 1 Year", group, "Commit1Yr", nanos // 2)
    yield row(f"Reserved {words} running in {place}", group, "OnDemand", 0)
    yield row(f"DWS Defined Duration {words} running in {place}", group, "OnDemand", nanos // 3)
    yield row(f"{words} running in {place} for DWS Calendar Mode", group, "OnDemand", nanos // 4)
    yield row(f"Sole Tenancy Premium for {words} running in {place}", group, "OnDemand", nanos // 10)
    yield row(f"{words.replace('Instance', 'Custom Instance')} Custom running in {place}", group, "OnDemand", nanos * 2)
    yield row(f"{words} on Windows running in {place}", group, "OnDemand", nanos * 3)
    yield row(f"Suspended {words} running in {place}", group, "OnDemand", nanos // 20)


_FILLER = (
    "N2 Instance", "N2D AMD Instance", "E2 Instance", "C2 Instance", "C3 Instance", "C3D AMD Instance", "C4 Instance",
    "M1 Memory-optimized Instance", "M3 Memory-optimized Instance", "T2D AMD Instance", "Z3 Instance", "H3 Instance",
)  # fmt: skip


def _filler(region: str, n: int) -> Iterator[dict[str, Any]]:
    for i in range(n):
        what = _FILLER[i % len(_FILLER)]
        words = f"{what} Core of generation {i // len(_FILLER)} running in {REGIONS[region][1]}"
        yield _sku(words, "Compute", "CPU", "OnDemand", region, 20_000_000 + i)


@functools.cache
def sku_pages(size: int, filler: int) -> tuple[bytes, ...]:
    """The price list's pages of ``size`` rows, as JSON; ``filler`` rows a region are of no use to anybody here."""
    rows = [sku for region in REGIONS for sku in (*_region_skus(region), *_filler(region, filler))]
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    pages = []
    for n, part in enumerate(parts):
        more = f"AIPageToken{n + 1}" if n + 1 < len(parts) else ""
        pages.append(json.dumps({"skus": part, "nextPageToken": more}).encode())
    return tuple(pages)


# -- quotas ------------------------------------------------------------------------------------------------

QUOTAS = {
    "NVIDIA_T4_GPUS": 4.0,
    "NVIDIA_L4_GPUS": 8.0,
    "NVIDIA_A100_GPUS": 0.0,
    "NVIDIA_P100_VWS_GPUS": 1.0,
    "PREEMPTIBLE_NVIDIA_L4_GPUS": 16.0,
    "PREEMPTIBLE_NVIDIA_H100_GPUS": 8.0,
    "PREEMPTIBLE_NVIDIA_A100_GPUS": 0.0,
    "CPUS": 72.0,
}


def region(name: str) -> dict[str, Any]:
    base = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}"
    return {
        "kind": "compute#region",
        "id": str(1000 + list(REGIONS).index(name)),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": name,
        "description": name,
        "status": "UP",
        "zones": [f"{base}/zones/{zone}" for zone, of in ZONES.items() if of == name],
        "quotas": [
            {"metric": metric, "limit": limit if name in ("us-central1", "us-east4") else 0.0, "usage": 0.0}
            for metric, limit in QUOTAS.items()
        ],
        "selfLink": f"{base}/regions/{name}",
    }
