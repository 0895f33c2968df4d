"""A YAML text as a tree of scalars *as they were written*, with the line and column of everything.

Nothing is resolved: ``3.10`` stays "3.10", ``on`` stays "on", and whoever needs a number or a truth value
reads it from the text. `core.yamlread` makes these trees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from spotlaunch.core.units import quoted
from spotlaunch.errors import Problem

_NULL = re.compile(r"~|null|Null|NULL|")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F_]+|[-+]?\.(inf|nan)")

Path = tuple[str | int, ...]
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as written. ``plain``: without quotes and not a block of lines."""

    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether it says that there is no value: empty, ``~`` or ``null``, without quotes."""
        return self.plain and _NULL.fullmatch(self.text) is not None

    @property
    def is_number(self) -> bool:
        """Whether it is written as a number, without quotes."""
        return self.plain and _NUMBER.fullmatch(self.text) is not None


@dataclass(slots=True)
class Tree:
    """What was read: ``root`` of dicts, lists and `Scalar` (None: nothing), and where keys and values stand.

    ``whole``: the text was read to its end; if not, the last of ``problems`` says why.
    """

    root: Any = None
    whole: bool = False
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Where ``path`` is; of what is not in the file, where the nearest thing around it is."""
        for end in range(len(path), -1, -1):
            for places in (self.keys, self.values) if of_key else (self.values, self.keys):
                if path[:end] in places:
                    return places[path[:end]]
        return 1, 1


def found(value: Any) -> str:
    """What was found, in words for a message."""
    if isinstance(value, dict):
        return "a mapping (keys with values)"
    if isinstance(value, list):
        return "a list"
    if value.is_null:
        return "nothing"
    return f"the number {value.text[:60]}" if value.is_number else quoted(value.text)


def dotted(path: Path) -> str:
    """``("where", "regions", 1)`` as ``where.regions[1]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if re.fullmatch(r"[\w-]{1,60}", part) else quoted(part)
            text += f".{word}" if text else word
    return text
