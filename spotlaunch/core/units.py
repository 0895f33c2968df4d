"""Units as people write them: ``1h30m``, ``64GB``, ``$30``, ``8+``. Text in, plain numbers out, and back.

Every reader raises `Unreadable` with what was found and, in ``hint``, how it is meant to be written.
"""

from __future__ import annotations

import re
from decimal import Decimal


class Unreadable(ValueError):
    """A value that cannot be read as what it should be: ``message`` for people, ``hint`` what to write."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


# The longest of anything. A job of ten years is a typing mistake, and so is a machine with a petabyte of memory.
MAX_DURATION_S = 3650 * 86400.0
MAX_GB = 1_000_000.0
MAX_USD = Decimal(10_000_000)

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION_WORDS = {
    **dict.fromkeys(("w", "wk", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
}
_DURATION_PART = re.compile(rf"\s*({_NUMBER})\s*([a-z]+)")
# GB and GiB are read alike: clouds sell "64 GB" meaning either, and the seven percent between them must not
# turn down the very machine that was meant.
_GB = {"": 1.0, "mb": 0.001, "mib": 1 / 1024, "gb": 1.0, "gib": 1.0, "g": 1.0, "tb": 1000.0, "tib": 1024.0, "t": 1000.0}
_SIZE = re.compile(rf"({_NUMBER})\s*([a-z]*)\s*\+?", re.IGNORECASE)
_AT_LEAST = re.compile(rf"({_NUMBER})\s*\+?")
_MONEY = re.compile(r"(?:\$|usd)?\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(?:\$|usd)?", re.IGNORECASE)
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?\s*(Z|([+-])(\d\d):?(\d\d))?", re.IGNORECASE | re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAYS_TO_1970 = 719_162
_WHOLE = re.compile(r"0|[1-9][0-9]{0,14}")


def quoted(text: str) -> str:
    """A text as it stands in a message: quoted, control characters escaped, cut when it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def read_duration_s(text: str) -> float:
    """``20m``, ``1h30m``, ``1.5h``, ``2 days`` as seconds. ``0`` is allowed, other plain numbers are not."""
    lower = text.strip().lower()
    if lower == "0":
        return 0.0
    if re.fullmatch(_NUMBER, lower):
        hint = f"write {lower}s, {lower}m or {lower}h, as you mean seconds, minutes or hours"
        raise Unreadable(f"the duration {quoted(text)} has no unit", hint=hint)
    total, at, before = 0.0, 0, float("inf")
    while at < len(lower):
        part = _DURATION_PART.match(lower, at)
        unit = _DURATION_WORDS.get(part[2]) if part else None
        # Units go from large to small, each once: `30m1h` is more likely a slip than a wish.
        if part is None or unit is None or _SECONDS[unit] >= before:
            break
        total += float(part[1]) * _SECONDS[unit]
        at, before = part.end(), _SECONDS[unit]
    if not lower or at < len(lower):
        raise Unreadable(f"{quoted(text)} is not a duration", hint="write it like 90s, 20m, 1h30m or 2d")
    if total > MAX_DURATION_S:
        raise Unreadable(f"{quoted(text)} is longer than ten years")
    return total


