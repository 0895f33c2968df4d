"""Whether the calls of a machine's life are permitted: tried with DryRun, so that nothing is made or ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from spotlaunch.core.facts import Pool
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotFound, OutcomeUnknown, ProviderError, Transient
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.errors import code_of
from spotlaunch_providers.aws.images import Images
from spotlaunch_providers.aws.network import GROUP, SSH_RULE, Network
from spotlaunch_providers.aws.offers import NAME
from spotlaunch_providers.aws.terms import OWNER_TAG
from spotlaunch_providers.shared.deadline import Deadline

# The type that is tried: small, and sold in most regions.
TYPE = "g6.xlarge"
PERMITTED = "permitted, tried without making anything"

# Nobody's. EC2 looks whether a call is permitted before it looks whether there is such a thing.
_NONE = "0" * 17
_GOOD = frozenset(
    {
        "DryRunOperation",
        *("InvalidInstanceID.NotFound", "InvalidVolume.NotFound", "InvalidGroup.NotFound", "InvalidKeyPair.NotFound"),
        *("InvalidVpcID.NotFound", "InvalidSecurityGroupId.Malformed"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A call to try, which returns what it found out, or raises `ProviderError`."""

    finding: str
    make: Callable[[], str]


def trials(access: Access, settings: Settings, *, deadline: Deadline) -> Sequence[Trial]:
    """A trial for each call that launching, listing and ending make."""
    t = _Trying(access, settings, deadline)
    key = "spotlaunch-check"
    made: dict[str, Callable[[], str]] = {
        "ec2:DescribeInstanceTypeOfferings": t.asking(
            "describe_instance_type_offerings", "InstanceTypeOfferings", "which zones sell a type", MaxResults=5
        ),
        "ec2:DescribeSubnets": t.subnets,
        "ssm:GetParameter, ec2:DescribeImages": t.image,
        "ec2:DescribeSecurityGroups": t.asking(
            *("describe_security_groups", "SecurityGroups", "the security groups of machines"),
            Filters=[{"Name": "group-name", "Values": [GROUP]}],
        ),
        "ec2:CreateSecurityGroup": t.dry("create_security_group", GroupName=GROUP, Description="check"),
        "ec2:AuthorizeSecurityGroupIngress": t.dry(
            "authorize_security_group_ingress", GroupId=f"sg-{_NONE}", IpPermissions=[SSH_RULE]
        ),
        "ec2:ImportKeyPair": t.dry("import_key_pair", KeyName=key, PublicKeyMaterial=b"ssh-ed25519 AAAA"),
        "ec2:DeleteKeyPair": t.dry("delete_key_pair", KeyName=key),
        "ec2:RunInstances, ec2:CreateTags": t.run,
        "ec2:DescribeInstances": t.asking("describe_instances", "Reservations", "machines", MaxResults=5),
        "ec2:TerminateInstances": t.dry("terminate_instances", InstanceIds=[f"i-{_NONE}"]),
        "ec2:DescribeVolumes": t.asking("describe_volumes", "Volumes", "their disks", MaxResults=5),
        "ec2:DeleteVolume": t.dry("delete_volume", VolumeId=f"vol-{_NONE}"),
    }
    return [Trial(finding=name, make=make) for name, make in made.items()]


class _Trying:
    def __init__(self, access: Access, settings: Settings, deadline: Deadline) -> None:
        self._access, self._deadline, self._region = access, deadline, access.home
        self._network, self._images = Network(access, settings), Images(access, settings)

    def subnets(self) -> str:
        found = self._network.subnets(self._region, deadline=self._deadline)
        if not found:
            raise NotFound(
                f"{self._region} has no subnet to use",
                hint=f"name some in `subnets`, or run: aws ec2 create-default-vpc --region {self._region}",
            )
        return f"subnets in {len(found)} zones of {self._region}"

    def image(self) -> str:
        return f"the disk image in {self._region} is {self._image_id()}"

    def run(self) -> str:
        subnets = self._network.subnets(self._region, deadline=self._deadline)
        where = {"SubnetId": next(iter(subnets.values())).id} if subnets else {}
        tags = [{"Key": OWNER_TAG, "Value": "check"}]
        what = {"ImageId": self._image_id(), "InstanceType": TYPE, "MinCount": 1, "MaxCount": 1, **where}
        tagged = [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")]
        return self._dry("run_instances", TagSpecifications=tagged, **what)

    def asking(self, operation: str, key: str, good: str, **what: Any) -> Callable[[], str]:
        def make() -> str:
            self._access.ask("ec2", operation, key, region=self._region, deadline=self._deadline, **what)
            return good

        return make

    def dry(self, operation: str, **what: Any) -> Callable[[], str]:
        return partial(self._dry, operation, **what)

    def _image_id(self) -> str:
        pool = Pool(provider=NAME, region=self._region, zone="", instance_type=TYPE, market="on-demand")
        return self._images.get("", pool, "x86_64", deadline=self._deadline).id

    def _dry(self, operation: str, **what: Any) -> str:
        try:
            self._access.act(operation, "", region=self._region, deadline=self._deadline, DryRun=True, **what)
        except ProviderError as e:
            if isinstance(e, OutcomeUnknown) and code_of(e) not in _GOOD:
                raise Transient(e.message, hint=e.hint or "try again") from e  # nothing can have been made
            if code_of(e) not in _GOOD:
                raise
        return PERMITTED
