"""Curves over time on one pair of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from spotlaunch.report.figure import TEXT_PX, amount_axis, framed, key, plotted, stroke, time_axis
from spotlaunch.report.markup import Html, element
from spotlaunch.report.scales import Amounts, Times

_TOP_PX, _PLOT_PX = 18, 150
_HEIGHT_PX = _TOP_PX + _PLOT_PX + TEXT_PX + 4

# A moment (seconds since the epoch) and an amount each.
Points: TypeAlias = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A line in pieces, with gaps where nothing is known. ``look``: its classes of the style. Without a name it is not
    in the key."""

    name: str
    look: str
    pieces: Sequence[Points]


def chart(title: str, what: str, times: Times, curves: Sequence[Curve], *, unit: str = "", note: str = "") -> Html:
    """A figure of ``curves``, the last one on top. ``note`` stands below it."""
    highest = max((y for c in curves for piece in c.pieces for _, y in piece), default=0.0)
    amounts = Amounts.up_to(highest)
    lines = [_line(curve, piece, times, amounts) for curve in curves for piece in curve.pieces if piece]
    entries = [(stroke(c.look), c.name) for c in curves if c.name and any(c.pieces)]
    return framed(
        title,
        what,
        _HEIGHT_PX,
        time_axis(times, _HEIGHT_PX),
        plotted(_TOP_PX, _PLOT_PX, *lines),
        amount_axis(amounts, _TOP_PX, _PLOT_PX, unit),
        below=element("div", key(entries), element("p", note, class_="note") if note else None),
    )


def _line(curve: Curve, piece: Points, times: Times, amounts: Amounts) -> Html:
    points = " ".join(f"{10 * times.percent(at):.1f},{1000 - 10 * amounts.percent(y):.1f}" for at, y in piece)
    return element("polyline", element("title", curve.name) if curve.name else None, points=points, class_=curve.look)
