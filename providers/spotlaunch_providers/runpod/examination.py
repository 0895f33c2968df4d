"""What `check` tells about an account at RunPod."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from spotlaunch.core.facts import Finding
from spotlaunch.errors import ProviderError
from spotlaunch_providers.runpod.asking import Asking
from spotlaunch_providers.runpod.credentials import HINT
from spotlaunch_providers.runpod.feed import query
from spotlaunch_providers.runpod.figures import NO_SPOT
from spotlaunch_providers.runpod.offers import SECURE
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

FUNDS_HINT = "add funds at https://console.runpod.io; a pod needs money for at least an hour of it"

# [D] Each account has one until RunPod raises it; no API tells it.
SPEND_LIMIT = "spending is limited to $80/h unless RunPod has raised it for you"


NOBODYS = "spotlaunch0check"


def examine(asking: Asking) -> Sequence[Finding]:
    """Credentials, permitted calls, balance. What RunPod refuses is a finding."""
    found, deadline = asking.credentials, Deadline()
    if not found.key:
        return (
            Finding(kind="credentials", name="API key", ok=False, detail="none found: prices only", hint=HINT),
            _tried("GET", "public catalog (GraphQL)", lambda: asking.graphql(query(1), deadline=deadline)),
            _no_spot(),
        )
    calls: list[Callable[[], Finding]] = [
        lambda: _tried(
            "GET", "catalog", lambda: asking.catalog(count=1, cloud=SECURE, deadline=deadline), "/v2/catalog/gpus"
        ),
        lambda: _tried("GET", "pods", lambda: asking.newest_pods(deadline=deadline), "/v2/pods"),
        # Nobody's pod: a key that may end pods hears that there is none.
        lambda: _tried("DELETE", "ending pods", lambda: asking.end(NOBODYS, deadline=deadline), "/v2/pods/{id}"),
        lambda: _balance(asking, deadline),
    ]
    names = ("catalog", "pods", "ending pods", "balance")
    outcomes = side_by_side(calls, deadline=deadline, name="runpod")
    return (
        Finding(kind="credentials", name="API key", ok=True, detail=found.found),
        *(
            Finding(kind="call", name=name, ok=False, detail=o.message, hint=o.hint)
            if isinstance(o, ProviderError)
            else o
            for name, o in zip(names, outcomes, strict=True)
        ),
        _no_spot(),
    )


def _tried(method: str, name: str, call: Callable[[], Any], path: str = "") -> Finding:
    detail = f"{method} {path}".strip() if path else "answers without a key"
    try:
        call()
    except ProviderError as e:
        return Finding(kind="call", name=name, ok=False, detail=e.message, hint=e.hint)
    return Finding(kind="call", name=name, ok=True, detail=f"{detail}: permitted" if path else detail)


def _balance(asking: Asking, deadline: Deadline) -> Finding:
    """REST v2 has no balance; GraphQL has, until it is retired."""
    try:
        data = asking.graphql("query { myself { clientBalance currentSpendPerHr } }", deadline=deadline)
    except ProviderError as e:
        return Finding(kind="quota", name="balance", ok=False, detail=e.message, hint=e.hint)
    myself = data.get("myself")
    amounts = dict(_amounts(myself)) if isinstance(myself, Mapping) else {}
    if "clientBalance" not in amounts:
        return Finding(kind="quota", name="balance", ok=False, detail="not told", hint="see https://console.runpod.io")
    balance = amounts["clientBalance"]
    spends = f", spending ${amounts['currentSpendPerHr']:.2f}/h now" if "currentSpendPerHr" in amounts else ""
    ok = balance > 0
    detail = f"${balance:.2f}{spends}; {SPEND_LIMIT}"
    return Finding(kind="quota", name="balance", ok=ok, detail=detail, hint="" if ok else FUNDS_HINT)


def _amounts(myself: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, amount in myself.items():
        if isinstance(amount, int | float):
            yield name, float(amount)


def _no_spot() -> Finding:
    return Finding(kind="quota", name="spot pods", ok=True, detail=NO_SPOT)
