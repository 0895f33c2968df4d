"""Reading YAML into a `Tree`, with all that is wrong with its shape.

From the parser's events rather than its nodes: nodes are made by recursion and follow aliases, so that a
hundred bytes can stand for a billion values, and ten thousand brackets end the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from spotlaunch.core.units import quoted
from spotlaunch.core.yamltree import Path, Place, Scalar, Tree, dotted
from spotlaunch.errors import Problem

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 12
MAX_VALUES = 20_000

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NEVER = re.compile("[\0\ud800-\udfff]")  # no environment, command line or JSON can hold these


def read_tree(text: str) -> Tree:
    """The tree of a YAML text, with all that is wrong with its shape in ``problems``; never raises."""
    text = text.removeprefix("\ufeff")
    builder = _Builder()
    if len(text) > MAX_CHARACTERS:
        builder.problem((1, 1), "is larger than 1 MB: a job file is a page of text")
        return builder.tree
    if odd := _NOT_TEXT.search(text):
        before = text[: odd.start()]
        place = before.count("\n") + 1, odd.start() - (before.rfind("\n") + 1) + 1
        builder.problem(place, f"holds the character U+{ord(odd[0]):04X}, which is not text")
        return builder.tree
    try:
        for event in _events(text):
            if not builder.take(event):
                return builder.tree
        builder.tree.whole = True
    except yaml.MarkedYAMLError as e:
        _explain(builder, e, text)
    except (yaml.YAMLError, ValueError, OverflowError) as e:
        # ValueError: the parser in Python stumbles over an escape like "\U00110000" instead of refusing it.
        builder.problem(builder.last, f"is not valid YAML: {str(e).splitlines()[0]}")
    return builder.tree


def _events(text: str) -> Iterator[Any]:
    return yaml.parse(text, Loader=LOADER)  # type: ignore[no-any-return,no-untyped-call,unused-ignore]


@dataclass(slots=True)
class _Open:
    """A mapping or list which is being read. ``key`` is the key whose value comes next.

    ``skip``: that value has no place in the tree, as its key stood there before; ``lost``: this whole
    collection has none. ``latest`` is the key that was read last.
    """

    path: Path
    into: Any
    key: str | None = None
    skip: bool = False
    lost: bool = False
    latest: str | None = None


class _Builder:
    """Turns events into a `Tree`."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.open: list[_Open] = []
        self.last: Place = (1, 1)
        self.count = 0
        self.done = False

    def problem(self, place: Place, message: str, hint: str = "", path: Path | None = None) -> bool:
        key = dotted(self.here() if path is None else path)
        self.tree.problems.append(Problem(line=place[0], column=place[1], key=key, message=message, hint=hint))
        return False

    def here(self) -> Path:
        """The path of what comes next, as far as it is known."""
        if not self.open:
            return ()
        top = self.open[-1]
        if isinstance(top.into, list):
            return (*top.path, len(top.into))
        return top.path if top.key is None else (*top.path, top.key)

    def take(self, event: Any) -> bool:
        """One event. False when reading on makes no sense."""
        self.last = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.DocumentStartEvent) and self.done:
            return self.problem(self.last, "holds a second document (after ---)", "keep one")
        if isinstance(event, yaml.CollectionEndEvent):
            self.close()
        elif isinstance(event, yaml.NodeEvent):
            return self.node(event)
        return True

    def node(self, event: Any) -> bool:
        self.count += 1
        if self.count > MAX_VALUES:
            return self.problem(self.last, f"holds more than {MAX_VALUES} values", path=())
        if event.anchor is not None:
            sign, what = ("*", "alias") if isinstance(event, yaml.AliasEvent) else ("&", "anchor")
            return self.problem(
                self.last,
                f"{quoted(sign + event.anchor)} is a YAML {what}, which our files do not have",
                f"write the value out; a text that begins with {sign} goes in quotes",
            )
        if event.tag is not None:
            self.problem(self.last, f"{quoted(event.tag)} is a YAML tag, which our files do not have", "leave it out")
        top = self.open[-1] if self.open else None
        if top and isinstance(top.into, dict) and top.key is None and not isinstance(event, yaml.ScalarEvent):
            return self.problem(self.last, "a key must be a word", "a text that begins with [, { or * goes in quotes")
        if isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
            return True
        return self.collection({} if isinstance(event, yaml.MappingStartEvent) else [])

    def scalar(self, event: Any) -> None:
        if _NEVER.search(event.value):
            self.problem(self.last, "holds a character that no program can be given (NUL, or half of a pair)")
        top = self.open[-1] if self.open else None
        if top and isinstance(top.into, dict) and top.key is None:
            self.key(top, event.value)
        else:
            self.value(Scalar(event.value, plain=not event.style))

    def key(self, top: _Open, key: str) -> None:
        path = (*top.path, key)
        top.key = top.latest = key
        top.skip = key in top.into
        if top.skip:
            first = self.tree.place(path, of_key=True)[0]
            self.problem(self.last, f"stands here a second time; the first is in line {first}", "keep one", path)
        elif not top.lost:
            self.tree.keys[path] = self.last

    def value(self, value: Any) -> bool:
        """Put a value where it belongs. False when it belongs nowhere."""
        if not self.open:
            self.tree.root, self.done = value, True
            self.tree.values[()] = self.last
            return True
        top = self.open[-1]
        kept = not (top.skip or top.lost)
        if kept:
            self.tree.values[self.here()] = self.last
        if isinstance(top.into, list):
            top.into.append(value)
        elif not top.skip:
            top.into[top.key] = value
        if isinstance(value, Scalar):
            top.key, top.skip = None, False
        return kept

    def collection(self, into: Any) -> bool:
        if len(self.open) >= MAX_DEPTH:
            return self.problem(self.last, f"is nested more than {MAX_DEPTH} levels deep")
        path = self.here()
        kept = self.value(into)
        self.open.append(_Open(path=path, into=into, lost=not kept))
        return True

    def close(self) -> None:
        self.open.pop()
        if self.open:
            self.open[-1].key, self.open[-1].skip = None, False


