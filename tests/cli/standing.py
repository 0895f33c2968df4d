"""Clouds where machines stand, in the place of the real ones, for commands that list and end machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.facts import SeenMachine, Traits
from spotlaunch.core.settings import Settings
from tests.cli.conftest import NOW
from tests.core.worlds import CLOUD


class Cloud:
    """Lists what stands there. ``dies_after``: so many listings a machine that was asked to end still shows up in."""

    def __init__(self, name: str, *machines: SeenMachine, traits: Traits = CLOUD) -> None:
        self.name = name
        self.traits = traits
        self.machines = {m.instance_id: m for m in machines}
        self.asked: list[tuple[str, ...]] = []
        self.listed = 0
        self.dies_after = 0
        self.failures: dict[str, str] = {}
        self.before_listing: Callable[[], None] = lambda: None
        self._dying: dict[str, int] = {}

    def list_machines(self) -> Sequence[SeenMachine]:
        self.before_listing()
        self.listed += 1
        shown = list(self.machines.values())
        for instance_id, left in list(self._dying.items()):
            self._dying[instance_id] = left - 1
            if left <= 1:
                self.machines.pop(instance_id, None)
        return shown

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        self.asked.append(tuple(instance_ids))
        for i in instance_ids:
            if i in self.failures:
                continue
            if self.dies_after:
                self._dying[i] = self.dies_after
            else:
                self.machines.pop(i, None)
        return {i: text for i, text in self.failures.items() if i in instance_ids}


@dataclass
class Sky:
    """All clouds there are, by name: one that can be connected, or the error of connecting it."""

    clouds: dict[str, Cloud | Exception]
    slept_s: float = 0.0

    def connect(self, name: str, *, owner: str, folder: Path, settings: Settings) -> Any:
        found = self.clouds[name]
        if isinstance(found, Exception):
            raise found
        return found

    def time(self) -> float:
        return NOW + self.slept_s

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


def installed(monkeypatch: pytest.MonkeyPatch) -> Sky:
    """No cloud at first; time stands still but for what a command sleeps."""
    sky = Sky({})
    monkeypatch.setattr("spotlaunch.cli.listings.connect", sky.connect)
    monkeypatch.setattr("spotlaunch.cli.listings.settings_of", lambda home, name: Settings(provider=name))
    monkeypatch.setattr("spotlaunch.cli.listings.time", sky)
    monkeypatch.setattr("spotlaunch.cli.gc.provider_names", lambda: list(sky.clouds))
    monkeypatch.setattr("spotlaunch.cli.market.provider_names", lambda: list(sky.clouds))
    monkeypatch.setattr("spotlaunch.cli.gc.time", sky)
    return sky
