"""Habits that a linter does not know: who prints, who exits, who sleeps, who names a provider; and sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.shape.source import Module

LONGEST_FILE = 400
LONGEST_FUNCTION = 60

PROVIDERS = frozenset({"local", "aws", "gcp", "azure", "runpod", "vast"})

# Where a provider's name may stand as text above providers/, and why.
MAY_NAME_A_PROVIDER = {
    **{
        ("spotlaunch/registry.py", name): "the registry is the place that knows providers by name" for name in PROVIDERS
    },
    ("spotlaunch/core/jobvalues.py", "aws"): "an example in a hint; nothing depends on it",
}

# Who may write to a stream or end the process besides cli/, and why.
MAY_SPEAK = {
    "spotlaunch/__main__.py": "the door: errors become words on stderr, and exit codes",
    "spotlaunch/agent/main.py": "a program of its own, whose threads must not keep it up",
    "spotlaunch/agent/start.py": "a program of its own: its exit tells the boot script to end the machine",
    "spotlaunch/agent/console.py": "the words of these programs, on their machine's console",
    "spotlaunch/watchdog/serve.py": "the watchdog's log lines, on stderr; a command may have no reader there",
    "providers/spotlaunch_providers/local/host.py": "a program of its own: one machine's hypervisor",
}

# Who may sleep under providers/, and why: an adapter that sleeps holds up the loop.
MAY_SLEEP = {
    "providers/spotlaunch_providers/local/host.py": "one machine's own process, which waits for nothing of ours",
    "providers/spotlaunch_providers/local/processes.py": "killed processes take some milliseconds to be gone",
    "providers/spotlaunch_providers/local/adapter.py": "plays a cloud that is slow to answer (the fault `slow`)",
    "providers/spotlaunch_providers/vast/pace.py": "Vast.ai wants seconds between two calls; inside the deadline",
    "providers/spotlaunch_providers/shared/http.py": "the pause before a read is repeated, inside the deadline",
}


def broken(m: Module) -> Iterator[str]:
    """All that breaks a habit in one file, as ``file:line: what: why``."""
    yield from _names_a_provider(m)
    yield from _speaks(m)
    yield from _sleeps(m)
    yield from _catches_everything(m)


def _names_a_provider(m: Module) -> Iterator[str]:
    if m.room == "providers":
        return
    why = "above providers/ only the registry knows names: differences between clouds are data (Traits)"
    for node in ast.walk(m.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        text = node.value
        named = text in PROVIDERS and (m.path, text) not in MAY_NAME_A_PROVIDER
        imported = text.startswith("spotlaunch_providers") and m.room != "registry"
        if named or imported:
            yield f"{m.path}:{node.lineno}: has {text!r}: {why}"


def _speaks(m: Module) -> Iterator[str]:
    if m.room == "cli" or m.path in MAY_SPEAK:
        return
    for node in ast.walk(m.tree):
        said = _dotted(node.func) if isinstance(node, ast.Call) else ""
        exits = isinstance(node, ast.Name) and node.id in ("SystemExit", "exit", "quit")
        if said in ("print", "sys.exit", "os._exit", "sys.stdout.write", "sys.stderr.write") or exits:
            assert isinstance(node, ast.expr)
            yield f"{m.path}:{node.lineno}: prints or exits: only cli/ does; raise an error, or return a value"


def _sleeps(m: Module) -> Iterator[str]:
    if m.room != "providers" or m.path in MAY_SLEEP:
        return
    for node in ast.walk(m.tree):
        name = _dotted(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
        if name.rpartition(".")[2] == "sleep":
            assert isinstance(node, ast.expr)
            yield f"{m.path}:{node.lineno}: sleeps: an adapter asks and returns; waiting is the loop's work"


def _catches_everything(m: Module) -> Iterator[str]:
    for node in ast.walk(m.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        reraises = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
        caught = [_dotted(n) for n in ast.walk(node.type)] if node.type is not None else ["everything"]
        if not reraises and {"Exception", "BaseException", "everything"} & set(caught):
            yield f"{m.path}:{node.lineno}: catches everything: an unforeseen error must not look like a foreseen one"


def too_long(m: Module) -> Iterator[str]:
    """Files and functions that have grown a second noun, with their length."""
    lines = m.text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{m.path}:1: {lines} lines: which second noun has it grown?"
    for node in ast.walk(m.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{m.path}:{node.lineno}: {node.name}() has {length} lines: it no longer fits a screen"


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".")
    return ""
