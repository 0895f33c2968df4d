"""HTML that cannot be broken by what it shows: text is escaped when it becomes part of an element, and only then.

There is no other way from text to `Html` in this room, so that no name, reason or address can become markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TypeAlias

# Elements without content and end.
_VOID = frozenset({"meta", "link", "br"})


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that may stand in a page as it is. Made by `element`."""

    text: str


Child: TypeAlias = "Html | str | None"


def element(name: str, /, *children: Child, **attributes: str | float | None) -> Html:
    """``<name attributes>children</name>``. Text is escaped, None is left out.

    In names of attributes ``_`` is written for ``-``, and one at the end is dropped (``class_``).
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(shown(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{together(*children).text}</{name}>")


def together(*children: Child) -> Html:
    """One after the other, with nothing around them."""
    return Html("".join(_text(child) for child in children if child is not None))


def shown(value: str | float) -> str:
    """As text. Numbers of figures are told to a hundredth. What no reader could see, or what turns the direction of
    writing, is a question mark: a cloud's words may hold anything."""
    if not isinstance(value, str):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return value if value.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in value)


def _text(child: Html | str) -> str:
    return child.text if isinstance(child, Html) else escape(shown(child), quote=True)
