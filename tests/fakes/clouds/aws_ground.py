"""What stands in a region of the fake AWS before and beside its machines: subnets, groups, images, keys, disks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes.clouds import aws_data as data
from tests.fakes.clouds.aws_form import answer, read
from tests.fakes.clouds.aws_rules import Refused, any_of
from tests.fakes.clouds.aws_wire import amz_json
from tests.fakes.clouds.server import FakeCloud, Request, Response, route

DLAMI = "/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
IMAGE_GB = 75  # what its root disk needs

Page = Callable[..., tuple[list[Any], str]]


class AwsGround(FakeCloud):
    """Every region has a default network with a subnet in each zone. ``no_subnets``: regions without any."""

    _page: Page
    _target: Callable[..., dict[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.no_subnets: set[str] = set()
        self.hidden: set[str] = set()  # of subnets: what is not told
        self.generation = 0  # raised by `renew`: all ids of subnets, groups and images are others then
        self.groups: dict[str, dict[str, Any]] = {}
        self.keys_of: dict[str, dict[str, str]] = {}  # region -> name of a key pair -> its public key
        self.volumes: dict[str, dict[str, Any]] = {}

    def renew(self) -> None:
        """Somebody deletes all subnets, groups, images and key pairs, and makes new ones."""
        self.generation += 1
        self.groups.clear()
        self.keys_of.clear()

    def id_of(self, kind: str, *words: str) -> str:
        """An id that belongs to the words."""
        mark = hashlib.sha256("|".join([kind, str(self.generation), *words]).encode()).hexdigest()[:17]
        return f"{kind}-{mark}"

    def subnets(self, region: str) -> dict[str, str]:
        """The default subnet of each zone."""
        if region in self.no_subnets:
            return {}
        zones = sorted({zone for zones in data.zones_of(region).values() for zone in zones})
        return {zone: self.id_of("subnet", zone) for zone in zones}

    def images(self, region: str) -> dict[str, str]:
        """id -> architecture."""
        return {self.id_of("ami", region, arch): arch for arch in ("x86_64", "arm64")}

    # -- calls -------------------------------------------------------------------------------------------

    @route("POST", r"/ec2/(?P<region>[^/]+)/DescribeSubnets")
    def describe_subnets(self, request: Request) -> Response:
        region = request.found["region"]
        rows = [
            {
                "SubnetId": subnet,
                "VpcId": self.id_of("vpc", region),
                "AvailabilityZone": zone,
                "DefaultForAz": True,
                "State": "available",
                "MapPublicIpOnLaunch": True,
                "AvailableIpAddressCount": 4091,
                "CidrBlock": "172.31.0.0/20",
            }
            for zone, subnet in self.subnets(region).items()
        ]
        rows = [{k: v for k, v in row.items() if k not in self.hidden} for row in rows]
        words = {"subnet-id": "SubnetId", "default-for-az": "DefaultForAz", "vpc-id": "VpcId"}
        return self.rows_answer("DescribeSubnets", "Subnets", rows, request, words)

    @route("POST", r"/ec2/(?P<region>[^/]+)/DescribeSecurityGroups")
    def describe_security_groups(self, request: Request) -> Response:
        rows = [g for g in self.groups.values() if g["region"] == request.found["region"]]
        told = [{k: v for k, v in g.items() if k != "region"} for g in rows]
        words = {"group-id": "GroupId", "group-name": "GroupName", "vpc-id": "VpcId"}
        return self.rows_answer("DescribeSecurityGroups", "SecurityGroups", told, request, words)

    @route("POST", r"/ec2/(?P<region>[^/]+)/CreateSecurityGroup")
    def create_security_group(self, request: Request) -> Response:
        asked, region = read("CreateSecurityGroup", request.form), request.found["region"]
        name, vpc = asked["GroupName"], asked.get("VpcId", self.id_of("vpc", region))
        if vpc != self.id_of("vpc", region):
            raise Refused(400, "InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
        group_id = self.id_of("sg", region, name)
        with self._lock:
            if group_id in self.groups:
                told = f"The security group '{name}' already exists for VPC '{vpc}'"
                raise Refused(400, "InvalidGroup.Duplicate", told)
            self.groups[group_id] = {
                "region": region,
                "GroupId": group_id,
                "GroupName": name,
                "VpcId": vpc,
                "Description": asked["Description"],
                "IpPermissions": [],
                "Tags": tags_of(asked),
            }
        return answer("CreateSecurityGroup", {"GroupId": group_id})

    @route("POST", r"/ec2/(?P<region>[^/]+)/AuthorizeSecurityGroupIngress")
    def authorize(self, request: Request) -> Response:
        asked = read("AuthorizeSecurityGroupIngress", request.form)
        group = self.groups.get(asked.get("GroupId", ""))
        if group is None:
            raise Refused(400, "InvalidGroup.NotFound", "The security group does not exist")
        for permission in asked.get("IpPermissions", ()):
            if permission in group["IpPermissions"]:
                raise Refused(400, "InvalidPermission.Duplicate", "the specified rule already exists")
            group["IpPermissions"].append(permission)
        return answer("AuthorizeSecurityGroupIngress", {"Return": True})

    @route("POST", r"/ec2/(?P<region>[^/]+)/DescribeImages")
    def describe_images(self, request: Request) -> Response:
        asked, known = read("DescribeImages", request.form), self.images(request.found["region"])
        for ami in asked.get("ImageIds", ()):
            if ami not in known:
                raise Refused(400, "InvalidAMIID.NotFound", f"The image id '[{ami}]' does not exist")
        rows = [
            {
                "ImageId": ami,
                "Architecture": known[ami],
                "RootDeviceName": "/dev/sda1",
                "State": "available",
                "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": IMAGE_GB}}],
            }
            for ami in asked.get("ImageIds", known)
        ]
        return answer("DescribeImages", {"Images": rows})

    @route("POST", r"/ssm/(?P<region>[^/]+)/GetParameter")
    def get_parameter(self, request: Request) -> Response:
        asked = self._target(request, {"Name", "WithDecryption"})
        for ami, arch in self.images(request.found["region"]).items():
            if asked.get("Name") == DLAMI.format(arch=arch):
                told = {"Name": asked["Name"], "Type": "String", "Value": ami, "Version": 7, "DataType": "text"}
                return amz_json({"Parameter": told})
        raise Refused(400, "ParameterNotFound", "")

    @route("POST", r"/ec2/(?P<region>[^/]+)/ImportKeyPair")
    def import_key_pair(self, request: Request) -> Response:
        asked = read("ImportKeyPair", request.form)
        known = self.keys_of.setdefault(request.found["region"], {})
        if asked["KeyName"] in known:
            raise Refused(400, "InvalidKeyPair.Duplicate", f"The keypair already exists: {asked['KeyName']}")
        known[asked["KeyName"]] = asked["PublicKeyMaterial"]
        return answer("ImportKeyPair", {"KeyName": asked["KeyName"], "KeyFingerprint": "aa:bb", "KeyPairId": "key-1"})

    @route("POST", r"/ec2/(?P<region>[^/]+)/DeleteKeyPair")
    def delete_key_pair(self, request: Request) -> Response:
        asked = read("DeleteKeyPair", request.form)
        self.keys_of.get(request.found["region"], {}).pop(asked.get("KeyName", ""), None)
        return answer("DeleteKeyPair", {"Return": True})

    @route("POST", r"/ec2/(?P<region>[^/]+)/DescribeVolumes")
    def describe_volumes(self, request: Request) -> Response:
        rows = [v for v in self.volumes.values() if v["AvailabilityZone"].startswith(request.found["region"])]
        words = {"status": "State", "volume-id": "VolumeId"}
        return self.rows_answer("DescribeVolumes", "Volumes", rows, request, words)

    @route("POST", r"/ec2/(?P<region>[^/]+)/DeleteVolume")
    def delete_volume(self, request: Request) -> Response:
        volume = read("DeleteVolume", request.form)["VolumeId"]
        if volume not in self.volumes or not self.volumes[volume]["AvailabilityZone"].startswith(
            request.found["region"]
        ):
            raise Refused(400, "InvalidVolume.NotFound", f"The volume '{volume}' does not exist.")
        if self.volumes[volume]["State"] != "available":
            raise Refused(400, "VolumeInUse", f"Volume {volume} is currently attached")
        self.drop_volume(volume)
        return answer("DeleteVolume", {})

    def drop_volume(self, volume: str) -> None:
        """The disk is no more."""
        self.volumes.pop(volume, None)

    def rows_answer(
        self, action: str, key: str, rows: Sequence[Mapping[str, Any]], request: Request, words: Mapping[str, str]
    ) -> Response:
        """The page of rows that the call's filters let pass; ``words``: filter -> member."""
        asked = read(action, request.form)
        page, token = self._page(self.rows_of(rows, asked, words), asked, least=5, most=1000)
        return answer(action, {key: page, "NextToken": token or None})

    @staticmethod
    def rows_of(
        rows: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], words: Mapping[str, str]
    ) -> list[Mapping[str, Any]]:
        """The rows that the filters let pass."""
        for f in asked.get("Filters", ()):
            rows = [r for r in rows if _passes(r, f["Name"], f.get("Values", ()), words)]
        return list(rows)


def _passes(row: Mapping[str, Any], name: str, values: Sequence[str], words: Mapping[str, str]) -> bool:
    if not 0 < len(values) <= 200:
        raise Refused(400, "FilterLimitExceeded", f"The filter '{name}' has {len(values)} values")
    if name.startswith("tag:"):
        tags = {t["Key"]: t["Value"] for t in row.get("Tags") or ()}
        return any_of([tags[name[4:]]] if name[4:] in tags else [], values)
    if name not in words:
        raise Refused(400, "InvalidParameterValue", f"The filter '{name}' is invalid")
    told: Any = row
    for part in words[name].split("."):
        told = (told or {}).get(part)
    told = str(told).lower() if isinstance(told, bool) else str(told or "")
    return any_of([told], values)


def tags_of(asked: Mapping[str, Any], kind: str = "") -> list[dict[str, str]]:
    found = [
        t for spec in asked.get("TagSpecifications", ()) if kind in ("", spec["ResourceType"]) for t in spec["Tags"]
    ]
    for tag in found:
        if re.match("aws:", tag["Key"]) or len(tag["Key"]) > 128 or len(tag["Value"]) > 256:
            raise Refused(400, "InvalidParameterValue", f"Tag {tag['Key']} is not valid")
    return found