def write_duration(seconds: float) -> str:
    """Seconds as ``1h30m``, which `read_duration_s` reads as the same number of milliseconds."""
    left_ms = round(seconds * 1000)
    parts = []
    for unit in "dhm":
        count, left_ms = divmod(left_ms, _SECONDS[unit] * 1000)
        if count:
            parts.append(f"{count}{unit}")
    if left_ms or not parts:
        parts.append(f"{left_ms / 1000:.3f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)


def read_moment(text: str) -> tuple[float, float | None]:
    """``2030-01-31T18:00``, also with seconds, a blank for the ``T``, and a zone: ``Z`` or ``+01:00``.

    Gives what the clock on the wall shows, in seconds since 1970-01-01T00:00 on that clock, and how far it is ahead of
    UTC; None where the text names no zone.
    """
    hint = "write it like 2030-01-31T18:00, 2030-01-31T18:00Z or 2030-01-31T18:00+01:00, or as a duration: 60h"
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        if _DAY.fullmatch(text.strip()):
            raise Unreadable(f"{quoted(text)} is a day, not a time", hint=f"add the hour: {text.strip()}T18:00")
        raise Unreadable(f"{quoted(text)} is not a time", hint=hint)
    year, month, day, hour, minute = map(int, found.group(1, 2, 3, 4, 5))
    second = int(found[6] or 0)
    ahead_s = None if found[7] is None else 0.0
    if found[8]:
        ahead_s = (int(found[9]) * 3600.0 + int(found[10]) * 60.0) * (-1 if found[8] == "-" else 1)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    fits = 1 <= month <= 12 and 1 <= day <= lengths[month - 1] and hour < 24 and minute < 60 and second < 60
    if not fits or abs(ahead_s or 0.0) >= 86400 or year < 1970:
        raise Unreadable(f"{quoted(text)} is not a time that there is", hint=hint)
    full = year - 1
    days = full * 365 + full // 4 - full // 100 + full // 400 + sum(lengths[: month - 1]) + day - 1 - _DAYS_TO_1970
    return days * 86400.0 + hour * 3600.0 + minute * 60.0 + second, ahead_s


def write_about(seconds: float) -> str:
    """Seconds for a person who needs no more than the two largest units: ``2d3h``, ``5h10m``, ``40s``."""
    count = max(0, int(seconds))
    least = 3600 if count >= 86400 else 60 if count >= 3600 else 1
    return write_duration(count - count % least)


def read_size_gb(text: str) -> float:
    """``64``, ``64+``, ``64GB``, ``64GiB``, ``1TB`` as gigabytes. A plain number is gigabytes already."""
    found = _SIZE.fullmatch(text.strip())
    factor = _GB.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise Unreadable(f"{quoted(text)} is not a size", hint="write it like 64, 64GB or 1TB")
    size = float(found[1]) * factor
    if size > MAX_GB:
        raise Unreadable(f"{quoted(text)} is more than any machine has", hint="a plain number counts gigabytes")
    return size


def write_size(size_gb: float) -> str:
    """Gigabytes as ``64GB`` or ``1.5TB``."""
    number, unit = (size_gb / 1000, "TB") if size_gb >= 1000 else (size_gb, "GB")
    return f"{number:.9f}".rstrip("0").rstrip(".") + unit


def read_at_least(text: str) -> float:
    """``8`` or ``8+`` as the number 8: both mean at least that many."""
    found = _AT_LEAST.fullmatch(text.strip())
    if found is None:
        raise Unreadable(f"{quoted(text)} is not a number", hint="write it like 8 or 8+ (both mean at least 8)")
    if float(found[1]) > 100_000:
        raise Unreadable(f"{quoted(text)} is more than any machine has")
    return float(found[1])


def read_money_usd(text: str) -> Decimal:
    """``30``, ``$30``, ``0.45``, ``30 USD`` as exact US dollars, to the millionth."""
    found = _MONEY.fullmatch(text.strip())
    if found is None:
        hint = "write US dollars like 30, 0.45 or $30, with a point and without thousands separators"
        raise Unreadable(f"{quoted(text)} is not an amount of money", hint=hint)
    amount = Decimal(found[1])
    if amount > MAX_USD:
        raise Unreadable(f"{quoted(text)} is more than {MAX_USD} dollars")
    return amount


def write_money(usd: Decimal) -> str:
    """Exact dollars as ``$30`` or ``$0.45``, which `read_money_usd` reads as the same amount."""
    text = f"{usd:f}"
    return "$" + (text.rstrip("0").rstrip(".") if "." in text else text)


def read_whole(text: str, *, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``."""
    found = _WHOLE.fullmatch(text.strip())
    if found is None or not least <= int(found[0]) <= most:
        raise Unreadable(f"{quoted(text)} is not allowed", hint=f"write a whole number from {least} to {most}")
    return int(found[0])
