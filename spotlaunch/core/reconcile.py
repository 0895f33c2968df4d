"""Reconciling: what we booked for each machine against what its provider has billed, and why they may differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from spotlaunch.core.account import Line
from spotlaunch.core.facts import Billing, Charge
from spotlaunch.core.ledger import Billed

DAY_S = 86400
HOUR_S = Decimal(3600)

# Whoever rounds a duration to whole seconds, at its beginning and at its end, is off by no more.
ROUNDING_S = Decimal(2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """A machine's two figures. ``billed`` None: its provider says nothing of it (yet).

    ``agrees``: they differ by no more than rounding. ``why`` is for a person, where there is something to say.
    """

    line: Line
    billed: Billed | None
    agrees: bool
    why: str = ""

    @property
    def difference_usd(self) -> Decimal | None:
        """What was billed less what was booked, estimates aside."""
        return None if self.billed is None else self.billed.machine_usd - self.line.totals.spent_usd


def settled(line: Line, billing: Billing, now: float) -> bool:
    """Whether no more is to come of a machine's bill."""
    return line.machine.ended_at is not None and now >= line.machine.ended_at + billing.lag_s


def billed_of(lines: Iterable[Line], charges: Mapping[str, Charge], billing: Billing, now: float) -> list[Billed]:
    """``charges`` (by instance id) as figures for the book, of the machines that are among them."""
    return [
        Billed(
            launch_key=line.machine.launch_key,
            machine_usd=charge.machine_usd,
            storage_usd=charge.storage_usd,
            traffic_usd=charge.traffic_usd,
            asked_at=now,
            settled=settled(line, billing, now),
        )
        for line in lines
        if (charge := charges.get(line.machine.instance_id)) is not None
    ]


def compare(line: Line, billed: Billed | None, billing: Billing, now: float) -> Reconciled:
    """One machine, of which ``line`` is the whole life."""
    done = settled(line, billing, now)
    if billed is None:
        why = "its provider says nothing of it" if done else _pending(line, billing)
        return Reconciled(line=line, billed=None, agrees=line.totals.spent_usd == 0, why=why)
    price, gap = line.machine.price_usd_hour, billed.machine_usd - line.totals.spent_usd
    if abs(gap) <= price * ROUNDING_S / HOUR_S + billing.step_usd * _days(line):
        return Reconciled(line=line, billed=billed, agrees=True)
    if not done:
        return Reconciled(line=line, billed=billed, agrees=False, why=_pending(line, billing))
    seconds = abs(gap) * HOUR_S / price if price else Decimal(0)
    way = "more" if gap > 0 else "less"
    why = f"billed for {seconds:.0f} s {way} than we saw it up, or at another price than was agreed" if seconds else ""
    return Reconciled(line=line, billed=billed, agrees=False, why=why)


def _pending(line: Line, billing: Billing) -> str:
    if line.machine.ended_at is None:
        return f"it is still up, and bills are up to {billing.lag_s / 60:.0f} min late"
    return f"it has just ended, and bills are up to {billing.lag_s / 60:.0f} min late: ask again"


def _days(line: Line) -> Decimal:
    """On how many days it was billed, at the most: each is rounded for itself."""
    return (Decimal(line.totals.microseconds) / 1_000_000 / DAY_S).to_integral_value(ROUND_CEILING) + 1
