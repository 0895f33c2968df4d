"""What AWS charges beside the machine, and other facts that no API call of ours tells. Tagged as in the fact sheet.

[MEM]: from memory, not checked against AWS; change it here. [3P]: from others who have measured.
"""

from __future__ import annotations

from decimal import Decimal

from spotlaunch.core.facts import Traits

# [MEM] Data that leaves a region for the internet, first 10 TB a month, USD per GB. 100 GB a month are free.
EGRESS_USD_GB = Decimal("0.09")
EGRESS_BY_REGION = {
    "af-south-1": Decimal("0.154"),
    "ap-east-1": Decimal("0.12"),
    "ap-northeast-1": Decimal("0.114"),
    "ap-northeast-2": Decimal("0.126"),
    "ap-northeast-3": Decimal("0.114"),
    "ap-south-1": Decimal("0.1093"),
    "ap-southeast-1": Decimal("0.12"),
    "ap-southeast-2": Decimal("0.114"),
    "ap-southeast-3": Decimal("0.132"),
    "me-central-1": Decimal("0.11"),
    "me-south-1": Decimal("0.117"),
    "sa-east-1": Decimal("0.15"),
}

# [MEM] A gp3 volume, USD per GB and month, with the throughput and operations that come with it.
STORAGE_USD_GB_MONTH = Decimal("0.08")
STORAGE_BY_REGION = {
    "af-south-1": Decimal("0.1047"),
    "ap-east-1": Decimal("0.1056"),
    "ap-northeast-1": Decimal("0.096"),
    "ap-northeast-2": Decimal("0.0912"),
    "ap-northeast-3": Decimal("0.096"),
    "ap-south-1": Decimal("0.0912"),
    "ap-southeast-1": Decimal("0.096"),
    "ap-southeast-2": Decimal("0.096"),
    "ca-central-1": Decimal("0.088"),
    "eu-central-1": Decimal("0.0952"),
    "eu-north-1": Decimal("0.0836"),
    "eu-west-1": Decimal("0.088"),
    "eu-west-2": Decimal("0.0928"),
    "eu-west-3": Decimal("0.0928"),
    "sa-east-1": Decimal("0.152"),
    "us-west-1": Decimal("0.096"),
}

# Tags. Machines, their disks and network cards bear the first three, and SSH_TAG where a shell is allowed; what all
# machines share bears COMMON_TAG.
OWNER_TAG = "spotlaunch-owner"
KEY_TAG = "spotlaunch-key"
JOB_TAG = "spotlaunch-job"
SSH_TAG = "spotlaunch-ssh"
COMMON_TAG = "spotlaunch"

# Where a job does not say how much disk it needs: the usual image takes about 50 GB of it.
DISK_GB = 100

TRAITS = Traits(
    settle_s=60,  # [MEM] describe_instances shows a new one within seconds, rarely later
    idempotent_launch=True,  # ClientToken
    notice_s=120,
    has_spot=True,
    bids=False,
    stopped_still_bills=True,  # its volumes
    shutdown_ends_billing=True,  # with InstanceInitiatedShutdownBehavior=terminate
    server_side_ttl=False,
    list_interval_s=30,
    notice_source="imds",
    rest_s=180,  # [3P] Karpenter rests a dry pool for three minutes
    disk_gb=DISK_GB,
    home_store="s3",
)


def egress_usd_gb(region: str) -> Decimal:
    """What a GB costs that leaves ``region`` for the internet."""
    return EGRESS_BY_REGION.get(region, EGRESS_USD_GB)


def storage_usd_gb_month(region: str) -> Decimal:
    """What a GB of disk costs in ``region``."""
    return STORAGE_BY_REGION.get(region, STORAGE_USD_GB_MONTH)
