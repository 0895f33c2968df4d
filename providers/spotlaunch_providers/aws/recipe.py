"""What RunInstances is asked for one machine. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spotlaunch.core.facts import Offer, Order
from spotlaunch_providers.aws.images import Image
from spotlaunch_providers.aws.network import Subnet
from spotlaunch_providers.aws.terms import DISK_GB, JOB_TAG, KEY_TAG, OWNER_TAG, SSH_TAG

_TAGGED = ("instance", "volume", "network-interface")


@dataclass(frozen=True, kw_only=True, slots=True)
class House:
    """What the settings say of every machine. Empty: AWS's own choice, or none."""

    owner: str
    disk_type: str = "gp3"
    instance_profile: str = ""
    ssh_user: str = "ubuntu"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What was found or made in the region for one machine."""

    zone: str
    subnet: Subnet
    groups: Sequence[str]
    image: Image
    key_pair: str = ""


def recipe(order: Order, offer: Offer, ground: Ground, house: House) -> dict[str, Any]:
    """The parameters of RunInstances. Disk and network card go with the machine; spot and on-demand differ only in
    the market's block."""
    spot = offer.pool.market == "spot"
    kinds = [*_TAGGED, *(["spot-instances-request"] if spot else [])]
    tags = tags_of(order, house)
    disk = {
        "VolumeSize": max(math.ceil(order.disk_gb) or DISK_GB, ground.image.disk_gb),
        "VolumeType": house.disk_type,
        "DeleteOnTermination": True,
    }
    asked: dict[str, Any] = {
        "ImageId": ground.image.id,
        "InstanceType": offer.pool.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": ground.subnet.id,
        "ClientToken": token(order.launch_key, offer, ground.zone),
        "InstanceInitiatedShutdownBehavior": "terminate",
        # The second version of the metadata service only: it cannot be asked through a proxy by mistake. Two hops, so
        # that the job's container reaches it too.
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 2},
        "BlockDeviceMappings": [{"DeviceName": ground.image.root, "Ebs": disk}],
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in kinds],
    }
    if ground.groups:
        asked["SecurityGroupIds"] = list(ground.groups)
    if order.script:
        asked["UserData"] = order.script  # boto3 encodes it for this call
    if ground.key_pair:
        asked["KeyName"] = ground.key_pair
    if house.instance_profile:
        asked["IamInstanceProfile"] = {"Name": house.instance_profile}
    if spot:
        asked["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": _spot(order.price_cap_usd_hour)}
    return asked


def tags_of(order: Order, house: House) -> list[dict[str, str]]:
    """The tags of a machine and of all that goes with it. ``Name`` is what AWS's own pages show."""
    tags = {
        "Name": order.launch_key,
        OWNER_TAG: house.owner,
        KEY_TAG: order.launch_key,
        JOB_TAG: order.job,
        **({SSH_TAG: house.ssh_user} if order.ssh_key else {}),
    }
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def token(launch_key: str, offer: Offer, zone: str) -> str:
    """The token by which EC2 knows a launch again: within one zone, for at least a day. At most 64 characters."""
    whole = "|".join((launch_key, offer.pool.instance_type, zone, offer.pool.market))
    return hashlib.sha256(whole.encode()).hexdigest()


def _spot(cap: Decimal | None) -> dict[str, str]:
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    return options if cap is None else {**options, "MaxPrice": format(cap, "f")}
