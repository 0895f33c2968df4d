"""The timeline of a job: a row for each pool, and on it what its machines were busy with, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spotlaunch.core.account import Kind, Line, Span
from spotlaunch.report.figure import TEXT_PX, field, framed, key, time_axis, triangle
from spotlaunch.report.markup import Html, element, together
from spotlaunch.report.scales import Times
from spotlaunch.report.words import count, duration, moment

BUSY: Mapping[Kind, str] = {
    "boot": "first boot",
    "restart": "boot again",
    "work": "work that is kept",
    "redone": "work done again",
    "leaving": "leaving",
}
TAKEN = frozenset({"preempted", "lost"})

_BAR_PX = 18
_ROW_PX = TEXT_PX + _BAR_PX + 16
_LABEL_MOST = 46  # letters
_LANE_PX = _BAR_PX + 12


def timeline(lines: Sequence[Line], times: Times) -> Html:
    """All machines of a job over ``times``."""
    rows = _rows(lines)
    drawn: list[Html] = []
    y = 0
    for pool, lanes in rows.items():
        drawn.append(element("text", element("title", pool), _short(pool), x="0", y=y + TEXT_PX - 4, class_="label"))
        for number, lane in enumerate(lanes):
            drawn += [_machine(line, times, y + TEXT_PX + number * _LANE_PX) for line in lane]
        y += _ROW_PX + (len(lanes) - 1) * _LANE_PX
    height = y + TEXT_PX + 4
    taken = sum(1 for line in lines if _taken(line))
    what = f"{count(len(lines), 'machine')} on {count(len(rows), 'pool')}, {taken} of them taken away"
    what += f", from {moment(times.since)} to {moment(times.until)}. The table of machines says the same in figures."
    title = "Attempts on their pools"
    return framed(title, what, height, time_axis(times, height), *drawn, below=_key(lines, taken))


def _key(lines: Sequence[Line], taken: int) -> Html | None:
    there = {span.kind for line in lines for span in line.spans}
    entries = [(field(kind), words) for kind, words in BUSY.items() if kind in there]
    return key([*entries, *([(triangle("taken"), "taken away")] if taken else [])])


def _rows(lines: Sequence[Line]) -> dict[str, list[list[Line]]]:
    """By pool, in the order of first use; machines that were there at the same time lie in lanes side by side."""
    rows: dict[str, list[list[Line]]] = {}
    for line in sorted(lines, key=lambda one: one.spans[0].from_at):
        lanes = rows.setdefault(str(line.machine.pool), [])
        free = next((lane for lane in lanes if lane[-1].spans[-1].until_at <= line.spans[0].from_at), None)
        if free is None:
            lanes.append([line])
        else:
            free.append(line)
    return rows


def _short(pool: str) -> str:
    """A name that fits a phone. Its market, at the end, is what tells it from others of the same type."""
    return pool if len(pool) <= _LABEL_MOST else f"{pool[: _LABEL_MOST - 12]}…{pool[-11:]}"


def _machine(line: Line, times: Times, y: int) -> Html:
    attempt = line.machine.attempt
    bars = [_bar(span, attempt, times, y) for span in line.spans]
    begin = times.percent(line.spans[0].from_at)
    width = times.percent(line.spans[-1].until_at) - begin
    # A number in a bar that is too short for it would lie over the next.
    name = (
        element("text", str(attempt), x=f"{begin + width / 2:.2f}%", y=y + 13, class_="inside") if width > 3 else None
    )
    return together(*bars, name, _end(line, times, y))


def _bar(span: Span, attempt: int, times: Times, y: int) -> Html:
    begin, end = times.percent(span.from_at), times.percent(span.until_at)
    told = f"attempt {attempt}: {BUSY[span.kind]}, {moment(span.from_at)} to {moment(span.until_at)}"
    return element(
        "rect",
        element("title", f"{told} ({duration(span.until_at - span.from_at)})"),
        x=f"{begin:.3f}%",
        width=f"{max(end - begin, 0.05):.3f}%",
        y=y,
        height=_BAR_PX,
        class_=span.kind,
    )


def _taken(line: Line) -> str:
    """How it was lost, if it was."""
    told = line.machine.outcome or (line.attempt.outcome if line.attempt is not None else None)
    return told if told in TAKEN else ""


def _end(line: Line, times: Times, y: int) -> Html | None:
    """A mark where a machine was taken away."""
    m, outcome = line.machine, _taken(line)
    if not outcome or m.ended_at is None:
        return None
    words = f"attempt {m.attempt}: {outcome} at {moment(m.ended_at)}" + (f": {m.reason}" if m.reason else "")
    # Drawn around its place in time, which only an SVG of its own can have in per cent.
    below = element("path", element("title", words), d="M-6 9H6L0 0Z", class_="taken")
    return element("svg", below, x=f"{times.percent(m.ended_at):.3f}%", y=y + _BAR_PX + 1, overflow="visible")
