"""Which way imports may run (docs/architecture.md), as a table; and what breaks it, as ``file:line`` and reason."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.shape.source import Import, Module, imports, is_ours


@dataclass(frozen=True)
class Rule:
    """What a room may import of ours: rooms, or modules of a room (``core.wire``). ``types``: for annotations only."""

    may: frozenset[str]
    why: str
    types: frozenset[str] = frozenset()


def _rule(may: str, why: str, types: str = "") -> Rule:
    return Rule(frozenset(may.split()), why, frozenset(types.split()))


RULES = {
    "spotlaunch": _rule("", "the package itself holds a version and nothing else: importing any part imports it"),
    "__main__": _rule("cli errors", "the door only turns errors into words and exit codes"),
    "errors": _rule("", "every room raises and handles the same words, so they stand below all rooms", types="core"),
    "core": _rule("core errors", "the decision must be a function of what it is given; it knows no other room"),
    "ports": _rule("core errors", "ports speak of the values of core, and of nothing that implements them"),
    "home": _rule("errors", "paths only"),
    "registry": _rule("core errors ports", "it loads adapters by name, when first needed, and knows nothing of them"),
    "config": _rule("core errors home registry", "it reads what a person wrote; what it means is for the adapters"),
    "workers": _rule("", "threads and nothing else, so that every room with effects may use them"),
    "boot": _rule("boot core.facts core.wire errors", "it makes texts and archives for machines, and sends nothing"),
    "market": _rule("market core errors ports", "it asks providers through their port"),
    "storage": _rule("storage core errors ports home", "it keeps what it is given and decides nothing"),
    "watchdog": _rule(
        "watchdog boot config core errors ports home registry market storage workers",
        "the loop is below the commands that start it",
    ),
    "submission": _rule(
        "core errors ports home market storage workers", "it writes a wish into the book; it starts nothing"
    ),
    "simulate": _rule("simulate core errors ports storage market", "it replays the very same core"),
    "rehearsing": _rule(
        "rehearsing core errors ports home registry storage submission watchdog",
        "it plays a job from submission to its end in a home of its own; commands are above it",
    ),
    "report": _rule("report core", "it makes pages of plain values; commands read, and write them"),
    "cli": _rule(
        "cli config core errors ports home registry market rehearsing report storage submission simulate watchdog"
        " workers spotlaunch",
        "commands are the topmost room; they want things, and speak to no cloud and no agent",
    ),
    "agent": _rule(
        "agent core.intervals core.wire errors storage.blobs storage.checkpoints storage.mailbox storage.manifests"
        " storage.register storage.restore storage.snapshot storage.unbundle",
        "it runs on a rented machine, with the standard library and obstore: no book, no decision, no cloud",
        types="ports",
    ),
    "providers": _rule(
        "core.facts core.chance core.gpus core.settings core.units core.yamlread core.yamltree ports errors workers"
        " spotlaunch",
        "an adapter knows facts and its cloud, never what they are used for",
    ),
}

# Modules from outside that core may use. What is not here has a clock, chance, a file, a socket or a process in it.
PURE_TEXT = """
    __future__ bisect collections collections.abc dataclasses decimal difflib enum fnmatch functools hashlib
    ipaddress itertools json math operator re shlex types typing urllib.parse
