"""Google Cloud: Compute Engine machines with GPUs, spot and on-demand.

This module stays light: connecting loads the adapter, and google-auth comes with the first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.core.facts import Billing
from spotlaunch.core.settings import Setting

if TYPE_CHECKING:
    from spotlaunch.core.facts import Finding
    from spotlaunch.core.settings import Settings
    from spotlaunch_providers.gcp.adapter import GcpProvider

SETTINGS = {
    "project": Setting(
        help="the project that pays for machines; without it, the one that the credentials name",
        env=("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"),
    ),
    "regions": Setting(help="regions to ask about, like us-central1; without it, all that sell the GPU"),
    "endpoint": Setting(help="the address of the Compute Engine API, https://compute.googleapis.com by default"),
    "billing_endpoint": Setting(
        help="the address of the Cloud Billing catalog, https://cloudbilling.googleapis.com by default"
    ),
    "image": Setting(help="the disk image of machines, like projects/PROJECT/global/images/family/FAMILY"),
    "network": Setting(help="the network of machines; `default` by default"),
    "subnetwork": Setting(help="the subnetwork: a name that each region has, or a path; for networks in custom mode"),
    "external_ip": Setting(help="`no`: machines get no public address, and need Cloud NAT to reach the internet"),
    "disk_type": Setting(help="the type of boot disks; without it, what the machine family takes"),
    "service_account": Setting(help="the account that programs on machines act as; none by default"),
    "auth": Setting(help="`none`: no credentials, for a server on this computer"),
}

# [D] No API tells what was spent; an export of the bill to BigQuery, which somebody must set up, does.
BILLING = Billing(
    why_not="Google tells what was billed only through an export to BigQuery",
    hint="export the bill to BigQuery, and group it by the label `spotlaunch_key`",
)


def connect(*, owner: str, folder: Path, settings: Settings) -> GcpProvider:
    """Google Cloud as ``owner`` sees it; ``folder`` keeps list prices for a while. Calls no network.

    Raises `UsageError` for a setting that cannot be used, and `NotAuthorized` when there are no credentials:
    without them Google tells no price.
    """
    from spotlaunch_providers.gcp.account import Account
    from spotlaunch_providers.gcp.adapter import GcpProvider

    return GcpProvider(owner=owner, folder=folder, account=Account(settings))


def examine(*, settings: Settings) -> Sequence[Finding]:
    """What there is to know about the account: credentials, permitted calls, GPU quotas. Asks the cloud.

    Raises `UsageError` for a setting that cannot be used.
    """
    from spotlaunch_providers.gcp.checks import findings

    return findings(settings)
