"""What machines cost. A machine bills from `up_at` until `ended_at`, or until now; never up, never billed.

Seconds count to the microsecond, and a machine's cost to a billionth of a dollar. So a sum does not depend
on its order, and a sum kept in a database is the very sum that this file would make of all the machines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from spotlaunch.core.book import Machine

NANO_USD = Decimal("0.000000001")
_MICROSECONDS_PER_HOUR = 3600 * 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """What some machines cost, what the same seconds would have cost on demand, and how many those were."""

    spent_usd: Decimal = Decimal(0)
    on_demand_usd: Decimal = Decimal(0)
    seconds: float = 0.0

    @property
    def saved_usd(self) -> Decimal:
        """Against on-demand. Negative when spot was the dearer one."""
        return self.on_demand_usd - self.spent_usd

    def __add__(self, other: Bill) -> Bill:
        return Bill(
            spent_usd=self.spent_usd + other.spent_usd,
            on_demand_usd=self.on_demand_usd + other.on_demand_usd,
            seconds=self.seconds + other.seconds,
        )


def machine_seconds(machine: Machine, now: float) -> float:
    """How long it has been billed by ``now``, in seconds."""
    return _microseconds(machine, now) / 1_000_000


def machine_cost_usd(machine: Machine, now: float) -> Decimal:
    """What it has cost by ``now``, at the price agreed."""
    return _cost_usd(machine.price_usd_hour, _microseconds(machine, now))


def on_demand_cost_usd(machine: Machine, now: float) -> Decimal:
    """What the same seconds cost on demand; at its own price where the on-demand price is not known."""
    price = machine.price_usd_hour if machine.on_demand_usd_hour is None else machine.on_demand_usd_hour
    return _cost_usd(price, _microseconds(machine, now))


def machine_bill(machine: Machine, now: float) -> Bill:
    """All of the above for one machine."""
    return Bill(
        spent_usd=machine_cost_usd(machine, now),
        on_demand_usd=on_demand_cost_usd(machine, now),
        seconds=machine_seconds(machine, now),
    )


def job_bill(machines: Iterable[Machine], now: float) -> Bill:
    """The sum over ``machines`` by ``now``: of one job, or of whatever the caller brings."""
    return sum((machine_bill(m, now) for m in machines), Bill())


def _microseconds(machine: Machine, now: float) -> int:
    if machine.up_at is None:
        return 0
    until = now if machine.ended_at is None else machine.ended_at
    # Clocks of two computers may disagree: a machine that ended "before" it was up has cost nothing.
    return max(0, round((until - machine.up_at) * 1_000_000))


def _cost_usd(price_usd_hour: Decimal, microseconds: int) -> Decimal:
    cost = price_usd_hour * microseconds / _MICROSECONDS_PER_HOUR
    return cost.quantize(NANO_USD, rounding=ROUND_HALF_EVEN)
