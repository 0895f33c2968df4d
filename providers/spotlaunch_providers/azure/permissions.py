"""What an account must be allowed to do for machines, and whether it is. configs/permissions/azure.json is the role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from spotlaunch.errors import Transient
from spotlaunch_providers.azure.account import Account
from spotlaunch_providers.azure.constants import PERMISSIONS_VERSION
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api

# Of each of these a call is made.
CALLED = (
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/write",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/networkSecurityGroups/write",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Compute/locations/operations/read",
    "Microsoft.Insights/eventtypes/values/read",
)
# These Azure looks at when the machine's PUT makes the rest along with it, and when its group is deleted. [MEM]
IMPLIED = (
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/disks/delete",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/networkInterfaces/join/action",
    "Microsoft.Network/networkInterfaces/delete",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/publicIPAddresses/write",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/publicIPAddresses/delete",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)


def missing(api: Api, account: Account, *, deadline: Deadline) -> list[str]:
    """The actions for machines that the account may not take. One call. Raises a `ProviderError`."""
    path = account.path("providers/Microsoft.Authorization/permissions")
    answer = api.get(path, deadline=deadline, params={"api-version": PERMISSIONS_VERSION})
    roles = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(roles, list):
        raise Transient("the permissions came in a form that we do not know", hint="is endpoint right?")
    return not_covered((*CALLED, *IMPLIED), [r for r in roles if isinstance(r, Mapping)])


def not_covered(actions: Iterable[str], roles: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those of ``actions`` that no role gives. A role gives what it names, but for what it takes out again."""
    held = list(roles)
    return [
        action
        for action in actions
        if not any(_names(r.get("actions"), action) and not _names(r.get("notActions"), action) for r in held)
    ]


def _names(patterns: Any, action: str) -> bool:
    return any(fnmatchcase(action.lower(), str(p).lower()) for p in patterns or ())
