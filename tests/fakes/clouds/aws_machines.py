"""The machines of the fake AWS: RunInstances as strict as the real one, their states, their ends, and its faults."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.fakes.clouds import aws_data as data
from tests.fakes.clouds.aws_codes import LAUNCH_CODES
from tests.fakes.clouds.aws_form import answer, read
from tests.fakes.clouds.aws_ground import IMAGE_GB, tags_of
from tests.fakes.clouds.aws_market import AwsMarket, market_of
from tests.fakes.clouds.aws_metadata import AwsMetadata
from tests.fakes.clouds.aws_rules import Refused
from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.clouds.server import Request, Response, route

USER_DATA_MOST = 16 * 1024
_STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
_TAGGABLE = {"instance", "volume", "network-interface", "spot-instances-request"}
_WORDS = {
    "instance-id": "InstanceId",
    "instance-state-name": "State.Name",
    "client-token": "ClientToken",
    "key-name": "KeyName",
    "instance-type": "InstanceType",
    "instance-lifecycle": "InstanceLifecycle",
}
SPOT_END = "Server.SpotInstanceTermination"
_WHY = {
    SPOT_END: "Server.SpotInstanceTermination: Instance terminated due to spot price or capacity",
    "Client.UserInitiatedShutdown": "Client.UserInitiatedShutdown: User initiated shutdown",
    "Client.InstanceInitiatedShutdown": "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
}


@dataclass(kw_only=True)
class Instance:
    """A machine as EC2 knows it; what it bills is the fleet's."""

    id: str
    region: str
    told: dict[str, Any]
    volume: str
    visible_at: float
    keeps_volume: bool = False
    stopped: bool = False
    protected: bool = False
    tokens: list[str] = field(default_factory=list)


