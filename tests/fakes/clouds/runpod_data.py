"""What the fake RunPod sells: made from its list of GPUs, the same every time. Prices are of one GPU, USD an hour."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

SECURE, COMMUNITY = "SECURE", "COMMUNITY"

DATA_CENTERS = (
    *("US-KS-2", "US-KS-3", "US-CA-2", "US-GA-1", "US-GA-2", "US-IL-1", "US-TX-1", "US-TX-3", "US-NC-1", "US-WA-1"),
    *("US-DE-1", "CA-MTL-1", "CA-MTL-3", "EU-RO-1", "EU-SE-1", "EU-CZ-1", "EU-NL-1", "EU-FR-1", "EUR-IS-1"),
    *("EUR-IS-2", "EUR-NO-1", "AP-JP-1", "OC-AU-1"),
)


@dataclass(kw_only=True)
class GpuType:
    """``free``: cloud -> data center -> GPUs that are free on one machine there ("" for the community)."""

    id: str
    name: str
    memory: int
    secure_price: float | None
    community_price: float | None
    secure: bool = True
    community: bool = True
    max_secure: int = 8
    max_community: int = 8
    manufacturer: str = "NVIDIA"
    free: dict[str, dict[str, int]] = field(default_factory=dict)


def _chance(*words: str) -> int:
    return hashlib.sha256("/".join(words).encode()).digest()[0]


def _type(
    id_: str, name: str, memory: int, secure_usd: float | None, community_usd: float | None, **more: Any
) -> GpuType:
    made = GpuType(id=id_, name=name, memory=memory, secure_price=secure_usd, community_price=community_usd, **more)
    if not made.free:
        # About a third of the data centers have the type; of these some have little of it.
        made.free[SECURE] = {
            dc: _chance(id_, dc, "free") // 4 for dc in DATA_CENTERS if made.secure and _chance(id_, dc) < 85
        }
        made.free[COMMUNITY] = {"": _chance(id_, "community") // 4 if made.community else 0}
    return made


def gpu_types() -> list[GpuType]:
    """All of them, new each time."""
    nowhere = {"secure": True, "community": False}
    return [
        _type("NVIDIA H100 80GB HBM3", "H100 SXM", 80, 2.99, 2.69),
        _type("NVIDIA H100 PCIe", "H100 PCIe", 80, 2.39, 1.99),
        # A price for a cloud that it is not sold on, and a good one: the flag says so.
        _type("NVIDIA H100 NVL", "H100 NVL", 94, 3.07, 0.59, community=False),
        _type("NVIDIA H200", "H200 SXM", 141, 3.59, None, **nowhere),
        _type("NVIDIA H200 NVL", "NVIDIA H200 NVL", 141, 3.39, None, max_secure=4, **nowhere),
        _type("NVIDIA B200", "B200", 180, 5.98, None, **nowhere),
        # In the catalog, sold nowhere now.
        _type("NVIDIA B300 SXM6 AC", "B300", 288, 6.99, None, free={SECURE: {}, COMMUNITY: {"": 0}}, **nowhere),
        _type("NVIDIA A100-SXM4-80GB", "A100 SXM", 80, 1.49, 1.39),
        _type("NVIDIA A100 80GB PCIe", "A100 PCIe", 80, 1.39, 1.19),
        _type("NVIDIA A100-SXM4-40GB", "A100 SXM 40GB", 40, 1.09, None, **nowhere),
        _type("NVIDIA L40S", "L40S", 48, 0.86, 0.79),
        _type("NVIDIA L40", "L40", 48, 0.99, 0.69),
        _type("NVIDIA L4", "L4", 24, 0.43, None, **nowhere),
        _type("NVIDIA A40", "A40", 48, 0.4, 0.35, max_secure=10),
        _type("NVIDIA A30", "A30", 24, None, 0.22, secure=False, max_community=2),
        _type("NVIDIA GeForce RTX 4090", "RTX 4090", 24, 0.69, 0.34),
        _type("NVIDIA GeForce RTX 5090", "RTX 5090", 32, 0.89, 0.69),
        _type("NVIDIA GeForce RTX 3090", "RTX 3090", 24, 0.46, 0.22),
        _type("NVIDIA GeForce RTX 3090 Ti", "RTX 3090 Ti", 24, None, 0.27, secure=False),
        _type("NVIDIA RTX A6000", "RTX A6000", 48, 0.49, 0.33),
        _type("NVIDIA RTX A5000", "RTX A5000", 24, 0.27, 0.16),
        _type("NVIDIA RTX A4500", "RTX A4500", 20, 0.25, 0.19),
        _type("NVIDIA RTX A4000", "RTX A4000", 16, 0.25, 0.17),
        _type("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", 48, 0.77, 0.74),
        _type("NVIDIA RTX 4000 Ada Generation", "RTX 4000 Ada", 20, 0.26, 0.2),
        _type("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000", 96, 1.84, 1.69),
        _type("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000 WK", 96, 1.79, 1.69),
        # Slices of a card, cheaper than any whole one.
        *(
            _type(f"NVIDIA RTX PRO 6000 Blackwell Server Edition MIG {profile}", name, memory, price, None, **nowhere)
            for profile, name, memory, price in (
                ("1g.24gb", "PRO 6000 MIG 24GB", 24, 0.51),
                ("2g.48gb", "PRO 6000 MIG 48GB", 48, 0.98),
            )
        ),
        _type("Tesla V100-SXM2-32GB", "V100 SXM2 32GB", 32, 0.29, 0.23),
        _type("Tesla V100-PCIE-16GB", "Tesla V100", 16, None, 0.19, secure=False),
        _type("AMD Instinct MI300X OAM", "MI300X", 192, 2.49, None, manufacturer="AMD", **nowhere),
    ]
