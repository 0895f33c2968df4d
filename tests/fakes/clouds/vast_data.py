"""What the hosts of the fake Vast.ai offer: made from its list of GPUs, the same every time.

Each machine has a slice ("ask") for 1, 2, 4 and all of its GPUs. Prices here are of a whole slice, USD an hour.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PLACES = (
    *("Texas, US", "California, US", "Washington, US", "Quebec, CA", "Sweden, SE", "Norway, NO", "Bulgaria, BG"),
    *("Czechia, CZ", "Taiwan, TW", "Japan, JP", "Delaware, US", "Iceland, IS", "Virginia, US", "South Korea, KR", "DE"),
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """GPUs of one name: MiB of memory each, usual price of one GPU, machines, GPUs of the largest of these."""

    name: str
    gpu_ram: int
    usd: float
    machines: int
    gpus: int = 8


KINDS = (
    Kind(name="B200", gpu_ram=183359, usd=3.9, machines=6),
    Kind(name="H200", gpu_ram=143771, usd=2.6, machines=14),
    Kind(name="H200 NVL", gpu_ram=143771, usd=2.3, machines=4, gpus=4),
    Kind(name="H100 SXM", gpu_ram=81559, usd=1.85, machines=40),
    Kind(name="H100 PCIE", gpu_ram=81559, usd=1.7, machines=8, gpus=4),
    Kind(name="H100 NVL", gpu_ram=95830, usd=1.8, machines=10, gpus=2),
    # One name, two sizes: each row says which.
    Kind(name="A100 SXM4", gpu_ram=81920, usd=1.1, machines=12),
    Kind(name="A100 SXM4", gpu_ram=40960, usd=0.6, machines=6),
    Kind(name="A100 PCIE", gpu_ram=81920, usd=0.95, machines=10, gpus=4),
    Kind(name="A100 PCIE", gpu_ram=40536, usd=0.55, machines=3, gpus=2),
    Kind(name="L40S", gpu_ram=46068, usd=0.6, machines=12),
    Kind(name="L40", gpu_ram=46068, usd=0.55, machines=5),
    Kind(name="L4", gpu_ram=23034, usd=0.3, machines=4, gpus=4),
    Kind(name="A40", gpu_ram=46068, usd=0.35, machines=8),
    Kind(name="A10", gpu_ram=23028, usd=0.2, machines=3, gpus=2),
    Kind(name="RTX PRO 6000 S", gpu_ram=97887, usd=1.05, machines=10),
    Kind(name="RTX PRO 6000 WS", gpu_ram=97887, usd=0.95, machines=8, gpus=4),
    Kind(name="RTX 5090", gpu_ram=32607, usd=0.45, machines=60),
    Kind(name="RTX 4090", gpu_ram=24564, usd=0.36, machines=130),
    Kind(name="RTX 4090D", gpu_ram=24564, usd=0.33, machines=6, gpus=4),
    Kind(name="RTX 4080S", gpu_ram=16376, usd=0.22, machines=10, gpus=4),
    Kind(name="RTX 3090", gpu_ram=24576, usd=0.18, machines=60),
    Kind(name="RTX 3090 Ti", gpu_ram=24564, usd=0.2, machines=6, gpus=4),
    Kind(name="RTX A6000", gpu_ram=49140, usd=0.42, machines=12),
    Kind(name="RTX 6000Ada", gpu_ram=49140, usd=0.65, machines=8, gpus=4),
    Kind(name="RTX 4000Ada", gpu_ram=20475, usd=0.2, machines=3, gpus=2),
    Kind(name="Tesla V100", gpu_ram=16384, usd=0.15, machines=5),
    Kind(name="Tesla V100", gpu_ram=32768, usd=0.22, machines=4),
    Kind(name="Tesla T4", gpu_ram=15360, usd=0.1, machines=4, gpus=4),
    Kind(name="Q RTX 8000", gpu_ram=49152, usd=0.3, machines=4, gpus=4),
)


def _draw(*words: object) -> float:
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def asks() -> list[dict[str, Any]]:
    """Every slice of every machine, new each time: the fields of a row, and how the search sees it (``_...``)."""
    return [ask for n, kind in enumerate(KINDS) for m in range(kind.machines) for ask in _machine(kind, n, m)]


def _machine(kind: Kind, n: int, m: int) -> Iterator[dict[str, Any]]:
    machine_id = 10_000 + n * 1000 + m

    def draw(*words: object) -> float:
        return _draw(machine_id, *words)

    gpus = min(kind.gpus, (1, 2, 4, 8)[int(draw("gpus") * 4)]) if m else kind.gpus
    verified = draw("verified") < 0.75
    # Hosts that nobody has verified are the cheap ones.
    usd = kind.usd * (0.85 + 0.6 * draw("price")) * (1 if verified else 0.6)
    cores, ram_mb = 24 * gpus, 190_000 * gpus
    sizes = [s for s in (1, 2, 4, 8) if s <= gpus]
    # Some hosts list a second slice of one size, for more.
    for k, size in enumerate([*sizes, 1] if m % 10 == 3 else sizes):
        ask_id = 31_000_000 + machine_id * 10 + k
        base = round(usd * size * (1.0 if k < len(sizes) else 1.2), 4)
        # A floor is about half of the price on demand; on some machines somebody bids more than that price.
        floor = round(base * (1.3 if draw("hot") < 0.06 else 0.4 + 0.25 * draw("floor")), 4)
        yield {
            "id": ask_id,
            "ask_contract_id": ask_id,
            "machine_id": machine_id,
            "host_id": 1000 + machine_id % 97,
            "gpu_name": kind.name,
            "num_gpus": size,
            "gpu_ram": kind.gpu_ram,
            "gpu_total_ram": kind.gpu_ram * size,
            "gpu_frac": size / gpus,
            "dph_base": base,
            "min_bid": floor,
            # Some hosts take little for the GPU and much for the disk.
            "storage_cost": 2.5 if draw("greed") < 0.03 else round(0.08 + 0.22 * draw("storage"), 4),
            "inet_up_cost": round(0.02 * draw("up"), 5),
            "inet_down_cost": round(0.02 * draw("down"), 5),
            "cpu_ram": ram_mb,
            "cpu_cores": cores,
            "cpu_cores_effective": cores * size / gpus,
            "disk_space": round(60 + 1500 * draw("disk"), 1),
            "disk_bw": 3000.0,
            "inet_down": round(200 + 8000 * draw("net"), 1),
            "inet_up": round(200 + 6000 * draw("net"), 1),
            "reliability2": round(0.9 + 0.0999 * draw("reliable") ** 0.5, 4),
            "verification": "verified" if verified else "unverified",
            "cuda_max_good": (12.4, 12.8, 13.0)[int(draw("cuda") * 3)],
            "compute_cap": 900,
            "driver_version": "570.124.06",
            "duration": 2_591_000.0,
            "end_date": 1_798_761_600.0,
            "geolocation": PLACES[int(draw("place") * len(PLACES))],
            "direct_port_count": 120,
            "static_ip": True,
            "rentable": True,
            "rented": False,
            "hosting_type": 1 if draw("datacenter") < 0.5 else 0,
            "_hired": draw("hired") < 0.15,  # somebody has it on demand: bids only wait
            "_external": draw("external") < 0.02,
        }
