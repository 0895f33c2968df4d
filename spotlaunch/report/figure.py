"""The frame of every figure: a title, an SVG whose texts keep their size on any screen, and its axes.

What has a place in time has it in per cent of the width, so that the same figure fits a phone and a printed page.
Lines are drawn in an SVG of their own, which is stretched, without their strokes.
"""

from __future__ import annotations

from collections.abc import Sequence

from spotlaunch.report.markup import Child, Html, element, together
from spotlaunch.report.scales import Amounts, Times

COLOURS = 6  # `s0` ... in the style
TEXT_PX = 16  # a line of text below the plot, or above a bar
_EDGE = 12  # per cent: a label so near to the right edge is set to the left of its place


def framed(title: str, what: str, height: int, *drawn: Child, below: Child = None) -> Html:
    """A figure of ``height`` pixels. ``what`` says in a sentence what is to be seen, for those who cannot see it."""
    picture = element("svg", element("title", what), *drawn, role="img", width="100%", height=height, class_="figure")
    return element("figure", element("figcaption", title), picture, below)


def time_axis(times: Times, height: int) -> Html:
    """A line down at each round time, with its name in the lowest `TEXT_PX` pixels."""
    foot = height - TEXT_PX
    drawn: list[Html] = []
    for at, name in times.ticks():
        x = times.percent(at)
        place = f"{x:.2f}%"
        anchor = "end" if x > 100 - _EDGE else "start" if x < _EDGE / 2 else "middle"
        drawn.append(element("line", x1=place, x2=place, y1=0, y2=foot, class_="grid"))
        drawn.append(element("text", name, x=place, y=height - 3, text_anchor=anchor))
    return together(*drawn)


def amount_axis(amounts: Amounts, top: int, height: int, unit: str) -> Html:
    """A line across at each step between ``top`` and ``top + height`` pixels, its name above it at the left."""
    drawn: list[Html] = []
    for amount, name in [(0.0, ""), *amounts.ticks()]:
        y = top + height * (1 - amounts.percent(amount) / 100)
        drawn.append(element("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"))
        if name:
            drawn.append(element("text", f"{unit}{name}", x="0", y=y - 3, class_="value"))
    return together(*drawn)


def plotted(top: int, height: int, *lines: Html) -> Html:
    """Lines whose points are thousandths of the width and of the height, stretched to where the axes are."""
    return element(
        "svg",
        *lines,
        x="0",
        y=top,
        width="100%",
        height=height,
        viewBox="0 0 1000 1000",
        preserveAspectRatio="none",
        overflow="visible",
    )


def key(entries: Sequence[tuple[Html, str]]) -> Html | None:
    """What each mark stands for."""
    if not entries:
        return None
    return element("ul", *(element("li", mark, " ", words) for mark, words in entries), class_="key")


def field(look: str) -> Html:
    """A mark: a small field of that look (classes of the style)."""
    return _mark(element("rect", width="100%", height="100%", class_=look))


def stroke(look: str) -> Html:
    """A mark: a short line of that look."""
    return _mark(element("line", x1=0, x2=22, y1=5, y2=5, class_=look), width=22)


def triangle(look: str) -> Html:
    """A mark: what stands in a timeline where a machine was taken."""
    return _mark(element("path", d="M1 9H13L7 0Z", class_=look))


def _mark(drawn: Html, width: int = 14) -> Html:
    return element("svg", drawn, class_="mark", width=width, height=10, aria_hidden="true")
