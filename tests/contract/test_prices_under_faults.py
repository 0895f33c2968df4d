"""Each fault of each cloud, as a person meets it: the other four answer, and the failing one says why in one line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from spotlaunch.__main__ import run
from spotlaunch_providers.aws import access
from spotlaunch_providers.shared.http import Api
from tests.contract.watched_cloud import ADAPTERS, REGIONS
from tests.fakes.clouds.all import FAKES
from tests.fakes.clouds.gcp import FakeGcp
from tests.fakes.clouds.server import FAULTS, FakeCloud

# Enough for a cloud that answers, also where other tests keep the computer busy.
TIMEOUT_S = 6
# Of these an adapter's own patience is the end, which is short here; but once it is the command's.
SLOW = ("hang", "drip")
WAITED_FOR = ("runpod", "hang")

# All of the cloud's answers are lost or refused, so none of its offers can be shown. The other faults slow it down,
# concern its pages only, or say nothing about prices.
SILENT = {
    "hang", "drip", "throttle", "throttle-retry-after", "server-error", "bad-gateway", "malformed", "truncated", "drop",
    "expired-token",
}  # fmt: skip


@pytest.fixture(scope="module")
def clouds() -> Iterator[dict[str, FakeCloud]]:
    made: dict[str, FakeCloud] = {name: make() for name, make in FAKES.items()} | {"gcp": FakeGcp(filler=20)}
    with ExitStack() as stack:
        for fake in made.values():
            stack.enter_context(fake.serving())
        yield made


@pytest.fixture(autouse=True)
def at_the_fakes(clouds: dict[str, FakeCloud], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for fake in clouds.values():
        for variable, value in fake.environment(fake.url).items():
            monkeypatch.setenv(variable, value)
    for name, region in REGIONS.items():
        monkeypatch.setenv(f"SPOTLAUNCH_{name.upper()}_REGIONS", region)
    monkeypatch.setitem(Api.__init__.__kwdefaults__, "sleep", lambda s: time.sleep(s / 10))
    monkeypatch.setattr(access, "MOST_PAGES", 20)
    yield
    for fake in clouds.values():
        fake.heal()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", FAKES)
def test_one_cloud_that_fails_costs_the_others_nothing(
    clouds: dict[str, FakeCloud],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    fault: str,
) -> None:
    (adapter,) = (a for a in ADAPTERS if a.name == name)
    if fault in SLOW and (name, fault) != WAITED_FOR:
        monkeypatch.setitem(adapter.__init__.__kwdefaults__, "ask_s", 1.0)
    clouds[name].fail(fault, seconds=0.1 if fault == "latency" else 3600)
    began = time.monotonic()
    code = run(["prices", "--gpu", "H100", "--json", "--timeout", str(TIMEOUT_S)])
    took_s = time.monotonic() - began
    out, err = capsys.readouterr()
    assert code == 0, err
    answer = json.loads(out)
    others = {o["provider"] for o in answer["offers"]} - {name}
    assert others == set(FAKES) - {name}
    _tells_why(answer, name, fault)
    assert "Traceback" not in out + err
    assert took_s < TIMEOUT_S + 3


def _tells_why(answer: Any, name: str, fault: str) -> None:
    row = next(p for p in answer["providers"] if p["provider"] == name)
    has_offers = any(o["provider"] == name for o in answer["offers"])
    assert has_offers <= row["ok"]
    if fault in SILENT:
        assert not row["ok"], "a cloud that was not heard has nothing to show"
    if not row["ok"]:
        assert row["reason"] and "\n" not in row["reason"]


def test_when_none_answers_the_command_fails(clouds: dict[str, FakeCloud], capsys: pytest.CaptureFixture[str]) -> None:
    for fake in clouds.values():
        fake.fail("forbidden")
    assert run(["prices", "--gpu", "H100"]) == 1
    said = capsys.readouterr().err
    assert all(f"{name}: " in said for name in FAKES)
