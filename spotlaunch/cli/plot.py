"""Price curves as text: a plot by plotext where that is installed, and a line of blocks by ourselves where not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from spotlaunch.core.pricecurve import Curve, Span

HEIGHT = 18
LEAST_WIDTH, MOST_WIDTH = 40, 160

# From cheap to dear; the ones for terminals that know no others.
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-=+*#%"
UNKNOWN = " "
SPARK_WIDTH = 48


def draw(found: Sequence[Curve], span: Span, moment: Callable[[float], str]) -> str:
    """A plot of all curves, as wide as the terminal. Empty where plotext (the extra `plot`) is not installed.

    ``moment`` writes a time for the axis.
    """
    try:
        plotext: Any = import_module("plotext")  # late: an extra
        figure = plotext.figure
    except (ImportError, AttributeError):  # not there, or one from before version 6, which is another library
        return ""
    figure.clear()
    figure.theme("simple")  # leaves the terminal's own background
    figure.plot_size(max(LEAST_WIDTH, min(MOST_WIDTH, shutil.get_terminal_size().columns)), HEIGHT)
    for curve in found:
        label = curve.provider
        for xs, ys in _pieces(curve, span):
            signal = figure.signal(xs, ys)
            signal.lines(True)
            if label:
                signal.label(label)
                label = ""  # once in the legend
            figure.draw(signal)
    ticks = [span.since, span.since + (span.until - span.since) / 2, span.until]
    figure.ruler("x").ticks(ticks, [moment(at) for at in ticks])
    return str(figure.build())


def _pieces(curve: Curve, span: Span) -> Iterator[tuple[list[float], list[float]]]:
    """The curve in parts without a gap: no line is drawn over what is not known. A low holds for its whole step."""
    xs: list[float] = []
    ys: list[float] = []
    for n, low in enumerate(curve.lows):
        if low is not None:
            xs += [span.at(n), span.at(n + 1)]
            ys += [float(low.price_usd_gpu_hour)] * 2
        elif xs:
            yield xs, ys
            xs, ys = [], []
    if xs:
        yield xs, ys


def blocks(encoding: str | None) -> str:
    """Eight letters of growing height that can be written there."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN_BLOCKS
    return BLOCKS


def sparklines(found: Sequence[Curve], letters: str) -> list[str]:
    """A line for each curve, all to one scale: blank where nothing is known, ``letters`` from cheap to dear."""
    prices = [float(low.price_usd_gpu_hour) for curve in found for low in curve.known]
    if not prices:
        return ["" for _ in found]
    least, most = min(prices), max(prices)
    scale = (len(letters) - 1) / (most - least) if most > least else 0.0

    def letter(price: float | None) -> str:
        return UNKNOWN if price is None else letters[round((price - least) * scale)]

    return ["".join(letter(price) for price in _squeezed(curve)) for curve in found]


def _squeezed(curve: Curve) -> Iterator[float | None]:
    """At most `SPARK_WIDTH` lows: the lowest of neighbours."""
    width = min(SPARK_WIDTH, len(curve.lows))
    for n in range(width):
        part = curve.lows[n * len(curve.lows) // width : (n + 1) * len(curve.lows) // width]
        yield min((float(low.price_usd_gpu_hour) for low in part if low is not None), default=None)
