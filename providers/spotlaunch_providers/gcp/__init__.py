"""Google Cloud: Compute Engine machines with GPUs, spot and on-demand.

This module stays light: connecting loads the adapter, and google-auth comes with the first call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    "auth": Setting(help="`none`: no credentials, for a server on this computer"),
}


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
