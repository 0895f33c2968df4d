"""Instance types with GPUs: what DescribeInstanceTypes says each holds, and in which markets it is sold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from spotlaunch.core.facts import Market, Want
from spotlaunch.core.gpus import canonical, gpu_matches, gpu_memory_gb, slice_name
from spotlaunch.errors import ProviderError
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.errors import UNKNOWN_PARAMETER, code_of
from spotlaunch_providers.aws.families import FAMILIES, Family
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

# There is no filter for "has a GPU", and 1,400 types are 14 pages, one after the other. All types with GPUs that EC2
# ever had begin with these letters, and so do few others.
GPU_TYPES = ("g*", "p*")
PAGE = 100  # the most that the API gives

# [DOC] Sold as whole UltraServers and in capacity blocks only: there is nothing to launch by the hour.
NOT_BY_THE_HOUR = ("p6e-gb",)

# EC2 has these in one form each, which it does not say.
_FORMS = {"V100": "V100 SXM2", "A100": "A100 SXM4", "H100": "H100 SXM", "H200": "H200 SXM"}

# [3P] p5en has been answered as "NVIDIA", so names that tell nothing are looked up by family (see `families`).
_NO_NAMES = frozenset({"", "nvidia", "amd", "gpu", "unknown"})


_MARKETS: tuple[Market, ...] = ("spot", "on-demand")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What one type holds. ``gpu`` is canonical, also of a slice; ``gpu_memory_mib`` is the API's number.

    ``markets``: in which it is sold at all, somewhere.
    """

    instance_type: str
    gpu: str
    gpu_count: int
    gpu_memory_mib: int
    vcpus: int
    memory_gb: float
    arch: str
    markets: frozenset[Market]

    @property
    def gpu_memory_gb(self) -> float:
        """As marketed (24 for the 22888 MiB of an L4), or the API's number for a GPU that is in no table."""
        return gpu_memory_gb(self.gpu) or round(self.gpu_memory_mib / 1024, 1)


def ask_shapes(access: Access, regions: Callable[[], Sequence[str]], *, deadline: Deadline) -> dict[str, Shape]:
    """All types with GPUs, by name, from one region's API, or from all where it cannot speak for the others.

    ``regions`` names all, and is only called then.
    """
    home = access.home
    if access.takes("ec2", "DescribeInstanceTypes", "IncludeUnsupportedInRegion", region=home):
        try:
            told = _ask(access, home, deadline, IncludeUnsupportedInRegion=True)
        except ProviderError as e:
            if code_of(e) not in UNKNOWN_PARAMETER:
                raise
            told = []
        # A server that does not say this has passed over the parameter, and speaks for its own region only.
        if any("SupportedInRegion" in t for t in told):
            return _shapes(told)
    answers = side_by_side(
        [lambda region=region: _ask(access, region, deadline) for region in regions()],  # type: ignore[misc]
        deadline=deadline,
        name="aws-types",
    )
    good = [a for a in answers if not isinstance(a, ProviderError)]
    if not good:
        raise next(a for a in answers if isinstance(a, ProviderError))
    return _shapes(told for answer in good for told in answer)


def _ask(access: Access, region: str, deadline: Deadline, **more: Any) -> list[Mapping[str, Any]]:
    types = partial(
        access.pages,
        *("ec2", "describe_instance_types", "InstanceTypes"),
        region=region,
        deadline=deadline,
        MaxResults=PAGE,
        **more,
    )
    # No type at all: a server that takes the stars for letters, as small stand-ins do. Then all are read.
    return list(types(Filters=[{"Name": "instance-type", "Values": list(GPU_TYPES)}])) or list(types())


def _shapes(types: Iterable[Mapping[str, Any]]) -> dict[str, Shape]:
    shapes = (shape_of(told) for told in types)
    return {shape.instance_type: shape for shape in shapes if shape is not None}


