"""Totals of an account: time and dollars by what they went into. They add up in any order, to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

_HOUR_US = 3600 * 1_000_000
_NONE = Decimal(0)
_CENT_OF_A_CENT = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Totals:
    """Of some machines. Times are whole microseconds, so that no digit is lost in adding.

    ``spent_usd``: at the prices agreed. ``on_demand_usd``: the same seconds at the cheapest on-demand offer that would
    have done when each machine was ordered. ``storage_usd`` and ``egress_usd`` are estimates and in neither.

    The others are parts of time and of ``spent_usd``: ``boot`` until the program first ran, ``restart`` the same on
    each later machine, ``redone`` work that was lost and done once more, ``leaving`` after the program had ended.
    """

    microseconds: int = 0
    spent_usd: Decimal = _NONE
    on_demand_usd: Decimal = _NONE
    storage_usd: Decimal = _NONE
    egress_usd: Decimal = _NONE
    boot_us: int = 0
    boot_usd: Decimal = _NONE
    restart_us: int = 0
    restart_usd: Decimal = _NONE
    redone_us: int = 0
    redone_usd: Decimal = _NONE
    leaving_us: int = 0
    leaving_usd: Decimal = _NONE

    @staticmethod
    def of(
        kind: Literal["boot", "restart", "work", "redone", "leaving"],
        *,
        microseconds: int,
        spent_usd: Decimal,
        on_demand_usd: Decimal,
        storage_usd: Decimal = _NONE,
    ) -> Totals:
        """A span of one kind. ``work`` is what all other kinds leave."""
        part: dict[str, Any] = {} if kind == "work" else {f"{kind}_us": microseconds, f"{kind}_usd": spent_usd}
        return Totals(
            microseconds=microseconds,
            spent_usd=spent_usd,
            on_demand_usd=on_demand_usd,
            storage_usd=storage_usd,
            **part,
        )

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.microseconds + other.microseconds,
            self.spent_usd + other.spent_usd,
            self.on_demand_usd + other.on_demand_usd,
            self.storage_usd + other.storage_usd,
            self.egress_usd + other.egress_usd,
            self.boot_us + other.boot_us,
            self.boot_usd + other.boot_usd,
            self.restart_us + other.restart_us,
            self.restart_usd + other.restart_usd,
            self.redone_us + other.redone_us,
            self.redone_usd + other.redone_usd,
            self.leaving_us + other.leaving_us,
            self.leaving_usd + other.leaving_usd,
        )

    @property
    def seconds(self) -> float:
        """For how long machines were billed."""
        return self.microseconds / 1_000_000

    @property
    def saved_usd(self) -> Decimal:
        """Against on-demand, estimates aside. Negative when it was the dearer one."""
        return self.on_demand_usd - self.spent_usd

    @property
    def estimated_usd(self) -> Decimal:
        """Disk and traffic beside the price of the machines: estimates, in no other sum."""
        return self.storage_usd + self.egress_usd

    @property
    def work_us(self) -> int:
        """Time in which the program ran and what it did is kept."""
        return self.microseconds - self.boot_us - self.restart_us - self.redone_us - self.leaving_us

    @property
    def work_usd(self) -> Decimal:
        """What that time cost."""
        return self.spent_usd - self.boot_usd - self.restart_usd - self.redone_usd - self.leaving_usd

    @property
    def lost_us(self) -> int:
        """Time lost to interruptions: work done again, and starts after the first."""
        return self.restart_us + self.redone_us

    @property
    def lost_usd(self) -> Decimal:
        """What that time cost."""
        return self.restart_usd + self.redone_usd

    @property
    def effective_usd_hour(self) -> Decimal | None:
        """Dollars spent for an hour of work that is kept, to a millionth. None: there is no such hour yet."""
        if self.work_us <= 0:
            return None
        return (self.spent_usd * _HOUR_US / self.work_us).quantize(_CENT_OF_A_CENT)