"""
PURE = frozenset(PURE_TEXT.split())
PURE_NAMES = {"pathlib": {"PurePath", "PurePosixPath"}}  # paths as text; `Path` would touch the disk
JOB_FILE = frozenset(f"spotlaunch.core.{m}" for m in ("jobfile", "jobmodel", "jobvalues", "yamlread", "yamltree"))
JOB_FILE_USES = frozenset({"yaml", "pydantic"})
EFFECTS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})

# What the agent may use beside the standard library; all of it is installed on each rented machine.
AGENT_USES = frozenset({"obstore"})
NOT_THERE = {
    "obstore.auth.boto3": "tried late, inside `try: ... except ImportError`: boto3 is used where it is installed",
    "obstore.auth.azure": "the same; a machine opens its store by a pass, and never comes there",
}


def broken(modules: list[Module]) -> list[str]:
    """All that breaks a rule, each as ``file:line: what: why the rule``. Empty when the house stands."""
    by_name = {m.name: m for m in modules}
    found = []
    for m in modules:
        found += _wrong_way(m, by_name)
        if m.room == "core":
            found += _impure(m, by_name)
        if m.room == "providers":
            found += _other_provider(m, by_name)
    return [*found, *_too_heavy_for_the_agent(by_name), *_cycles(by_name)]


def _wrong_way(m: Module, by_name: Mapping[str, Module]) -> Iterator[str]:
    rule = RULES.get(m.room)
    if rule is None:
        yield f"{m.path}:1: the room {m.room!r} has no rule: say in RULES what it may import, and why"
        return
    for i in imports(m, by_name):
        if not is_ours(i.target) or (m.room == "providers" and i.target.startswith("spotlaunch_providers")):
            continue
        allowed = rule.may | (rule.types if i.typing_only else frozenset())
        if i.target.startswith("spotlaunch_providers"):
            yield f"{m.path}:{i.line}: imports {i.target}: adapters are loaded by the registry, by name"
        elif not _within(i.target, allowed):
            yield f"{m.path}:{i.line}: {m.room} imports {i.target}: {rule.why}"


def _within(target: str, allowed: frozenset[str]) -> bool:
    path = target.split(".")[1:] or ["spotlaunch"]
    return any(".".join(path[: n + 1]) in allowed for n in range(len(path)))


def _other_provider(m: Module, by_name: Mapping[str, Module]) -> Iterator[str]:
    own = ".".join(m.name.split(".")[:2])
    for i in imports(m, by_name):
        mine = f"{i.target}.".startswith((own + ".", "spotlaunch_providers.shared."))
        if i.target.startswith("spotlaunch_providers.") and not mine:
            yield f"{m.path}:{i.line}: imports {i.target}: providers share the port and the kit; each can be taken out"


def _impure(m: Module, by_name: Mapping[str, Module]) -> Iterator[str]:
    why = "core is pure, so that a run is a function of its inputs and can be replayed"
    for i in imports(m, by_name):
        if is_ours(i.target) or i.target in PURE or i.name in PURE_NAMES.get(i.target, ()):
            continue
        if i.target.partition(".")[0] in JOB_FILE_USES and m.name in JOB_FILE:
            continue
        yield f"{m.path}:{i.line}: imports {i.target} {i.name}".rstrip() + f": {why}"
    for node in ast.walk(m.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EFFECTS:
            yield f"{m.path}:{node.lineno}: calls {node.func.id}(): {why}"


def _too_heavy_for_the_agent(by_name: Mapping[str, Module]) -> Iterator[str]:
    """What the agent brings along, directly or through others."""
    why = "each machine would have to install it before the job can start"
    for m, i in _closure("spotlaunch.agent", by_name):
        top = i.target.partition(".")[0]
        if not is_ours(i.target) and top not in sys.stdlib_module_names | AGENT_USES:
            yield f"{m.path}:{i.line}: the agent would need {i.target}: {why}"
        elif top in AGENT_USES and i.target.count(".") > 1 and i.target not in NOT_THERE:
            yield f"{m.path}:{i.line}: the agent would need what {i.target} needs: {why}"


def _closure(room: str, by_name: Mapping[str, Module]) -> Iterator[tuple[Module, Import]]:
    """All imports of a room and of what it imports, as they happen at run time, early or late."""
    todo = [name for name in by_name if f"{name}.".startswith(room + ".")]
    done: set[str] = set()
    while todo:
        name = todo.pop()
        if name in done or name not in by_name:
            continue
        done.add(name)
        for i in imports(by_name[name], by_name):
            if not i.typing_only:
                yield by_name[name], i
                todo.append(i.target)


def agent_modules(modules: list[Module]) -> list[Module]:
    """The modules that run on a rented machine."""
    by_name = {m.name: m for m in modules}
    return list({m.name: m for m, _ in _closure("spotlaunch.agent", by_name)}.values())


def _cycles(by_name: Mapping[str, Module]) -> Iterator[str]:
    """Import cycles, those of late imports included: they are what late imports are misused for."""
    graph = {
        name: [(i.target, i.line) for i in imports(m, by_name) if not i.typing_only and i.target in by_name]
        for name, m in by_name.items()
    }
    state: dict[str, str] = {}

    def visit(name: str, trail: tuple[str, ...]) -> Iterator[str]:
        state[name] = "open"
        for target, line in graph[name]:
            if state.get(target) == "open":
                path = " -> ".join([*trail[trail.index(target) :], target])
                yield f"{by_name[name].path}:{line}: closes the cycle {path}: move what they share below both"
            elif target not in state:
                yield from visit(target, (*trail, target))
        state[name] = "done"

    for name in graph:
        if name not in state:
            yield from visit(name, (name,))
