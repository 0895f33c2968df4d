"""A period as people write it, and its days: in this computer's time zone, summer time and all."""

from __future__ import annotations

from datetime import datetime, timedelta

from spotlaunch.core.units import Unreadable, quoted, read_duration_s
from spotlaunch.errors import UsageError

HINT = "write it like 2026-11-20, '2026-11-20 18:00', 7d or 12h"


def read_since(text: str, now: float) -> float:
    """``2026-11-20``, ``2026-11-20 18:00`` or ``7d`` (ago), in seconds since the epoch. Nothing at all: 0.

    Raises `UsageError` for what is none of these, or lies in the future.
    """
    if not text:
        return 0.0
    try:
        is_date = "-" in text or ":" in text
        at = datetime.fromisoformat(text).timestamp() if is_date else now - read_duration_s(text)
    except (Unreadable, ValueError, OverflowError, OSError) as e:
        raise UsageError(f"--since: {quoted(text)} is neither a date nor a duration", hint=HINT) from e
    if at > now:
        raise UsageError(f"--since: {quoted(text)} is in the future", hint=HINT)
    return at


def local_days(since_at: float, until_at: float) -> list[tuple[float, str]]:
    """When each day between two moments begins here, and its name: ``2026-11-22``."""
    day = datetime.fromtimestamp(since_at).replace(hour=0, minute=0, second=0, microsecond=0)
    last = datetime.fromtimestamp(until_at)
    days = []
    while day <= last:
        # Without a zone these count by the calendar, so that a day of 23 hours is a day.
        days.append((day.timestamp(), f"{day:%Y-%m-%d}"))
        day += timedelta(days=1)
    return days


def zone(at: float) -> str:
    """This computer's time zone at a moment: ``CET (UTC+01:00)``, or ``UTC``."""
    here = datetime.fromtimestamp(at).astimezone()
    name, offset = f"{here:%Z}", f"{here:%z}"
    return name if name == "UTC" else f"{name} (UTC{offset[:3]}:{offset[3:5]})"
