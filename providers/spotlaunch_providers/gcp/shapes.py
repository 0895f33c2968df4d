"""Machines with GPUs as Compute Engine lists them: pure, from its answers to what can be offered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spotlaunch.core.facts import Want
from spotlaunch.core.gpus import gpu_matches, gpu_memory_gb
from spotlaunch_providers.gcp import families


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One machine type in one zone. ``cores``, ``gpu_sku``: what the price list calls its parts; see `families.Sold`.

    ``name`` is the machine type, with what is put into it: ``n1-standard-4+2xnvidia-tesla-t4``. ``on_demand``:
    whether it is sold without a reservation. ``memory_gib`` is exact, since it is billed by the GiB.
    """

    name: str
    machine_type: str
    zone: str
    region: str
    gpu: str
    gpu_count: int
    accelerator: str
    vcpus: int
    memory_gib: Decimal
    ssd_gib: int
    arch: str
    cores: str = ""
    gpu_sku: str = ""
    on_demand: bool = True
    attached: bool = False

    @property
    def pool(self) -> str:
        """What the histories of this machine type in this zone are known by."""
        return f"{self.zone}/{self.machine_type}"

    @property
    def gpu_memory_gb(self) -> float | None:
        return gpu_memory_gb(self.gpu)

    @property
    def disk_gb(self) -> float | None:
        """Local disk that comes with the machine; None where there is only what is attached."""
        return float(self.ssd_gib) if self.ssd_gib else None


def machine_types(page: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Zone and machine type, for all on a page of `machineTypes.aggregatedList`. Zones without any hold a warning."""
    for scope, found in _items(page):
        for machine_type in found.get("machineTypes") or ():
            if not _deprecated(machine_type):
                yield scope, machine_type


def accelerator_zones(page: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Zone, accelerator and the most a machine may have, from a page of `acceleratorTypes.aggregatedList`."""
    for scope, found in _items(page):
        for accelerator in found.get("acceleratorTypes") or ():
            if not _deprecated(accelerator):
                yield scope, str(accelerator.get("name", "")), int(accelerator.get("maximumCardsPerInstance") or 0)


def built_in(zone: str, machine_type: Mapping[str, Any]) -> Shape | None:
    """A machine type with GPUs built in; None for one without, for workstations, and for what only reservations get."""
    name = str(machine_type.get("name", ""))
    accelerators = list(machine_type.get("accelerators") or ())
    if len(accelerators) != 1 or name.startswith(families.NOT_OFFERED):
        return None
    accelerator = str(accelerators[0].get("guestAcceleratorType", ""))
    count = int(accelerators[0].get("guestAcceleratorCount") or 0)
    if count < 1 or accelerator.endswith("-vws"):
        return None
    sold = families.sold(name)
    partitions = int((machine_type.get("bundledLocalSsds") or {}).get("partitionCount") or 0)
    told = partitions * families.LOCAL_SSD_GIB
    return Shape(
        name=name,
        machine_type=name,
        zone=zone,
        region=region_of(zone),
        gpu=families.gpu_name(name, accelerator),
        gpu_count=count,
        accelerator=accelerator,
        vcpus=int(machine_type.get("guestCpus") or 0),
        memory_gib=Decimal(int(machine_type.get("memoryMb") or 0)) / 1024,
        ssd_gib=told or (sold.ssd_gib_a_gpu * count if sold else 0),
        arch=str(machine_type.get("architecture") or "X86_64").lower(),
        cores=sold.cores if sold else "",
        gpu_sku=sold.gpu if sold and name not in families.PARTS else "",
        on_demand=sold is not None and sold.on_demand,
    )


def attached(
    machine_types: Iterable[tuple[str, Mapping[str, Any]]],
    zones: Iterable[tuple[str, str, int]],
    kinds: Iterable[families.Attached],
) -> Iterator[Shape]:
    """N1 machines with GPUs put in, in the zones that have both."""
    n1 = {(zone, str(m.get("name", ""))): m for zone, m in machine_types}
    by_name = {kind.accelerator: kind for kind in kinds}
    for zone, accelerator, most in zones:
        kind = by_name.get(accelerator)
        for count, names in kind.shapes.items() if kind else ():
            for name in names if count <= most else ():
                if (machine_type := n1.get((zone, name))) is not None:
                    assert kind is not None
                    yield _with(kind, count, zone, machine_type)


def _with(kind: families.Attached, count: int, zone: str, machine_type: Mapping[str, Any]) -> Shape:
    name = str(machine_type["name"])
    return Shape(
        name=f"{name}+{count}x{kind.accelerator}",
        machine_type=name,
        zone=zone,
        region=region_of(zone),
        gpu=families.gpu_name(name, kind.accelerator),
        gpu_count=count,
        accelerator=kind.accelerator,
        vcpus=int(machine_type.get("guestCpus") or 0),
        memory_gib=Decimal(int(machine_type.get("memoryMb") or 0)) / 1024,
        ssd_gib=0,
        arch="x86_64",
        cores=families.N1,
        gpu_sku=kind.gpu,
        attached=True,
    )


def wanted(shape: Shape, want: Want, regions: frozenset[str]) -> bool:
    """Whether a machine is what somebody wants, where they want it. No ``regions``: anywhere."""
    if regions and shape.region not in regions:
        return False
    return not want.gpus or any(
        count in (0, shape.gpu_count) and gpu_matches(name, shape.gpu) for name, count in want.gpus
    )


def region_of(zone: str) -> str:
    """``us-central1`` of ``us-central1-a``."""
    return zone.rpartition("-")[0]


def _items(page: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for scope, found in (page.get("items") or {}).items():
        kind, _, zone = scope.partition("/")
        if kind == "zones" and isinstance(found, Mapping):
            yield zone, found


def _deprecated(thing: Mapping[str, Any]) -> bool:
    return (thing.get("deprecated") or {}).get("state") in ("DEPRECATED", "OBSOLETE", "DELETED")