class AwsMachines(AwsMetadata, AwsMarket):
    """``end_s``: how long a machine takes to end. ``forget_after_s``: how long one that ended is still listed.
    ``list_lag_s``: how long a new one is not."""

    def __init__(self, *, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__()
        self.fleet = Fleet(
            run=run_machines,
            boot_s=boot_s,
            on_power_off=self._powered_off,
            on_taken=lambda machine: self._end(machine.id, SPOT_END),
        )
        self.instances: dict[str, Instance] = {}
        self.id_form = ""  # of machines' ids: a form for a number, where it shall not be EC2's
        self.end_s = 0.0
        self.forget_after_s = 3600.0
        self.list_lag_s = 0.0
        self.evicts_at_creation = ""  # the StateReason of machines that never come up
        self._tokens: dict[tuple[str, str, str], tuple[str, str]] = {}
        self._lose: dict[str, float] = {}
        self._lost = 0
        self._breaks_after = False
        self.rebalance_at = {}

    def close(self) -> None:
        """End every process of a machine."""
        self.fleet.close()

    # -- what a test does --------------------------------------------------------------------------------

    def preempt(self, machine_id: str, *, notice_s: float = 120.0) -> None:
        """The notice is told at once, and the machine taken after it."""
        self.rebalance_at[machine_id] = time.time()
        self.fleet.take(machine_id, notice_s=notice_s)

    def vanish(self, machine_id: str) -> None:
        """Gone from one moment to the next, without notice or reason."""
        with self._lock:
            gone = self.instances.pop(machine_id)
            self.drop_volume(gone.volume)
        self.fleet.end(machine_id, "vanished")
        self.fleet.release(f"nic:{machine_id}")

    def stop(self, machine_id: str) -> None:
        """Somebody stops it: it runs nothing, and its disk bills on."""
        self.instances[machine_id].stopped = True
        self.fleet.end(machine_id, "Client.UserInitiatedShutdown")

    def end_by_hand(self, machine_id: str) -> None:
        """Somebody ends it in AWS's console."""
        self._end(machine_id, "Client.UserInitiatedShutdown")

    def never_boot(self) -> None:
        self.fleet.never_boot = True

    def lose_answers(self, *, before: bool | int = False, after: bool | int = False) -> None:
        """Launches are cut off before or after the machine is made: so many of them, or all until `heal`. With both,
        by turns."""
        self._lose = {"before": _times(before), "after": _times(after)}

    def _cut(self) -> str:
        """Where the answer of this launch gets lost: `before`, `after`, or nowhere."""
        with self._lock:
            left = [when for when, times in self._lose.items() if times > 0]
            if not left:
                return ""
            self._lost += 1
            when = left[(self._lost - 1) % len(left)]
            self._lose[when] -= 1
            return when

    def break_after_launch(self) -> None:
        """Launches answer 500, and make their machine all the same. Until `heal`."""
        self._breaks_after = True

    def heal(self) -> None:
        super().heal()
        self._lose, self._breaks_after = {}, False

    # -- RunInstances ------------------------------------------------------------------------------------

    @route("POST", r"/ec2/(?P<region>[^/]+)/RunInstances")
    def run_instances(self, request: Request) -> Response:
        asked, region = read("RunInstances", request.form), request.found["region"]
        if when := self._cut():
            self.cut()
            if when == "before":
                return Response()
        with self._lock:
            instance = self._run(region, asked)
        if self._breaks_after:
            raise Refused(500, "InternalError", "An internal error has occurred")
        told = {"ReservationId": "r-0123456789abcdef0", "OwnerId": "210987654321", "Instances": [self.told(instance)]}
        return answer("RunInstances", told)

    def _run(self, region: str, asked: Mapping[str, Any]) -> Instance:
        zone = self._check(region, asked)
        token = asked.get("ClientToken", "")
        mark = json.dumps(asked, sort_keys=True, default=str)
        if token and (known := self._tokens.get((region, zone, token))):
            if known[0] != mark:
                raise Refused(400, "IdempotentParameterMismatch", LAUNCH_CODES["IdempotentParameterMismatch"][1])
            return self.instances[known[1]]
        up = [(i.region, i.told["InstanceType"], self.fleet.machines[i.id]) for i in self.instances.values()]
        self.refuse(region, zone, asked, [(r, n, m.market) for r, n, m in up if m.alive])
        instance = self._make(region, zone, asked)
        if token:
            self._tokens[region, zone, token] = (mark, instance.id)
        return instance

    def _check(self, region: str, asked: Mapping[str, Any]) -> str:
        """The zone. Raises `Refused` for what is wrong with the order itself."""
        name = asked.get("InstanceType", "m1.small")
        if name not in data.instance_types():
            raise Refused(400, "InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
        ami = asked.get("ImageId", "")
        if ami not in self.images(region):
            raise Refused(400, "InvalidAMIID.NotFound", f"The image id '[{ami}]' does not exist")
        if self.images(region)[ami] not in data.instance_types()[name]["ProcessorInfo"]["SupportedArchitectures"]:
            raise Refused(400, "InvalidParameterValue", "The architecture of the instance type and the AMI differ")
        subnet = asked.get("SubnetId", "")
        zones = {s: z for z, s in self.subnets(region).items()}
        if subnet not in zones:
            raise Refused(400, "InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")
        for group in asked.get("SecurityGroupIds", ()):
            if self.groups.get(group, {}).get("region") != region:
                raise Refused(400, "InvalidGroup.NotFound", f"The security group '{group}' does not exist")
        if "KeyName" in asked and asked["KeyName"] not in self.keys_of.get(region, {}):
            raise Refused(400, "InvalidKeyPair.NotFound", f"The key pair '{asked['KeyName']}' does not exist")
        if asked["MinCount"] != 1 or asked["MaxCount"] != 1 or len(asked.get("ClientToken", "")) > 64:
            raise Refused(400, "InvalidParameterValue", "one machine, and a token of at most 64 characters")
        for spec in asked.get("TagSpecifications", ()):
            spot = "InstanceMarketOptions" in asked
            if spec["ResourceType"] not in _TAGGABLE or (spec["ResourceType"] == "spot-instances-request" and not spot):
                raise Refused(400, "InvalidParameterValue", f"{spec['ResourceType']} cannot be tagged here")
        for disk in asked.get("BlockDeviceMappings", ()):
            if disk.get("Ebs", {}).get("VolumeSize", IMAGE_GB) < IMAGE_GB:
                told = f"Volume of size {disk['Ebs']['VolumeSize']}GB is smaller than snapshot, expect >= {IMAGE_GB}GB"
                raise Refused(400, "InvalidBlockDeviceMapping", told)
        _script(asked)
        return zones[subnet]

    def _make(self, region: str, zone: str, asked: Mapping[str, Any]) -> Instance:
        name, market, now = asked["InstanceType"], market_of(asked), time.time()
        number = str(len(self._tokens) + len(self.fleet.machines))
        machine_id = (
            self.id_form.format(int(number)) if self.id_form else self.id_of("i", region, zone, number, str(now))
        )
        volume = self.id_of("vol", machine_id)
        tags = tags_of(asked, "instance")
        ebs: dict[str, Any] = next((d["Ebs"] for d in asked.get("BlockDeviceMappings", ()) if "Ebs" in d), {})
        told: dict[str, Any] = {
            "InstanceId": machine_id,
            "ImageId": asked["ImageId"],
            "InstanceType": name,
            "KeyName": asked.get("KeyName"),
            "LaunchTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "Placement": {"AvailabilityZone": zone, "Tenancy": "default"},
            "SubnetId": asked["SubnetId"],
            "VpcId": self.id_of("vpc", region),
            "PrivateIpAddress": "172.31.0.9",
            "PublicIpAddress": f"203.0.113.{len(self.instances) % 250 + 1}",
            "ClientToken": asked.get("ClientToken", ""),
            "InstanceLifecycle": "spot" if market == "spot" else None,
            "SpotInstanceRequestId": "sir-abcd1234" if market == "spot" else None,
            "SecurityGroups": [
                {"GroupId": g, "GroupName": self.groups[g]["GroupName"]} for g in asked.get("SecurityGroupIds", ())
            ],
            "Tags": tags,
        }
        instance = Instance(
            id=machine_id,
            region=region,
            told=told,
            volume=volume,
            visible_at=now + self.list_lag_s,
            keeps_volume=not ebs.get("DeleteOnTermination", True),
        )
        self.volumes[volume] = {
            "VolumeId": volume,
            "AvailabilityZone": zone,
            "State": "in-use",
            "Size": ebs.get("VolumeSize", IMAGE_GB),
            "VolumeType": ebs.get("VolumeType", "gp2"),
            "Tags": tags_of(asked, "volume"),
        }
        self.fleet.hold(f"disk:{volume}", f"nic:{machine_id}")
        self.instances[machine_id] = instance
        self.fleet.rent(
            Rented(
                id=machine_id,
                key=next((t["Value"] for t in tags if t["Key"] == "Name"), ""),
                market=market,
                price_usd_hour=Decimal(str(self.usd_hour(name, region, zone, market))),
                script=_script(asked),
                env={"SPOTLAUNCH_METADATA_AWS": f"{self.url}/-/metadata/{machine_id}"},
            )
        )
        if self.evicts_at_creation:
            self._end(machine_id, self.evicts_at_creation)
        return instance

    # -- listing and ending ------------------------------------------------------------------------------

    def state(self, instance: Instance) -> str:
        """Its state as the API names it."""
        machine = self.fleet.machines[instance.id]
        if instance.stopped:
            return "stopped"
        if machine.ended_at is not None:
            return "shutting-down" if time.time() < machine.ended_at + self.end_s else "terminated"
        return "running" if machine.booted else "pending"

    def told(self, instance: Instance) -> dict[str, Any]:
        """The machine as DescribeInstances tells it now."""
        state, machine = self.state(instance), self.fleet.machines[instance.id]
        told = {**instance.told, "State": {"Name": state, "Code": _STATES[state]}}
        if state in ("shutting-down", "terminated", "stopped") and machine.ended_at is not None:
            when = datetime.fromtimestamp(machine.ended_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
            told["StateReason"] = {"Code": machine.why, "Message": _WHY.get(machine.why, machine.why)}
            told["StateTransitionReason"] = f"User initiated ({when} GMT)"
            if state == "terminated":
                told |= {"PublicIpAddress": None, "SubnetId": None, "VpcId": None}
        return told

    @route("POST", r"/ec2/(?P<region>[^/]+)/DescribeInstances")
    def describe_instances(self, request: Request) -> Response:
        asked, region = read("DescribeInstances", request.form), request.found["region"]
        if "InstanceIds" in asked and "MaxResults" in asked:
            raise Refused(
                400, "InvalidParameterCombination", "The parameter instancesSet cannot be used with maxResults"
            )
        with self._lock:
            here = [self.told(i) for i in self.instances.values() if i.region == region and self._is_listed(i)]
        for wanted in asked.get("InstanceIds", ()):
            if wanted not in {i["InstanceId"] for i in here}:
                raise Refused(400, "InvalidInstanceID.NotFound", f"The instance ID '{wanted}' does not exist")
        rows = [i for i in here if i["InstanceId"] in asked.get("InstanceIds", [i["InstanceId"]])]
        kept = self.rows_of(rows, asked, _WORDS)
        page, token = self._page(kept, asked, least=5, most=1000)
        told = [
            {"ReservationId": f"r-{i['InstanceId'][2:]}", "OwnerId": "210987654321", "Instances": [i]} for i in page
        ]
        return answer("DescribeInstances", {"Reservations": told, "NextToken": token or None})

    def _is_listed(self, instance: Instance) -> bool:
        machine, now = self.fleet.machines[instance.id], time.time()
        if now < instance.visible_at:
            return False
        return instance.stopped or machine.ended_at is None or now < machine.ended_at + self.end_s + self.forget_after_s

    @route("POST", r"/ec2/(?P<region>[^/]+)/TerminateInstances")
    def terminate_instances(self, request: Request) -> Response:
        ids = read("TerminateInstances", request.form)["InstanceIds"]
        for machine_id in ids:
            known = self.instances.get(machine_id)
            if (
                known is None
                or known.region != request.found["region"]
                or not (self._is_listed(known) or self.list_lag_s)
            ):
                raise Refused(400, "InvalidInstanceID.NotFound", f"The instance ID '{machine_id}' does not exist")
            if known.protected:
                told = f"The instance '{machine_id}' may not be terminated. Modify its 'disableApiTermination'"
                raise Refused(400, "OperationNotPermitted", told)
        changes = []
        for machine_id in ids:
            before = self.state(self.instances[machine_id])
            self._end(machine_id, "Client.UserInitiatedShutdown")
            after = self.state(self.instances[machine_id])
            changes.append(
                {
                    "InstanceId": machine_id,
                    "CurrentState": {"Name": after, "Code": _STATES[after]},
                    "PreviousState": {"Name": before, "Code": _STATES[before]},
                }
            )
        return answer("TerminateInstances", {"TerminatingInstances": changes})

    def _end(self, machine_id: str, why: str) -> None:
        instance = self.instances.get(machine_id)
        self.fleet.release(f"nic:{machine_id}")
        if instance is not None:
            instance.stopped = False
            if instance.keeps_volume and instance.volume in self.volumes:
                self.volumes[instance.volume]["State"] = "available"
            else:
                self.drop_volume(instance.volume)
        # Last, so that whoever sees the machine ended sees the rest gone too.
        self.fleet.end(machine_id, why)

    def drop_volume(self, volume: str) -> None:
        super().drop_volume(volume)
        self.fleet.release(f"disk:{volume}")

    def _powered_off(self, machine: Rented) -> None:
        # InstanceInitiatedShutdownBehavior is "terminate" for all of ours.
        self._end(machine.id, "Client.InstanceInitiatedShutdown")


def _times(told: bool | int) -> float:
    return float("inf") if told is True else float(told)


def _script(asked: Mapping[str, Any]) -> str:
    try:
        script = base64.b64decode(asked.get("UserData", ""), validate=True)
    except binascii.Error as e:
        raise Refused(400, "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from e
    if len(script) > USER_DATA_MOST:
        raise Refused(400, "InvalidParameterValue", "User data is limited to 16384 bytes")
    return script.decode()
