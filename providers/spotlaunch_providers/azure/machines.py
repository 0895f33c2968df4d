"""From Azure's rows to machines as they are listed. Pure. An unknown word is never an error, and never "gone"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from spotlaunch.core.facts import EndReason, Market, Pool, SeenMachine, SeenPhase
from spotlaunch_providers.azure.names import (
    KEY,
    MADE_AT,
    MARKET,
    SHELL,
    SIZE,
    Id,
    is_key,
    is_ours,
    last,
    left_id,
    of_group,
)
from spotlaunch_providers.shared.times import seconds

_FAILED = frozenset({"failed", "canceled"})
_POWER: Mapping[str, tuple[SeenPhase, EndReason]] = {
    "starting": ("starting", ""),
    "running": ("running", ""),
    "stopping": ("ending", ""),
    "deallocating": ("ending", ""),
    # Shut down from inside, it is still paid for.
    "stopped": ("stopped", "itself"),
    # Not an eviction: ours are deleted by it. Somebody has stopped it.
    "deallocated": ("stopped", "by-hand"),
}
_LIVELIEST: Sequence[SeenPhase] = ("running", "starting", "ending", "stopped", "gone")


def phase_of(provisioning: str, power: str) -> tuple[SeenPhase, EndReason]:
    """Where a machine stands, by Azure's two words for it (``Creating``, ``running``)."""
    made, runs = provisioning.lower(), power.lower()
    if made == "deleting":
        return "ending", ""
    if made in _FAILED and runs != "running":
        return "stopped", "failed"
    if made == "creating" and runs not in _POWER:
        return "starting", ""
    return _POWER.get(runs, ("starting" if made == "creating" else "running", ""))


def pool_of(row: Mapping[str, Any]) -> Pool:
    """Where a machine stands, as offers name it."""
    properties = row.get("properties") or {}
    size = str((properties.get("hardwareProfile") or {}).get("vmSize") or "")
    said = properties.get("priority") or _marks(row).get(MARKET) or ""
    market: Market = "spot" if str(said).lower() == "spot" else "on-demand"
    region = str(row.get("location") or "").replace(" ", "").lower()
    return Pool(provider="azure", region=region, zone="", instance_type=size, market=market)


def of_rows(
    rows: Iterable[Mapping[str, Any]], statuses: Mapping[str, Mapping[str, Any]], owner: str
) -> dict[str, list[SeenMachine]]:
    """By group: its machines that are ``owner``'s, the liveliest first. That one bears the group's name as its id."""
    found: dict[str, list[tuple[SeenMachine, str]]] = {}
    for row in rows:
        marks, where = _marks(row), str(row.get("id") or "")
        group = of_group(where)
        if not is_ours(marks, owner) or not is_key(group):
            continue
        found.setdefault(group, []).append(_machine(row, statuses.get(where.lower(), {}), group, marks))
    return {group: _named(group, several) for group, several in found.items()}


def _named(group: str, several: list[tuple[SeenMachine, str]]) -> list[SeenMachine]:
    ordered = sorted(several, key=lambda each: (_LIVELIEST.index(each[0].phase), each[1]))
    ids = [str(Id(group=group)), *(str(Id(group=group, machine=name)) for _, name in ordered[1:])]
    return [replace(machine, instance_id=text) for (machine, _), text in zip(ordered, ids, strict=True)]


def _machine(
    row: Mapping[str, Any], status: Mapping[str, Any], group: str, marks: Mapping[str, str]
) -> tuple[SeenMachine, str]:
    properties = row.get("properties") or {}
    power, words = _status(status)
    phase, reason = phase_of(str(properties.get("provisioningState") or ""), power)
    seen = SeenMachine(
        launch_key=marks.get(KEY) or group,
        instance_id=group,
        pool=pool_of(row),
        phase=phase,
        started_at=seconds(properties.get("timeCreated")),
        ending_reason=reason,
        detail=words if reason else "",
        ssh=marks.get(SHELL, ""),  # the name alone: its address is known elsewhere
    )
    return seen, last(str(row.get("id") or ""))


def _status(row: Mapping[str, Any]) -> tuple[str, str]:
    """The power state, and Azure's words on what failed or stopped."""
    view = (row.get("properties") or {}).get("instanceView") or {}
    statuses = [s for s in view.get("statuses") or () if isinstance(s, Mapping)]
    codes = {str(s.get("code") or ""): s for s in statuses}
    power = next((c.partition("/")[2] for c in codes if c.lower().startswith("powerstate/")), "")
    bad = next((s for c, s in codes.items() if c.lower().startswith("provisioningstate/failed")), None)
    told = bad or next((s for c, s in codes.items() if c.lower().startswith("powerstate/")), {})
    words = " ".join(str(told.get(k) or "") for k in ("displayStatus", "message")).strip()
    return power, words


def of_group_row(row: Mapping[str, Any]) -> SeenMachine:
    """A group of ours without a machine in it: something that bills may be left there."""
    marks = _marks(row)
    name = str(row.get("name") or "").lower()
    market: Market = "spot" if marks.get(MARKET) == "spot" else "on-demand"
    region = str(row.get("location") or "").replace(" ", "").lower()
    return SeenMachine(
        launch_key=marks.get(KEY) or name,
        instance_id=left_id(name),
        pool=Pool(provider="azure", region=region, zone="", instance_type=marks.get(SIZE, ""), market=market),
        phase="stopped",
        detail="its resource group is left",
    )


def is_our_group(row: Mapping[str, Any], owner: str) -> bool:
    """Whether a group is ``owner``'s: what is listed is ended, so that Azure's filter is not relied on."""
    marks = _marks(row)
    return is_ours(marks, owner) if marks else str(row.get("name") or "").lower().startswith(f"sl-{owner}-")


def made_at(row: Mapping[str, Any]) -> float:
    """When a group of ours was made, by our clock; long ago where it does not say."""
    try:
        return float(_marks(row).get(MADE_AT) or 0)
    except ValueError:
        return 0.0


def is_ending(group: Mapping[str, Any]) -> bool:
    """Whether a group is being deleted."""
    return str((group.get("properties") or {}).get("provisioningState") or "").lower() in ("deleting", "deprovisioning")


def _marks(row: Mapping[str, Any]) -> Mapping[str, str]:
    marks = row.get("tags")
    return marks if isinstance(marks, Mapping) else {}
