"""Every bad job file, what is said of it, and where: those of this folder, and those too big to keep in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
HEAD = b"name: digits\nrun: python3 train.py\n"

# file -> content, line, key, what the message or its hint says
MADE: dict[str, tuple[bytes, int, str, str]] = {
    "five-megabytes.yaml": (HEAD + b"setup: " + b"x" * 5_000_000, 1, "", "is larger than 1 MB"),
    "five-million-brackets.yaml": (b"[" * 900_000, 1, "[0]" * 12, "nested more than 12 levels deep"),
    "anchor-bomb.yaml": (
        HEAD
        + b"env: {}\nbomb:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"  a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)),
        5,
        "bomb.a0",
        "is a YAML anchor",
    ),
    "too-many-values.yaml": (HEAD + b"restart_on_exit: [" + b"1, " * 50_000 + b"1]\n", 3, "", "more than 20000 values"),
    "command-too-long.yaml": (b"run: |\n" + b"  echo hello\n" * 20_000, 1, "run", "is longer than 100 kB"),
    "not-utf8.yaml": (HEAD + b"env: {NAME: caf\xe9}\n", 3, "", "is not UTF-8 text"),
    "utf16.yaml": (HEAD.decode().encode("utf-16"), 1, "", "is not UTF-8 text"),
    "nul.yaml": (HEAD + b"env: {NAME: a\0b}\n", 3, "", "U+0000"),
    "escaped-nul.yaml": (HEAD + b'env: {NAME: "a\\0b"}\n', 3, "env.NAME", "NUL"),
    "picture.yaml": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, 1, "", "is not UTF-8 text"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A bad job file on disk, and what must be said of it."""

    path: Path
    line: int
    key: str
    says: str


def expected() -> dict[str, tuple[int, str, str]]:
    """File name -> line, key, and a part of what is said."""
    kept = json.loads((HERE / "expected.json").read_text())
    return {name: (row["line"], row["key"], row["says"]) for name, row in kept.items()} | {
        name: row[1:] for name, row in MADE.items()
    }


def write(name: str, folder: Path) -> Case:
    """The bad job file ``name``, as a file in ``folder`` (beside a copy of what it refers to)."""
    line, key, says = expected()[name]
    shutil.copy(HERE / "expected.json", folder)
    if name in MADE:
        (folder / name).write_bytes(MADE[name][0])
    else:
        shutil.copy(HERE / name, folder)
    return Case(path=folder / name, line=line, key=key, says=says)


def write_all(folder: Path) -> Iterator[Case]:
    """All of them, one after the other."""
    return (write(name, folder) for name in sorted(expected()))
