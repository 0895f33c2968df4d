"""The providers that can be used now, connected when first needed, and those that cannot, with the reason."""

from __future__ import annotations

from collections.abc import Iterable

from spotlaunch.errors import SpotlaunchError
from spotlaunch.home import Home
from spotlaunch.ports import Provider
from spotlaunch.registry import connect, provider_names


def connect_all(
    home: Home, *, owner: str, names: Iterable[str] = ()
) -> tuple[dict[str, Provider], dict[str, SpotlaunchError]]:
    """All providers (or those of ``names``) that are set up, and for the rest the error that says what is missing."""
    usable: dict[str, Provider] = {}
    missing: dict[str, SpotlaunchError] = {}
    for name in names or provider_names():
        try:
            usable[name] = connect(name, owner=owner, folder=home.provider(name))
        except SpotlaunchError as e:
            missing[name] = e
    return usable, missing
