"""Five clouds, for real but for the machines: jobs that lose theirs, move between clouds, and leave nothing behind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from spotlaunch.core.bands import NEAR_EQUAL
from tests.e2e.support import digest, one_at_a_time
from tests.fakes.clouds.all import FAKES
from tests.fakes.s3 import CREDENTIALS, client
from tests.rehearsal.ground import BUCKET, FiveClouds, five_clouds
from tests.rehearsal.play import Play

pytestmark = pytest.mark.e2e

STEPS = 900
LONG = 8000  # as long as it takes until refused pools have rested
SECRET = "marker-7f3a9c1e5b2d"


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FiveClouds]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with five_clouds(tmp_path) as made:
        yield made


def test_a_job_is_preempted_moves_falls_back_returns_to_spot_and_ends_with_the_same_digest(ground: FiveClouds) -> None:
    play = Play(ground)
    offers = json.loads(ground.ok("prices", "--gpu", "H100:1", "--json"))["offers"]
    # It says that it has long to go: a move must pay for itself, and a minute's rest never pays for one.
    hurry = ground.folder / "hurry"
    env = {"TOTAL": "1000000", "HURRY": str(hurry)}
    name = ground.submit(ground.five_job("story", steps=LONG, nap_s=0.05, env=env))
    clouds = play.whole_story(name)
    hurry.touch()
    began = ground.machines(name)[0].pool
    of_pool = {(o["provider"], o["zone"], o["instance_type"], o["market"]): o for o in offers}
    row = of_pool[(began.provider, began.zone, began.instance_type, began.market)]
    # Of near-equals any is the cheapest: which, is drawn from the job's name.
    assert clouds[0] == began.provider
    assert row["effective_usd_hour"] <= offers[0]["effective_usd_hour"] * float(NEAR_EQUAL)
    play.finished(name, digest=digest(LONG))
    kinds = ground.kinds(name)
    assert kinds.count("fallback") >= 1 and "return" in kinds
    assert len([step for step in play.resumed_steps(name) if step > 0]) >= 3
    one_at_a_time(ground.register(name))
    ground.nothing_is_left()
    assert len(ground.bills_agree([name])) >= 4


@pytest.mark.skipif("REHEARSAL" not in os.environ, reason="`make rehearsal` does this, and so does REHEARSAL=1")
def test_jobs_of_five_clouds_lose_every_machine_twice_and_end_elsewhere(ground: FiveClouds) -> None:
    play = Play(ground)
    clouds = list(FAKES)
    names = []
    for here, there in zip(clouds, [*clouds[1:], clouds[0]], strict=True):
        file = ground.five_job(f"job-{here}", steps=STEPS, nap_s=0.05, where={"providers": [here, there]})
        names.append(ground.submit(file))
    lost = play.harry(names, times=2)
    assert all(len(where) == 2 for where in lost.values())
    for name in names:
        play.finished(name, digest=digest(STEPS))
        one_at_a_time(ground.register(name))
    ground.nothing_is_left()
    ground.bills_agree(names)


def test_no_secret_lies_anywhere_in_the_open(ground: FiveClouds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's own secret nor the keys of the store, in user data, objects, files, arguments or output."""
    play = Play(ground)
    ground.env["TOKEN"] = SECRET
    file = ground.five_job("hush", steps=200, nap_s=0.02, secrets=["TOKEN"])
    keys = json.loads(file.read_text())
    # The program has it, and is careless: it prints it.
    file.write_text(json.dumps({**keys, "run": 'echo "mine: $TOKEN" | sed s/mine/yours/; ' + keys["run"]}))
    name = ground.submit(file)
    play.running(name, after=0)
    markers = {SECRET, CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
    arguments = [" ".join(p.cmdline()) for p in psutil.process_iter() if _is_running(p)]
    assert not [a for a in arguments if any(m in a for m in markers)]
    play.finished(name, digest=digest(200))
    assert "yours: ***" in ground.logs(name) or SECRET not in ground.logs(name)
    for fake in ground.fakes.values():
        for machine in fake.fleet.machines.values():
            assert not any(m in machine.script or m in str(machine.env) for m in markers)
        for call in fake.calls:
            assert not any(m.encode() in call.body for m in markers)
    s3 = client(ground.endpoint)
    objects = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert len(objects) > 5
    for o in objects:
        body = s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read()
        assert not any(m.encode() in body for m in markers), o["Key"]
    for path in ground.home.path.rglob("*"):
        if path.is_file():
            assert not any(m.encode() in path.read_bytes() for m in markers), path
            assert path.stat().st_mode & 0o077 == 0, path
    for word in ("events", "status", "logs"):
        said = ground.cli(word, name)
        assert not any(m in said.stdout + said.stderr for m in markers)
    ground.nothing_is_left()


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and bool(process.cmdline())
    except psutil.Error:
        return False
