"""AWS: EC2 machines with GPUs, spot by zone and on-demand by region.

This module stays light: connecting loads the adapter, and boto3 comes with the first question.
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
    from spotlaunch_providers.aws.adapter import AwsProvider

SETTINGS = {
    "regions": Setting(help="regions to ask about, like us-east-1; without it, all that are enabled"),
    "profile": Setting(help="the profile in ~/.aws to take credentials from; without it, as the aws command does"),
    "image": Setting(
        help="disk image: an id (ami-...), or the name of an SSM parameter; without it, AWS's own with CUDA"
    ),
    "subnets": Setting(help="subnets for machines, one for each zone; without it, the default ones of each region"),
    "security_groups": Setting(help="security groups of machines; without it, one that lets nobody call in"),
    "disk_type": Setting(help="type of the machines' disks; without it, gp3"),
    "instance_profile": Setting(help="the instance profile (role) that machines get; without it, none"),
    "ssh_user": Setting(help="the user of the disk image for a shell; without it, ubuntu"),
    "endpoint": Setting(help="the address of all AWS APIs, for a server that stands in", env=("AWS_ENDPOINT_URL",)),
    "advisor_endpoint": Setting(help="where the public feeds are read: /spot-advisor-data.json and /spot.json"),
    "auth": Setting(help="`none`: no credentials, for a server on this computer"),
}

# [D] A question to Cost Explorer costs $0.01. Per machine it answers only where "resource-level data" was switched on,
# for the last 14 days, and by tag only where the tag was activated: none of it is so by itself.
BILLING = Billing(
    why_not="its Cost Explorer takes $0.01 a question, is a day late, and does not know single machines by itself",
    hint="activate the cost allocation tag `spotlaunch-key`, and group the bill by it",
)


def connect(*, owner: str, folder: Path, settings: Settings) -> AwsProvider:
    """AWS as ``owner`` sees it; ``folder`` keeps the Spot Advisor's table for a day. Calls no network.

    Raises `UsageError` for a setting that cannot be used. Without credentials the public feeds tell prices, and nothing
    can be launched.
    """
    from spotlaunch_providers.aws.access import Access
    from spotlaunch_providers.aws.adapter import AwsProvider

    return AwsProvider(owner=owner, folder=folder, access=Access(settings), settings=settings)


def examine(*, settings: Settings) -> Sequence[Finding]:
    """What there is to know about the account: credentials, permitted calls, GPU quotas. Asks the cloud.

    Raises `UsageError` for a setting that cannot be used.
    """
    from spotlaunch_providers.aws.access import Access
    from spotlaunch_providers.aws.checks import findings

    return findings(Access(settings), settings)
