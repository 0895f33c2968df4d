"""The SQL files: queries by name, with the columns of each noun filled in, and the numbered migrations."""

from __future__ import annotations

import re
import sqlite3
from functools import cache
from pathlib import Path

from spotlaunch.storage import rows

FOLDER = Path(__file__).parent / "sql"
_NOUNS = {
    "job": rows.JOB,
    "attempt": rows.ATTEMPT,
    "machine": rows.MACHINE,
    "refusal": rows.REFUSAL,
    "event": rows.EVENT,
    "billed": rows.BILLED,
}


@cache
def queries(folder: Path = FOLDER) -> dict[str, str]:
    """Name to statement, of ``queries.sql``. ``{changes}`` is left for `rows.assignments` to fill."""
    text = (folder / "queries.sql").read_text(encoding="utf-8")
    for noun, columns in _NOUNS.items():
        text = text.replace(f"{{{noun}}}", ", ".join(columns))
        text = text.replace(f"{{?{noun}}}", ", ".join("?" * len(columns)))
    found = re.findall(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: _without_comments(body) for name, body in found}


def migrations(folder: Path = FOLDER) -> list[tuple[int, str]]:
    """``(version, script)`` of each ``NNNN_title.sql``, in order. Version n makes n out of n - 1."""
    found = sorted(p for p in folder.glob("*.sql") if p.name[:4].isdigit())
    return [(int(p.name[:4]), p.read_text(encoding="utf-8")) for p in found]


def statements(script: str) -> list[str]:
    """A script's statements one by one, so that all can run inside one transaction of the caller's.

    (`executescript` would commit the transaction it finds.)
    """
    found, pending = [], ""
    for line in _without_comments(script).splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    if pending.strip():
        raise ValueError(f"a statement without its end: {pending.strip()!r}")
    return found


def _without_comments(sql: str) -> str:
    return "".join(line for line in sql.splitlines(keepends=True) if not line.startswith("--")).strip()
