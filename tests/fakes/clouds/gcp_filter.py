"""The `filter` parameter of Compute Engine's lists: its two languages, never both in one question."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_WORD = r"""'[^']*'|"[^"]*"|[^\s()]+"""
_REGULAR = re.compile(rf"(?P<field>[\w.]+)\s+(?P<op>eq|ne)\s+(?P<value>{_WORD}|\S+)")
_AIP = re.compile(rf"(?P<field>[\w.]+)\s*(?P<op>!=|<=|>=|=|<|>|:)\s*(?P<value>{_WORD})")


class BadFilter(ValueError):
    """Google would answer 400 `invalid`."""


def parse(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a resource passes. Raises `BadFilter`."""
    text = text.strip()
    if not text:
        return lambda thing: True
    single = _REGULAR.fullmatch(text) or _AIP.fullmatch(text)
    terms = [single] if single else _parenthesized(text)
    if len({term.re for term in terms}) != 1:
        raise BadFilter("expressions with eq/ne and AIP-160 expressions cannot be mixed")
    if terms[0].re is _REGULAR and len({term["field"] for term in terms}) != 1:
        raise BadFilter("constraints on multiple fields cannot be combined using regular expressions")
    tests = [_test(term) for term in terms]
    return lambda thing: all(test(thing) for test in tests)


def _parenthesized(text: str) -> list[re.Match[str]]:
    """``(a) (b)`` and ``(a) AND (b)``, with parentheses allowed inside quotes."""
    terms, rest = [], text
    while rest:
        found = re.match(r"""\s*(?:AND\s*)?\((?P<inner>(?:'[^']*'|"[^"]*"|[^()'"])*)\)\s*""", rest)
        inner = found["inner"].strip() if found else ""
        term = _REGULAR.fullmatch(inner) or _AIP.fullmatch(inner)
        if found is None or term is None:
            raise BadFilter(f"cannot be parsed: {rest}")
        terms.append(term)
        rest = rest[found.end() :]
    return terms


def _test(term: re.Match[str]) -> Callable[[Mapping[str, Any]], bool]:
    path, op, value = term["field"].split("."), term["op"], term["value"].strip("'\"")

    def look(thing: Any) -> Any:
        for word in path:
            thing = thing.get(word) if isinstance(thing, Mapping) else None
        return thing

    if term.re is _REGULAR:
        try:
            pattern = re.compile(value)
        except re.error as e:
            raise BadFilter(f"not a regular expression: {value}") from e
        return lambda thing: (pattern.fullmatch(str(look(thing))) is not None) == (op == "eq")
    if op == ":" and value == "*":
        return lambda thing: look(thing) is not None
    if op in ("=", ":"):
        return lambda thing: _text(look(thing)) == value if op == "=" else value in _text(look(thing))
    if op == "!=":
        return lambda thing: _text(look(thing)) != value
    number = float(value)
    compare = {"<": float.__lt__, ">": float.__gt__, "<=": float.__le__, ">=": float.__ge__}[op]
    return lambda thing: bool(compare(float(look(thing) or 0), number))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
