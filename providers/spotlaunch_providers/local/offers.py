"""What the market sells now, and whether a pool would give a machine: functions of what is up and the time."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from spotlaunch.core.facts import Offer, Refused
from spotlaunch_providers.local.errors import refusal
from spotlaunch_providers.local.market import Market, MarketPool


def offers(market: Market, *, taken: Mapping[str, int], zero_at: float, now: float) -> list[Offer]:
    """One offer for every pool. ``taken``: machines by pool name; ``zero_at``: when the market was first used.

    A pool with faults says yes here and no when it is asked for a machine, as real clouds do.
    """
    return [_offer(market, p, _room(p, taken.get(p.name, 0), now - zero_at), now) for p in market.pools]


def refuse(pool: MarketPool, *, cap: Decimal | None, taken: int, elapsed_s: float) -> Refused | None:
    """Why this pool does not give a machine now; None if it does."""
    faults = pool.faults
    for code in ("unauthorized", "no_funds", "quota", "dry"):
        if getattr(faults, code):
            return refusal(code.replace("_", "-"), pool.pool)
    if cap is not None and pool.price_usd_hour > cap:
        return refusal("price", pool.pool, price=pool.price_usd_hour, cap=cap)
    return _room(pool, taken, elapsed_s)


def _room(pool: MarketPool, taken: int, elapsed_s: float) -> Refused | None:
    """None if there is room for one more machine, else the refusal that tells why not."""
    if pool.trace is not None and (room := pool.trace.value(elapsed_s)) <= taken:
        return refusal("gone", pool.pool, room=room, taken=taken)
    if taken >= pool.capacity:
        return refusal("full", pool.pool, room=pool.capacity)
    return None


def _offer(market: Market, pool: MarketPool, no: Refused | None, now: float) -> Offer:
    return Offer(
        pool=pool.pool,
        gpu=pool.gpu,
        gpu_count=pool.gpu_count,
        gpu_memory_gb=pool.gpu_memory_gb,
        vcpus=pool.cpus,
        memory_gb=pool.memory_gb,
        disk_gb=pool.disk_gb,
        price_usd_hour=pool.price_usd_hour,
        on_demand_usd_hour=pool.on_demand_usd_hour,
        available="yes" if no is None else "no",
        why="" if no is None else no.reason,
        interruptions_per_hour=pool.interruptions_per_hour,
        seen_at=now,
        source="market file",
        extra={"market": market.digest},
    )
