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
HOURS_PER_MONTH = 730
BYTES_PER_GB = 1_000_000_000


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
    """What the same seconds cost on demand, see `on_demand_usd_hour`."""
    return _cost_usd(on_demand_usd_hour(machine), _microseconds(machine, now))


def on_demand_usd_hour(machine: Machine) -> Decimal:
    """The cheapest on-demand offer that would have done when the machine was ordered.

    Where that was not written down: the same shape on demand, and where that is not known its own price.
    """
    known = (machine.cheapest_usd_hour, machine.on_demand_usd_hour)
    return next((price for price in known if price is not None), machine.price_usd_hour)


@dataclass(frozen=True, kw_only=True, slots=True)
class Billed:
    """What a provider says that a machine has cost, as of ``asked_at``.

    ``machine_usd`` is what stands against our price times its seconds; ``storage_usd`` and ``traffic_usd`` what is
    billed beside it, where the provider tells these apart. ``settled``: whether the machine had been gone for long
    enough that no more is to come.
    """

    launch_key: str
    machine_usd: Decimal
    storage_usd: Decimal = Decimal(0)
    traffic_usd: Decimal = Decimal(0)
    asked_at: float
    settled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What a machine cost between two moments. ``storage_usd`` is an estimate, and not in ``spent_usd``."""

    microseconds: int
    spent_usd: Decimal
    on_demand_usd: Decimal
    storage_usd: Decimal


class Meter:
    """One machine's counters. What it cost between two moments is what they showed at the second less at the first:
    so parts that follow each other add up to the whole, to the last digit."""

    def __init__(self, machine: Machine, now: float) -> None:
        self._machine = machine
        self._whole = _microseconds(machine, now)
        self._price, self._on_demand = machine.price_usd_hour, on_demand_usd_hour(machine)
        self._disk = Decimal(str(machine.disk_gb)) * machine.storage_usd_gb_month / HOURS_PER_MONTH

    def between(self, from_at: float, until_at: float) -> Part:
        """From one moment (seconds since the epoch) to another; what lies outside its life costs nothing."""
        begin, end = self._shows(from_at), self._shows(until_at)
        return Part(
            microseconds=end - begin,
            spent_usd=_cost_usd(self._price, end) - _cost_usd(self._price, begin),
            on_demand_usd=_cost_usd(self._on_demand, end) - _cost_usd(self._on_demand, begin),
            storage_usd=_cost_usd(self._disk, end) - _cost_usd(self._disk, begin) if self._disk else Decimal(0),
        )

    def egress_usd(self, count: int) -> Decimal:
        """An estimate: so many bytes to the job's store or from it, at what was told when the machine was ordered."""
        cost = self._machine.egress_usd_gb * count / BYTES_PER_GB
        return cost.quantize(NANO_USD, rounding=ROUND_HALF_EVEN)

    def _shows(self, at: float) -> int:
        if self._machine.up_at is None:
            return 0
        return min(max(0, round((at - self._machine.up_at) * 1_000_000)), self._whole)


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
