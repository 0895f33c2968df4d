"""What providers list of our machines, asked side by side by a command, each within a deadline."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from spotlaunch.config import settings_of
from spotlaunch.core.facts import Listing
from spotlaunch.core.settings import Settings
from spotlaunch.errors import BadFile, NotAuthorized, SpotlaunchError
from spotlaunch.home import Home
from spotlaunch.market.words import masked, why
from spotlaunch.ports import Provider
from spotlaunch.registry import connect

DEADLINE_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Silent:
    """A provider that did not say which machines there are, and why. ``set_up``: whether it has an account to ask."""

    provider: str
    reason: str
    hint: str = ""
    set_up: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Connected:
    """The providers that can be asked, and those that cannot."""

    providers: Mapping[str, Provider]
    silent: tuple[Silent, ...]


def connect_for_machines(home: Home, names: Iterable[str], *, owner: str) -> Connected:
    """Those of ``names`` that are set up, so that machines can be listed and ended there.

    Raises `BadFile` for a config.yaml with problems: they are everybody's.
    """
    providers: dict[str, Provider] = {}
    silent: list[Silent] = []
    for name in names:
        secrets: Iterable[str] = ()
        try:
            settings: Settings = settings_of(home, name)
            secrets = tuple(settings.secrets.values())
            provider = connect(name, owner=owner, folder=home.provider(name), settings=settings)
        except BadFile:
            raise
        except SpotlaunchError as e:
            reason, hint = why(e)
            reason, hint = masked(reason, secrets), masked(hint, secrets)
            silent.append(Silent(provider=name, reason=reason, hint=hint, set_up=not isinstance(e, NotAuthorized)))
            continue
        if provider.traits.prices_only:
            reason = masked(provider.traits.prices_only, secrets)
            silent.append(Silent(provider=name, reason=reason, hint="see `spotlaunch check`", set_up=False))
        else:
            providers[name] = provider
    return Connected(providers=providers, silent=tuple(silent))


def list_all(
    providers: Mapping[str, Provider], workers: Executor, *, deadline_s: float = DEADLINE_S
) -> tuple[dict[str, Listing], tuple[Silent, ...]]:
    """The listing of each provider that gave one within ``deadline_s``, and the others with their reasons."""
    began_at = time.time()
    asked: dict[str, Future[Listing]] = {
        name: workers.submit(_list, provider, began_at) for name, provider in providers.items()
    }
    wait(asked.values(), timeout=deadline_s)
    listings: dict[str, Listing] = {}
    silent: list[Silent] = []
    for name, future in asked.items():
        if not future.done():
            silent.append(Silent(provider=name, reason=f"has not answered within {deadline_s:g} s", hint="try again"))
        elif (error := future.exception()) is not None:
            reason, hint = why(error)
            silent.append(Silent(provider=name, reason=reason, hint=hint))
        else:
            listings[name] = future.result()
    return listings, tuple(silent)


def _list(provider: Provider, began_at: float) -> Listing:
    return Listing(provider=provider.name, started_at=began_at, ok=True, machines=tuple(provider.list_machines()))
