"""What Google does not tell through its APIs, in one place: names, slices, limits, what the price list calls things.

Tags as in the fact sheet: [DOC] Google's documentation, [3P] others' code, [MEM] from memory, easy to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from spotlaunch.core.gpus import canonical, gpu_matches, slice_name

# To the internet, premium tier, first TB a month, from North America or Europe [MEM]. Elsewhere it may be more.
EGRESS_USD_GB = Decimal("0.12")
# A boot disk is billed beside the machine: pd-balanced in us-central1 [MEM]. Hyperdisk, which G4, A3 Ultra and A4
# need, costs about the same for its first GB.
STORAGE_USD_GB_MONTH = Decimal("0.10")

HOURS_A_MONTH = 730
LOCAL_SSD_GIB = 375  # one partition [DOC]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sold:
    """How the price list sells the machines of one prefix.

    ``cores``: what it calls their cores and memory ("" where the GPU's price holds all). ``gpu``: what it calls
    their GPU, see `skus`. ``ssd_gib_a_gpu``: local disk that is billed with them, where the API does not say.
    ``on_demand``: whether anybody may have them without a reservation or a queue.
    """

    cores: str
    gpu: str
    ssd_gib_a_gpu: int = 0
    on_demand: bool = True


# [3P], fact sheet 2.2. `A3Plus` is a3-megagpu; B200 is sold as a slice of the whole machine, so that its cores would
# be counted twice. A3 with fewer than 8 GPUs, A3 Ultra and A4 are for spot, flex-start and reservations only [DOC].
SOLD: Mapping[str, Sold] = {
    "a2-highgpu-": Sold(cores="A2", gpu="A100"),
    "a2-megagpu-": Sold(cores="A2", gpu="A100"),
    "a2-ultragpu-": Sold(cores="A2", gpu="A100 80GB", ssd_gib_a_gpu=375),
    "a3-highgpu-8g": Sold(cores="A3", gpu="H100 80GB", ssd_gib_a_gpu=750),
    "a3-highgpu-": Sold(cores="A3", gpu="H100 80GB", ssd_gib_a_gpu=750, on_demand=False),
    "a3-edgegpu-": Sold(cores="A3", gpu="H100 80GB", ssd_gib_a_gpu=750),
    "a3-megagpu-": Sold(cores="A3Plus", gpu="H100 80GB Mega", ssd_gib_a_gpu=750),
    "a3-ultragpu-": Sold(cores="A3Ultra", gpu="H200 141GB", ssd_gib_a_gpu=1500, on_demand=False),
    "a4-highgpu-": Sold(cores="", gpu="B200", on_demand=False),
    "g2-standard-": Sold(cores="G2", gpu="L4"),
    "g4-standard-": Sold(cores="G4", gpu="RTX PRO 6000"),
}

# Machines of reservations only: they can be had by nobody who just asks.
NOT_OFFERED = ("a4x-",)

# Parts of a card, which the API counts as one GPU [DOC]. How the price list composes them is not known.
PARTS: Mapping[str, int] = {"g4-standard-6": 8, "g4-standard-12": 4, "g4-standard-24": 2}

# The GPUs of each series, so that a question about one GPU asks for few machine types. The words are the API's.
SERIES: Mapping[str, tuple[str, ...]] = {
    "a2": ("nvidia-tesla-a100", "nvidia-a100-80gb"),
    "a3": ("nvidia-h100-80gb", "nvidia-h100-mega-80gb", "nvidia-h200-141gb"),
    "a4": ("nvidia-b200",),
    "g2": ("nvidia-l4",),
    "g4": ("nvidia-rtx-pro-6000",),
}
# All series with GPUs built in, also those that are newer than this file.
ANY_SERIES = "[ag][0-9]+[a-z]?"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attached:
    """A GPU that is put into an N1 machine. ``shapes``: by number of GPUs, the machine types that we offer."""

    accelerator: str
    gpu: str
    shapes: Mapping[int, tuple[str, ...]]


# Any N1 with few enough cores will do [DOC]: T4 and P4 up to 24 and 48 by count, V100 up to 12 a GPU. Offered are
# machines with about the cores and the memory that one GPU of the kind uses, not all of some hundred combinations.
ATTACHED = (
    Attached(
        accelerator="nvidia-tesla-t4",
        gpu="T4",
        shapes={1: ("n1-standard-4", "n1-standard-8"), 2: ("n1-standard-8",), 4: ("n1-standard-16",)},
    ),
    Attached(
        accelerator="nvidia-tesla-p4",
        gpu="P4",
        shapes={1: ("n1-standard-4",), 2: ("n1-standard-8",), 4: ("n1-standard-16",)},
    ),
    Attached(
        accelerator="nvidia-tesla-v100",
        gpu="V100",
        shapes={1: ("n1-standard-8",), 2: ("n1-standard-16",), 4: ("n1-standard-32",), 8: ("n1-standard-64",)},
    ),
    Attached(
        accelerator="nvidia-tesla-p100",
        gpu="P100",
        shapes={1: ("n1-standard-8",), 2: ("n1-standard-16",), 4: ("n1-standard-32",)},
    ),
)
N1 = "N1 Predefined"


def sold(machine_type: str) -> Sold | None:
    """How a machine type with GPUs built in is sold: by the longest prefix that fits. None: not known."""
    fitting = [prefix for prefix in SOLD if machine_type.startswith(prefix)]
    return SOLD[max(fitting, key=len)] if fitting else None


def gpu_name(machine_type: str, accelerator: str) -> str:
    """The canonical name of a machine type's GPU; a part of a card has a name of its own."""
    return slice_name(canonical(accelerator), PARTS.get(machine_type, 1))


def series_for(gpus: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """The series to ask about for these GPUs; none where all of them are put into N1 machines."""
    wanted = [name for name, _ in gpus]
    if not wanted:
        return (ANY_SERIES,)
    found: set[str] = set()
    for name in wanted:
        mine = {series for series, words in SERIES.items() if any(_serves(name, word) for word in words)}
        if not mine and not attached_for([(name, 0)]):
            return (ANY_SERIES,)  # perhaps it is newer than this file
        found |= mine
    return tuple(sorted(found))


def attached_for(gpus: Iterable[tuple[str, int]]) -> tuple[Attached, ...]:
    """The GPUs of N1 machines that are wanted."""
    wanted = [name for name, _ in gpus]
    return tuple(a for a in ATTACHED if not wanted or any(gpu_matches(n, canonical(a.accelerator)) for n in wanted))


def _serves(wanted: str, word: str) -> bool:
    name = canonical(word)
    names = [name, *(slice_name(name, parts) for parts in PARTS.values())] if word in SERIES["g4"] else [name]
    return any(gpu_matches(wanted, n) for n in names)
