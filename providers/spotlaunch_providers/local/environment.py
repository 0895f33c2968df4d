"""The environment that a rehearsal machine starts with: small and clean, as on a machine just rented."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

# What a person's shell knows and a machine needs: the way to object storage, and words for programs.
KEPT = frozenset({"LANG", "LC_ALL", "TZ", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"})
KEPT_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_")


def base_env(shell: Mapping[str, str], *, cwd: Path, roots: list[str]) -> dict[str, str]:
    """What of ``shell`` a machine gets. ``roots``: folders its Python must look into to find us.

    The folder of our own Python comes last in PATH: a job that says ``python`` finds one on a computer where
    it is only called ``python3``, and never another than its own where there is one.
    """
    env = {k: v for k, v in shell.items() if k.upper() in KEPT or k.startswith(KEPT_PREFIXES)}
    env["PATH"] = os.pathsep.join([shell.get("PATH") or os.defpath, str(Path(sys.executable).parent)])
    env.setdefault("LANG", "C.UTF-8")
    # Relative entries would point elsewhere from the machine's own folder.
    path = [str(cwd / entry) for entry in shell.get("PYTHONPATH", "").split(os.pathsep) if entry]
    path += [r for r in roots if r not in path]
    if path:
        env["PYTHONPATH"] = os.pathsep.join(path)
    return env


def source_roots() -> list[str]:
    """Where our two packages lie, if they are run from a checkout which is not installed; else nothing."""
    try:
        metadata.distribution("spotlaunch")
        return []
    except metadata.PackageNotFoundError:
        specs = [find_spec(name) for name in ("spotlaunch", "spotlaunch_providers")]
        return [str(Path(s.origin).parent.parent) for s in specs if s is not None and s.origin]
