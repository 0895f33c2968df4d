from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.runpod.asking import Asking
from tests.fakes.clouds.runpod import FakeRunpod

KEY = "rpa_MARKERKEY0123456789"
NOW = 1_790_000_000.0

Connect = Callable[..., RunpodProvider]


@pytest.fixture
def cloud() -> Iterator[FakeRunpod]:
    made = FakeRunpod()
    made.keys = {KEY}
    with made.serving():
        yield made


def settings(cloud: FakeRunpod, *, key: str = "", auth: str = "", path: str = "") -> Settings:
    values = {"endpoint": cloud.url + path} | ({"auth": auth} if auth else {})
    return Settings(
        provider="runpod",
        values=values,
        secrets={"api_key": key} if key else {},
        origin={"api_key": "RUNPOD_API_KEY", "endpoint": "a test"},
    )


@pytest.fixture
def connect(cloud: FakeRunpod) -> Connect:
    """RunPod with a good key; ``key=""`` without; ``ask_s`` for a whole question."""

    def make(
        *, key: str = KEY, owner: str = "o", ask_s: float = 10.0, launch_s: float = 10.0, **more: str
    ) -> RunpodProvider:
        asking = Asking.of(settings(cloud, key=key, **more))
        asking._api._sleep = lambda _: None  # no test waits for the pause before a call is repeated
        return RunpodProvider(asking, owner=owner, now=lambda: NOW, ask_s=ask_s, launch_s=launch_s)

    return make
