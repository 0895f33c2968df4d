"""Azure: retail prices without an account; with one, what it may have, how likely that is to be had, and machines.

This module stays light; connecting loads the rest, and asking loads Azure's own libraries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.core.facts import Billing
from spotlaunch.core.settings import Setting

if TYPE_CHECKING:
    from spotlaunch.core.facts import Finding
    from spotlaunch.core.settings import Settings
    from spotlaunch_providers.azure.adapter import AzureProvider

SETTINGS: Mapping[str, Setting] = {
    "subscription_id": Setting(
        help="the subscription to ask about and to launch in; without it there are prices only",
        env=("AZURE_SUBSCRIPTION_ID",),
    ),
    "regions": Setting(help="only these regions, like eastus, westeurope; all, if not set"),
    "image": Setting(help="the image that machines start from: publisher:offer:sku:version, or the id of one of yours"),
    "grid_image": Setting(help="the image for sizes whose cards need NVIDIA's GRID driver; none, if not set"),
    "disk_type": Setting(help="the kind of disk: Premium_LRS, if not set; StandardSSD_LRS, Standard_LRS"),
    "subnets": Setting(
        help="subnets to use, like eastus=/subscriptions/.../subnets/NAME; elsewhere one is made, if not set"
    ),
    "endpoint": Setting(help="where Azure Resource Manager answers; https://management.azure.com, if not set"),
    "prices_endpoint": Setting(help="where the retail prices are; https://prices.azure.com, if not set"),
    "auth": Setting(help="`none` for servers on this computer that want no credentials"),
}

# [D] Cost Management needs a role beside those that launching needs, and some kinds of subscription do not have it.
BILLING = Billing(
    why_not="its Cost Management is a day late, and wants a role that launching does not need",
    hint="in Cost analysis, group by the tag `spotlaunch-key`",
)


def connect(*, owner: str, folder: Path, settings: Settings) -> AzureProvider:
    """Azure as ``settings`` tell to reach it. Calls nobody.

    ``folder`` keeps what seldom changes (which sizes the subscription may have). Raises `UsageError` for a
    setting that cannot be used. Without credentials there are still prices: ``traits.prices_only`` says so.
    """
    from spotlaunch_providers.azure.adapter import AzureProvider

    return AzureProvider(owner=owner, folder=folder, settings=settings)


def examine(*, settings: Settings) -> Sequence[Finding]:
    """What there is to know about the account: credentials, permitted calls, quotas of one region.

    Makes about six calls. Raises `UsageError` for a setting that cannot be used.
    """
    from spotlaunch_providers.azure.examining import examine as look

    return look(settings=settings)
