"""What Vast.ai has billed: a row for each contract and day (UTC), with items for GPU, disk and traffic.

[D] GET /api/v0/charges/, https://docs.vast.ai/api-reference/billing/show-charges; shape of the rows [L].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from spotlaunch.core.facts import Charge
from spotlaunch.errors import NotAuthorized, Transient
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.credentials import HINT

DAY_S = 86400

# The kinds of an item that are the contract's price, as our offers have it: the GPUs, and the disk with them. What else
# there is (traffic, down and up) is paid beside it.
PRICED = frozenset({"gpu", "disk"})


def charges(asking: Asking, contracts: Collection[str], *, since_at: float, until_at: float) -> Sequence[Charge]:
    """The sums of all rows of these contracts. Raises a `ProviderError` when Vast.ai cannot be asked."""
    if not asking.credentials.key:
        raise NotAuthorized("no credentials: it tells nobody else what was billed", hint=HINT)
    first = int(since_at) // DAY_S * DAY_S
    last = int(until_at) // DAY_S * DAY_S + DAY_S - 1
    sums: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for row in asking.charges(first, last, deadline=Deadline(figures.LIST_S)):
        contract = str(row.get("source") or "").removeprefix("instance-")
        if contract in contracts:
            whole, (price, beside) = _usd(row), sums[contract]
            traffic = sum((_usd(item) for item in _items(row) if item.get("type") not in PRICED), Decimal(0))
            sums[contract] = price + whole - traffic, beside + traffic
    return [Charge(instance_id=c, machine_usd=price, traffic_usd=beside) for c, (price, beside) in sums.items()]


def _items(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    items = row.get("items")
    return (item for item in (items if isinstance(items, list) else []) if isinstance(item, Mapping))


def _usd(row: Mapping[str, Any]) -> Decimal:
    """The amount of a row or an item, which some have as text."""
    amount = row.get("amount")
    try:
        return Decimal(str(amount))
    except InvalidOperation as e:
        raise Transient("answered with a bill that cannot be read", hint="try again") from e
