"""What `check` tells of Azure: whose credentials, which calls are permitted, what the quotas leave room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from spotlaunch.core.facts import Finding
from spotlaunch.core.settings import Settings
from spotlaunch.errors import ProviderError
from spotlaunch_providers.azure import eviction, feed, permissions, placement, sdk, skus
from spotlaunch_providers.azure.account import Access, Account, access
from spotlaunch_providers.azure.adapter import regions_of
from spotlaunch_providers.azure.constants import EXAMINED_REGION
from spotlaunch_providers.azure.credentials import KINDS
from spotlaunch_providers.azure.errors import Judge
from spotlaunch_providers.azure.sizes import wanted
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.http import Api
from spotlaunch_providers.shared.side_by_side import side_by_side

if TYPE_CHECKING:
    from azure.mgmt.compute.models import Usage

_SPOT_QUOTA = "lowPriorityCores"
_MORE = "ask for more under Quotas in the Azure portal"
_PROBE = "Standard_NC4as_T4_v3"
_MACHINES = "machines"

# What is lost without each call, and the permission that it needs.
_CALLS = {
    "retail prices": "no price is known without them",
    "sizes": "give the account the role Reader on the subscription: sizes that it may not have are shown without it",
    "eviction rates": "the role Reader is enough; interruption rates are guesses without it",
    "placement score": 'give it the role "Compute Recommendations Role"; availability is less sure without it',
    "quotas": "give the account the role Reader on the subscription",
    _MACHINES: "give the account the role in configs/permissions/azure.json; without it there are prices only",
}


def examine(*, settings: Settings, ask_s: float = ASK_S) -> list[Finding]:
    """Findings, credentials first. Raises `UsageError` for a setting that cannot be used; nothing else."""
    reach = access(settings)
    region = (*regions_of(settings), EXAMINED_REGION)[0]
    deadline = Deadline(ask_s)
    api, found = _login(reach, deadline)
    calls: dict[str, Callable[[], Any]] = {"retail prices": _prices(reach, region, deadline)}
    if api is not None and reach.account is not None:
        calls |= _account_calls(api, reach.account, region, reach, deadline)
    answers = dict(zip(calls, side_by_side([*calls.values()], deadline=deadline, name="azure-check"), strict=True))
    for name, answer in answers.items():
        found.append(_call(name, answer, region))
    usages = answers.get("quotas")
    if usages is not None and not isinstance(usages, ProviderError):
        found += quotas(usages, region)
    return found


def _login(reach: Access, deadline: Deadline) -> tuple[Api | None, list[Finding]]:
    account = reach.account
    if account is None:
        return None, [_credentials(False, reach.why_not, reach.hint)]
    where = ", ".join(KINDS[kind] for kind in account.kinds) or "none are needed: auth is none"
    (api,) = side_by_side([lambda: account.api(reach.redact)], deadline=deadline, name="azure-login")
    if isinstance(api, ProviderError):
        return None, [_credentials(False, f"{where}: {api.message}", api.hint)]
    return api, [_credentials(True, where)]


def _credentials(ok: bool, detail: str, hint: str = "") -> Finding:
    return Finding(kind="credentials", name="Azure login", ok=ok, detail=detail, hint=hint)


def _prices(reach: Access, region: str, deadline: Deadline) -> Callable[[], Any]:
    api = Api(reach.prices, judge=Judge(reach.redact), redact=reach.redact)
    return lambda: feed.rows(api, wanted([("T4", 1)]), [region], deadline=deadline)[0]


def _account_calls(
    api: Api, account: Account, region: str, reach: Access, deadline: Deadline
) -> dict[str, Callable[[], Any]]:
    return {
        "sizes": skus.asking(api, account, region, deadline),
        "eviction rates": lambda: eviction.ask(api, [_PROBE], deadline=deadline),
        "placement score": lambda: placement.ask(api, account, [_PROBE], [region], deadline=deadline),
        "quotas": sdk.later(account, region, timeout_s=deadline.seconds, redact=reach.redact),
        _MACHINES: lambda: permissions.missing(api, account, deadline=deadline),
    }


def _call(name: str, answer: Any, region: str) -> Finding:
    if isinstance(answer, ProviderError):
        return Finding(kind="call", name=name, ok=False, detail=answer.message, hint=_CALLS[name])
    if name == "retail prices" and not answer:
        return Finding(kind="call", name=name, ok=False, detail=f"no prices for {region}", hint="is regions right?")
    if name == _MACHINES and answer:
        detail = f"the account may not: {', '.join(answer)}"
        return Finding(kind="call", name=name, ok=False, detail=detail, hint=_CALLS[name])
    return Finding(kind="call", name=name, ok=True, detail="permitted")


def quotas(usages: Sequence[Usage], region: str) -> list[Finding]:
    """The quota of vCPUs for spot, which all sizes share, and those of GPU families on demand."""
    found = []
    for usage in usages:
        if usage.name.value == _SPOT_QUOTA:
            found.append(_quota(f"spot vCPUs in {region}", usage))
    families = [u for u in usages if _is_gpu_family(u.name.value or "")]
    found += [_quota(f"{_told(u)} on demand in {region}", u) for u in families if u.limit > 0]
    empty = [_told(u) for u in families if u.limit <= 0]
    if empty:
        detail = f"0 vCPUs of {', '.join(empty)}"
        ok = len(empty) < len(families)
        found.append(Finding(kind="quota", name=f"other GPUs on demand in {region}", ok=ok, detail=detail, hint=_MORE))
    return found


def _quota(name: str, usage: Usage) -> Finding:
    left = usage.limit - usage.current_value
    detail = f"{usage.current_value} of {usage.limit} vCPUs are used"
    return Finding(kind="quota", name=name, ok=left > 0, detail=detail, hint="" if left > 0 else _MORE)


def _is_gpu_family(name: str) -> bool:
    # "standardNDSH100v5Family", but also "Standard NCASv3_T4 Family".
    folded = name.replace(" ", "").lower()
    return folded.startswith("standardn") and folded.endswith("family")


def _told(usage: Usage) -> str:
    return (
        (usage.name.localized_value or usage.name.value or "").removesuffix(" Family vCPUs").removeprefix("Standard ")
    )
