from __future__ import annotations

import threading
import time

import pytest

from spotlaunch.cli.market import open_asker
from spotlaunch.core.facts import Want
from tests.cli.selling import installed
from tests.storage.offers import an_offer


def surveyors() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("survey")]


def test_asking_again_and_again_piles_up_no_threads(monkeypatch: pytest.MonkeyPatch, own_home: object) -> None:
    clouds = installed(monkeypatch)
    for name in ("one", "two"):
        clouds.sell(name, an_offer())
    before = len(surveyors())
    with open_asker() as asker:
        for _ in range(5):
            assert asker.ask(["one", "two"], Want(), max_age_s=0).answered
    give_up_at = time.monotonic() + 10
    while len(surveyors()) > before and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert len(surveyors()) == before
