"""A week as text: by the hour of the day and the day of the week (UTC), how often machines are taken and given."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from spotlaunch.cli import plot, render
from spotlaunch.core.poolstats import PlaceStats
from spotlaunch.core.seasons import DAY_H, WEEK_H

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
HEIGHT, LEAST_WIDTH, MOST_WIDTH = 14, 40, 140

# More curves than these in one picture cannot be told apart.
CURVES = 4


def show(places: Sequence[PlaceStats]) -> None:
    """Print a picture by plotext where that is installed and a person looks, and a line of blocks for each place."""
    taken = [s for s in places if any(s.interruptions)]
    if render.is_fancy() and taken:
        drawn = draw(taken[:CURVES])
        if drawn:
            print("times as often taken as on average, by the hour of the day (UTC)")
            print(drawn)
    letters = plot.blocks(sys.stdout.encoding)
    head = [
        *("provider", "region", "market", ">hours", ">taken"),
        "taken, hour 0-23",
        "Mo-Su",
        ">asked",
        "granted, hour 0-23",
    ]
    rows = [_row(s, letters) for s in places]
    render.table(render.columns(*head), rows)
    render.say(
        "hours and days are UTC. taken: how many times as often as on average, as believed (the highest block: twice "
        "or more). granted: the share of the launches asked for (the highest block: all; blank: none was asked then)"
    )


def by_hour(week: Sequence[float]) -> list[float]:
    """The sums of each hour of the day."""
    return [sum(week[hour::DAY_H]) for hour in range(DAY_H)]


def by_day(week: Sequence[float]) -> list[float]:
    """The sums of each day of the week."""
    return [sum(week[day : day + DAY_H]) for day in range(0, WEEK_H, DAY_H)]


def _row(stats: PlaceStats, letters: str) -> list[str]:
    provider, region, market = stats.place
    hours = [f / len(DAYS) for f in by_hour(stats.factors)]
    days = [f / DAY_H for f in by_day(stats.factors)]
    granted, asked = by_hour(stats.granted), by_hour([g + r for g, r in zip(stats.granted, stats.refused, strict=True)])
    chances = [g / a if a else None for g, a in zip(granted, asked, strict=True)]
    return [
        provider,
        region or "all",
        market,
        f"{sum(stats.hours):.1f}",
        f"{sum(stats.interruptions):.0f}",
        blocks(hours, letters, most=2.0),
        blocks(days, letters, most=2.0),
        f"{sum(asked):.0f}",
        blocks(chances, letters, most=1.0),
    ]


def blocks(values: Sequence[float | None], letters: str, *, most: float) -> str:
    """A letter for each value, from 0 to ``most`` and beyond; blank where there is none."""
    top = len(letters) - 1
    return "".join(plot.UNKNOWN if v is None else letters[min(top, round(v / most * top))] for v in values)


def draw(places: Sequence[PlaceStats]) -> str:
    """A picture of the factors by hour of the day. Empty where plotext (the extra `plot`) is not installed."""
    try:
        plotext: Any = import_module("plotext")  # late: an extra
        figure = plotext.figure
    except (ImportError, AttributeError):  # not there, or one from before version 6, which is another library
        return ""
    figure.clear()
    figure.theme("simple")  # leaves the terminal's own background
    figure.plot_size(max(LEAST_WIDTH, min(MOST_WIDTH, shutil.get_terminal_size().columns)), HEIGHT)
    for stats in places:
        provider, region, market = stats.place
        hours = [f / len(DAYS) for f in by_hour(stats.factors)]
        signal = figure.signal([h + half for h in range(DAY_H) for half in (0, 1)], [f for f in hours for _ in "ab"])
        signal.lines(True)
        signal.label(f"{provider} {region} {market}")
        figure.draw(signal)
    ticks = list(range(0, DAY_H + 1, 3))
    figure.ruler("x").ticks(ticks, [f"{h:02d}" for h in ticks])
    return str(figure.build())
