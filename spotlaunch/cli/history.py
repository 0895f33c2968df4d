"""`spotlaunch prices --history`: what a GPU has cost at the least, at each provider, as far as we looked."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from spotlaunch.cli import plot, render
from spotlaunch.cli.market import read_gpus, whom_to_ask
from spotlaunch.cli.options import market_of, refuse_beside
from spotlaunch.core.pricecurve import Choice, Curve, Low, Span, curves, span_of
from spotlaunch.core.pricehistory import PoolPrices
from spotlaunch.errors import UsageError
from spotlaunch.home import Home
from spotlaunch.storage.market import MarketStore, open_market

USUAL_DAYS = 7.0


def run(
    *,
    gpus: Sequence[str],
    days: float | None,
    providers: Sequence[str],
    regions: Sequence[str],
    spot: bool | None,
    as_json: bool,
    asked: bool,
    beside: Mapping[str, object],
) -> int:
    """Print what is remembered of the last ``days``; nobody is asked. Returns 0, also when nothing is.

    ``asked``: ``--history`` itself was given; ``beside``: options that it has no use for. Raises `UsageError`
    without a GPU, and `StoreUnavailable` when the memory cannot be read.
    """
    if not asked:
        raise UsageError("--days belongs to --history", hint="add --history")
    refuse_beside("--history", beside)
    memory = open_market(Home.find())
    try:
        if not gpus:
            raise UsageError("--history is of one GPU", hint=_which(memory))
        choice = Choice(
            gpus=read_gpus(gpus),
            providers=tuple(whom_to_ask(providers)) if providers else (),
            regions=tuple(regions),
            market=market_of(spot),
        )
        span = span_of(now=time.time(), back_s=(days or USUAL_DAYS) * 86400)
        found = curves(_history(memory, choice, span), choice, span)
        if as_json:
            render.as_json(history_json(choice, found, span))
        else:
            _show(choice, found, span, hint=_which(memory))
    finally:
        memory.close()
    return 0


def _history(memory: MarketStore, choice: Choice, span: Span) -> list[PoolPrices]:
    names = dict.fromkeys(name for name, _ in choice.gpus)
    return [pool for name in names for pool in memory.history(name, since=span.since, until=span.until)]


def _which(memory: MarketStore) -> str:
    known = memory.gpus()
    if not known:
        return "prices are remembered whenever they are asked for: by `spotlaunch prices`, and while jobs run"
    return "add --gpu with one of: " + ", ".join(render.one_line(name) for name in known)


# -- for a person ---------------------------------------------------------------------------------------


def _show(choice: Choice, found: Sequence[Curve], span: Span, *, hint: str) -> None:
    wish = " or ".join(f"{gpu}:{count}" if count else gpu for gpu, count in choice.gpus)
    length = render.duration(span.until - span.since)
    if not found:
        render.say(f"no price of {wish} is remembered of the last {length}\nhint: {hint}")
        return
    about = f"lowest $/GPU-h of {wish} in each {render.duration(span.step_s)}"
    print(f"{about}, {_moment(span.since)} to {_moment(span.until)}")
    drawn = plot.draw(found, span, _moment) if render.is_fancy() else ""
    if drawn:
        print(drawn)
    titles = ["provider", ">now", ">lowest", ">highest", "lowest in"]
    rows = [_cells(curve) for curve in found]
    if not drawn:
        titles.append("over time")
        lines = plot.sparklines(found, plot.blocks(sys.stdout.encoding))
        rows = [[*row, line] for row, line in zip(rows, lines, strict=True)]
    render.table(render.columns(*titles), rows)
    if any(c.lows[-1] is None for c in found):
        render.say("- : no price is known of then; `spotlaunch prices` asks for those of now")


def _cells(curve: Curve) -> list[str]:
    low = min(curve.known, key=lambda found: found.price_usd_gpu_hour)
    high = max(curve.known, key=lambda found: found.price_usd_gpu_hour)
    now = curve.lows[-1]
    return [curve.provider, _price(now), _price(low), _price(high), str(low.pool)]


def _price(low: Low | None) -> str:
    return "" if low is None else render.usd(low.price_usd_gpu_hour)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")


# -- for scripts: keys are stable, see docs/reference.md -------------------------------------------------


def history_json(choice: Choice, found: Sequence[Curve], span: Span) -> dict[str, Any]:
    """All curves, with stable keys."""
    return {
        "gpus": [f"{gpu}:{count}" if count else gpu for gpu, count in choice.gpus],
        "since": span.since,
        "until": span.until,
        "step_s": span.step_s,
        "providers": [
            {
                "provider": curve.provider,
                "points": [point_json(span.at(n), low) for n, low in enumerate(curve.lows) if low is not None],
            }
            for curve in found
        ],
    }


def point_json(at: float, low: Low) -> dict[str, Any]:
    """The lowest price of one step, with stable keys."""
    return {
        "at": at,
        "price_usd_gpu_hour": round(low.price_usd_gpu_hour, 6),
        "region": low.pool.region,
        "zone": low.pool.zone,
        "instance_type": low.pool.instance_type,
        "market": low.pool.market,
    }
