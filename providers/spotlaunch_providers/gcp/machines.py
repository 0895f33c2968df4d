"""Machines as Compute Engine lists them: pure, from its answers to `SeenMachine`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spotlaunch.core.facts import Market, Pool, SeenMachine, SeenPhase
from spotlaunch.errors import Transient
from spotlaunch_providers.gcp.blueprint import KEY, KEY_ITEM, OWNER, SSH_ITEM, SSH_USER
from spotlaunch_providers.gcp.names import instance_id, tail
from spotlaunch_providers.gcp.offers import NAME
from spotlaunch_providers.gcp.shapes import region_of
from spotlaunch_providers.shared.times import seconds

# All words of the discovery document of 2026-11-06.
PHASES: Mapping[str, SeenPhase] = {
    "PENDING": "starting",
    "PROVISIONING": "starting",
    "STAGING": "starting",
    "RUNNING": "running",
    "REPAIRING": "running",  # its host has a trouble; whether its program lives, the agent tells
    "PENDING_STOP": "ending",
    "STOPPING": "ending",
    "SUSPENDING": "ending",
    "DEPROVISIONING": "ending",
    "STOPPED": "stopped",
    "SUSPENDED": "stopped",
    "TERMINATED": "stopped",
}
# Google has given the machine what it needs: from here on it cannot be refused any more.
PLACED = frozenset(PHASES) - {"PENDING", "PROVISIONING"}
_NOTHING_THERE = "NO_RESULTS_ON_PAGE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A machine as it was listed. ``number`` tells this incarnation of a name from others, ``dies_at`` its limit."""

    seen: SeenMachine
    number: str
    dies_at: float | None = None


def on_page(page: Mapping[str, Any], what: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Zone and thing, of a page of an aggregated list. Raises `Transient` where the page tells that it is not whole.

    A place without any holds a warning instead. Google leaves a zone out that does not answer it, with a warning
    there or its name in ``unreachables``.
    """
    if missing := page.get("unreachables"):
        raise Transient(f"no answer from {tail(missing[0])}", hint="try again; the list is not whole without it")
    for scope, found in (page.get("items") or {}).items():
        said = str((found.get("warning") or {}).get("code") or "")
        if said and said != _NOTHING_THERE:
            raise Transient(f"no answer from {tail(scope)}: {said}", hint="try again; the list is not whole without it")
        for thing in found.get(what) or ():
            yield tail(scope), thing


def is_mine(thing: Mapping[str, Any], owner: str) -> bool:
    """Whether an instance or a disk bears the label of ``owner``."""
    return bool((thing.get("labels") or {}).get(OWNER) == owner)


def listed(zone: str, instance: Mapping[str, Any]) -> Listed:
    """One instance. A status that is not known counts as running: nobody may take it for gone."""
    name, items = str(instance["name"]), _items(instance)
    phase = PHASES.get(str(instance.get("status", "")), "running")
    seen = SeenMachine(
        launch_key=items.get(KEY_ITEM) or str((instance.get("labels") or {}).get(KEY) or name),
        instance_id=instance_id(zone, name),
        pool=pool(zone, instance),
        phase=phase,
        started_at=seconds(instance.get("lastStartTimestamp")),
        ended_at=seconds(instance.get("lastStopTimestamp")) if phase == "stopped" else None,
        detail=str(instance.get("statusMessage") or ""),
        ssh=_ssh(instance, items),
    )
    limit = ((instance.get("resourceStatus") or {}).get("scheduling") or {}).get("terminationTimestamp")
    return Listed(seen=seen, number=str(instance.get("id", "")), dies_at=seconds(limit) or _limit(instance))


def pool(zone: str, instance: Mapping[str, Any]) -> Pool:
    """The pool that an instance came from: the same words as its offer's."""
    name = tail(instance.get("machineType"))
    if name.startswith("n1-"):  # GPUs that are built in are listed here as well
        for gpu in instance.get("guestAccelerators") or ():
            name = f"{name}+{int(gpu.get('acceleratorCount') or 0)}x{tail(gpu.get('acceleratorType'))}"
    market: Market = "spot" if (instance.get("scheduling") or {}).get("provisioningModel") == "SPOT" else "on-demand"
    return Pool(provider=NAME, region=region_of(zone), zone=zone, instance_type=name, market=market)


def _items(instance: Mapping[str, Any]) -> dict[str, str]:
    found = (instance.get("metadata") or {}).get("items") or ()
    return {str(i.get("key", "")): str(i.get("value", "")) for i in found}


def _ssh(instance: Mapping[str, Any], items: Mapping[str, str]) -> str:
    if SSH_ITEM not in items:
        return ""
    for interface in instance.get("networkInterfaces") or ():
        for access in interface.get("accessConfigs") or ():
            if address := access.get("natIP"):
                return f"{SSH_USER}@{address}:22"
    return ""


def _limit(instance: Mapping[str, Any]) -> float | None:
    """When maxRunDuration ends it, where Google does not tell the moment."""
    limit = ((instance.get("scheduling") or {}).get("maxRunDuration") or {}).get("seconds")
    began = seconds(instance.get("lastStartTimestamp")) or seconds(instance.get("creationTimestamp"))
    return began + float(limit) if limit and began is not None else None
