"""What `check` tells about an account at Vast.ai."""

from __future__ import annotations

from collections.abc import Sequence

from spotlaunch.core.facts import Finding
from spotlaunch.errors import ProviderError
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.credentials import HINT

FUNDS_HINT = "add credit at https://cloud.vast.ai/billing: at zero all machines are stopped"


def examine(asking: Asking) -> Sequence[Finding]:
    """Credentials, permitted calls, credit. What Vast.ai refuses is a finding."""
    found, deadline = asking.credentials, Deadline()
    searched = _searched(asking, deadline)
    if not found.key:
        return (
            Finding(kind="credentials", name="API key", ok=False, detail="none found: prices only", hint=HINT),
            searched,
        )
    return (
        Finding(kind="credentials", name="API key", ok=True, detail=found.found),
        searched,
        *_account(asking, deadline),
    )


def _searched(asking: Asking, deadline: Deadline) -> Finding:
    """One row is enough; a search counts against a limit, however small."""
    query = {"type": "ondemand", "rentable": {"eq": True}, "limit": 1}
    try:
        asking.search(query, deadline=deadline)
    except ProviderError as e:
        return Finding(kind="call", name="search", ok=False, detail=e.message, hint=e.hint)
    return Finding(kind="call", name="search", ok=True, detail="POST /api/v0/bundles/: permitted")


def _account(asking: Asking, deadline: Deadline) -> tuple[Finding, ...]:
    """The one call that tells a bad key for sure: others answer a refused key with 404."""
    try:
        account = asking.account(deadline=deadline)
    except ProviderError as e:
        return (Finding(kind="call", name="account", ok=False, detail=e.message, hint=e.hint),)
    permitted = Finding(kind="call", name="account", ok=True, detail="GET /api/v0/users/current/: permitted")
    machines = _machines(asking, deadline)
    credit = account.get("credit")
    if not isinstance(credit, int | float):
        return permitted, machines
    ok = credit > 0
    hint = "" if ok else FUNDS_HINT
    return permitted, machines, Finding(kind="quota", name="credit", ok=ok, detail=f"${credit:.2f}", hint=hint)


def _machines(asking: Asking, deadline: Deadline) -> Finding:
    """Whether machines can be listed. Whether they can be made and ended cannot be tried without doing it."""
    try:
        next(iter(asking.contracts(deadline=deadline)), None)
    except ProviderError as e:
        return Finding(kind="call", name="machines", ok=False, detail=e.message, hint=e.hint)
    return Finding(kind="call", name="machines", ok=True, detail="GET /api/v1/instances/: permitted")
