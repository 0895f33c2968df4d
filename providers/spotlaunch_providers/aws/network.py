"""Where machines stand in a region: which zones sell a type, the subnet of each zone, the security groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spotlaunch.core.facts import Pool
from spotlaunch.core.settings import Settings
from spotlaunch.errors import ProviderError, Transient
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.errors import UNKNOWN_CALL, code_of
from spotlaunch_providers.aws.kept import Kept
from spotlaunch_providers.aws.terms import COMMON_TAG
from spotlaunch_providers.shared.deadline import Deadline

# Made on demand, one in each network, and shared by all machines. Nobody can call in; they call out.
GROUP = "spotlaunch"
# Beside it, where a shell was asked for.
SSH_GROUP = "spotlaunch-ssh"
SSH_RULE = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
_HOUR_S = 3600.0
_DUPLICATE = ("InvalidGroup.Duplicate", "InvalidPermission.Duplicate")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subnet:
    """A subnet, and the network (VPC) that it is part of."""

    id: str
    vpc: str


class Network:
    """What is needed once in a region, found or made, and kept for an hour.

    ``subnets``: those to use instead of the default ones; ``groups``: security groups to use instead of `GROUP`.
    """

    def __init__(self, access: Access, settings: Settings) -> None:
        self._access = access
        self._chosen = settings.words("subnets")
        self._groups = settings.words("security_groups")
        self._subnets: Kept[str, Mapping[str, Subnet]] = Kept(_HOUR_S)
        self._zones: Kept[tuple[str, str], tuple[str, ...]] = Kept(_HOUR_S)
        self._ids: Kept[tuple[str, str, bool], tuple[str, ...]] = Kept(_HOUR_S)

    def zones(self, pool: Pool, *, deadline: Deadline) -> tuple[str, ...]:
        """The zones of the pool's region that sell its type."""
        return self._zones.get((pool.region, pool.instance_type), lambda: self._ask_zones(pool, deadline))

    def subnets(self, region: str, *, deadline: Deadline) -> Mapping[str, Subnet]:
        """The subnet of each zone: the one that was set, else the default one. Zones without any are missing."""
        return self._subnets.get(region, lambda: self._ask_subnets(region, deadline))

    def groups(self, region: str, vpc: str, *, ssh: bool, deadline: Deadline) -> tuple[str, ...]:
        """The ids of the security groups of a machine; those of ours are made where they are missing."""
        return self._ids.get((region, vpc, ssh), lambda: self._known_groups(region, vpc, ssh, deadline))

    def forget(self, region: str) -> bool:
        """Drop what is kept of a region, which turned out to be stale. Whether there was something."""
        known = [self._subnets.forget(region)]
        known += [self._ids.forget(key) for key in self._ids.known() if key[0] == region]
        return any(known)

    # -- how ---------------------------------------------------------------------------------------------

    def _ask_zones(self, pool: Pool, deadline: Deadline) -> tuple[str, ...]:
        rows = self._access.pages(
            *("ec2", "describe_instance_type_offerings", "InstanceTypeOfferings"),
            region=pool.region,
            deadline=deadline,
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [pool.instance_type]}],
        )
        try:
            # Again by name: a small server may pass over the filter.
            return tuple(sorted(str(r["Location"]) for r in rows if r.get("InstanceType") == pool.instance_type))
        except ProviderError as e:
            if code_of(e) not in UNKNOWN_CALL:
                raise
            return tuple(sorted(self.subnets(pool.region, deadline=deadline)))  # the launch tells which sell it

    def _ask_subnets(self, region: str, deadline: Deadline) -> Mapping[str, Subnet]:
        which = {"Name": "subnet-id", "Values": list(self._chosen)}
        if not self._chosen:
            which = {"Name": "default-for-az", "Values": ["true"]}
        rows = self._access.pages(
            *("ec2", "describe_subnets", "Subnets"), region=region, deadline=deadline, Filters=[which]
        )
        found: dict[str, Subnet] = {}
        for row in rows:
            vpc = str(row.get("VpcId") or "")
            found.setdefault(str(row.get("AvailabilityZone") or ""), Subnet(id=str(row["SubnetId"]), vpc=vpc))
        return found

    def _known_groups(self, region: str, vpc: str, ssh: bool, deadline: Deadline) -> tuple[str, ...]:
        try:
            return self._find_groups(region, vpc, ssh, deadline)
        except ProviderError as e:
            if code_of(e) not in UNKNOWN_CALL or self._groups or ssh:
                raise
            return ()  # a server without security groups: the network's own, which lets nobody call in either

    def _find_groups(self, region: str, vpc: str, ssh: bool, deadline: Deadline) -> tuple[str, ...]:
        chosen = self._ask_groups(region, vpc, "group-id", self._groups, deadline) if self._groups else []
        ours = [*([GROUP] if not chosen else []), *([SSH_GROUP] if ssh else [])]
        found = {g["GroupName"]: g for g in self._ask_groups(region, vpc, "group-name", ours, deadline)} if ours else {}
        ids = [str(g["GroupId"]) for g in chosen]
        for name in ours:
            group_id = str(found[name]["GroupId"]) if name in found else self._make(region, vpc, name, deadline)
            if name == SSH_GROUP and not (found.get(name) or {}).get("IpPermissions"):
                self._open(region, group_id, deadline)
            ids.append(group_id)
        return tuple(ids)

    def _ask_groups(
        self, region: str, vpc: str, name: str, values: Sequence[str], deadline: Deadline
    ) -> list[Mapping[str, Any]]:
        here = [{"Name": "vpc-id", "Values": [vpc]}] if vpc else []
        filters = [{"Name": name, "Values": list(values)}, *here]
        asked = self._access.pages(
            *("ec2", "describe_security_groups", "SecurityGroups"), region=region, deadline=deadline, Filters=filters
        )
        return list(asked)

    def _make(self, region: str, vpc: str, name: str, deadline: Deadline) -> str:
        """A group of ours. Another process may make it at the same time: then it is that one."""
        tags = [{"ResourceType": "security-group", "Tags": [{"Key": COMMON_TAG, "Value": "shared"}]}]
        try:
            made = self._access.act(
                *("create_security_group", "GroupId"),
                region=region,
                deadline=deadline,
                GroupName=name,
                Description="Machines of spotlaunch" + (", open for SSH" if name == SSH_GROUP else ": nobody calls in"),
                TagSpecifications=tags,
                **({"VpcId": vpc} if vpc else {}),
            )
        except ProviderError as e:
            if code_of(e) not in _DUPLICATE:
                raise
            found = self._ask_groups(region, vpc, "group-name", [name], deadline)
            if not found:
                raise Transient(f"security group {name} has just been made, and does not show yet") from e
            return str(found[0]["GroupId"])
        return str(made["GroupId"])

    def _open(self, region: str, group_id: str, deadline: Deadline) -> None:
        try:
            self._access.act(
                *("authorize_security_group_ingress", ""),
                region=region,
                deadline=deadline,
                GroupId=group_id,
                IpPermissions=[SSH_RULE],
            )
        except ProviderError as e:
            if code_of(e) not in _DUPLICATE:
                raise
