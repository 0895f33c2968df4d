"""How often spot machines of a size are taken in a region: Resource Graph's table ``SpotResources``.

https://learn.microsoft.com/azure/virtual-machines/spot-vms#eviction-history. A hint: not all sizes are in it, and
an account that may not ask loses nothing else. Any Reader may ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from spotlaunch.errors import Transient
from spotlaunch_providers.azure.constants import EVICTIONS_PER_HOUR, GRAPH_VERSION
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api

_PATH = "providers/Microsoft.ResourceGraph/resources"
_TYPE = "microsoft.compute/skuspotevictionrate/location"

# Interruptions per hour, by size and region in small letters.
Rates = dict[tuple[str, str], float]


def ask(api: Api, sizes: Sequence[str], *, deadline: Deadline, most: int = 1000) -> Rates:
    """The rates of ``sizes`` in all regions. Repeated pages end at the deadline, as any question."""
    names = ", ".join(f"'{size.lower()}'" for size in sizes)
    query = (
        f"SpotResources | where type =~ '{_TYPE}' | where sku.name in~ ({names})"
        " | project sku=tostring(sku.name), location, rate=tostring(properties.evictionRate)"
    )

    def page(token: str) -> Any:
        options = {"resultFormat": "objectArray", "$top": most, **({"$skipToken": token} if token else {})}
        # No `subscriptions`: the table belongs to the directory, and is empty to who names one.
        answer = api.post(_PATH, {"query": query, "options": options}, deadline=deadline, params=_VERSION)
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise Transient("Resource Graph answered in a form that we do not know")
        return answer

    pages = api.pages(page, lambda answer: str(answer.get("$skipToken") or ""), deadline=deadline)
    return rates(row for answer in pages for row in answer["data"])


_VERSION = {"api-version": GRAPH_VERSION}


def rates(rows: Iterable[Any]) -> Rates:
    """Per cent an hour, told as a bucket like ``5-10``, as the middle of it per hour. Unknown buckets are left out."""
    found: Rates = {}
    for row in rows:
        if not isinstance(row, dict):
            continue
        rate = EVICTIONS_PER_HOUR.get(str(row.get("rate") or "").strip().rstrip("%"))
        if rate is not None:
            found[str(row.get("sku")).lower(), str(row.get("location")).replace(" ", "").lower()] = rate
    return found
