"""Documents read from a store that others can write to: what does not parse is a value, not a crash.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from spotlaunch.core import wire

T = TypeVar("T")

_NUMBER = (int, float)
# A field's annotation (text, because of the __future__ import in `wire`) and what JSON may hold there.
_MAY_HOLD: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": _NUMBER,
    "int | None": (int, type(None)),
    "float | None": (int, float, type(None)),
}


def parse(kind: type[T], data: bytes) -> T | None:
    """``data`` as a `core.wire` document, or None when it is not one (cut short, of another shape)."""
    try:
        value = wire.decode(kind, data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    parts = value.files if isinstance(value, wire.Manifest) else []
    return value if all(map(_well_formed, [value, *parts])) else None


def _well_formed(value: Any) -> bool:
    return all(_fits(str(f.type), getattr(value, f.name)) for f in fields(value))


def _fits(annotation: str, found: Any) -> bool:
    if annotation.startswith("dict["):
        return isinstance(found, dict)
    if annotation.startswith("list["):
        return isinstance(found, list)
    return isinstance(found, _MAY_HOLD.get(annotation, (object,)))
