"""The table of GPUs: which there are, what each holds, and what the clouds call them. Data only; `gpus` reads it.

Names and memory are those that the clouds and NVIDIA's driver give; https://docs.runpod.io/references/gpu-types and
NVIDIA's list of GPUs with MIG have most of them in one place. Memory is in whole GB as the card is marketed: clouds
report a little less (22888 MiB for an L4, 81559 MiB for an H100).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """One kind of GPU, whole or a slice that a cloud sells as such."""

    name: str
    memory_gb: float  # as marketed
    families: tuple[str, ...]  # names that people may ask for instead, each of several GPUs alike in use
    aliases: tuple[str, ...]  # what clouds and drivers call it; case, spaces, underscores and dashes do not matter


def _gpu(name: str, memory_gb: float, families: str = "", *aliases: str) -> Gpu:
    return Gpu(name=name, memory_gb=memory_gb, families=tuple(families.split()), aliases=aliases)


_DATA_CENTRE = (
    _gpu("GB300", 279),
    _gpu("GB200", 186),
    _gpu("B300", 288, "", "B300 SXM6 AC", "B300 SXM"),
    _gpu("B200", 180, "", "B200 SXM", "A4 Nvidia B200", "A4 Nvidia B200 (1 gpu slice)"),
    _gpu("GH200", 96, "", "GH200 SXM", "GH200 480GB"),
    # The driver calls the SXM card plainly "NVIDIA H200"; the bare "H200" stays the family.
    _gpu("H200-SXM", 141, "H200", "NVIDIA H200", "nvidia-h200-141gb", "H200 141GB", "H200 SXM5"),
    _gpu("H200-NVL", 141, "H200"),
    _gpu(
        *("H100-SXM", 80, "H100 H100-80GB"),
        *("H100 SXM5", "H100 80GB HBM3", "H100-SXM5-80GB", "H100-80GB-SXM"),
        *("nvidia-h100-80gb", "H100 80GB GPU", "H100 Mega", "H100 Mega 80GB", "H100 80GB Mega", "H100 80GB Plus"),
    ),
    _gpu("H100-PCIe", 80, "H100 H100-80GB", "H100 80GB PCIe", "H100 (80 GB PCIe)"),
    _gpu("H100-NVL", 94, "H100", "H100 NVL 94GB", "H100-94GB"),
    _gpu(
        *("A100-80GB-SXM", 80, "A100 A100-80GB A100-SXM"),
        *("A100-SXM4-80GB", "A100-SXM-80GB", "A100-80GB-SXM4", "nvidia-a100-80gb", "Nvidia Tesla A100 80GB"),
    ),
    _gpu("A100-80GB-PCIe", 80, "A100 A100-80GB A100-PCIe", "A100-PCIE-80GB"),
    # GCP's plain A100 is the one of 40 GB.
    _gpu(
        *("A100-40GB-SXM", 40, "A100 A100-40GB A100-SXM"),
        *("A100-SXM4-40GB", "A100-SXM-40GB", "A100-40GB-SXM4", "nvidia-tesla-a100"),
    ),
    _gpu("A100-40GB-PCIe", 40, "A100 A100-40GB A100-PCIe", "A100-PCIE-40GB"),
    _gpu("A800-PCIe", 80, "", "A800-PCIE-80GB"),
    _gpu("L40S", 48),
    _gpu("L40", 48),
    _gpu("L4", 24),
    _gpu("A40", 48),
    _gpu("A30", 24),
    _gpu("A16", 16),
    _gpu("A10G", 24),
    _gpu("A10", 24),
    _gpu("T4", 16),
    _gpu("T4g", 16),
    # GCP's plain V100 is this one.
    _gpu("V100-SXM-16GB", 16, "V100 V100-16GB V100-SXM", "V100-SXM2-16GB", "V100-16GB-SXM", "nvidia-tesla-v100"),
    _gpu("V100-SXM-32GB", 32, "V100 V100-32GB V100-SXM", "V100-SXM2-32GB", "V100-SXM3-32GB", "V100-32GB-SXM"),
    _gpu("V100-PCIe-16GB", 16, "V100 V100-16GB V100-PCIe", "V100-16GB-PCIe"),
    _gpu("V100-PCIe-32GB", 32, "V100 V100-32GB V100-PCIe", "V100-32GB-PCIe"),
    _gpu("V100-FHHL-16GB", 16, "V100 V100-16GB", "V100 FHHL"),
    _gpu("P100", 16, "", "P100-PCIE-16GB", "P100-SXM2-16GB", "P100 PCIe", "P100 SXM2"),
    _gpu("P40", 24),
    _gpu("P4", 8),
    _gpu("M60", 8),
    _gpu("K80", 12),
)

# No family RTXPRO6000 for the three cards of 96 GB: that is the server card's own name, which the clouds rent out
# by the rack, and the Max-Q has half of its power (300 W). Who wants any of them lists all three.
_WORKSTATION = (
    _gpu(
        *("RTXPRO6000", 96, ""),
        *("RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000 Blackwell", "RTX PRO 6000 Server Edition"),
        *("RTX PRO Server 6000", "RTXPRO6000BSE", "RTX PRO 6000 S", "RTX 6000 96GB"),
    ),
    _gpu(
        *("RTXPRO6000-WK", 96, ""),
        *("RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000 Workstation Edition", "RTX PRO 6000 WS"),
    ),
    _gpu("RTXPRO6000-MaxQ", 96, "", "RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTX PRO 6000 Blackwell Max-Q"),
    _gpu("RTXPRO6000-MIG-1g.24gb", 24, "", "PRO 6000 MIG 24GB", "RTX PRO 6000 MIG 24GB"),
    _gpu("RTXPRO6000-MIG-2g.48gb", 48, "", "PRO 6000 MIG 48GB", "RTX PRO 6000 MIG 48GB"),
    _gpu("RTXPRO5000", 48, "", "RTX PRO 5000 Blackwell"),
    _gpu("RTXPRO4500", 32, "", "RTX PRO 4500 Blackwell", "RTX PRO Server 4500", "RTX PRO 4500 Blackwell Server"),
    _gpu("RTXPRO4000", 24, "", "RTX PRO 4000 Blackwell"),
    _gpu("RTXPRO2000", 16, "", "RTX PRO 2000 Blackwell"),
    _gpu("RTX6000-Ada", 48, "", "RTX 6000 Ada Generation"),
    _gpu("RTX5880-Ada", 48, "", "RTX 5880 Ada Generation"),
    _gpu("RTX5000-Ada", 32, "", "RTX 5000 Ada Generation"),
    _gpu("RTX4500-Ada", 24, "", "RTX 4500 Ada Generation"),
    _gpu("RTX4000-Ada", 20, "", "RTX 4000 Ada Generation", "RTX 4000 SFF Ada Generation", "RTX 4000 SFF Ada"),
    _gpu("RTX2000-Ada", 16, "", "RTX 2000 Ada Generation"),
    _gpu("RTXA6000", 48, "", "A6000"),
    _gpu("RTXA5500", 24, "", "A5500"),
    _gpu("RTXA5000", 24, "", "A5000"),
    _gpu("RTXA4500", 20, "", "A4500"),
    _gpu("RTXA4000", 16, "", "A4000"),
    _gpu("RTXA2000-12GB", 12, "RTXA2000"),
    _gpu("RTXA2000-6GB", 6, "RTXA2000"),
    _gpu("RTX8000", 48, "", "Q RTX 8000"),
    _gpu("RTX6000", 24, "", "Q RTX 6000"),
    _gpu("RTX5000", 16, "", "Q RTX 5000"),
    _gpu("RTX4000", 8, "", "Q RTX 4000"),
)

_GEFORCE = (
    _gpu("RTX5090", 32),
    _gpu("RTX5080", 16),
    _gpu("RTX5070Ti", 16),
    _gpu("RTX5070", 12),
    _gpu("RTX5060Ti-16GB", 16, "RTX5060Ti"),
    _gpu("RTX5060Ti-8GB", 8, "RTX5060Ti"),
    _gpu("RTX5060", 8),
    _gpu("RTX4090", 24),
    _gpu("RTX4090D", 24),
    _gpu("RTX4080S", 16, "", "RTX 4080 SUPER"),
    _gpu("RTX4080", 16),
    _gpu("RTX4070TiS", 16, "", "RTX 4070 Ti SUPER", "RTX 4070S Ti"),
    _gpu("RTX4070Ti", 12),
    _gpu("RTX4070S", 12, "", "RTX 4070 SUPER"),
    _gpu("RTX4070", 12),
    _gpu("RTX4060Ti-16GB", 16, "RTX4060Ti"),
    _gpu("RTX4060Ti-8GB", 8, "RTX4060Ti"),
    _gpu("RTX4060", 8),
    _gpu("RTX3090Ti", 24),
    _gpu("RTX3090", 24),
    _gpu("RTX3080Ti", 12),
    _gpu("RTX3080-12GB", 12, "RTX3080"),
    _gpu("RTX3080-10GB", 10, "RTX3080"),
    _gpu("RTX3070Ti", 8),
    _gpu("RTX3070", 8),
    _gpu("RTX3060Ti", 8),
    _gpu("RTX3060-12GB", 12, "RTX3060"),
    _gpu("RTX3060-8GB", 8, "RTX3060"),
    _gpu("RTX2080Ti", 11),
    _gpu("RTX2080S", 8, "", "RTX 2080 SUPER"),
    _gpu("RTX2080", 8),
    _gpu("RTX2070S", 8, "", "RTX 2070 SUPER"),
    _gpu("RTX2070", 8),
    _gpu("RTX2060S", 8, "", "RTX 2060 SUPER"),
    _gpu("RTX2060-12GB", 12, "RTX2060"),
    _gpu("RTX2060-6GB", 6, "RTX2060"),
    _gpu("TitanRTX", 24),
    _gpu("TitanV", 12),
    _gpu("TitanXp", 12),
    _gpu("GTX1080Ti", 11),
    _gpu("GTX1080", 8),
    _gpu("GTX1070Ti", 8),
    _gpu("GTX1070", 8),
)

_AMD = (
    _gpu("MI355X", 288, "", "MI355X OAM"),
    _gpu("MI325X", 256, "", "MI325X OAM"),
    _gpu("MI300X", 192, "", "MI300X OAM"),
    _gpu("RadeonProV520", 8),
)

GPUS: Mapping[str, Gpu] = MappingProxyType({gpu.name: gpu for gpu in _DATA_CENTRE + _WORKSTATION + _GEFORCE + _AMD})

# Other words for a family. The bare words of clouds that sell it in several sizes are here, so that memory settles
# which it is: "A100 SXM4" has 40 GB or 80.
FAMILY_ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "A100-SXM": ("A100 SXM4",),
        "A100-80GB": ("A100 80 GB",),
        "H200": ("H200 141GB",),
        "V100-SXM": ("V100 SXM2",),
        "RTXA2000": ("A2000",),
    }
)

# Words of the makers that may stand before any name: "NVIDIA L4", "Tesla T4", "AMD Instinct MI300X".
_NVIDIA = ("NVIDIA ", "Tesla ", "NVIDIA Tesla ")
MAKER_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{gpu.name: _NVIDIA for gpu in _DATA_CENTRE},
        **{gpu.name: ("NVIDIA ", "Quadro ", "NVIDIA Quadro ") for gpu in _WORKSTATION},
        **{gpu.name: ("NVIDIA ", "GeForce ", "NVIDIA GeForce ") for gpu in _GEFORCE},
        **{gpu.name: ("AMD ", "Instinct ", "AMD Instinct ") for gpu in _AMD},
    }
)
