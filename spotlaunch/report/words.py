"""Amounts and times as the page tells them, for people; exact amounts stand beside them for programs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from spotlaunch.report.markup import Html, element

NOTHING = "–"


def usd(amount: Decimal) -> str:
    """``$1,234.50``; below ten dollars hundredths of a cent matter: ``$0.0450``."""
    if not amount:
        return "$0"
    sign = "−" if amount < 0 else ""
    size = abs(amount)
    return f"{sign}${size:,.2f}" if size >= 10 else f"{sign}${size:.4f}"


def money(amount: Decimal | None) -> Html:
    """An amount to read, with all its digits as the element's value. None: not known."""
    if amount is None:
        return element("span", NOTHING)
    return element("data", usd(amount), value=f"{amount:f}")


def share(part: Decimal | int, whole: Decimal | int) -> str:
    """``37%``. Nothing where there is no whole."""
    return f"{round(100 * float(part) / float(whole))}%" if whole else ""


def duration(seconds: float) -> str:
    """The two largest units: ``45 s``, ``3 min 12 s``, ``2 h 05 min``, ``4 d 03 h``."""
    s = max(0, round(seconds))
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60:02d} s"
    if s < 86400:
        return f"{s // 3600} h {s % 3600 // 60:02d} min"
    return f"{s // 86400} d {s % 86400 // 3600:02d} h"


def moment(at: float) -> str:
    """In this computer's time zone, to the minute: ``2026-11-22 18:30``."""
    return f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M}"


def when(at: float | None) -> Html:
    """A moment to read, with its zone as the element's value. None: it has not come."""
    if at is None:
        return element("span", NOTHING)
    return element("time", moment(at), datetime=datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds"))


def count(number: int, noun: str) -> str:
    """``1 machine``, ``3 machines``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
