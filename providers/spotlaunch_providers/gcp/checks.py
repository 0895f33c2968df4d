"""What `check` finds out: where the credentials are, which calls they permit, how many GPUs the quotas allow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from spotlaunch.core.facts import Finding
from spotlaunch.core.settings import Settings
from spotlaunch.errors import ProviderError
from spotlaunch_providers.gcp import advice, families, shapes
from spotlaunch_providers.gcp.account import WHERE, Account
from spotlaunch_providers.gcp.answers import filtered, understood
from spotlaunch_providers.gcp.pricelist import SERVICE
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

# Asked about to see whether the call is permitted, where the list of machine types tells none: sold there for years.
_TYPE, _ZONE = "g2-standard-4", "us-central1-a"

# What is listed of machines. Whether one may be started or ended shows only when one is.
_OF_MACHINES = ("instances", "disks", "operations")

_METRIC = re.compile(r"(PREEMPTIBLE_)?NVIDIA_(?!.*VWS)\w+_GPUS")
_ALL = "GPUS_ALL_REGIONS"
_RAISE = "ask for more at https://console.cloud.google.com/iam-admin/quotas"
_MOST_REGIONS = 5


def findings(settings: Settings, *, ask_s: float = ASK_S) -> list[Finding]:
    """Everything, whole. What Google refuses is a finding. Raises `UsageError` for a setting that cannot be used."""
    try:
        account = Account(settings)
        path = account.project_path()
    except ProviderError as e:
        return [Finding(kind="credentials", name="credentials", ok=False, detail=e.message, hint=e.hint)]
    named = settings.origin.get("project") or "the credentials"
    found = [
        Finding(kind="credentials", name="credentials", ok=True, detail=f"{WHERE[account.kind]}; project from {named}")
    ]
    deadline, soon = Deadline(ask_s), Deadline(ask_s / 2)
    (listed,) = side_by_side([lambda: _listed(account, path, soon)], deadline=soon, name="gcp-check")
    pool = (_TYPE, _ZONE) if isinstance(listed, ProviderError) else listed
    calls = _calls(account, path, pool, deadline)
    answers = side_by_side([call for _, call in calls], deadline=deadline, name="gcp-check")
    by_name: dict[str, Any] = {
        "machineTypes.aggregatedList": listed,
        **dict(zip((name for name, _ in calls), answers, strict=True)),
    }
    found += [_call(name, answer) for name, answer in by_name.items()]
    regions, project = by_name["regions.list"], by_name["projects.get"]
    if not isinstance(regions, ProviderError):
        found += understood(lambda: _regional(regions.get("items") or ()))
    if not isinstance(project, ProviderError):
        found += understood(lambda: _global(project.get("quotas") or ()))
    return found


def _listed(account: Account, path: str, deadline: Deadline) -> tuple[str, str]:
    """A machine type with GPUs, and a zone that has it."""

    def page(words: Mapping[str, str]) -> Any:
        params = {**words, "maxResults": "500"}
        return account.compute().get(f"{path}/aggregated/machineTypes", deadline=deadline, params=params)

    answer = filtered(page, f'name eq "{families.ANY_SERIES}-.*"')
    found = understood(lambda: [shapes.built_in(zone, m) for zone, m in shapes.machine_types(answer)])
    return next(((s.machine_type, s.zone) for s in found if s is not None), (_TYPE, _ZONE))


def _calls(
    account: Account, path: str, pool: tuple[str, str], deadline: Deadline
) -> list[tuple[str, Callable[[], Any]]]:
    api, near = account.compute(), f"{path}/regions/{shapes.region_of(pool[1])}/advice"
    calls: list[tuple[str, Callable[[], Any]]] = [
        (
            "advice.capacityHistory",
            lambda: api.post(f"{near}/capacityHistory", advice.history_question(*pool), deadline=deadline),
        ),
        (
            "advice.capacity",
            lambda: api.post(f"{near}/capacity", advice.capacity_question(*pool), deadline=deadline),
        ),
        *(
            (
                f"{what}.aggregatedList",
                lambda what=what: api.get(f"{path}/aggregated/{what}", deadline=deadline, params={"maxResults": "1"}),
            )
            for what in _OF_MACHINES
        ),
        ("regions.list", lambda: api.get(f"{path}/regions", deadline=deadline, params={"maxResults": "500"})),
        ("projects.get", lambda: api.get(path, deadline=deadline)),
    ]
    if account.sells_on_demand:
        billing = account.billing()
        calls.append(
            (
                "cloudbilling skus.list",
                lambda: billing.get(f"v1/services/{SERVICE}/skus", deadline=deadline, params={"pageSize": "1"}),
            )
        )
    return calls


def _call(name: str, answer: Any) -> Finding:
    if isinstance(answer, ProviderError):
        return Finding(kind="call", name=name, ok=False, detail=answer.message, hint=answer.hint)
    return Finding(kind="call", name=name, ok=True, detail="permitted")


def _regional(regions: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """What may be had of each GPU, for spot and on demand: the regions where it is more than none."""
    limits: dict[str, dict[str, float]] = {}
    for region in regions:
        for quota in region.get("quotas") or ():
            metric, limit = str(quota.get("metric", "")), float(quota.get("limit") or 0)
            if _METRIC.fullmatch(metric) and limit > 0:
                limits.setdefault(metric, {})[str(region.get("name", ""))] = limit
    found = []
    for market, spot in (("spot", True), ("on-demand", False)):
        mine = {m: where for m, where in sorted(limits.items()) if m.startswith("PREEMPTIBLE_") == spot}
        if not mine:
            hint = f"{_RAISE}; newer GPUs have their quotas only there"
            fine = spot and any(limits)  # spot is counted against the standard quota where it has none of its own
            detail = "none of its own; the standard quota counts" if fine else "none in any region"
            found.append(
                Finding(kind="quota", name=f"{market} GPUs", ok=fine, detail=detail, hint="" if fine else hint)
            )
        found += [Finding(kind="quota", name=m, ok=True, detail=_places(where)) for m, where in mine.items()]
    return found


def _places(where: Mapping[str, float]) -> str:
    most = sorted(where.items(), key=lambda row: (-row[1], row[0]))
    shown = ", ".join(f"{limit:g} in {region}" for region, limit in most[:_MOST_REGIONS])
    more = len(most) - _MOST_REGIONS
    return f"{shown} and {more} more regions" if more > 0 else shown


def _global(quotas: Iterable[Mapping[str, Any]]) -> list[Finding]:
    for quota in quotas:
        if quota.get("metric") == _ALL:
            limit = float(quota.get("limit") or 0)
            detail = f"{limit:g}, of which {float(quota.get('usage') or 0):g} are used"
            hint = "" if limit > 0 else f"no machine with a GPU can be had: {_RAISE}"
            return [Finding(kind="quota", name=_ALL, ok=limit > 0, detail=detail, hint=hint)]
    return []
