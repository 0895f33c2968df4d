"""config.yaml and the environment: what a person told each provider, and of the store.

    providers:
      aws: {regions: [us-east-1, us-west-2]}
      gcp: {project: my-project}
    store: {role: "arn:aws:iam::123456789012:role/spotlaunch-machines"}

Each key is also a variable, ``SPOTLAUNCH_<PROVIDER>_<KEY>`` or ``SPOTLAUNCH_STORE_<KEY>``, which wins over the file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from spotlaunch.core.settings import Setting, Settings
from spotlaunch.errors import BadFile, Problem
from spotlaunch.home import Home
from spotlaunch.registry import known_settings, provider_names

if TYPE_CHECKING:
    from spotlaunch.core.yamltree import Tree

# provider (or `STORE`) -> key -> (value, where it stood)
_Values = dict[str, dict[str, tuple[str, str]]]

# The section that says how machines get passes to the store; see `storage.passes`. No provider may bear its name.
STORE = "store"
STORE_SETTINGS: Mapping[str, Setting] = {
    "role": Setting(help="AWS: the role whose sessions machines get (its ARN)"),
    "sts_endpoint": Setting(help="where an S3-compatible server answers AssumeRole"),
    "machine_access_key_id": Setting(help="an access key made for machines, which opens only the bucket"),
    "machine_secret_access_key": Setting(help="and its secret", secret=True),
    "cloudflare_token": Setting(help="an API token that may edit R2 storage", secret=True),
    "cloudflare_endpoint": Setting(help="where Cloudflare's API is, for a proxy of your own"),
    "hierarchical": Setting(
        help="Azure: whether the account has hierarchical namespaces (yes, no; empty: it is asked)"
    ),
}


def settings_of(home: Home, provider: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """What was told to ``provider``: variables first, then ``config.yaml`` in ``home``.

    Raises `BadFile` with every problem of the file, also those of other providers' lines: a line that says
    nothing is a line that somebody believes in.
    """
    return _settings(home, provider, known_settings(provider), environ)


def store_settings(home: Home, environ: Mapping[str, str] = os.environ) -> Settings:
    """What was told of the store: variables first, then ``config.yaml``. Raises `BadFile` as `settings_of` does."""
    return _settings(home, STORE, STORE_SETTINGS, environ)


def _settings(home: Home, provider: str, known: Mapping[str, Setting] | None, environ: Mapping[str, str]) -> Settings:
    found = dict(_read(home).get(provider, {}))
    prefix = f"SPOTLAUNCH_{_variable(provider)}_"
    keys = known if known is not None else [k[len(prefix) :].lower() for k in environ if k.startswith(prefix)]
    secrets: dict[str, str] = {}
    for key in keys:
        setting = known[key] if known is not None else Setting(help="")
        for variable in (prefix + _variable(key), *setting.env):
            if value := environ.get(variable, "").strip():
                if setting.secret:
                    secrets[key] = value
                found[key] = (value, variable)
                break
    return Settings(
        provider=provider,
        values={k: v for k, (v, _) in found.items() if k not in secrets},
        secrets=secrets,
        origin={k: where for k, (_, where) in found.items()},
    )


def _variable(word: str) -> str:
    return word.upper().replace("-", "_")


def _read(home: Home) -> _Values:
    """The providers of config.yaml. No file is an empty one."""
    path = home.config
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is not UTF-8 text"
        raise BadFile(str(path), [Problem(line=1, column=1, key="", message=f"cannot be read: {why}")]) from e
    from spotlaunch.core.yamlread import read_tree  # late: most homes have no such file

    tree = read_tree(text)
    values = _providers(tree, str(path)) if tree.whole and tree.root is not None else {}
    if tree.problems:
        raise BadFile(str(path), sorted(tree.problems, key=lambda p: (p.line, p.column)))
    return values


def _providers(tree: Tree, file: str) -> _Values:
    values: _Values = {}
    top = _mapping(tree, tree.root, (), ["providers", STORE])
    providers = _mapping(tree, top.get("providers", {}), ("providers",), provider_names())
    for name, node in providers.items():
        values[name] = _section(tree, node, ("providers", name), known_settings(name), file)
    if STORE in top:
        values[STORE] = _section(tree, top[STORE], (STORE,), STORE_SETTINGS, file)
    return values


def _section(
    tree: Tree, node: Any, at: tuple[str, ...], known: Mapping[str, Setting] | None, file: str
) -> dict[str, tuple[str, str]]:
    values = {}
    for key, value in _mapping(tree, node, at, known).items():
        path = (*at, key)
        if known is not None and known[key].secret:
            variable = (known[key].env or (f"SPOTLAUNCH_{_variable(at[-1])}_{_variable(key)}",))[0]
            _problem(tree, path, "is a secret, which does not belong in a file", f"set the variable {variable}")
            continue
        text = _text(tree, value, path)
        if text:
            values[key] = (text, f"{file}:{tree.place(path)[0]}")
    return values


def _mapping(tree: Tree, node: Any, path: tuple[str, ...], known: Iterable[str] | None) -> dict[str, Any]:
    """The keys of a mapping that are known; the others become problems."""
    if not isinstance(node, dict):
        if not getattr(node, "is_null", False):
            _problem(tree, path, "must be keys with values", "see docs/configuration.md")
        return {}
    if known is None:
        return node
    names = list(known)
    for key in node:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(names)
            _problem(tree, (*path, key), "is not a key that is known here", hint, of_key=True)
    return {k: v for k, v in node.items() if k in names}


def _text(tree: Tree, node: Any, path: tuple[str, ...]) -> str:
    """A scalar as it was written, a list with commas between."""
    if isinstance(node, list) and all(hasattr(n, "text") for n in node):
        return ",".join(n.text for n in node)
    if hasattr(node, "text"):
        return "" if node.is_null else str(node.text)
    _problem(tree, path, "must be a word or a list of words")
    return ""


def _problem(tree: Tree, path: tuple[str, ...], message: str, hint: str = "", *, of_key: bool = False) -> None:
    line, column = tree.place(path, of_key=of_key)
    tree.problems.append(Problem(line=line, column=column, key=".".join(path), message=message, hint=hint))
