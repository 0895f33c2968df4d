"""Which Azure sizes have which GPUs. The APIs tell no model and no memory, and a count that is sometimes wrong.

From the fact sheet, 3.1: three independent tables that agree. A size that is not here is not offered: what the
feed prices and nobody has described is more often a preview than a bargain. NC..ads_A10_v4 is left out for that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from spotlaunch.core.gpus import gpu_matches, slice_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What a machine of one size holds. ``family`` is a text that the names of all its relatives hold.

    ``driver`` is what the image must bring: the fractional cards work with NVIDIA's GRID driver only.
    """

    pattern: str
    family: str
    gpu: str
    gpu_count: int
    vcpus: int
    memory_gb: float
    driver: str = "cuda"
    arch: str = "x86_64"
    confidential: bool = False


def _rows(family: str, gpu: str, *rows: tuple[str, int, int, float], driver: str = "cuda") -> tuple[Size, ...]:
    return tuple(
        Size(pattern=name, family=family, gpu=gpu, gpu_count=count, vcpus=vcpus, memory_gb=memory, driver=driver)
        for name, count, vcpus, memory in rows
    )


def _a10(parts: int, *rows: tuple[str, int, int, float]) -> tuple[Size, ...]:
    return _rows("_A10_v5", slice_name("A10", parts), *rows, driver="grid")


def _pro(parts: int, *rows: tuple[str, int, int, float]) -> tuple[Size, ...]:
    named = tuple((f"{name}(_xl)?_RTXPRO6000BSE_v6", *rest) for name, *rest in rows)
    return _rows("RTXPRO6000BSE_v6", slice_name("RTXPRO6000", parts), *named, driver="grid")  # type: ignore[arg-type]


SIZES: tuple[Size, ...] = (
    *_rows("_T4_v3", "T4", ("NC4as_T4_v3", 1, 4, 28), ("NC8as_T4_v3", 1, 8, 56)),
    *_rows("_T4_v3", "T4", ("NC16as_T4_v3", 1, 16, 110), ("NC64as_T4_v3", 4, 64, 440)),
    *_a10(6, ("NV6ads_A10_v5", 1, 6, 55)),
    *_a10(3, ("NV12ads_A10_v5", 1, 12, 110)),
    *_a10(2, ("NV18ads_A10_v5", 1, 18, 220)),
    *_a10(1, ("NV36ads_A10_v5", 1, 36, 440), ("NV36adms_A10_v5", 1, 36, 880), ("NV72ads_A10_v5", 2, 72, 880)),
    *_rows("_A100_v4", "A100-80GB-PCIe", ("NC24ads_A100_v4", 1, 24, 220), ("NC48ads_A100_v4", 2, 48, 440)),
    *_rows("_A100_v4", "A100-80GB-PCIe", ("NC96ads_A100_v4", 4, 96, 880)),
    *_rows("ND96asr_v4", "A100-40GB-SXM", ("ND96asr_v4", 8, 96, 900)),
    *_rows("_A100_v4", "A100-80GB-SXM", ("ND96am(s|sr)_A100_v4", 8, 96, 1900)),
    *_rows("_H100_v5", "H100-NVL", ("NC40ads_H100_v5", 1, 40, 320), ("NC80adis_H100_v5", 2, 80, 640)),
    Size(
        pattern="NCC40ads_H100_v5",
        family="_H100_v5",
        gpu="H100-NVL",
        gpu_count=1,
        vcpus=40,
        memory_gb=320,
        confidential=True,
    ),
    *_rows("_H100_v5", "H100-SXM", ("ND96is(r|f|rf)?_H100_v5", 8, 96, 1900)),
    *_rows("_H200_v5", "H200-SXM", ("ND96isr_H200_v5", 8, 96, 1850)),
    Size(
        pattern="ND128isr_NDR_GB200_v6",
        family="_GB200_v6",
        gpu="GB200",
        gpu_count=4,
        vcpus=128,
        memory_gb=900,
        arch="arm64",
    ),
    Size(
        pattern="ND128isr_GB300_v6",
        family="_GB300_v6",
        gpu="GB300",
        gpu_count=4,
        vcpus=128,
        memory_gb=900,
        arch="arm64",
    ),
    *_pro(4, ("NC24lds", 1, 24, 72), ("NC36lds", 1, 36, 72), ("NC36ds", 1, 36, 132)),
    *_pro(2, ("NC72lds", 1, 72, 132), ("NC72ds", 1, 72, 264)),
    *_pro(1, ("NC144lds", 1, 144, 264), ("NC144ds", 1, 144, 516), ("NC288lds", 2, 288, 516), ("NC288ds", 2, 288, 1032)),
    *_rows("_MI300X_v5", "MI300X", ("ND96isr?_MI300X_v5", 8, 96, 1850), driver="rocm"),
)

_PATTERNS = tuple((re.compile(f"standard_{size.pattern}", re.IGNORECASE), size) for size in SIZES)


def size_of(name: str) -> Size | None:
    """What ``Standard_...`` holds; None for a size that is not in the table. Case does not matter."""
    return next((size for pattern, size in _PATTERNS if pattern.fullmatch(name)), None)


def wanted(gpus: Sequence[tuple[str, int]]) -> tuple[Size, ...]:
    """The sizes that serve one of ``gpus`` (name, count; 0 is any). All of them where nothing is named."""
    return tuple(
        size
        for size in SIZES
        if not gpus or any(gpu_matches(name, size.gpu) and count in (0, size.gpu_count) for name, count in gpus)
    )
