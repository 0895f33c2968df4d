"""The one call that makes a machine: its body, with all that may outlive it set to go with it. Pure. Fact sheet 3.4."""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

from spotlaunch.core.facts import Offer, Order
from spotlaunch_providers.azure.constants import LEAST_DISK_GB, NETWORK_IN_VM_VERSION
from spotlaunch_providers.azure.names import MARKET, USER, tags
from spotlaunch_providers.azure.network import Network

_NO_CAP = -1
_PART_OF_A_DOLLAR = Decimal("0.00001")  # Azure reads five places


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What the settings say of machines. ``grid_image`` is for sizes that need that driver."""

    image: str
    grid_image: str
    disk_type: str


def body(
    order: Order, offer: Offer, *, name: str, owner: str, network: Network, image: dict[str, str], disk_type: str
) -> dict[str, Any]:
    """The machine as Azure is asked for it. ``name``: its own, within its group."""
    return {
        "location": offer.pool.region,
        "tags": {**tags(order, owner), MARKET: offer.pool.market},
        "properties": {
            "hardwareProfile": {"vmSize": offer.pool.instance_type},
            **(_spot(order.price_cap_usd_hour) if offer.pool.market == "spot" else {}),
            "storageProfile": {
                "imageReference": image,
                "osDisk": {
                    "name": f"{name}-disk",
                    "createOption": "FromImage",
                    "deleteOption": "Delete",
                    "diskSizeGB": max(LEAST_DISK_GB, math.ceil(order.disk_gb)),
                    "managedDisk": {"storageAccountType": disk_type},
                },
            },
            "osProfile": {
                "computerName": name,
                "adminUsername": USER,
                "customData": base64.b64encode(order.script.encode()).decode(),
                "linuxConfiguration": {
                    "disablePasswordAuthentication": True,
                    "ssh": {
                        "publicKeys": [
                            {
                                "path": f"/home/{USER}/.ssh/authorized_keys",
                                "keyData": order.ssh_key or nobodys_key(order.launch_key),
                            }
                        ]
                    },
                },
            },
            "networkProfile": {
                "networkApiVersion": NETWORK_IN_VM_VERSION,
                "networkInterfaceConfigurations": [_interface(name, network)],
            },
        },
    }


def _spot(cap_usd_hour: Decimal | None) -> dict[str, Any]:
    """Evicted is deleted: a machine that is only deallocated bills its disk on, and uses up the quota."""
    cap = None if cap_usd_hour is None else cap_usd_hour.quantize(_PART_OF_A_DOLLAR, rounding=ROUND_DOWN)
    most = _NO_CAP if cap is None else float(cap)
    return {"priority": "Spot", "evictionPolicy": "Delete", "billingProfile": {"maxPrice": most}}


def _interface(name: str, network: Network) -> dict[str, Any]:
    # The address is for the way out: a new subnet has none of its own. Nothing comes in (see `network`).
    address = {
        "name": f"{name}-ip",
        "sku": {"name": "Standard", "tier": "Regional"},
        "properties": {"deleteOption": "Delete", "publicIPAllocationMethod": "Static"},
    }
    guard = {"networkSecurityGroup": {"id": network.guard}} if network.guard else {}
    inner = {"subnet": {"id": network.subnet}, "primary": True, "publicIPAddressConfiguration": address}
    return {
        "name": f"{name}-nic",
        "properties": {
            "primary": True,
            "deleteOption": "Delete",
            **guard,
            "ipConfigurations": [{"name": "ip", "properties": inner}],
        },
    }


def nobodys_key(launch_key: str) -> str:
    """A public key without a private one: Azure makes no machine that nobody may log in to.

    The point on the curve is drawn by hash, so nobody knows the number behind it.
    """
    kind = b"ssh-ed25519"
    point = hashlib.sha256(b"nobody\0" + launch_key.encode()).digest()
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, point))
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} nobody"
