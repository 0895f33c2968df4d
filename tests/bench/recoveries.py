"""How soon a lost machine's replacement is ordered: real agents and a real watchdog, on five fake clouds."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.contract.watched_cloud import CREATE
from tests.fakes.clouds.fleet import Rented
from tests.fakes.clouds.server import Request
from tests.fakes.s3 import CREDENTIALS
from tests.fakes.waiting import eventually
from tests.rehearsal.ground import FiveClouds, attempt_of, five_clouds
from tests.rehearsal.play import Play

# Those that give a notice.
CLOUDS = ("aws", "gcp", "azure")

# Machines are listed so often here; each cloud's own pace is 10 to 30 s.
LIST_INTERVAL_S = 0.5

# Longer than any measurement takes.
STEPS, NAP_S = 100_000, 0.05


@dataclass(kw_only=True)
class Recoveries:
    """Seconds until the launch call of the replacement, by where it was lost: each of (cloud, seconds)."""

    noticed: list[tuple[str, float]] = field(default_factory=list)
    vanished: list[tuple[str, float]] = field(default_factory=list)


def measured(rounds: int) -> Recoveries:
    """So many rounds; in each a job on each of `CLOUDS` loses a machine after a notice, and then one without."""
    found = Recoveries()
    os.environ.update(CREDENTIALS)
    with tempfile.TemporaryDirectory(prefix="spotlaunch-bench-") as folder, five_clouds(Path(folder)) as ground:
        for turn in range(rounds):
            jobs = {cloud: _submit(ground, f"{cloud}{turn}", cloud) for cloud in CLOUDS}
            last = dict.fromkeys(jobs, 0)
            for quietly, times in ((False, found.noticed), (True, found.vanished)):
                for cloud, name in jobs.items():
                    where, machine = Play(ground).running(name, after=last[cloud])
                    last[cloud] = attempt_of(machine)
                    times.append((where, _lose(ground, where, machine, quietly=quietly)))
            for name in jobs.values():
                ground.ok("cancel", name, "--now")
            eventually(lambda: not ground.rented(), within_s=60)
    return found


def _submit(ground: FiveClouds, name: str, cloud: str) -> str:
    return ground.submit(ground.five_job(name, steps=STEPS, nap_s=NAP_S, where={"providers": [cloud]}))


def _lose(ground: FiveClouds, cloud: str, machine: Rented, *, quietly: bool) -> float:
    """The machine is lost; seconds until the first call that launches the next attempt."""
    began = time.time()
    if quietly:
        ground.fakes[cloud].vanish(machine.id)
    else:
        ground.take(cloud, machine)
    stem, attempt, rank = machine.key.rsplit("-", 2)
    key = f"{stem}-{int(attempt) + 1}-{rank}"
    (first, *_) = eventually(lambda: _launches(ground, key), within_s=60)
    return first.at - began


def _launches(ground: FiveClouds, key: str) -> Sequence[Request]:
    calls = [c for name, fake in ground.fakes.items() for c in fake.called(CREATE[name]) if c.method in ("POST", "PUT")]
    return sorted((c for c in calls if key in c.path or key.encode() in c.body), key=lambda c: c.at)