def shape_of(told: Mapping[str, Any]) -> Shape | None:
    """One item of the answer; None without a GPU, and for what is not sold by the hour."""
    name = str(told.get("InstanceType", ""))
    gpus = (told.get("GpuInfo") or {}).get("Gpus") or []
    classes = told.get("SupportedUsageClasses")
    # Where that is not said, a price says it: what has none in a market is not offered there.
    markets = frozenset(m for m in _MARKETS if classes is None or m in classes)
    if not gpus or not markets or name.startswith(NOT_BY_THE_HOUR):
        return None
    gpu, count, memory_mib = _gpus(name, gpus)
    if not count:
        return None
    return Shape(
        instance_type=name,
        gpu=gpu,
        gpu_count=count,
        gpu_memory_mib=memory_mib,
        vcpus=int((told.get("VCpuInfo") or {}).get("DefaultVCpus") or 0),
        memory_gb=int((told.get("MemoryInfo") or {}).get("SizeInMiB") or 0) / 1024,
        arch=next(iter((told.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ()), ""),
        markets=markets,
    )


def _gpus(instance_type: str, gpus: Sequence[Mapping[str, Any]]) -> tuple[str, int, int]:
    """The GPU's name, how many there are, and the memory of each in MiB.

    A type with a slice says Count 0, LogicalGpuCount 1 and GpuPartitionSize 0.125: an eighth, never a whole one.
    """
    first = gpus[0]
    memory_mib = int((first.get("MemoryInfo") or {}).get("SizeInMiB") or 0)
    word = str(first.get("Name") or "").strip()
    if word.lower() in _NO_NAMES:
        word = _by_family(instance_type) or word
    size = float(first.get("GpuPartitionSize") or 0)
    if 0 < size < 1:
        # The memory is the slice's own, and would settle a name wrongly.
        # An odd part (0.4) is told as the next smaller slice, so that 0.9 does not pass for a whole one.
        parts = math.ceil(1 / size - 0.05)
        return slice_name(gpu_name(word, 0), parts), int(first.get("LogicalGpuCount") or 1), memory_mib
    return gpu_name(word, memory_mib), sum(int(g.get("Count") or 0) for g in gpus), memory_mib


def gpu_name(word: str, memory_mib: int) -> str:
    """The canonical name of the API's ``word``; memory tells the A100 of 40 GB from the one of 80."""
    return canonical(_FORMS.get(word, word), memory_gb=memory_mib / 1024 if memory_mib else None)


def _by_family(instance_type: str) -> str:
    family = FAMILIES.get(instance_type.partition(".")[0])
    return family.gpu if family else ""


def known_shapes() -> dict[str, Shape]:
    """All types of the table of `families`, by name. Whether one is sold as spot is for the price feed to say."""
    return {shape.instance_type: shape for name, family in FAMILIES.items() for shape in _sizes(name, family)}


def _sizes(name: str, family: Family) -> Iterator[Shape]:
    for line in family.sizes.split(","):
        size, gpus, vcpus, memory_gb = line.split()
        whole, _, parts = gpus.partition("/")
        yield Shape(
            instance_type=f"{name}.{size}",
            gpu=slice_name(gpu_name(family.gpu, family.memory_mib), int(parts or 1)),
            gpu_count=int(whole),
            gpu_memory_mib=family.memory_mib // int(parts or 1),
            vcpus=int(vcpus),
            memory_gb=float(memory_gb),
            arch=family.arch,
            markets=frozenset({"spot", "on-demand"}),
        )


def wanted(shapes: Iterable[Shape], want: Want) -> list[Shape]:
    """The shapes that may serve ``want``, in the order of their names."""
    found = (s for s in shapes if _serves(s, want.gpus) and s.markets.intersection(want.markets))
    return sorted(found, key=lambda s: s.instance_type)


def _serves(shape: Shape, gpus: Sequence[tuple[str, int]]) -> bool:
    if not gpus:
        return True
    return any(count in (0, shape.gpu_count) and gpu_matches(name, shape.gpu) for name, count in gpus)
