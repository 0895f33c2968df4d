"""Price history: what a pool cost, and when that changed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from spotlaunch.core.facts import Pool


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceChange:
    """From ``at`` on (seconds since the epoch) the machine cost this much. ``on_sale``: it could be had."""

    at: float
    price_usd_hour: Decimal
    on_sale: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolPrices:
    """A pool, what it holds, and its changes, oldest first. The last one held at least until ``seen_at``."""

    pool: Pool
    gpu: str
    gpu_count: int
    changes: tuple[PriceChange, ...]
    seen_at: float