# What the parser says -> what a person is told. The words differ between its two implementations.
_ADVICE = (
    ("tab", "a tab indents this line", "YAML indents with spaces only: replace the tab"),
    (
        "mapping values are not allowed",
        "a second `: ` in one line, or a line indented too far",
        "put a text that holds `: ` in quotes",
    ),
    ("cannot start any token", "a text cannot begin with this character", "put the text in quotes"),
    ("alias", "a text cannot begin with *", 'put it in quotes, like "*-east"'),
    ("anchor", "a text cannot begin with &", "put it in quotes"),
    (
        "quoted scalar",
        "a quote is opened here and not closed, or holds an unknown \\ escape",
        "close it; a text with \\ goes in single quotes",
    ),
    ("flow", "a [ or { is opened here and not closed", "close it, and put a comma between any two values"),
    ("sequence entries are not allowed", "a list item cannot begin here", "put each `- ` on a line of its own"),
    ("block", "this line does not fit the ones above it", "lines of the same level begin in the same column"),
)


def _explain(builder: _Builder, error: yaml.MarkedYAMLError, text: str) -> None:
    said = f"{error.problem} {error.context}"
    if builder.open and builder.open[-1].key is None:
        builder.open[-1].key = builder.open[-1].latest  # the parser stumbled on what follows this key
    mark = error.problem_mark or error.context_mark
    if mark is None:
        builder.problem(builder.last, f"is not valid YAML: {error.problem}")
        return
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "tab character" in said:
        said = "tab"
    for sign, message, hint in _ADVICE:
        if sign in said:
            path = None
            if sign in ("quoted scalar", "flow") and error.context_mark and "escape" not in said:
                mark = error.context_mark
                path = builder.open[-1].path if sign == "flow" and builder.open else None
            builder.problem((mark.line + 1, mark.column + 1), f"is not valid YAML: {message}", hint, path)
            return
    builder.problem((mark.line + 1, mark.column + 1), f"is not valid YAML: {error.problem}")
