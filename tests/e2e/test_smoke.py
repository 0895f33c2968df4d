"""Each cloud once: prices, a launch, a machine taken away, the job resumed on the next one, and nothing left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.support import digest, one_at_a_time
from tests.fakes.clouds.all import FAKES
from tests.fakes.s3 import CREDENTIALS
from tests.rehearsal.ground import five_clouds
from tests.rehearsal.play import Play

pytestmark = pytest.mark.e2e

STEPS = 250


def test_every_cloud_sells_launches_takes_away_and_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with five_clouds(tmp_path) as ground:
        offers = json.loads(ground.ok("prices", "--gpu", "H100:1", "--json"))["offers"]
        assert {o["provider"] for o in offers} == set(FAKES)
        names = [
            ground.submit(ground.five_job(f"smoke-{cloud}", steps=STEPS, nap_s=0.05, where={"providers": [cloud]}))
            for cloud in FAKES
        ]
        play = Play(ground)
        assert play.harry(names, times=1) == {f"smoke-{cloud}": [cloud] for cloud in FAKES}
        for name in names:
            play.finished(name, digest=digest(STEPS))
            assert max(play.resumed_steps(name)) > 0
            one_at_a_time(ground.register(name))
        ground.nothing_is_left()
        ground.bills_agree(names)
        told = ground.reconciled()
        assert {m["provider"] for m in told} == {"runpod", "vast"}
        assert len(told) >= 4 and all(m["agrees"] for m in told), told
