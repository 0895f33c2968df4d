"""Which providers a watchdog uses: those where machines can be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from spotlaunch import registry
from spotlaunch.home import Home
from spotlaunch.watchdog.clouds import RECONNECT_S, Clouds
from tests.core.worlds import CLOUD
from tests.watchdog.ground import Cloud

WINDOW = replace(CLOUD, prices_only="no credentials were found")


@dataclass
class Scene:
    """A watchdog's clouds, of which ``made`` is connected to next; ``at`` is its time."""

    made: Cloud
    log: list[str]
    at: float = 0.0

    def clouds(self, home: Path) -> Clouds:
        return Clouds(Home(home), owner="o", mono=lambda: self.at, complain=self.log.append)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    found = Scene(made=Cloud(), log=[])

    class Module:
        connect: Callable[..., Cloud] = staticmethod(lambda **_: found.made)

    monkeypatch.setattr(registry, "BUILT_IN", {"cloud": "the.module"})
    monkeypatch.setattr(registry, "import_module", lambda name: Module)
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    return found


def test_where_machines_can_be_had_is_used(scene: Scene, tmp_path: Path) -> None:
    assert list(scene.clouds(tmp_path).usable) == ["cloud"]
    assert scene.log == []


def test_one_that_only_tells_prices_is_not_used_until_credentials_appear(scene: Scene, tmp_path: Path) -> None:
    scene.made = Cloud(traits=WINDOW)
    clouds = scene.clouds(tmp_path)
    assert dict(clouds.usable) == {}
    scene.at += RECONNECT_S
    clouds.reconnect()
    assert dict(clouds.usable) == {}
    assert scene.log == ["cloud is not used: no credentials were found"], "it is told once"
    scene.made = Cloud()
    scene.at += RECONNECT_S
    clouds.reconnect()
    assert dict(clouds.usable) == {"cloud": scene.made}
    assert scene.log[1:] == ["cloud can be used now"]
