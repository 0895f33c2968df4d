"""How things look: tables, amounts, times. Data goes to stdout, all else to stderr.

Where a person looks (a terminal), rich draws the tables; in a pipe, or with ``NO_COLOR``, it is plain text.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TextIO

# Words with a colour, wherever they stand alone in a cell.
_STYLES = {
    "running": "green",
    "finished": "bold green",
    "queued": "yellow",
    "cancelling": "yellow",
    "preempted": "yellow",
    "cancelled": "dim",
    "ended": "dim",
    "failed": "bold red",
    "lost": "red",
    "bad": "bold red",
}

_SENTENCE_WIDTH = 30

# For single lines on a terminal; tables are rich's.
BOLD, DIM, RED, GREEN, YELLOW, PLAIN = (f"\x1b[{n}m" for n in (1, 2, 31, 32, 33, 0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column's title (with its unit). ``right``: numbers, which are compared by their last digit."""

    title: str
    right: bool = False


def columns(*titles: str) -> list[Column]:
    """Columns by their titles; one that begins with ``>`` is for numbers."""
    return [Column(title=t.lstrip(">"), right=t.startswith(">")) for t in titles]


def is_fancy(stream: TextIO | None = None) -> bool:
    """Whether a person looks at it, and wants colour."""
    stream = stream or sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def one_stream() -> bool:
    """Whether stdout and stderr end up in the same place: one terminal, one file, one pipe."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):  # closed, or not a file at all
        return False


def table(head: Sequence[Column], rows: Sequence[Sequence[str]], *, indent: str = "") -> None:
    """Print rows under their titles on stdout. Empty cells are shown as ``-``."""
    cells = [[one_line(c) or "-" for c in row] for row in rows]
    if is_fancy():
        _rich_table(head, cells, indent)
    else:
        print(plain_table(head, cells, indent=indent))


def one_line(text: str) -> str:
    """Without what would break a table, or steer the terminal: a cloud's words may hold anything."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def plain_table(head: Sequence[Column], rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """The rows as aligned text, two spaces between columns."""
    lines = [[c.title for c in head], *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def aligned(line: Sequence[str]) -> str:
        padded = (t.rjust(w) if c.right else t.ljust(w) for t, w, c in zip(line, widths, head, strict=True))
        return (indent + "  ".join(padded)).rstrip()

    return "\n".join(map(aligned, lines))


def _rich_table(head: Sequence[Column], rows: Sequence[Sequence[str]], indent: str) -> None:
    from rich.console import Console  # late: a pipe needs none of it
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    widths = [max(len(line[i]) for line in [[c.title for c in head], *rows]) for i in range(len(head))]
    for i, c in enumerate(head):
        # Only the last column is broken into lines: it holds sentences. No name is ever cut off.
        drawn.add_column(c.title, justify="right" if c.right else "left", no_wrap=i < len(head) - 1)
    for row in rows:
        drawn.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    console = Console()
    least = len(indent) + sum(widths[:-1]) + 2 * len(head) + min(widths[-1], _SENTENCE_WIDTH)
    console.width = max(console.width, least)  # a narrow terminal breaks the lines itself
    console.print(Padding(drawn, (0, 0, 0, len(indent))))


def as_json(value: Any, *, line: bool = False) -> None:
    """Print JSON on stdout: indented, or as one ``line`` of many. Money becomes a number."""
    indent, separators = (None, (",", ":")) if line else (2, None)
    print(json.dumps(value, indent=indent, separators=separators, default=_plain, ensure_ascii=False), flush=line)


def json_list(values: Iterable[Any], *, endless: bool) -> None:
    """Print many JSON values: one array, an element a line; or, where no end is in sight, one value a line."""
    if endless:
        for value in values:
            as_json(value, line=True)
        return
    between = "[\n"
    for value in values:
        print(between + json.dumps(value, separators=(",", ":"), default=_plain, ensure_ascii=False), end="")
        between = ",\n"
    print("[]" if between == "[\n" else "\n]")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not for JSON: {type(value).__name__}")


def say(text: str) -> None:
    """To the person, not to the pipe."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str, *, hint: str = "") -> None:
    """Something to know about, with what to do."""
    say(f"warning: {text}" + (f"\nhint: {hint}" if hint else ""))


def duration(seconds: float) -> str:
    """The two largest units: ``45s``, ``3m12s``, ``2h05m``, ``4d03h``."""
    s = max(0, int(seconds))
    if s < 60:
        return f"{s}s"
    if s < 3600:
        return f"{s // 60}m{s % 60:02d}s"
    if s < 86400:
        return f"{s // 3600}h{s % 3600 // 60:02d}m"
    return f"{s // 86400}d{s % 86400 // 3600:02d}h"


def usd(amount: Decimal) -> str:
    """Cents matter from ten dollars on; below, so do hundredths of them."""
    return f"{amount:.2f}" if abs(amount) >= 10 else f"{amount:.4f}"


def size(count: int) -> str:
    """Bytes as people read them: ``512 B``, ``1.5 MB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def clock(at: float) -> str:
    """A moment in this computer's time zone, to the second."""
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


def time_of_day(at: float) -> str:
    """The same without the date, for what has just happened."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def progress(step: int, total: int | None) -> str:
    """``40/60``, or the step alone where the total is not known."""
    return f"{step}/{total}" if total else str(step) if step else ""
