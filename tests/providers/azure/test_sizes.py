from __future__ import annotations

import pytest

from spotlaunch.core.gpus import GPUS, canonical, gpu_memory_gb
from spotlaunch_providers.azure.sizes import SIZES, size_of, wanted


@pytest.mark.parametrize(
    ("name", "gpu", "count", "memory_gb"),
    [
        ("Standard_NC4as_T4_v3", "T4", 1, 16),
        ("Standard_NC64as_T4_v3", "T4", 4, 16),
        ("Standard_NV12ads_A10_v5", "A10-1of3", 1, 8),
        ("Standard_NV18ads_A10_v5", "A10-1of2", 1, 12),
        ("Standard_NV72ads_A10_v5", "A10", 2, 24),
        ("Standard_NC96ads_A100_v4", "A100-80GB-PCIe", 4, 80),
        ("Standard_ND96asr_v4", "A100-40GB-SXM", 8, 40),
        ("Standard_ND96amsr_A100_v4", "A100-80GB-SXM", 8, 80),
        ("Standard_ND96ams_A100_v4", "A100-80GB-SXM", 8, 80),
        ("Standard_NC40ads_H100_v5", "H100-NVL", 1, 94),
        ("Standard_NCC40ads_H100_v5", "H100-NVL", 1, 94),
        ("Standard_ND96isr_H100_v5", "H100-SXM", 8, 80),
        ("Standard_ND96isrf_H100_v5", "H100-SXM", 8, 80),
        ("Standard_ND96isr_H200_v5", "H200-SXM", 8, 141),
        ("Standard_NC36ds_xl_RTXPRO6000BSE_v6", "RTXPRO6000-1of4", 1, 24),
        ("Standard_NC72lds_xl_RTXPRO6000BSE_v6", "RTXPRO6000-1of2", 1, 48),
        ("Standard_NC288ds_xl_RTXPRO6000BSE_v6", "RTXPRO6000", 2, 96),
        ("Standard_ND96isr_MI300X_v5", "MI300X", 8, 192),
        ("STANDARD_nd96is_mi300x_V5", "MI300X", 8, 192),
    ],
)
def test_a_size_has_the_gpus_of_the_fact_sheet(name: str, gpu: str, count: int, memory_gb: float) -> None:
    size = size_of(name)
    assert size is not None
    assert (size.gpu, size.gpu_count, gpu_memory_gb(size.gpu)) == (gpu, count, memory_gb)


@pytest.mark.parametrize(
    "name",
    [
        "Standard_ND96asr_A100_v4",
        "Standard_NC128ds_xl_RTXPRO6000BSE_v6",
        "Standard_NC8ads_A10_v4",
        "Standard_NC4as_T4_v3_Promo",
        "Basic_NC4as_T4_v3",
        "Standard_NC999_B900_v9",
        "",
    ],
)
def test_a_size_that_nobody_has_described_is_unknown_not_guessed(name: str) -> None:
    assert size_of(name) is None


def test_every_gpu_of_the_table_has_its_canonical_name() -> None:
    for size in SIZES:
        assert canonical(size.gpu) == size.gpu and gpu_memory_gb(size.gpu)
        assert size.gpu.partition("-1of")[0] in GPUS


def test_every_name_holds_the_text_by_which_its_family_is_asked_for() -> None:
    for size in SIZES:
        assert size.family in size.pattern, size.pattern


def test_a_family_of_gpus_asks_for_all_its_members_only() -> None:
    assert {s.gpu for s in wanted([("A100", 0)])} == {"A100-80GB-PCIe", "A100-40GB-SXM", "A100-80GB-SXM"}
    assert {s.gpu for s in wanted([("H100", 8)])} == {"H100-SXM"}
    assert wanted([]) == SIZES
