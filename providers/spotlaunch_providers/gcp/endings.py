"""Why machines ended, by the operations that Google keeps of them for some days. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spotlaunch.core.facts import EndReason
from spotlaunch_providers.gcp.errors import mappings
from spotlaunch_providers.gcp.machines import Listed
from spotlaunch_providers.gcp.names import is_ours, tail
from spotlaunch_providers.shared.times import seconds

# Operations that Google makes by itself [the first DOC, the others MEM]. One that is not here says nothing.
BY_GOOGLE: Mapping[str, EndReason] = {
    "compute.instances.preempted": "preempted",
    "compute.instances.hostError": "host-lost",
    "compute.instances.terminateOnHostMaintenance": "host-lost",
    "compute.instances.guestTerminate": "itself",
}
_ENDS = frozenset({"delete", "stop", "suspend"})
SYSTEM = "system"
# A machine that ends about when its limit says, and by nobody's hand, has met its limit.
LIMIT_SLACK_S = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    reason: EndReason
    detail: str
    at: float | None


def operations_filter(owner: str) -> str:
    """All operations on machines of ``owner``; ``:`` finds a part of a text (compute's discovery document)."""
    return f'targetLink : "/instances/sl-{owner}-"'


# Where Google does not take that filter, the one that others have used [3P].
PREEMPTED_FILTER = 'operationType="compute.instances.preempted"'


def of(operations: Iterable[Mapping[str, Any]], machines: Iterable[Listed], *, owner: str) -> dict[str, Ending]:
    """By instance id, how the machines ended, for those of which the operations tell."""
    by_number: dict[str, list[Mapping[str, Any]]] = {}
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for operation in operations:
        by_number.setdefault(str(operation.get("targetId") or ""), []).append(operation)
        zone = tail(operation.get("zone"))
        by_name.setdefault(f"{zone}/{tail(operation.get('targetLink'))}", []).append(operation)
    found = {}
    for machine in machines:
        id_ = machine.seen.instance_id
        named = by_name.get(id_, [])
        # One that tells no number may be of this bearer of the name.
        mine = [*by_number.get(machine.number, []), *(o for o in named if not o.get("targetId"))]
        mine = mine if machine.number else named
        if (ending := _ending(mine, machine, owner)) is not None:
            found[id_] = ending
    return found


def _ending(mine: list[Mapping[str, Any]], machine: Listed, owner: str) -> Ending | None:
    """What Google did counts before what was asked of it: a machine that was taken is deleted all the same."""
    for operation in mine:
        reason = BY_GOOGLE.get(str(operation.get("operationType", "")))
        if reason:
            return Ending(reason=reason, detail=_words(operation), at=_at(operation))
    for operation in mine:
        if operation.get("operationType") == "insert" and _failures(operation):
            return Ending(reason="failed", detail=_words(operation), at=_at(operation))
    for operation in mine:
        if operation.get("operationType") in _ENDS:
            return _asked(operation, machine, owner)
    return None


def _asked(operation: Mapping[str, Any], machine: Listed, owner: str) -> Ending:
    at = _at(operation)
    began = seconds(operation.get("insertTime")) or at
    if is_ours(str(operation.get("clientOperationId") or ""), owner):
        return Ending(reason="asked", detail="", at=at)
    if machine.dies_at is not None and began is not None and abs(began - machine.dies_at) < LIMIT_SLACK_S:
        return Ending(reason="ttl", detail="maxRunDuration is over", at=at)
    # Google's own hand, for a reason that is not known here, is nobody's.
    by_google = operation.get("user") == SYSTEM
    return Ending(reason="" if by_google else "by-hand", detail=_words(operation), at=at)


def _words(operation: Mapping[str, Any]) -> str:
    failures = _failures(operation)
    said = failures[0].get("message") or failures[0].get("code") if failures else operation.get("statusMessage")
    return str(said or operation.get("operationType") or "")


def _failures(operation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(mappings((operation.get("error") or {}).get("errors")))


def _at(operation: Mapping[str, Any]) -> float | None:
    return seconds(operation.get("endTime"))
