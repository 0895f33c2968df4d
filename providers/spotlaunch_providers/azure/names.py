"""What our things in Azure are called, and which marks they bear.

Each machine has a resource group of its own, named by the launch key, so that one call removes all that was made for
it (docs/decisions/0015). That name is the machine's id for the rest of the house.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from spotlaunch.core.facts import Order

# Group names may hold 90 characters of a-z, 0-9, -, _, ( ) and dots, and are the same in capital letters.
_KEY = re.compile(r"sl-[a-z0-9]+-[a-z0-9][a-z0-9-]{0,50}-[0-9]+-[0-9]+")
_WHOLE = "group"
_MACHINE = re.compile(r"vm-[0-9]{1,3}")

OWNER = "spotlaunch-owner"
KEY = "spotlaunch-key"
MADE_AT = "spotlaunch-made-at"
SIZE = "spotlaunch-size"
MARKET = "spotlaunch-market"
SHELL = "spotlaunch-shell"  # on machines that somebody may open a shell on: the user's name there

NETWORK_GROUP = "spotlaunch-net-{region}"
NETWORK = "spotlaunch"
SUBNET = "machines"
CLOSED = "spotlaunch"  # the security group without inbound rules
OPEN_TO_SSH = "spotlaunch-ssh"
USER = "spotlaunch"


@dataclass(frozen=True, kw_only=True, slots=True)
class Id:
    """A machine by its group; with ``machine``, one virtual machine of several in there."""

    group: str
    machine: str = ""

    def __str__(self) -> str:
        return f"{self.group}/{self.machine}" if self.machine else self.group


def is_key(text: str) -> bool:
    """Whether a launch key can be the name of a group, and found again by it."""
    return len(text) <= 80 and _KEY.fullmatch(text) is not None


def parse(instance_id: str) -> Id | None:
    """The id again; None for what cannot be ours: nothing else is ever deleted."""
    group, slash, machine = instance_id.partition("/")
    if not is_key(group) or (slash and machine != _WHOLE and not _MACHINE.fullmatch(machine)):
        return None
    return Id(group=group, machine="" if machine == _WHOLE else machine)


def left_id(group: str) -> str:
    """Of a group that has outlived its machine: not the machine's own id, for that one has ended."""
    return f"{group}/{_WHOLE}"


def machine_name(number: int) -> str:
    """Of the virtual machine made from the alternative ``number``: one that failed late still holds its name."""
    return f"vm-{number}"


def tags(order: Order, owner: str) -> dict[str, str]:
    """The marks of all that is made for an order."""
    return {
        OWNER: owner,
        KEY: order.launch_key,
        "spotlaunch-job": order.job,
        "spotlaunch-attempt": str(order.attempt),
        **({SHELL: USER} if order.ssh_key else {}),
    }


def of_group(resource_id: str) -> str:
    """The group in the id of a resource, in small letters: Azure writes it now so, now so."""
    found = re.search(r"/resourcegroups/([^/]+)", resource_id, re.IGNORECASE)
    return found[1].lower() if found else ""


def last(resource_id: str) -> str:
    """The resource's own name, in small letters."""
    return resource_id.rpartition("/")[2].lower()


def is_ours(marks: Mapping[str, str], owner: str) -> bool:
    """Whether something bears our owner's mark."""
    return marks.get(OWNER) == owner
