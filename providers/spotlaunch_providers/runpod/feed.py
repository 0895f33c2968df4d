"""The public catalog: GraphQL, which needs no key. Prices and stock, but not by data center.

Its spot prices are stale (spot pods are not sold any more) and are not even asked for. RunPod retires it early
in 2027.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spotlaunch.core.facts import Want
from spotlaunch.core.gpus import canonical
from spotlaunch.errors import Transient
from spotlaunch_providers.runpod.offers import CLOUDS, REGIONS, Lot, dollars, positive, wanted

SOURCE = "public feed: GraphQL catalog"

_STOCK = "{ stockStatus }"


def query(count: int) -> str:
    """The question for machines of ``count`` GPUs, in both clouds."""
    return (
        "query { gpuTypes { id displayName memoryInGb secureCloud communityCloud securePrice communityPrice maxGpuCount"
        f" secure: lowestPrice(input: {{gpuCount: {count}, secureCloud: true}}) {_STOCK}"
        f" community: lowestPrice(input: {{gpuCount: {count}, secureCloud: false}}) {_STOCK} }} }}"
    )


def feed_lots(data: Mapping[str, Any], *, count: int, want: Want) -> Iterator[Lot]:
    """What is wanted in an answer to `query`. Raises `Transient` when it is none."""
    rows = data.get("gpuTypes")
    if not isinstance(rows, list):
        raise Transient("answered without gpuTypes", hint="try again")
    for row in rows:
        if not isinstance(row, Mapping) or not row.get("id"):
            continue
        gpu_id, memory_gb, most = str(row["id"]), positive(row.get("memoryInGb")), row.get("maxGpuCount")
        gpu = canonical(gpu_id, memory_gb=memory_gb)
        if not wanted(want, gpu, count) or (isinstance(most, int) and count > most):
            continue
        for cloud in CLOUDS:
            sold = row.get(f"{cloud.lower()}Cloud") is True
            usd_hour = dollars(row.get(f"{cloud.lower()}Price")) if sold else None
            if usd_hour is not None:
                yield Lot(
                    gpu_id=gpu_id,
                    gpu=gpu,
                    memory_gb=memory_gb,
                    count=count,
                    cloud=cloud,
                    region=REGIONS[cloud],
                    stock=_stock(row.get(cloud.lower())),
                    usd_hour=usd_hour,
                )


def _stock(lowest: Any) -> str:
    """Null means that there is none (`stockStatus` of RunPod's GraphQL reference)."""
    if not isinstance(lowest, Mapping) or "stockStatus" not in lowest:
        return ""
    status = lowest["stockStatus"]
    return "NONE" if status is None else str(status).upper()
