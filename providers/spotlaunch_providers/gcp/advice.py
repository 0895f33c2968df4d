"""The advice API: what to ask it, and what its answers mean. Pure.

`advice.capacityHistory` tells the spot list price of a machine type and how often such machines were taken,
`advice.capacity` how likely one is to be had now. Both are for spot only, and for machines with GPUs built in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spotlaunch_providers.gcp.skus import money

RATE_DAYS = 7
HIGH, LOW = 0.7, 0.4  # Google calls a score of 0.7 and more likely, one below 0.4 unlikely [DOC]


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What was told at ``at``; None where Google has nothing, as for machine types that it does not support."""

    at: float
    price_usd_hour: Decimal | None = None
    interruptions_per_hour: float | None = None


def history_question(machine_type: str, zone: str) -> dict[str, Any]:
    """The body of `advice.capacityHistory`. It takes one machine type and one place; there is no batch."""
    return {
        "types": ["PRICE", "PREEMPTION"],
        "instanceProperties": {"machineType": machine_type, "scheduling": {"provisioningModel": "SPOT"}},
        "locationPolicy": {"location": f"zones/{zone}"},
    }


def history(answer: Mapping[str, Any], *, now: float) -> History:
    """What an answer of `advice.capacityHistory` says: the price of its last interval, and the rate."""
    prices = sorted(answer.get("priceHistory") or (), key=lambda r: str((r.get("interval") or {}).get("startTime", "")))
    price = money(prices[-1].get("listPrice") or {}) if prices else None
    return History(at=now, price_usd_hour=price or None, interruptions_per_hour=interruptions_per_hour(answer))


def interruptions_per_hour(answer: Mapping[str, Any]) -> float | None:
    """Interruptions an hour from ``preemptionHistory``; None where it is empty.

    Google gives for each of 30 days the share of stopped spot machines that were stopped by preemption (0..1),
    across all customers; today's is not final. There is no share of *running* machines, so this share p is read as
    the chance of a day, which makes -ln(1 - p) / 24 an hour, of the mean of the last `RATE_DAYS` days before today.
    Source: compute/docs/instances/view-spot-preemption-price, read in a stored copy of 2026.
    """
    days = sorted(
        answer.get("preemptionHistory") or (), key=lambda r: str((r.get("interval") or {}).get("startTime", ""))
    )
    rates = [float(d["preemptionRate"]) for d in days if isinstance(d.get("preemptionRate"), (int, float))]
    if not rates:
        return None
    past = rates[-RATE_DAYS - 1 : -1] or rates
    mean = min(0.999, max(0.0, sum(past) / len(past)))
    return -math.log1p(-mean) / 24


def capacity_question(machine_type: str, zone: str) -> dict[str, Any]:
    """The body of `advice.capacity` for one machine in one zone.

    It may be asked for several machine types and zones at once, but gives a single score back, for the best of
    them: one that belongs to a pool comes only from a question about that pool.
    """
    return {
        "size": 1,
        "distributionPolicy": {"targetShape": "ANY_SINGLE_ZONE", "zones": [{"zone": f"zones/{zone}"}]},
        "instanceProperties": {"scheduling": {"provisioningModel": "SPOT"}},
        "instanceFlexibilityPolicy": {"instanceSelections": {"one": {"machineTypes": [machine_type]}}},
    }


def obtainability(answer: Mapping[str, Any]) -> float | None:
    """The score of an answer of `advice.capacity`, 0..1; None where it has none."""
    for recommendation in answer.get("recommendations") or ():
        score = (recommendation.get("scores") or {}).get("obtainability")
        if isinstance(score, (int, float)):
            return min(1.0, max(0.0, float(score)))
    return None
