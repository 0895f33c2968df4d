"""All machines of one owner: every region in use is asked side by side, and the answer is whole or an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from spotlaunch.core.facts import SeenMachine
from spotlaunch.errors import ProviderError
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.errors import NOT_ENABLED, UNKNOWN_CALL, code_of
from spotlaunch_providers.aws.keypairs import KeyPairs
from spotlaunch_providers.aws.machines import Instance, instance_of, volume_of
from spotlaunch_providers.aws.memory import Memory
from spotlaunch_providers.aws.regions import Regions
from spotlaunch_providers.aws.terms import KEY_TAG, OWNER_TAG
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

T = TypeVar("T")

PAGE = 1000  # the most that the API gives
AT_ONCE = 48
# Disks go with their machines. One that stayed for all that is found within this time.
VOLUMES_S = 600.0
LIVING = ("pending", "running", "shutting-down", "stopping", "stopped")


class Listing:
    """The machines of ``owner``. ``mono`` gives seconds that never jump."""

    def __init__(
        self,
        *,
        access: Access,
        owner: str,
        regions: Regions,
        memory: Memory,
        key_pairs: KeyPairs,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access, self._owner, self._regions = access, owner, regions
        self._memory, self._key_pairs, self._mono = memory, key_pairs, mono
        self._lock = threading.Lock()
        self._volumes_at: dict[str, float] = {}

    def machines(self, *, deadline: Deadline) -> tuple[SeenMachine, ...]:
        """Machines, also those that are gone for as long as EC2 tells of them, and disks that outlived theirs.

        Raises the first region's error where one did not answer.
        """
        regions = self._regions.in_use(deadline=deadline)
        instances = [i for found in self._of_each(regions, self._ask, deadline) for i in found]
        now, due = self._mono(), []
        with self._lock:
            due = [r for r in regions if now - self._volumes_at.get(r, float("-inf")) >= VOLUMES_S]
        # A machine that begins or ends may have a disk that belongs to nobody for a moment.
        busy = {i.seen.launch_key for i in instances if i.alive}
        volumes = [v for found in self._of_each(due, self._ask_volumes, deadline) for v in found]
        orphans = [v for v in volumes if v.launch_key not in busy]
        with self._lock:
            # Where there is one, it is listed until it is gone.
            self._volumes_at |= {r: now for r in due if r not in {v.pool.region for v in orphans}}
        for i in instances:
            self._memory.seen(i.seen.instance_id, i.region, alive=i.alive)
        for v in orphans:
            self._memory.seen(v.instance_id, v.pool.region, alive=False)
        self._sweep_keys(instances, deadline)
        return (*(i.seen for i in instances), *orphans)

    def bearing(self, launch_key: str, region: str, *, deadline: Deadline) -> Instance | None:
        """The machine in ``region`` that bears the key and is not gone."""
        found = self._ask(
            region, deadline, {f"tag:{KEY_TAG}": [launch_key], "instance-state-name": [*LIVING[:2], *LIVING[3:]]}
        )
        return found[0] if found else None

    # -- how ---------------------------------------------------------------------------------------------

    def _of_each(
        self, regions: Sequence[str], ask: Callable[[str, Deadline], list[T]], deadline: Deadline
    ) -> list[list[T]]:
        calls = [partial(ask, region, deadline) for region in regions]
        outcomes = side_by_side(calls, deadline=deadline, most=AT_ONCE, name="aws-list")
        found = []
        for region, outcome in zip(regions, outcomes, strict=True):
            if isinstance(outcome, ProviderError):
                if not self._is_closed(region, outcome, deadline):
                    raise outcome
                continue
            found.append(outcome)
        return found

    def _is_closed(self, region: str, error: ProviderError, deadline: Deadline) -> bool:
        """Whether the region is simply not enabled (any more): nothing of ours can run there."""
        return code_of(error) in NOT_ENABLED and region not in self._regions.enabled(deadline=deadline, anew=True)

    def _ask(self, region: str, deadline: Deadline, more: dict[str, list[str]] | None = None) -> list[Instance]:
        rows = self._access.pages(
            *("ec2", "describe_instances", "Reservations"),
            region=region,
            deadline=deadline,
            Filters=[{"Name": k, "Values": v} for k, v in ({f"tag:{OWNER_TAG}": [self._owner]} | (more or {})).items()],
            MaxResults=PAGE,
        )
        return [instance_of(told, region, self._memory) for row in rows for told in row.get("Instances") or ()]

    def _ask_volumes(self, region: str, deadline: Deadline) -> list[SeenMachine]:
        rows = self._access.pages(
            *("ec2", "describe_volumes", "Volumes"),
            region=region,
            deadline=deadline,
            Filters=[
                {"Name": f"tag:{OWNER_TAG}", "Values": [self._owner]},
                {"Name": "status", "Values": ["available"]},
            ],
        )
        try:
            return [volume_of(told, region) for told in rows if told.get("State", "available") == "available"]
        except ProviderError as e:
            if code_of(e) not in UNKNOWN_CALL:
                raise
            return []  # a server without disks

    def _sweep_keys(self, instances: Sequence[Instance], deadline: Deadline) -> None:
        used = {(i.region, i.key_pair) for i in instances if i.alive and i.key_pair}
        left = {(i.region, i.key_pair) for i in instances if not i.alive and i.key_pair}
        if left - used:
            self._key_pairs.sweep(used, left, deadline=deadline)
