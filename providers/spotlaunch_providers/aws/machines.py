"""From what DescribeInstances says to machines as the port lists them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spotlaunch.core.facts import EndReason, Market, Pool, SeenMachine, SeenPhase
from spotlaunch_providers.aws.memory import Memory
from spotlaunch_providers.aws.offers import NAME
from spotlaunch_providers.aws.terms import KEY_TAG, SSH_TAG

_PHASES: dict[str, SeenPhase] = {
    "pending": "starting",
    "running": "running",
    "shutting-down": "ending",
    "terminated": "gone",
    "stopping": "ending",
    "stopped": "stopped",
}
_OVER: tuple[SeenPhase, ...] = ("gone", "stopped", "ending")

# [SDK] StateReason.Code. `call`: somebody called for it; who, is for `Memory` to say.
_REASONS: dict[str, EndReason | str] = {
    "Server.SpotInstanceTermination": "preempted",
    "Server.SpotInstanceShutdown": "preempted",
    "Server.ScheduledStop": "host-lost",
    "Server.InsufficientInstanceCapacity": "failed",
    "Server.InternalError": "failed",
    "Client.InternalError": "failed",
    "Client.VolumeLimitExceeded": "failed",
    "Client.InvalidSnapshot.NotFound": "failed",
    "Client.InstanceInitiatedShutdown": "itself",
    "Client.UserInitiatedShutdown": "call",
    "Client.UserInitiatedHibernate": "call",
}
# "User initiated (2026-11-21 10:00:00 GMT)"
_WHEN = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) GMT\)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """A machine, with what only this adapter wants to know of it."""

    seen: SeenMachine
    region: str
    key_pair: str

    @property
    def alive(self) -> bool:
        """Whether it may still do something."""
        return self.seen.phase not in ("gone", "stopped")


def instance_of(told: Mapping[str, Any], region: str, memory: Memory) -> Instance:
    """One instance of the answer. A state that is not known counts as running."""
    instance_id = str(told["InstanceId"])
    state = str((told.get("State") or {}).get("Name") or "")
    tags = tags_in(told)
    phase = _PHASES.get(state, "running")
    reason, detail = _reason(told, instance_id, memory) if phase in _OVER else ("", "")
    address = str(told.get("PublicIpAddress") or "")
    user = tags.get(SSH_TAG, "")
    launched = told.get("LaunchTime")
    return Instance(
        seen=SeenMachine(
            launch_key=tags.get(KEY_TAG, ""),
            instance_id=instance_id,
            pool=pool_of(told, region),
            phase=phase,
            started_at=launched.timestamp() if isinstance(launched, datetime) else None,
            ended_at=_ended_at(told) if phase in ("gone", "stopped") else None,
            ending_reason=reason,
            detail=detail,
            ssh=f"{user}@{address}:22" if user and address and phase in ("starting", "running") else "",
        ),
        region=region,
        key_pair=str(told.get("KeyName") or ""),
    )


def volume_of(told: Mapping[str, Any], region: str) -> SeenMachine:
    """A disk that outlived its machine: it bills, and runs nothing."""
    zone = str(told.get("AvailabilityZone") or "")
    return SeenMachine(
        launch_key=tags_in(told).get(KEY_TAG, ""),
        instance_id=str(told["VolumeId"]),
        pool=Pool(provider=NAME, region=region, zone=zone, instance_type="", market="on-demand"),
        phase="stopped",
        detail="a disk without its machine",
    )


def pool_of(told: Mapping[str, Any], region: str) -> Pool:
    """Spot is sold by zone, on-demand by region: as in `offers`."""
    # [SDK] "spot" or nothing.
    market: Market = "spot" if told.get("InstanceLifecycle") == "spot" else "on-demand"
    zone = str((told.get("Placement") or {}).get("AvailabilityZone") or "") if market == "spot" else ""
    instance_type = str(told.get("InstanceType") or "")
    return Pool(provider=NAME, region=region, zone=zone, instance_type=instance_type, market=market)


def tags_in(told: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a thing, by name."""
    return {str(tag.get("Key")): str(tag.get("Value") or "") for tag in told.get("Tags") or ()}


def _reason(told: Mapping[str, Any], instance_id: str, memory: Memory) -> tuple[EndReason, str]:
    why = told.get("StateReason") or {}
    code = str(why.get("Code") or "")
    detail = str(why.get("Message") or code)
    reason = _REASONS.get(code, "")
    if reason == "call":
        reason = memory.ended_by(instance_id)
    return reason, detail  # type: ignore[return-value]


def _ended_at(told: Mapping[str, Any]) -> float | None:
    found = _WHEN.search(str(told.get("StateTransitionReason") or ""))
    return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp() if found else None
