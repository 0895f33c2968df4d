"""Google's answers, read: what has not the form that Google documents is an error, and never a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from spotlaunch.errors import InvalidOrder, Transient

T = TypeVar("T")

_ODD, _ODD_HINT = "answered in a form that is not documented", "try again; if it stays so, report it"


def understood(read: Callable[[], T]) -> T:
    """What ``read`` makes of an answer. Raises `Transient` where it has not the form that Google documents."""
    try:
        return read()
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError) as e:
        raise Transient(_ODD, hint=_ODD_HINT) from e


def mapping(answer: Any) -> Mapping[str, Any]:
    """The answer, which is a JSON object. Raises `Transient` where it is not."""
    if not isinstance(answer, Mapping):
        raise Transient(_ODD, hint=_ODD_HINT)
    return answer


def next_token(page: Any) -> str:
    """The token of the page after this one; empty for the last. Raises `Transient` for what is no page."""
    return str(mapping(page).get("nextPageToken") or "")


def filtered(ask: Callable[[Mapping[str, str]], T], names: str) -> T:
    """What ``ask`` gets with a filter on names, else without: it saves pages, and readers leave out the rest anyway."""
    try:
        return ask({"filter": f'name eq "{names}"'})
    except InvalidOrder:
        return ask({})
