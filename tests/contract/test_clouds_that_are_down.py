"""Two clouds are down, one has no login, one throttles: jobs start on the fifth, and `status` tells of the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from spotlaunch.__main__ import run
from tests.contract.watched_cloud import Watched, watched
from tests.fakes.clouds.all import FAKES

CLOUDS = list(FAKES)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with pytest.MonkeyPatch.context() as patch, watched(tmp_path_factory.mktemp("watched"), patch) as made:
        yield made


@pytest.mark.parametrize("turn", range(len(CLOUDS)), ids=CLOUDS)
def test_a_job_starts_on_the_one_cloud_that_is_left_and_status_says_who_rests_and_until_when(
    world: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], turn: int
) -> None:
    fifth, broken, gone, shut, busy = CLOUDS[turn:] + CLOUDS[:turn]
    world.fakes[broken].fail("server-error")
    world.fakes[gone].fail("drop")
    world.fakes[busy].fail("throttle")
    for variable, value in world.env.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv(f"SPOTLAUNCH_{shut.upper()}_AUTH")
    monkeypatch.setenv("SPOTLAUNCH_HOME", str(world.home.path))
    world.connect()
    world.begin(*world.providers, book=world.home.database)
    name = world.submit()
    assert world.pass_time(900, until=lambda: bool(world.up(name))), world.story(name)
    assert [m.id for m in world.fakes[fifth].fleet.up()] == [m.id for m in world.up(name)]
    now = world.clock.now()
    resting = {row["provider"]: row for row in _status(capsys)["resting"]}
    assert set(resting) >= {broken, gone, busy, shut}
    for cloud, row in resting.items():
        assert row["reason"] and row["scope"], row
        assert row["until"] is None if cloud == shut else now < row["until"] < now + 3600, row
    assert resting[busy]["error"] == "Throttled"
    assert run(["status"]) == 0
    told = capsys.readouterr().out.partition("resting")[2]
    assert all(cloud in told for cloud in (broken, gone, busy, shut)), told
    # They come back, and nobody rests who answers.
    world.cancel(name)
    for fake in world.fakes.values():
        fake.heal()
    world.submit()
    world.pass_time(200)
    assert {row["provider"] for row in _status(capsys)["resting"]} <= {shut}
    for job in world.store.jobs():
        if not job.over:
            world.cancel(job.name)
    world.pass_time(120)
    assert [fake.fleet.left() for fake in world.fakes.values()] == [[]] * 5
    world.store.close()


def _status(capsys: pytest.CaptureFixture[str]) -> Any:
    assert run(["status", "--json"]) == 0
    return json.loads(capsys.readouterr().out)
