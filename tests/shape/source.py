"""Our source as data: modules, what each imports, and where. For the tests of the house's shape."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"spotlaunch": ROOT / "spotlaunch", "spotlaunch_providers": ROOT / "providers" / "spotlaunch_providers"}


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported name. ``target`` is the module it comes from, ours as deep as it goes.

    ``typing_only``: for annotations, never imported when the program runs.
    """

    target: str
    name: str
    line: int
    typing_only: bool


@dataclass(frozen=True, kw_only=True)
class Module:
    """One file: its dotted ``name``, its ``path`` as shown to people, its parsed ``tree``."""

    name: str
    path: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The part of the house: ``core``, ``cli``, ``errors``, ... or ``providers``."""
        top, _, rest = self.name.partition(".")
        return "providers" if top == "spotlaunch_providers" else rest.partition(".")[0] or "spotlaunch"


def module(name: str, path: str, text: str) -> Module:
    return Module(name=name, path=path, text=text, tree=ast.parse(text, filename=path))


def our_modules() -> list[Module]:
    """All of ours, in order of path."""
    found = []
    for package, root in PACKAGES.items():
        for file in sorted(root.rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join([package, *(p for p in parts if p != "__init__")])
            found.append(module(name, file.relative_to(ROOT).as_posix(), file.read_text()))
    return found


def imports(of: Module, names: Mapping[str, Module] | frozenset[str]) -> Iterator[Import]:
    """Every import of a module, also those inside functions. ``names``: all modules there are."""
    typing_only = _typing_only(of.tree)
    for node in ast.walk(of.tree):
        quiet = id(node) in typing_only
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(target=alias.name, name="", line=node.lineno, typing_only=quiet)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                deep = f"{node.module}.{alias.name}"
                target = deep if deep in names else node.module
                yield Import(target=target, name=alias.name, line=node.lineno, typing_only=quiet)


def is_ours(target: str) -> bool:
    return target.partition(".")[0] in PACKAGES


def _typing_only(tree: ast.Module) -> set[int]:
    """Nodes under ``if TYPE_CHECKING:``, by id."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            found |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    return found
