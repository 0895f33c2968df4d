"""What Vast.ai calls a GPU, and what that is to us.

Its search knows a name only as it is written there, with spaces: for "RTX_4090" it finds nothing. Names from
gpuhunt and Vast.ai's own client; where a name is not here, the words of `core.gpus` are tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from spotlaunch.core.gpus import GPUS, canonical, gpu_matches

# Some names serve two members: "A100 SXM4" has 40 GB or 80, and each row says what it has.
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "B300": ("B300",),
        "B200": ("B200",),
        "GH200": ("GH200 SXM",),
        "H200-SXM": ("H200",),
        "H200-NVL": ("H200 NVL",),
        "H100-SXM": ("H100 SXM",),
        "H100-PCIe": ("H100 PCIE",),
        "H100-NVL": ("H100 NVL",),
        "A100-80GB-SXM": ("A100 SXM4",),
        "A100-40GB-SXM": ("A100 SXM4",),
        "A100-80GB-PCIe": ("A100 PCIE",),
        "A100-40GB-PCIe": ("A100 PCIE",),
        "A800-PCIe": ("A800 PCIE",),
        "L40S": ("L40S",),
        "L40": ("L40",),
        "L4": ("L4",),
        "A40": ("A40",),
        "A30": ("A30",),
        "A16": ("A16",),
        "A10": ("A10",),
        "A10G": ("A10g", "A10G"),
        "T4": ("Tesla T4",),
        "V100-SXM-16GB": ("Tesla V100",),
        "V100-SXM-32GB": ("Tesla V100",),
        "V100-PCIe-16GB": ("Tesla V100",),
        "V100-PCIe-32GB": ("Tesla V100",),
        "V100-FHHL-16GB": ("Tesla V100",),
        "P100": ("Tesla P100",),
        "P40": ("Tesla P40",),
        "P4": ("Tesla P4",),
        "K80": ("Tesla K80",),
        "RTXPRO6000": ("RTX PRO 6000 S", "RTX PRO 6000"),
        "RTXPRO6000-WK": ("RTX PRO 6000 WS",),
        "RTXPRO6000-MaxQ": ("RTX PRO 6000 Max-Q", "RTX PRO 6000 MaxQ"),
        "RTX6000-Ada": ("RTX 6000Ada",),
        "RTX5880-Ada": ("RTX 5880Ada",),
        "RTX5000-Ada": ("RTX 5000Ada",),
        "RTX4500-Ada": ("RTX 4500Ada",),
        "RTX4000-Ada": ("RTX 4000Ada",),
        "RTX2000-Ada": ("RTX 2000Ada",),
        "RTXA6000": ("RTX A6000",),
        "RTXA5500": ("RTX A5500",),
        "RTXA5000": ("RTX A5000",),
        "RTXA4500": ("RTX A4500",),
        "RTXA4000": ("RTX A4000",),
        "RTXA2000-12GB": ("RTX A2000",),
        "RTXA2000-6GB": ("RTX A2000",),
        "RTX8000": ("Q RTX 8000",),
        "RTX6000": ("Q RTX 6000",),
        "RTX5000": ("Q RTX 5000",),
        "RTX4000": ("Q RTX 4000",),
        "RTX5090": ("RTX 5090",),
        "RTX5080": ("RTX 5080",),
        "RTX4090": ("RTX 4090",),
        "RTX4090D": ("RTX 4090D",),
        "RTX4080S": ("RTX 4080S",),
        "RTX4080": ("RTX 4080",),
        "RTX3090Ti": ("RTX 3090 Ti",),
        "RTX3090": ("RTX 3090",),
        # Of these the rule is known (no maker's word, S for SUPER), not each name.
        "RTX5070Ti": ("RTX 5070 Ti",),
        "RTX5070": ("RTX 5070",),
        "RTX5060Ti-16GB": ("RTX 5060 Ti",),
        "RTX5060Ti-8GB": ("RTX 5060 Ti",),
        "RTX5060": ("RTX 5060",),
        "RTX4070TiS": ("RTX 4070S Ti",),
        "RTX4070Ti": ("RTX 4070 Ti",),
        "RTX4070S": ("RTX 4070S",),
        "RTX4070": ("RTX 4070",),
        "RTX4060Ti-16GB": ("RTX 4060 Ti",),
        "RTX4060Ti-8GB": ("RTX 4060 Ti",),
        "RTX4060": ("RTX 4060",),
        "RTX3080Ti": ("RTX 3080 Ti",),
        "RTX3080-12GB": ("RTX 3080",),
        "RTX3080-10GB": ("RTX 3080",),
        "RTX3070Ti": ("RTX 3070 Ti",),
        "RTX3070": ("RTX 3070",),
        "RTX3060Ti": ("RTX 3060 Ti",),
        "RTX3060-12GB": ("RTX 3060",),
        "RTX3060-8GB": ("RTX 3060",),
        "RTX2080Ti": ("RTX 2080 Ti",),
        "RTX2080S": ("RTX 2080S",),
        "RTX2070S": ("RTX 2070S",),
        "RTX2060S": ("RTX 2060S",),
        "RTX2060-12GB": ("RTX 2060",),
        "RTX2060-6GB": ("RTX 2060",),
        "TitanRTX": ("Titan RTX",),
        "TitanV": ("Titan V",),
        "TitanXp": ("Titan Xp",),
        "GTX1080Ti": ("GTX 1080 Ti",),
        "GTX1080": ("GTX 1080",),
        "GTX1070Ti": ("GTX 1070 Ti",),
        "GTX1070": ("GTX 1070",),
    }
)

# Its bare name for the SXM card is our name for the family.
_OURS = MappingProxyType({"H200": "H200 SXM"})

# To hear of every GPU: dear ones would never come up in a search for the cheapest of all. Each line is a search of
# its own, of cards that cost about the same; the last one is for all others.
TIERS: tuple[tuple[str, ...], ...] = (
    ("B300", "B200", "GH200 SXM", "H200", "H200 NVL"),
    (
        "H100 SXM",
        "H100 PCIE",
        "H100 NVL",
        "A100 SXM4",
        "A100 PCIE",
        "RTX PRO 6000 S",
        "RTX PRO 6000",
        "RTX PRO 6000 WS",
    ),
    ("L40S", "L40", "RTX 6000Ada", "RTX 5880Ada", "A40", "RTX A6000", "RTX 5090", "Q RTX 8000", "RTX 5000Ada"),
)


def asked_for(wanted: str) -> tuple[str, ...]:
    """Vast.ai's names of a GPU or a family; of one that nobody knows the word itself."""
    names: list[str] = []
    for gpu in GPUS.values():
        if gpu_matches(wanted, gpu.name):
            names += NAMES.get(gpu.name) or _spaced(gpu.name, *gpu.aliases)
    return tuple(dict.fromkeys(names)) or _spaced(wanted.strip())


def name_of(word: str, memory_gb: float) -> str:
    """Our name for a GPU that Vast.ai calls ``word`` and that has so much memory."""
    return canonical(_OURS.get(word, word), memory_gb=memory_gb)


def _spaced(*words: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in words)
