"""Clouds that sell what a test says, in the place of the real ones, for commands that look at prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spotlaunch.cli import market
from spotlaunch.core.facts import Offer, Want
from spotlaunch.core.settings import Settings
from spotlaunch.ports import Provider
from tests.cli.conftest import NOW
from tests.core.worlds import CLOUD
from tests.storage.offers import an_offer

Sells = Callable[[], Sequence[Offer]]


class Clouds:
    """The providers that there are, what each sells, and when. For the commands it is always ``now``."""

    def __init__(self) -> None:
        self.now = NOW
        self.sells: dict[str, Sells] = {}
        self.traits: dict[str, Any] = {}
        self.asked: list[tuple[str, Want]] = []
        self.owners: set[str] = set()

    def sell(self, name: str, *offers: Offer, **traits: Any) -> None:
        mine = [replace(o, pool=replace(o.pool, provider=name)) for o in offers]
        self.sells[name] = lambda: mine
        self.traits[name] = replace(CLOUD, **traits)

    def fail(self, name: str, error: Exception) -> None:
        def sells() -> Sequence[Offer]:
            raise error

        self.sells[name], self.traits[name] = sells, CLOUD

    def connect(self, name: str, *, owner: str, folder: Path, settings: Settings) -> Provider:
        def offers(want: Want) -> Sequence[Offer]:
            self.asked.append((name, want))
            return self.sells[name]()

        self.owners.add(owner)
        made: Any = SimpleNamespace(name=name, traits=self.traits[name], offers=offers)
        return made  # type: ignore[no-any-return]


def installed(monkeypatch: pytest.MonkeyPatch) -> Clouds:
    """The providers that there are for as long as ``monkeypatch`` lasts; ``stage`` would be a rehearsal."""
    made = Clouds()
    monkeypatch.setattr(market, "connect", made.connect)
    monkeypatch.setattr(market, "provider_names", lambda: list(made.sells))
    monkeypatch.setattr(market, "settings_of", lambda home, name: Settings(provider=name))
    monkeypatch.setattr(market, "REHEARSALS", frozenset({"stage"}))
    monkeypatch.setattr(market, "time", SimpleNamespace(time=lambda: made.now))
    return made


def usd(text: str) -> Decimal:
    return Decimal(text)


def at(price: str, **changes: Any) -> Offer:
    return an_offer(seen_at=NOW - 75, price_usd_hour=usd(price), **changes)


CHEAP = at("8", zone="r1c", interruptions_per_hour=4.0)
STEADY = at("12.50", interruptions_per_hour=0.041)
DRY = at("1", zone="r1b", available="no", why="no stock", interruptions_per_hour=0.0)
PAID = at("55.04", zone="", market="on-demand", on_demand_usd_hour=usd("55.04"))
SMALL = at("0.71", gpu="L4", gpu_count=1, gpu_memory_gb=24.0, instance_type="l4", on_demand_usd_hour=None)
