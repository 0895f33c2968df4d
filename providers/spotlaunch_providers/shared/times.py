"""Times as clouds write them."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds(told: object) -> float | None:
    """Seconds since the epoch of a time in RFC 3339 (``2026-11-01T00:00:00Z``); None where none can be read.

    One that names no zone is UTC too.
    """
    try:
        time = datetime.fromisoformat(told) if isinstance(told, str) else None
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() if time else None
    except (ValueError, OverflowError):
        return None
