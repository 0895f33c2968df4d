"""One mapping of a YAML file while it is being checked; and readers of single values.

What is wrong is put down in the tree's list of problems, and reading goes on with the default, so that a
person sees all mistakes at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any, TypeVar

from spotlaunch.core.units import Unreadable, quoted, read_duration_s
from spotlaunch.core.yamltree import Path as Keys
from spotlaunch.core.yamltree import Scalar, Tree, dotted, found
from spotlaunch.errors import Problem

T = TypeVar("T")
D = TypeVar("D")


class Table:
    """The keys of a mapping; those that are missing are looked up in ``fallback``, where there is one."""

    def __init__(self, tree: Tree, raw: Any, at: Keys, allowed: tuple[str, ...], fallback: Table | None = None) -> None:
        self.tree, self.at, self.fallback = tree, at, fallback
        self.values: dict[str, Any] = {}
        if raw is None or (isinstance(raw, Scalar) and raw.is_null):
            return
        if not isinstance(raw, dict):
            self.problem(None, f"expected keys with values, found {found(raw)}")
            return
        for key, value in raw.items():
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1)
                hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(allowed)
                self.problem(key, "there is no such key", hint, of_key=True)
            elif not (isinstance(value, Scalar) and value.is_null):
                self.values[key] = value

    def problem(self, key: str | int | None, message: str, hint: str = "", *, of_key: bool = False) -> None:
        """Put down what is wrong with a key's value, with the key itself, or (None) with this mapping."""
        at = self.at if key is None else (*self.at, key)
        line, column = self.tree.place(at, of_key=of_key)
        self.tree.problems.append(Problem(line=line, column=column, key=dotted(at), message=message, hint=hint))

    def holder(self, key: str) -> Table | None:
        """The table that has the key: this one, its fallback, or none."""
        if key in self.values:
            return self
        return self.fallback.holder(key) if self.fallback else None

    def raw(self, key: str) -> Any:
        """The value as it stands in the tree; None if there is none."""
        holder = self.holder(key)
        return holder.values[key] if holder else None

    def get(self, key: str, read: Callable[[str], T], default: D) -> T | D:
        """The value of a key, read by ``read`` (which raises `Unreadable`), or the default."""
        holder = self.holder(key)
        if holder is None:
            return default
        value = read_scalar(self.tree, holder.values[key], (*holder.at, key), read)
        return default if value is None else value

    def table(self, key: str, allowed: tuple[str, ...]) -> Table:
        """The mapping under a key; an empty one if there is none."""
        holder = self.holder(key) or self
        return Table(self.tree, holder.values.get(key), (*holder.at, key), allowed)


def read_scalar(tree: Tree, raw: Any, at: Keys, read: Callable[[str], T]) -> T | None:
    """One value, or None after putting down what is wrong with it."""
    try:
        if not isinstance(raw, Scalar):
            raise Unreadable(f"expected one value, found {found(raw)}")
        return read(raw.text)
    except Unreadable as e:
        line, column = tree.place(at)
        tree.problems.append(Problem(line=line, column=column, key=dotted(at), message=e.message, hint=e.hint))
        return None


def text(value: str) -> str:
    """Any short text."""
    if not 0 < len(value) <= 500:
        raise Unreadable(f"{quoted(value)} is not allowed", hint="write a short text")
    return value


def flag(value: str) -> bool:
    """``true`` or ``false``, also as ``yes`` or ``off``."""
    if value.lower() not in ("true", "false", "yes", "no", "on", "off"):
        raise Unreadable(f"{quoted(value)} is neither true nor false", hint="write true or false")
    return value.lower() in ("true", "yes", "on")


def number(least: float, most: float) -> Callable[[str], float]:
    """A reader of numbers from ``least`` to ``most``."""

    def read(value: str) -> float:
        plain = re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", value)
        if not plain or not least <= float(value) <= most:
            raise Unreadable(f"{quoted(value)} is not allowed", hint=f"write a number from {least:g} to {most:g}")
        return float(value)

    return read


chance = number(0, 1)


def seconds(value: str) -> float:
    """Seconds as a plain number (for keys that end in ``_s``) or as a duration."""
    return float(value) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value) else read_duration_s(value)
