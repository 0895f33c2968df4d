"""Which sizes a subscription may have in a region: the catalog of Resource Manager (``Microsoft.Compute/skus``).

The price feed knows sizes that cannot be made; the catalog does not list them. It is read as plain JSON: the
models of azure-mgmt-compute take 0.7 s of CPU for one region (measured, 1300 rows) and JSON 0.03 s, and there
are thirty regions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spotlaunch.errors import Transient
from spotlaunch_providers.azure.account import Account
from spotlaunch_providers.azure.constants import SKUS_VERSION
from spotlaunch_providers.azure.sizes import size_of
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api

_REASONS = {
    "NotAvailableForSubscription": "not open to this subscription in this region",
    "QuotaId": "not for this kind of subscription in this region",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sku:
    """What the catalog says of a size in a region. ``refused`` tells why it may not be had, else it is empty.

    ``vcpus`` and ``memory_gb`` are 0 where it does not say. ``spot`` is None there; True is told of some sizes that
    are never sold as spot, False is the truth. ``quota`` names the quota for on-demand machines.
    """

    refused: str = ""
    spot: bool | None = None
    vcpus: float = 0
    memory_gb: float = 0
    quota: str = ""
    zones: tuple[str, ...] = ()
    generations: str = ""


# The sizes of one region, by name in small letters.
Skus = Mapping[str, Sku]


def ask(api: Api, account: Account, region: str, *, deadline: Deadline) -> dict[str, Sku]:
    """The GPU sizes of ``region``. About 2.5 MB come back, of which a few rows are ours."""
    path = account.path("providers/Microsoft.Compute/skus")
    first = {"api-version": SKUS_VERSION, "$filter": f"location eq '{region}'"}

    def page(link: str) -> Any:
        answer = api.get(link, deadline=deadline) if link else api.get(path, deadline=deadline, params=first)
        if not isinstance(answer, dict) or not isinstance(answer.get("value"), list):
            raise Transient("the catalog of sizes came in a form that we do not know", hint="is endpoint right?")
        return answer

    pages = api.pages(page, lambda answer: str(answer.get("nextLink") or ""), deadline=deadline)
    return of_region((row for answer in pages for row in answer["value"]), region)


def asking(api: Api, account: Account, region: str, deadline: Deadline) -> Callable[[], dict[str, Sku]]:
    """`ask`, to be called later."""
    return lambda: ask(api, account, region, deadline=deadline)


def of_region(rows: Iterable[Any], region: str) -> dict[str, Sku]:
    """The sizes of our table among ``rows``, as they are in ``region``. Pure."""
    found: dict[str, Sku] = {}
    for row in rows:
        if not isinstance(row, Mapping) or row.get("resourceType") != "virtualMachines":
            continue
        name = str(row.get("name") or "").lower()
        if size_of(name) is not None and region in _lower(row.get("locations")):
            found[name] = _sku(row, region)
    return found


def _sku(row: Mapping[str, Any], region: str) -> Sku:
    said = {str(c.get("name")): str(c.get("value")) for c in row.get("capabilities") or () if isinstance(c, Mapping)}
    places = [p for p in row.get("locationInfo") or () if str(p.get("location")).lower() == region]
    closed = {
        z for each in row.get("restrictions") or () for z in (each.get("restrictionInfo") or {}).get("zones") or ()
    }
    spot = said.get("LowPriorityCapable")
    return Sku(
        refused=_refused(row.get("restrictions") or (), region),
        spot=None if spot is None else spot.lower() == "true",
        vcpus=_number(said.get("vCPUs")),
        memory_gb=_number(said.get("MemoryGB")),
        quota=str(row.get("family") or ""),
        zones=tuple(sorted(str(z) for p in places for z in p.get("zones") or () if z not in closed)),
        generations=said.get("HyperVGenerations", ""),
    )


def _refused(restrictions: Sequence[Mapping[str, Any]], region: str) -> str:
    """Why a size may not be had in the region. A restriction of zones leaves machines without a zone."""
    for each in restrictions:
        info = each.get("restrictionInfo") or {}
        places = _lower(info.get("locations") or each.get("values"))
        if each.get("type") == "Location" and (region in places or not places):
            code = str(each.get("reasonCode") or "")
            return _REASONS.get(code, f"restricted in this region ({code or 'no reason given'})")
    return ""


def _lower(names: Any) -> set[str]:
    return {str(name).lower() for name in names or ()}


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def as_json(skus: Skus) -> dict[str, Any]:
    """For the cache."""
    return {name: asdict(sku) for name, sku in skus.items()}


def from_json(data: Any) -> dict[str, Sku]:
    """From the cache. Raises `ValueError`, `TypeError` or `AttributeError` for what is not from `as_json`."""
    return {name: Sku(**{**fields, "zones": tuple(fields["zones"])}) for name, fields in data.items()}
