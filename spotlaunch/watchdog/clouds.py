"""The providers that can be used now, connected when first needed, and those that cannot, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from spotlaunch.config import settings_of
from spotlaunch.core.facts import Unusable
from spotlaunch.errors import NotAuthorized, SpotlaunchError
from spotlaunch.home import Home
from spotlaunch.ports import Provider
from spotlaunch.registry import connect, provider_names
from spotlaunch.storage.unusable import note_unusable

# A provider that cannot be used is tried again this often: its settings may be mended while we watch, and
# machines of an earlier watchdog may be up there, billing.
RECONNECT_S = 60.0


def connect_all(
    home: Home, *, owner: str, names: Iterable[str] = ()
) -> tuple[dict[str, Provider], dict[str, SpotlaunchError]]:
    """All providers (or those of ``names``) that are set up, and for the rest the error that says what is missing.

    Where no machine can be had is noted for `status`, which connects nobody.
    """
    usable: dict[str, Provider] = {}
    missing: dict[str, SpotlaunchError] = {}
    asked = tuple(names) or tuple(provider_names())
    for name in asked:
        try:
            settings = settings_of(home, name)
            usable[name] = connect(name, owner=owner, folder=home.provider(name), settings=settings)
        except SpotlaunchError as e:
            missing[name] = e
    _note(home, asked, launchable(usable)[1], missing)
    return usable, missing


def _note(
    home: Home, asked: Collection[str], prices_only: Mapping[str, str], missing: Mapping[str, SpotlaunchError]
) -> None:
    told = [Unusable(provider=n, error=NotAuthorized.__name__, reason=why) for n, why in prices_only.items()]
    told += [Unusable(provider=n, error=type(e).__name__, reason=e.message, hint=e.hint) for n, e in missing.items()]
    note_unusable(home, asked, told)


def launchable(providers: Mapping[str, Provider]) -> tuple[dict[str, Provider], dict[str, str]]:
    """Of ``providers`` those where machines can be had, and for the rest, which only tell prices, why not."""
    able = {name: p for name, p in providers.items() if not p.traits.prices_only}
    return able, {name: p.traits.prices_only for name, p in providers.items() if p.traits.prices_only}


class Clouds:
    """The providers of a watchdog, ``usable`` by name: those where machines can be had now; none is ever taken away.

    ``mono`` gives seconds that never jump, ``complain`` takes a line for the log. ``only``: names; all if empty.
    """

    def __init__(
        self,
        home: Home,
        *,
        owner: str,
        mono: Callable[[], float],
        complain: Callable[[str], None],
        only: Collection[str] = (),
    ) -> None:
        self._home = home
        self._owner = owner
        self._mono = mono
        self._complain = complain
        self._tried_at = mono()
        self.usable, self._missing = self._connect(*only)
        for name, why in self._missing.items():
            complain(f"{name} is not used: {why}")

    def reconnect(self) -> None:
        """Try again those that could not be used, at most once in `RECONNECT_S`."""
        if not self._missing or self._mono() - self._tried_at < RECONNECT_S:
            return
        self._tried_at = self._mono()
        found, self._missing = self._connect(*self._missing)
        for name, provider in found.items():
            self._complain(f"{name} can be used now")
            self.usable[name] = provider

    def _connect(self, *names: str) -> tuple[dict[str, Provider], dict[str, str]]:
        """All providers (or those of ``names``) that can be used now, and why the others cannot."""
        connected, errors = connect_all(self._home, owner=self._owner, names=names)
        usable, missing = launchable(connected)
        return usable, {**missing, **{name: e.message for name, e in errors.items()}}
