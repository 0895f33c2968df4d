"""The end of machines: region by region, in batches, of which one bad id must not spoil the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

from spotlaunch.errors import NotAuthorized, ProviderError
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.errors import NOT_ENABLED, code_of
from spotlaunch_providers.aws.memory import Memory
from spotlaunch_providers.aws.regions import Regions
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

# EC2 gives 8 or 17 hex digits, others what they like: whether there is such a machine, only the server can say.
_ID = re.compile(r"(i|vol)-[\w-]{1,64}")
BATCH = 200  # as many values as one filter takes
AT_ONCE = 48
_ABSENT = frozenset(
    {"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed", "InvalidVolume.NotFound", "InvalidParameterValue"}
)
# Said of the whole batch because of one of its ids.
_OF_ONE = _ABSENT | {"OperationNotPermitted", "IncorrectInstanceState", "UnsupportedOperation", "InvalidInstanceID"}


class Ending:
    """Asks for the end of machines, and of disks that outlived theirs."""

    def __init__(self, *, access: Access, regions: Regions, memory: Memory) -> None:
        self._access, self._regions, self._memory = access, regions, memory

    def end(self, instance_ids: Sequence[str], *, deadline: Deadline) -> dict[str, str]:
        """Ask for the end of all; the failures, in AWS's words. What is absent has ended already."""
        ids = [i for i in dict.fromkeys(instance_ids) if _ID.fullmatch(i)]
        self._memory.asked(ids)
        failures = self._look_for([i for i in ids if not self._memory.region(i)], deadline)
        by_region: dict[str, list[str]] = {}
        for i in ids:
            if region := self._memory.region(i):
                by_region.setdefault(region, []).append(i)
        calls = [partial(self._end_there, region, there, deadline) for region, there in by_region.items()]
        for found, told in zip(
            by_region.values(), side_by_side(calls, deadline=deadline, most=AT_ONCE, name="aws-end"), strict=True
        ):
            failures |= dict.fromkeys(found, told.message) if isinstance(told, ProviderError) else told
        return failures

    def _look_for(self, ids: Sequence[str], deadline: Deadline) -> dict[str, str]:
        """Learn where ids are that this process never saw. The failures: ids that may be where nobody answered."""
        if not ids:
            return {}
        try:
            used = self._regions.in_use(deadline=deadline)
            regions = self._enabled(deadline)
        except ProviderError as e:
            return dict.fromkeys(ids, e.message)
        everywhere = sorted({*regions, *used})
        calls = [partial(self._known_there, region, ids, deadline) for region in everywhere]
        failures: dict[str, str] = {}
        for region, told in zip(
            everywhere, side_by_side(calls, deadline=deadline, most=AT_ONCE, name="aws-find"), strict=True
        ):
            if isinstance(told, ProviderError):
                if code_of(told) not in NOT_ENABLED or region in regions or not regions:
                    failures |= dict.fromkeys(ids, f"{region}: {told.message}")
                continue
            for i in told:
                self._memory.seen(i, region, alive=False)
        return {i: why for i, why in failures.items() if not self._memory.region(i)}

    def _enabled(self, deadline: Deadline) -> set[str]:
        """The enabled regions; none where the account may not ask for them, and has set its own."""
        try:
            return set(self._regions.enabled(deadline=deadline))
        except NotAuthorized:
            return set()

    def _known_there(self, region: str, ids: Sequence[str], deadline: Deadline) -> list[str]:
        found: list[str] = []
        for batch in _batches([i for i in ids if i.startswith("i-")]):
            rows = self._access.pages(
                *("ec2", "describe_instances", "Reservations"),
                region=region,
                deadline=deadline,
                Filters=[{"Name": "instance-id", "Values": batch}],
            )
            found += [str(told["InstanceId"]) for row in rows for told in row.get("Instances") or ()]
        for batch in _batches([i for i in ids if i.startswith("vol-")]):
            rows = self._access.pages(
                *("ec2", "describe_volumes", "Volumes"),
                region=region,
                deadline=deadline,
                Filters=[{"Name": "volume-id", "Values": batch}],
            )
            found += [str(told["VolumeId"]) for told in rows]
        return found

    def _end_there(self, region: str, ids: Sequence[str], deadline: Deadline) -> dict[str, str]:
        failures: dict[str, str] = {}
        for batch in _batches([i for i in ids if i.startswith("i-")]):
            failures |= self._terminate(region, batch, deadline)
        for volume in (i for i in ids if i.startswith("vol-")):
            failures |= self._delete(region, volume, deadline)
        return failures

    def _terminate(self, region: str, ids: Sequence[str], deadline: Deadline) -> dict[str, str]:
        try:
            self._access.act(
                "terminate_instances", "TerminatingInstances", region=region, deadline=deadline, InstanceIds=list(ids)
            )
        except ProviderError as e:
            if code_of(e) not in _OF_ONE:
                return dict.fromkeys(ids, e.message)
            if len(ids) > 1:
                # EC2 names only some of the bad ones, so the batch is halved until they stand alone.
                half = len(ids) // 2
                first = self._terminate(region, ids[:half], deadline)
                return first | self._terminate(region, ids[half:], deadline)
            if code_of(e) not in _ABSENT:
                return {ids[0]: e.message}
            return {ids[0]: "AWS does not know the machine yet"} if self._memory.is_fresh(ids[0]) else {}
        self._memory.ended(ids)
        return {}

    def _delete(self, region: str, volume: str, deadline: Deadline) -> dict[str, str]:
        try:
            self._access.act("delete_volume", "", region=region, deadline=deadline, VolumeId=volume)
        except ProviderError as e:
            return {} if code_of(e) in _ABSENT else {volume: e.message}
        return {}


def _batches(ids: Iterable[str]) -> list[list[str]]:
    every = list(ids)
    return [every[n : n + BATCH] for n in range(0, len(every), BATCH)]
