"""The only place that knows providers by name, as strings; an adapter is loaded when first needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from spotlaunch.errors import UsageError
from spotlaunch.ports import Provider

# name -> module with `connect(*, owner: str, folder: Path) -> Provider`
BUILT_IN = {
    "local": "spotlaunch_providers.local",
}


def provider_names() -> list[str]:
    """All providers there are: ours, then those of installed packages (group ``spotlaunch.providers``)."""
    return [*BUILT_IN, *sorted(e.name for e in entry_points(group="spotlaunch.providers") if e.name not in BUILT_IN)]


def connect(name: str, *, owner: str, folder: Path) -> Provider:
    """The provider of that name, ready to be asked.

    ``owner`` marks our machines; ``folder`` is the provider's own, made when it needs one. Raises
    `UsageError` for an unknown name, and `NotAuthorized` (with a hint) where the provider is not set up.
    """
    factory: Callable[..., Any]
    if name in BUILT_IN:
        factory = import_module(BUILT_IN[name]).connect
    else:
        found = [e for e in entry_points(group="spotlaunch.providers") if e.name == name]
        if not found:
            raise UsageError(f"no provider is called {name!r}", hint="there are: " + ", ".join(provider_names()))
        try:
            factory = found[0].load()
        except ImportError as e:
            raise UsageError(
                f"the provider {name} cannot be loaded: {e}", hint=f"mend or remove the package that brings {name}"
            ) from e
    provider: Provider = factory(owner=owner, folder=folder)
    return provider
