"""Google's answers, read: what has not the form that Google documents is an error, and never a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from spotlaunch.errors import InvalidOrder, Transient
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api

T = TypeVar("T")

PAGE = 500
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


def filtered(ask: Callable[[Mapping[str, str]], T], words: str) -> T:
    """What ``ask`` gets with a filter, else without: it saves pages, and readers leave out the rest anyway."""
    try:
        return ask({"filter": words})
    except InvalidOrder:
        return ask({})


def aggregated(
    api: Api, path: str, read: Callable[[Mapping[str, Any]], Iterable[T]], *, words: str, deadline: Deadline
) -> list[T]:
    """What ``read`` finds on all pages of an aggregated list that pass the filter ``words``; whole, or it raises."""

    def rows(filter_: Mapping[str, str]) -> list[T]:
        def page(token: str) -> Any:
            params = {**filter_, "maxResults": str(PAGE), **({"pageToken": token} if token else {})}
            return api.get(path, deadline=deadline, params=params)

        pages = api.pages(page, next_token, deadline=deadline)
        return [row for p in pages for row in understood(lambda p=p: list(read(mapping(p))))]  # type: ignore[misc]

    return filtered(rows, words)
