"""From an order to the description of a pod, and from a pod as RunPod tells of it to a machine. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spotlaunch.core.facts import EndReason, Offer, Order, Pool, SeenMachine, SeenPhase
from spotlaunch.core.gpus import canonical
from spotlaunch_providers.runpod import ending, figures
from spotlaunch_providers.runpod.offers import COMMUNITY, REGIONS, SECURE, dollars, instance_type
from spotlaunch_providers.shared.times import seconds

_CUDA = re.compile(r"(?<![a-z])cu(?:da)?[:-]?(\d{2})\.?(\d)")

# Our own command stands in the place of the image's, which would have opened the door for a shell. An image without
# sshd has none.
SHELL = r"""if command -v sshd >/dev/null 2>&1; then
  mkdir -p /run/sshd ~/.ssh && chmod 700 ~/.ssh
  printf '%s\n' "$PUBLIC_KEY" > ~/.ssh/authorized_keys && chmod 600 ~/.ssh/authorized_keys
  ssh-keygen -A >/dev/null 2>&1
  "$(command -v sshd)"
fi
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """What holds where the order does not say. ``image``; ``cuda``: the least CUDA of a host's driver, where the
    image names none; ``registry``: RunPod's id of the login to a private registry (empty: none)."""

    image: str = figures.IMAGE
    cuda: str = figures.CUDA
    registry: str = ""


def description(order: Order, offer: Offer, *, endpoint: str, container: Container) -> dict[str, Any]:
    """The body of a create: `CreatePodRequest` of REST v2. Its schema is strict, so it holds nothing else.

    The offer says what of CPUs and memory is wanted; ``endpoint`` is where the pod asks for its end.
    """
    image = order.image or container.image
    count, gpu_id, cloud = int(offer.extra["count"]), offer.extra["gpu_id"], offer.extra["cloud"]
    gpu: dict[str, Any] = {"id": gpu_id, "count": count}
    if not gpu_id.startswith("AMD"):
        gpu["minCudaVersion"] = cuda_of(image) or container.cuda
    if offer.memory_gb:
        gpu["minRamPerGpu"] = math.ceil(offer.memory_gb / count)
    if offer.vcpus:
        gpu["minVcpuCountPerGpu"] = math.ceil(offer.vcpus / count)
    env = {ending.VARIABLE: ending.program(endpoint)}
    pod: dict[str, Any] = {
        "name": order.launch_key,
        "image": image,
        "cloud": cloud,
        "gpu": gpu,
        "disk": disk_gb(order),
        "env": env,
    }
    if container.registry:
        pod["registry"] = container.registry
    if offer.pool.region not in REGIONS.values():
        pod["dataCenterIds"] = [offer.pool.region]
    if order.ssh_key:
        env["PUBLIC_KEY"] = order.ssh_key
        pod["ports"] = ["22/tcp"]
    if order.script:
        pod["entrypoint"] = ["/bin/sh", "-c"]
        pod["cmd"] = [SHELL + order.script if order.ssh_key else order.script]
    return pod


