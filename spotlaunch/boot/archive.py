"""Our own code as an archive for machines: what the agent imports, and the one library that it needs.

The archive is the same bytes for the same code, so that its digest names it and it is stored once per job. In it,
``spotlaunch/`` is the agent with all it imports of ours, ``lib/`` is obstore as it is installed here, where that may
be of use (`agent.library` tries it there). No adapter, no command, no test.
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGE = "spotlaunch"
ROOM = "spotlaunch.agent"
BUNDLED = ("obstore", "typing_extensions")
# What of these is for type checkers, or lists what they are made of.
_NOT_NEEDED = (".pyi", ".pyc", "RECORD", "REQUESTED", "INSTALLER", "direct_url.json", ".cyclonedx.json")
_NOT_NEEDED_MODULES = ("obstore/fsspec.py", "obstore/auth/")
# The first moment that zip knows: an archive must not differ by when it was made.
_DATE = (1980, 1, 1, 0, 0, 0)


@cache
def agent_archive() -> tuple[bytes, str]:
    """A zip archive and its SHA-256 in hex. Made once per process, in about a second."""
    files = {**_own_files(), **_library_files()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            archive.writestr(info, files[name])
    data = out.getvalue()
    return data, hashlib.sha256(data).hexdigest()


def agent_modules() -> dict[str, Path]:
    """The modules of ours that run on a machine, by name, with their files: the agent's imports, early and late."""
    known, found = _modules(), {}
    todo = [name for name in known if f"{name}.".startswith(f"{ROOM}.")]
    while todo:
        name = todo.pop()
        if name in found or name not in known:
            continue
        found[name] = known[name]
        todo += [name.rpartition(".")[0], *_imports(known[name])]
    return found


@cache
def _modules() -> dict[str, Path]:
    root = Path(__file__).resolve().parents[1]
    found = {}
    for file in root.rglob("*.py"):
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join([PACKAGE, *(p for p in parts if p != "__init__")])] = file
    return found


def _own_files() -> dict[str, bytes]:
    root = Path(__file__).resolve().parents[2]
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in agent_modules().values()}


def _imports(file: Path) -> Iterator[str]:
    """Names of modules, and of what may be one, that a file imports when it runs."""
    tree = ast.parse(file.read_bytes())
    quiet = {id(inner) for node in ast.walk(tree) if _for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in quiet:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _library_files() -> dict[str, bytes]:
    """obstore as it is installed here. Its compiled part is of no use elsewhere when this is not Linux."""
    if not sys.platform.startswith("linux"):
        return {}
    found = {}
    for name in BUNDLED:
        try:
            files = metadata.distribution(name).files or []
        except metadata.PackageNotFoundError:
            return {}
        for file in files:
            path = file.as_posix()
            if path.endswith(_NOT_NEEDED) or path.startswith((*_NOT_NEEDED_MODULES, "..", "/")):
                continue
            found[f"lib/{path}"] = Path(str(file.locate())).read_bytes()
    return found
