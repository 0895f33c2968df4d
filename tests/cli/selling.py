"""Clouds that sell what a test says, in the place of the real ones, for commands that look at prices."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from spotlaunch.cli import market
from spotlaunch.core.settings import Settings
from tests.cli.test_prices import Clouds


def installed(monkeypatch: pytest.MonkeyPatch) -> Clouds:
    """The providers that there are for as long as ``monkeypatch`` lasts; ``stage`` would be a rehearsal."""
    made = Clouds()
    monkeypatch.setattr(market, "connect", made.connect)
    monkeypatch.setattr(market, "provider_names", lambda: list(made.sells))
    monkeypatch.setattr(market, "settings_of", lambda home, name: Settings(provider=name))
    monkeypatch.setattr(market, "REHEARSALS", frozenset({"stage"}))
    monkeypatch.setattr(market, "time", SimpleNamespace(time=lambda: made.now))
    return made