def with_args(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The same, as REST v2 took it until September 2026: the command as JSON in ``args``."""
    command = {k: pod[k] for k in ("entrypoint", "cmd")}
    return {**{k: v for k, v in pod.items() if k not in command}, "args": json.dumps(command)}


def disk_gb(order: Order) -> int:
    """Container disk. Said always: a request without it was refused after its placement [L]."""
    return max(figures.LEAST_DISK_GB, math.ceil(order.disk_gb)) if order.disk_gb else figures.DISK_GB


def cuda_of(image: str) -> str:
    """The CUDA version in an image's last word and tag (``cu1281``, ``cuda12.4``, ``cuda:13.0``), if there is one."""
    found = _CUDA.search(image.rpartition("/")[2])
    return f"{found[1]}.{found[2]}" if found else ""


def paid_usd_hour(pod: Mapping[str, Any], offer: Offer, *, disk: int) -> Decimal:
    """What the pod bills beside its disk, which is in RunPod's figure [L]. The offer's price, where that is meant."""
    cost = dollars(pod.get("cost"))
    share = figures.STORAGE_USD_GB_MONTH * disk / figures.HOURS_A_MONTH
    price = offer.price_usd_hour
    if cost is None or price * Decimal("0.99") <= cost <= price * Decimal("1.01") + share:
        return price
    return (cost - share if cost > share else cost).quantize(Decimal("0.0001"))


def region_of(pod: Mapping[str, Any]) -> str:
    """Its data center, or the community; empty where RunPod does not say yet."""
    return REGIONS[COMMUNITY] if _upper(pod.get("cloud")) == COMMUNITY else str(pod.get("dataCenterId") or "")


def pool_of(pod: Mapping[str, Any]) -> Pool:
    """Where a pod is. One without GPUs has a type of its own name."""
    gpu = _mapping(pod.get("gpu"))
    region = region_of(pod) or REGIONS[SECURE]
    type_ = instance_type(str(gpu.get("id") or "gpu"), count) if (count := _gpus(gpu)) else "no-gpu"
    return Pool(provider="runpod", region=region, zone="", instance_type=type_, market="on-demand")


def differs(pod: Mapping[str, Any], offer: Offer) -> bool:
    """Whether the pod is another than the offer's, as far as RunPod tells.

    In another cloud or data center too: "preferred", the documentation calls the one that was asked for, and a job may
    be bound to its place.
    """
    gpu, region = _mapping(pod.get("gpu")), region_of(pod)
    if gpu or pod.get("cpu"):
        same = gpu.get("id") == offer.extra["gpu_id"] or canonical(str(gpu.get("id"))) == offer.gpu
        if not same or _gpus(gpu) != int(offer.extra["count"]):
            return True
    if _upper(pod.get("cloud")) not in ("", offer.extra["cloud"]):
        return True
    return offer.pool.region not in REGIONS.values() and region.upper() not in ("", offer.pool.region.upper())


def what(pod: Mapping[str, Any]) -> str:
    """The GPUs of a pod and its place, in words."""
    gpu = _mapping(pod.get("gpu"))
    gpus = f"{gpu.get('count', 1)} x {gpu.get('id', '?')}" if gpu else "no GPU"
    return f"{gpus} in {region_of(pod) or 'a place that it does not tell'}"


def machine(pod: Mapping[str, Any], *, asked: bool) -> SeenMachine:
    """A pod of ours as a machine. ``asked``: we have asked for its end."""
    phase, reason, detail = _state(pod)
    if asked:
        phase = "ending" if phase in ("starting", "running") else phase
        reason, detail = "asked", ""
    return SeenMachine(
        launch_key=str(pod["name"]),
        instance_id=str(pod["id"]),
        pool=pool_of(pod),
        phase=phase,
        started_at=seconds(pod.get("createdAt")),
        ending_reason=reason,
        detail=detail,
        ssh=_ssh(pod),
    )


def _state(pod: Mapping[str, Any]) -> tuple[SeenPhase, EndReason, str]:
    """By RunPod's word. One that nobody has heard of is of a machine that lives: it bills until it is ended."""
    status = str(pod.get("status") or "").upper()
    if status == "TERMINATED":
        return "gone", "", "TERMINATED"
    if status == "EXITED":  # nothing runs, and it may be started again: `machines` asks why
        return "stopped", "", "EXITED"
    if status == "ERROR":
        return "stopped", "failed", "ERROR: it cannot run any more"
    if status == "RUNNING" and not _gpus(_mapping(pod.get("gpu"))):
        return "stopped", "failed", "RUNNING without its GPUs, and billed"
    # RUNNING is told before anything runs [L]; `runtime` comes with the container.
    return "starting" if pod.get("runtime") is None else "running", "", ""


def _gpus(gpu: Mapping[str, Any]) -> int:
    """How many there are. RunPod may leave out a one, or their name."""
    count = gpu.get("count", 1 if gpu.get("id") else 0)
    return max(0, count) if isinstance(count, int) else 0


def _ssh(pod: Mapping[str, Any]) -> str:
    """Straight to the pod; only for those that let us in. RunPod's proxy is for keys of the account."""
    if not _mapping(pod.get("env")).get("PUBLIC_KEY"):
        return ""
    direct = _mapping(_mapping(pod.get("ssh")).get("direct"))
    if direct.get("host") and direct.get("port"):
        return f"{direct.get('username') or 'root'}@{direct['host']}:{direct['port']}"
    ports = _mapping(pod.get("runtime")).get("ports")
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, Mapping) and port.get("private") == 22 and port.get("ip") and port.get("public"):
            return f"root@{port['ip']}:{port['public']}"
    return ""


def _upper(word: Any) -> str:
    """A word of RunPod's for a place; empty where it says none."""
    return str(word or "").upper()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
