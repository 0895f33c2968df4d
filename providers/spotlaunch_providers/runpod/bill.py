"""What RunPod has billed: a record for each pod and day, its GPUs and its disk apart.

[D] GET /v2/billing/pods, https://docs.runpod.io/api-reference-v2/billing/get-pod-billing-history. Pods that are gone
told too. The start and the end must come together [L].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from spotlaunch.core.facts import Charge
from spotlaunch.errors import NotAuthorized, Transient
from spotlaunch_providers.runpod.asking import Asking
from spotlaunch_providers.runpod.credentials import HINT
from spotlaunch_providers.shared.deadline import Deadline


def charges(asking: Asking, pods: Collection[str], *, since_at: float, until_at: float) -> Sequence[Charge]:
    """The sums of all records of these pods. Raises a `ProviderError` when RunPod cannot be asked."""
    if not asking.credentials.key:
        raise NotAuthorized("no credentials: it tells nobody else what was billed", hint=HINT)
    sums: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for row in asking.bill(_midnight(since_at), _midnight(until_at, days=1), deadline=Deadline()):
        if row.get("podId") in pods:
            computed, disk = sums[row["podId"]]
            sums[row["podId"]] = computed + _usd(row, "gpuAmount", "cpuAmount"), disk + _usd(row, "diskAmount")
    return [Charge(instance_id=pod, machine_usd=computed, storage_usd=disk) for pod, (computed, disk) in sums.items()]


def _midnight(at: float, *, days: int = 0) -> str:
    """The beginning of a moment's day, or of one after it, in UTC: RunPod counts whole days."""
    day = datetime.fromtimestamp(at, UTC) + timedelta(days=days)
    return f"{day:%Y-%m-%d}T00:00:00Z"


def _usd(row: Mapping[str, Any], *names: str) -> Decimal:
    total = Decimal(0)
    for name in names:
        amount = row.get(name)
        if not isinstance(amount, int | float) or isinstance(amount, bool):
            raise Transient("answered with a bill that cannot be read", hint="try again")
        total += Decimal(str(amount))
    return total
