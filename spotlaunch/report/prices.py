"""What the pools of a job's machines cost: as agreed, and as the market was seen before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spotlaunch.core.account import JobAccount, Line
from spotlaunch.core.facts import Pool
from spotlaunch.core.ledger import on_demand_usd_hour
from spotlaunch.core.pricecurve import HOLDS_S
from spotlaunch.core.pricehistory import PoolPrices
from spotlaunch.report.curves import Curve, Points, chart
from spotlaunch.report.figure import COLOURS
from spotlaunch.report.markup import Html
from spotlaunch.report.scales import Times


def prices(job: JobAccount, times: Times, history: Mapping[Pool, PoolPrices]) -> Html:
    """The first few pools, in the order of first use. ``history``: what is remembered of them."""
    pools = list(dict.fromkeys(x.machine.pool for x in job.lines))
    shown = {pool: f"s{n}" for n, pool in enumerate(pools[:COLOURS])}
    on_demand = [_flat(x, float(on_demand_usd_hour(x.machine))) for x in job.lines]
    curves = [Curve(name="on-demand, at each order", look="line against", pieces=on_demand)]
    for pool, colour in shown.items():
        if pool in history:
            curves.append(Curve(name="", look=f"line seen {colour}", pieces=_seen(history[pool], times)))
    for pool, colour in shown.items():
        agreed = [_flat(x, float(x.machine.price_usd_hour)) for x in job.lines if x.machine.pool == pool]
        curves.append(Curve(name=str(pool), look=f"line own {colour}", pieces=agreed))
    known = sum(1 for pool in shown if pool in history)
    note = "Thick: agreed, while a machine was up. "
    note += f"Thin: as it was seen at other times ({known} of {len(shown)} pools)." if known else _UNSEEN
    if len(pools) > len(shown):
        note += f" The first {len(shown)} of {len(pools)} pools are shown."
    return chart("Prices of the pools used, $/h", f"For a whole machine. {note}", times, curves, unit="$", note=note)


_UNSEEN = "No price of these pools is remembered of other times."


def _flat(line: Line, price: float) -> Points:
    return [(line.spans[0].from_at, price), (line.spans[-1].until_at, price)]


def _seen(found: PoolPrices, times: Times) -> list[Points]:
    """Steps, with a gap where it was not on sale. Nothing an hour after it was last seen, as in `prices --history`."""
    pieces: list[Points] = []
    piece: list[tuple[float, float]] = []
    ends = [change.at for change in found.changes[1:]] + [found.seen_at + HOLDS_S]
    for begin, end, price in _within(found, ends, times):
        if price is None or (piece and piece[-1][0] != begin):
            pieces.append(piece)
            piece = []
        if price is not None:
            piece += [(begin, price), (end, price)]
    return [p for p in [*pieces, piece] if p]


def _within(found: PoolPrices, ends: Iterable[float], times: Times) -> Iterable[tuple[float, float, float | None]]:
    """From when to when in the figure's time it cost how much; None: it could not be had."""
    for change, end in zip(found.changes, ends, strict=True):
        begin, end = max(change.at, times.since), min(max(end, change.at), times.until)
        if begin <= end:
            yield begin, end, float(change.price_usd_hour) if change.on_sale else None
