"""The network of a region: made once, free of charge, shared by all machines there, and closed to the world.

One resource group per region holds a virtual network with one subnet, and security groups that machines name: one
without inbound rules, and one that lets in SSH, for jobs that allow a shell.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spotlaunch.errors import Transient
from spotlaunch_providers.azure.arm import Arm, No
from spotlaunch_providers.azure.constants import GROUPS_VERSION, NETWORK_VERSION
from spotlaunch_providers.azure.names import CLOSED, NETWORK, NETWORK_GROUP, OPEN_TO_SSH, SUBNET
from spotlaunch_providers.shared.deadline import Deadline

_SPACE = "10.77.0.0/16"
# Somebody else is making the same at this moment: it will be there in a moment.
_AT_A_TIME = frozenset({"anotheroperationinprogress", "conflict", "retryableerror", "canceled", "operationpreempted"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """Where a machine is put. ``guard`` is the security group of its interface (empty: the subnet's own rules)."""

    subnet: str
    guard: str = ""


class Networks:
    """Finds or makes the network of each region, and remembers it. Threads and processes may do so at a time."""

    def __init__(self, given: Mapping[str, str]) -> None:
        """``given``: region -> id of a subnet that a person chose; nothing is made there."""
        self._given = dict(given)
        self._known: dict[tuple[str, bool], Network] = {}
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def known(self, region: str, *, ssh: bool) -> Network | None:
        """From memory: it may be gone by now."""
        with self._lock:
            return self._known.get((region, ssh))

    def forget(self, region: str) -> None:
        """It turned out to be gone."""
        with self._lock:
            for ssh in (False, True):
                self._known.pop((region, ssh), None)

    def of(self, region: str, *, ssh: bool, arm: Arm, deadline: Deadline) -> Network:
        """The network of ``region``, made if it is not there. Raises `No` or another `ProviderError`."""
        if region in self._given:
            return Network(subnet=self._given[region])
        with self._lock:
            lock = self._locks[region]
        if not lock.acquire(timeout=deadline.left_s()):
            raise Transient(f"the network of {region} is being made", hint="try again")
        try:
            if (known := self.known(region, ssh=ssh)) is not None:
                return known
            made = _Making(region, arm, deadline).network(CLOSED if not ssh else OPEN_TO_SSH, ssh=ssh)
            with self._lock:
                self._known[region, ssh] = made
            return made
        finally:
            lock.release()


class _Making:
    def __init__(self, region: str, arm: Arm, deadline: Deadline) -> None:
        self.region, self.arm, self.deadline = region, arm, deadline
        self.group = f"resourceGroups/{NETWORK_GROUP.format(region=region)}"

    def network(self, guard: str, *, ssh: bool) -> Network:
        network = f"{self.group}/providers/Microsoft.Network/virtualNetworks/{NETWORK}"
        rules = f"{self.group}/providers/Microsoft.Network/networkSecurityGroups/{guard}"
        network_is_there = self.is_there(network)
        if not network_is_there or not self.is_there(rules):
            self.put(self.group, {"location": self.region, "tags": {"spotlaunch": "network"}}, GROUPS_VERSION)
            self.put(rules, self.rules(ssh=ssh))
        if not network_is_there:
            self.put(network, self.space())
        for path in (rules, network):
            if self.arm.settled(path, deadline=self.deadline, version=NETWORK_VERSION) is None:
                raise Transient(f"the network of {self.region} is not ready yet", hint="try again")
        return Network(subnet=f"{self.id(network)}/subnets/{SUBNET}", guard=self.id(rules))

    def id(self, path: str) -> str:
        return f"/{self.arm.account.path(path)}"

    def is_there(self, path: str) -> bool:
        return self.arm.get(path, NETWORK_VERSION, deadline=self.deadline) is not None

    def put(self, path: str, body: dict[str, Any], version: str = NETWORK_VERSION) -> None:
        try:
            self.arm.do("PUT", path, version, deadline=self.deadline, body=body)
        except No as no:
            if no.code.lower() not in _AT_A_TIME:
                raise

    def rules(self, *, ssh: bool) -> dict[str, Any]:
        shell = {
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "sourceAddressPrefix": "*",
            "destinationPortRange": "22",
            "destinationAddressPrefix": "*",
            "access": "Allow",
            "priority": 1000,
            "direction": "Inbound",
        }
        found = [{"name": "ssh", "properties": shell}] if ssh else []
        return {"location": self.region, "properties": {"securityRules": found}}

    def space(self) -> dict[str, Any]:
        subnet = {"name": SUBNET, "properties": {"addressPrefix": _SPACE}}
        return {
            "location": self.region,
            "properties": {"addressSpace": {"addressPrefixes": [_SPACE]}, "subnets": [subnet]},
        }
