"""The activity log of a subscription: who ended a machine. Fact sheet 3.6; the call itself is documented by Microsoft.

It lags by some minutes [MEM], so that a machine may have to be asked for more than once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from spotlaunch.errors import ProviderError
from spotlaunch_providers.azure.account import Account
from spotlaunch_providers.azure.constants import ACTIVITY_VERSION
from spotlaunch_providers.azure.memory import Told
from spotlaunch_providers.azure.names import of_group
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api
from spotlaunch_providers.shared.times import seconds

_FIELDS = "operationName,resourceId,status,eventTimestamp"
# Clocks differ, and an eviction is begun before the machine is gone.
_BEFORE_S = 300.0
_AFTER_S = 60.0

_EVICTED = "microsoft.compute/virtualmachines/evictspotvm/action"
_BY_HAND = {
    "microsoft.compute/virtualmachines/delete": "deleted",
    "microsoft.compute/virtualmachines/deallocate/action": "deallocated",
    "microsoft.compute/virtualmachines/poweroff/action": "powered off",
}


def ask(api: Api, account: Account, *, since: float, until: float, deadline: Deadline) -> dict[str, Told]:
    """By group: why machines ended between the two times. Empty where the log cannot be read: it is only a word."""
    path = account.path("providers/Microsoft.Insights/eventtypes/management/values")
    span = f"eventTimestamp ge '{_time(since - _BEFORE_S)}' and eventTimestamp le '{_time(until + _AFTER_S)}'"
    first = {
        "api-version": ACTIVITY_VERSION,
        "$filter": f"{span} and resourceProvider eq 'Microsoft.Compute'",
        "$select": _FIELDS,
    }

    def page(link: str) -> Any:
        return api.get(link, deadline=deadline) if link else api.get(path, deadline=deadline, params=first)

    try:
        pages = api.pages(page, lambda answer: _text(answer, "nextLink"), deadline=deadline)
        return read(row for answer in pages if isinstance(answer, Mapping) for row in answer.get("value") or ())
    except ProviderError:
        return {}


def read(rows: Iterable[Any]) -> dict[str, Told]:
    """What the log says of each group. An eviction is the word that counts: deleting is how Azure carries it out."""
    found: dict[str, Told] = {}
    for row in rows:
        if not isinstance(row, Mapping) or _value(row, "status").lower() not in ("succeeded", "started", "accepted"):
            continue
        group, operation = of_group(_text(row, "resourceId")), _value(row, "operationName")
        known = found.get(group)
        if operation.lower() == _EVICTED and (known is None or known.reason != "preempted"):
            found[group] = Told(reason="preempted", detail="Azure's log: evictSpotVM", at=_seconds(row))
        elif (what := _BY_HAND.get(operation.lower())) and known is None:
            found[group] = Told(reason="by-hand", detail=f"Azure's log: {what}", at=_seconds(row))
    return found


def _text(row: Any, key: str) -> str:
    return str(row.get(key) or "") if isinstance(row, Mapping) else ""


def _value(row: Mapping[str, Any], key: str) -> str:
    """Names come as ``{"value": ..., "localizedValue": ...}``."""
    told = row.get(key)
    return told if isinstance(told, str) else _text(told, "value")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(row: Mapping[str, Any]) -> float:
    return seconds(row.get("eventTimestamp")) or 0.0
