"""The only place that knows providers by name, as strings; an adapter is loaded when first needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from spotlaunch.core.facts import Billing, Charge, Finding
from spotlaunch.core.settings import Setting, Settings
from spotlaunch.errors import UsageError
from spotlaunch.ports import Provider

# name -> module with `connect(*, owner: str, folder: Path, settings: Settings) -> Provider`, and where there is
# something to set or to find out `SETTINGS: Mapping[str, Setting]` and
# `examine(*, settings: Settings) -> Sequence[Finding]`; where it tells what it has billed, `BILLING: Billing` and
# `charges(*, settings: Settings, instance_ids, since_at: float, until_at: float) -> Sequence[Charge]`. The module
# itself is light; connecting loads the rest.
BUILT_IN = {
    "aws": "spotlaunch_providers.aws",
    "gcp": "spotlaunch_providers.gcp",
    "azure": "spotlaunch_providers.azure",
    "runpod": "spotlaunch_providers.runpod",
    "vast": "spotlaunch_providers.vast",
    "local": "spotlaunch_providers.local",
}

# Their prices are not real, so nobody who compares prices wants them, unless they are named.
REHEARSALS = frozenset({"local"})


def provider_names() -> list[str]:
    """All providers there are: ours, then those of installed packages (group ``spotlaunch.providers``)."""
    return [*BUILT_IN, *sorted(e.name for e in entry_points(group="spotlaunch.providers") if e.name not in BUILT_IN)]


def known_settings(name: str) -> Mapping[str, Setting] | None:
    """The keys that a provider knows. None: it does not say, so any key may be set."""
    known: Mapping[str, Setting] | None = getattr(_module(name), "SETTINGS", None)
    return known


def connect(name: str, *, owner: str, folder: Path, settings: Settings) -> Provider:
    """The provider of that name, ready to be asked.

    ``owner`` marks our machines; ``folder`` is the provider's own, made when it needs one. Raises
    `UsageError` for an unknown name or a setting that cannot be used, and `NotAuthorized` (with a hint) where
    the provider is not set up.
    """
    provider: Provider = _module(name).connect(owner=owner, folder=folder, settings=settings)
    return provider


def examine(name: str, *, settings: Settings) -> Sequence[Finding]:
    """What there is to know about the account at a provider: credentials, permitted calls, quotas.

    Asks the cloud. What it refuses is a finding, not an error.
    """
    look = getattr(_module(name), "examine", None)
    findings: Sequence[Finding] = look(settings=settings) if look is not None else ()
    return findings


UNTOLD = Billing(why_not="its adapter does not know how to ask", hint="see its own bill")


def billing(name: str) -> Billing:
    """How a provider tells what it bills, and whether it does."""
    told: Billing = getattr(_module(name), "BILLING", UNTOLD)
    return told


def charges(
    name: str, *, settings: Settings, instance_ids: Collection[str], since_at: float, until_at: float
) -> Sequence[Charge]:
    """What a provider has billed so far for those of these instances that were up between two moments.

    One that it says nothing of is missing. To be asked only where `billing` names no ``why_not``. Raises a
    `ProviderError` when it cannot be asked.
    """
    ask = _module(name).charges
    found: Sequence[Charge] = ask(settings=settings, instance_ids=instance_ids, since_at=since_at, until_at=until_at)
    return found


def _module(name: str) -> Any:
    if name in BUILT_IN:
        return import_module(BUILT_IN[name])
    found = [e for e in entry_points(group="spotlaunch.providers") if e.name == name]
    if not found:
        raise UsageError(f"no provider is called {name!r}", hint="there are: " + ", ".join(provider_names()))
    try:
        return found[0].load()
    except ImportError as e:
        raise UsageError(
            f"the provider {name} cannot be loaded: {e}", hint=f"mend or remove the package that brings {name}"
        ) from e
