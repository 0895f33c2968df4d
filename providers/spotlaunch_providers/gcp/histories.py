"""Capacity histories of many pools: which to ask for first, and what stands in for those that were not asked. Pure.

Google's spot list prices are those of a region, while its preemption rates differ by zone [DOC]. There is a call a
pool, so one zone of each region comes first: then every pool has a price, and more calls only make the rates exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from spotlaunch_providers.gcp.advice import History
from spotlaunch_providers.gcp.offers import spot_price
from spotlaunch_providers.gcp.shapes import Shape
from spotlaunch_providers.gcp.skus import Prices


def first_zones(found: Iterable[Shape], known: Mapping[str, History]) -> list[Shape]:
    """One zone for each machine type and region of which nothing is known yet."""
    told = [s for s in found if not s.attached]
    regions = {(s.region, s.name) for s in told if s.pool in known}
    firsts: dict[tuple[str, str], Shape] = {}
    for shape in sorted(told, key=lambda s: s.zone):
        if (shape.region, shape.name) not in regions:
            firsts.setdefault((shape.region, shape.name), shape)
    return [firsts[k] for k in sorted(firsts)]


def everywhere(found: Iterable[Shape], known: Mapping[str, History]) -> dict[str, History]:
    """What is known of each pool: of its own zone, else of another zone of its region."""
    told = sorted((s for s in found if not s.attached and s.pool in known), key=lambda s: s.zone)
    regions: dict[tuple[str, str], History] = {}
    for shape in told:
        if known[shape.pool].price_usd_hour is not None:
            regions.setdefault((shape.region, shape.name), known[shape.pool])
    histories = {}
    for shape in found:
        own = known.get(shape.pool)
        if own is None or own.price_usd_hour is None:
            own = regions.get((shape.region, shape.name), own)
        if own is not None and not shape.attached:
            histories[shape.pool] = own
    return histories


def cheapest(found: Iterable[Shape], histories: Mapping[str, History], prices: Prices) -> list[Shape]:
    """Pools with a spot price, the cheapest for a GPU first, the GPUs in turn: so those that are bought come first.

    In turn, since of many GPUs the weakest would else take all places.
    """
    priced = [(spot_price(s, histories, prices), s) for s in found if not s.attached]
    rows = sorted(((p / s.gpu_count, s.name, s.zone, s) for p, s in priced if p is not None), key=lambda row: row[:3])
    places, in_turn = Counter[str](), []
    for *_, shape in rows:
        in_turn.append((places[shape.gpu], shape))
        places[shape.gpu] += 1
    return [shape for _, shape in sorted(in_turn, key=lambda row: row[0])]
