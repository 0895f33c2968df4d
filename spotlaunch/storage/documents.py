"""Documents read from a store that others can write to: what does not parse is a value, not a crash.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from spotlaunch.core import wire

T = TypeVar("T")

_NUMBER = (int, float)

# The book's numbers have 64 bits.
LARGEST = 2**63 - 1

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
    if not all(map(_well_formed, [value, *parts])):
        return None
    if isinstance(value, wire.Status):
        # It goes into the book and onto screens, which know neither half letters (a file name that is not
        # UTF-8) nor numbers without end. (Manifests keep theirs: files are restored by those very names.)
        told = {f.name: _tellable(getattr(value, f.name)) for f in fields(value)}
        told["notes"] = [note for note in told["notes"] if isinstance(note, dict)]
        return kind(**told)
    return value


def _tellable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case bool():
            return value
        case int():
            return max(-LARGEST, min(LARGEST, value))
        case dict():
            return {_tellable(k): _tellable(v) for k, v in value.items()}
        case list():
            return [_tellable(v) for v in value]
    return value


def _well_formed(value: Any) -> bool:
    return all(_fits(str(f.type), getattr(value, f.name)) for f in fields(value))


def _fits(annotation: str, found: Any) -> bool:
    if annotation.startswith("dict["):
        return isinstance(found, dict)
    if annotation.startswith("list["):
        return isinstance(found, list)
    return isinstance(found, _MAY_HOLD.get(annotation, (object,)))
