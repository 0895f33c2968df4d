"""The history of prices in the market's database: a row for each change, and none for a price that stayed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

from spotlaunch.core.facts import Offer, Pool
from spotlaunch.core.pricehistory import PoolPrices, PriceChange

KEEP_S = 366 * 86400.0
PRUNE_EVERY_S = 86400.0

# "Still there" is written down at most so often: 100,000 pools that did not change must cost next to nothing.
SEEN_EVERY_S = 3600.0

# One that others of its GPU and provider were seen so much later than had vanished, and was not on sale meanwhile.
VANISHED_S = 2 * SEEN_EVERY_S

_PRUNED_AT = "pruned_at"

_Place = tuple[str, str, str, str]  # region, zone, instance type, market


def note(sql: sqlite3.Connection, q: Mapping[str, str], offers: Iterable[Offer], *, now: float) -> int:
    """Write down what changed since it was last seen; how many changes those were. Inside a transaction."""
    changed = 0
    for (gpu, provider), seen in _by_gpu(offers).items():
        known = {r[:4]: r for r in sql.execute(q["known_pools"], (gpu, provider))}
        looked_at = max((r[-1] for r in known.values()), default=0.0)
        prices: dict[str, Decimal] = {}
        again: list[int] = []
        last = 0.0
        for place, offer in seen.items():
            before = known.get(place)
            if before is None:
                changed += _add(sql, q, place, offer, now=now)
                continue
            *_, number, price, on_sale, changed_at, seen_at = before
            if price not in prices:
                prices[price] = Decimal(price)
            moved = prices[price] != offer.price_usd_hour or bool(on_sale) != (offer.available != "no")
            if on_sale and looked_at - seen_at > VANISHED_S and changed_at <= now:
                sql.execute(q["add_change"], (number, seen_at + SEEN_EVERY_S, price, 0))
                changed_at = seen_at + SEEN_EVERY_S
                moved = True
            # One from the future was written under a clock that was since set back: it is written anew.
            if moved or changed_at > now:
                changed += _change(sql, q, number, offer, changed_at, now=now)
            elif not 0 <= offer.seen_at - seen_at < SEEN_EVERY_S and offer.seen_at <= now:
                again.append(number)
                last = max(last, offer.seen_at)
        if again:
            sql.execute(q["see_pools"], (last, json.dumps(again)))
    return changed


def prune(sql: sqlite3.Connection, q: Mapping[str, str], *, now: float) -> None:
    """Once a day, forget what is older than a year."""
    row = sql.execute(q["meta"], (_PRUNED_AT,)).fetchone()
    if row is not None and 0 <= now - float(row[0]) < PRUNE_EVERY_S:
        return
    sql.execute(q["forget_pools"], (now - KEEP_S,))
    sql.execute(q["forget_changes"], (now - KEEP_S,))
    sql.execute(q["put_meta"], (_PRUNED_AT, repr(now)))


def read(sql: sqlite3.Connection, q: Mapping[str, str], gpu: str, *, since: float, until: float) -> list[PoolPrices]:
    """Each pool of ``gpu`` with its changes between two times, and the one in force at the first."""
    rows = sql.execute(q["history"], {"gpu": gpu, "since": since, "until": until})
    return [_pool(key, list(lines)) for key, lines in groupby(rows, key=lambda r: r[:8])]


def _pool(key: tuple[Any, ...], lines: list[tuple[Any, ...]]) -> PoolPrices:
    provider, region, zone, instance_type, market, gpu, count, seen_at = key
    return PoolPrices(
        pool=Pool(provider=provider, region=region, zone=zone, instance_type=instance_type, market=market),
        gpu=gpu,
        gpu_count=count,
        changes=tuple(PriceChange(at=r[8], price_usd_hour=Decimal(r[9]), on_sale=bool(r[10])) for r in lines),
        seen_at=seen_at,
    )


def _by_gpu(offers: Iterable[Offer]) -> dict[tuple[str, str], dict[_Place, Offer]]:
    """The offers of each GPU and provider by place. One place twice: the cheaper is what it costs."""
    found: dict[tuple[str, str], dict[_Place, Offer]] = {}
    for offer in offers:
        pool = offer.pool
        places = found.setdefault((offer.gpu, pool.provider), {})
        place = (pool.region, pool.zone, pool.instance_type, pool.market)
        other = places.get(place)
        if other is None or offer.price_usd_hour < other.price_usd_hour:
            places[place] = offer
    return found


def _add(sql: sqlite3.Connection, q: Mapping[str, str], place: _Place, offer: Offer, *, now: float) -> int:
    at = min(offer.seen_at, now)
    price, on_sale = str(offer.price_usd_hour), int(offer.available != "no")
    cells = (offer.gpu, offer.gpu_count, offer.pool.provider, *place, price, on_sale, at, at)
    number = sql.execute(q["add_pool"], cells).lastrowid
    sql.execute(q["add_change"], (number, at, price, on_sale))
    return 1


def _change(
    sql: sqlite3.Connection, q: Mapping[str, str], number: int, offer: Offer, changed_at: float, *, now: float
) -> int:
    """Another price. One that was seen before the last change is old news; a change from the future is none."""
    at = min(offer.seen_at, now)
    if changed_at > now:
        sql.execute(q["forget_future"], (number, now))
    elif at < changed_at:
        return 0
    price, on_sale = str(offer.price_usd_hour), int(offer.available != "no")
    sql.execute(q["add_change"], (number, at, price, on_sale))
    sql.execute(q["set_pool"], (price, on_sale, at, at, number))
    return 1
