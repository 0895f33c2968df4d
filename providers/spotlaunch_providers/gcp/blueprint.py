"""What is asked of Google for one machine: the body of `instances.insert`. Pure.

All that is made with a machine goes with it: the boot disk by ``autoDelete``, the address because it is ephemeral.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from spotlaunch.core.facts import Offer, Order
from spotlaunch_providers.gcp.choices import Choices, image
from spotlaunch_providers.gcp.names import machine_name

# Labels, by which a listing finds machines. A hyphen would have to be quoted in filters.
OWNER, KEY, JOB = "spotlaunch_owner", "spotlaunch_key", "spotlaunch_job"
KEY_ITEM = "spotlaunch-key"  # in the metadata: the exact key
SSH_USER, SSH_ITEM = "spotlaunch", "ssh-keys"

NOTICE_S = 120  # the longest that Google documents
SHORTEST_LIFE_S, LONGEST_LIFE_S = 30, 120 * 86400  # of maxRunDuration [MEM]
# The image with its driver takes about 15 GB; a job's container easily twice that.
DISK_GB, LEAST_DISK_GB = 100, 30
SCOPE = "https://www.googleapis.com/auth/cloud-platform"

# These take no persistent disk [3P, A3 Ultra MEM]; the others take both or only persistent ones.
_HYPERDISK = ("g4-", "a3-ultragpu-", "a4-")
# GPUs that are put in: `n1-standard-8+2xnvidia-tesla-t4`.
_ATTACHED = re.compile(r"(?P<machine>[\w-]+)\+(?P<count>[0-9]+)x(?P<accelerator>[\w-]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The parts of an instance type's name. No ``accelerator``: the machine type has its GPUs built in."""

    machine_type: str
    accelerator: str = ""
    count: int = 0


def machine(instance_type: str) -> Machine:
    """What `shapes.Shape.name` was put together from."""
    if found := _ATTACHED.fullmatch(instance_type):
        return Machine(machine_type=found["machine"], accelerator=found["accelerator"], count=int(found["count"]))
    return Machine(machine_type=instance_type)


def body(order: Order, offer: Offer, *, owner: str, choices: Choices, notice: bool) -> dict[str, Any]:
    """The instance to ask for. ``notice``: whether to ask for the long notice, which not every project may have."""
    zone, made = offer.pool.zone, machine(offer.pool.instance_type)
    name = machine_name(order.launch_key)
    labels = {OWNER: owner, KEY: name, JOB: order.job}
    asked: dict[str, Any] = {
        "name": name,
        "machineType": f"zones/{zone}/machineTypes/{made.machine_type}",
        "labels": labels,
        "scheduling": scheduling(offer, ttl_s=order.ttl_s, notice=notice),
        "disks": [_disk(order, offer, choices, labels)],
        "networkInterfaces": [choices.interface(offer.pool.region)],
        "metadata": {"items": _metadata(order)},
    }
    if made.accelerator:
        kind = f"zones/{zone}/acceleratorTypes/{made.accelerator}"
        asked["guestAccelerators"] = [{"acceleratorType": kind, "acceleratorCount": made.count}]
    if choices.service_account:
        asked["serviceAccounts"] = [{"email": choices.service_account, "scopes": [SCOPE]}]
    return asked


def scheduling(offer: Offer, *, ttl_s: float, notice: bool) -> dict[str, Any]:
    """Spot or not, and how long it may live: Google itself ends it then, whoever is awake.

    A machine with GPUs cannot be moved when its host is maintained, so it is ended. What is done at the end is told
    only where Google has an end in mind: it refuses that of a machine without one [MEM].
    """
    spot = offer.pool.market == "spot"
    made: dict[str, Any] = {
        "provisioningModel": "SPOT" if spot else "STANDARD",
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
    }
    if ttl_s > 0:
        life_s = min(max(math.ceil(ttl_s), SHORTEST_LIFE_S), LONGEST_LIFE_S)
        made["maxRunDuration"] = {"seconds": str(life_s)}
    if spot or ttl_s > 0:
        made["instanceTerminationAction"] = "DELETE"
    if spot and notice:
        made["preemptionNoticeDuration"] = {"seconds": str(NOTICE_S)}
    return made


def _disk(order: Order, offer: Offer, choices: Choices, labels: dict[str, str]) -> dict[str, Any]:
    size_gb = max(math.ceil(order.disk_gb), LEAST_DISK_GB) if order.disk_gb > 0 else DISK_GB
    family = "hyperdisk-balanced" if offer.pool.instance_type.startswith(_HYPERDISK) else "pd-balanced"
    return {
        "boot": True,
        "autoDelete": True,
        "initializeParams": {
            "sourceImage": image(order.vm_image) or choices.image,
            "diskSizeGb": str(size_gb),
            "diskType": f"zones/{offer.pool.zone}/diskTypes/{choices.disk_type or family}",
            "labels": labels,
        },
    }


def _metadata(order: Order) -> list[dict[str, str]]:
    items = [{"key": KEY_ITEM, "value": order.launch_key}]
    if order.script:
        items.append({"key": "startup-script", "value": order.script})
    # Keys of the whole project open no door here; the one of this job does, also where the project has OS Login.
    items.append({"key": "block-project-ssh-keys", "value": "TRUE"})
    if order.ssh_key:
        items.append({"key": SSH_ITEM, "value": f"{SSH_USER}:{order.ssh_key}"})
        items.append({"key": "enable-oslogin", "value": "FALSE"})
    return items
