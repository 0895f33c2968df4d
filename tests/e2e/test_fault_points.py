"""A watchdog killed at each line of acting, while it launches: nothing doubled stays, and nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.book import Event, Job
from spotlaunch.core.spec import BlobStoreRef, CheckpointSpec, Resources, Spec, Where
from spotlaunch.home import Home
from spotlaunch.storage.store import open_store
from tests.fakes.clouds.all import FAKES
from tests.fakes.s3 import CREDENTIALS, make_bucket, s3_server

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]

# Past every provider's settling time, and well before a machine that never speaks is given up.
SETTLED_S = 100.0


@dataclass
class Ground:
    """One cloud without agents, and a process that forks watchdogs."""

    cloud: str
    fake: Any
    folder: Path
    endpoint: str
    zygote: subprocess.Popen[str]
    jobs: int = 0

    def home(self) -> Home:
        """A new home with one new job in its book."""
        self.jobs += 1
        home = Home(self.folder / f"home-{self.jobs}").prepare()
        name = f"job{self.jobs}"
        # Servers of one process share their buckets.
        ref = BlobStoreRef(
            url=f"s3://checkpoints/{self.cloud}-{self.folder.name}", endpoint=self.endpoint, region="us-east-1"
        )
        spec = Spec(
            name=name,
            run="train",
            resources=Resources(gpus=(("H100", 1),)),
            where=Where(providers=(self.cloud,)),
            checkpoint=CheckpointSpec(store=ref),
        )
        store = open_store(home)
        try:
            job = Job(
                name=name,
                spec=spec,
                submitted_at=1.0,
                store_url=ref.url,
                store_endpoint=ref.endpoint,
                store_region=ref.region,
            )
            store.add_job(job, Event(job=name, at=1.0, kind="submitted", text="submitted"))
        finally:
            store.close()
        return home

    def cancel(self, home: Home) -> None:
        store = open_store(home)
        try:
            (job,) = store.jobs()
            if not job.over:
                event = Event(job=job.name, at=2.0, kind="cancel", text="cancel")
                store.want(job.name, "cancel-now", at=2.0, event=event)
        finally:
            store.close()

    def watchdog(self, home: Home, *, ahead_s: float = 0.0, line: int = 0) -> dict[str, Any]:
        """One watchdog from its birth to its end; it dies at that line of act.py, if it comes there."""
        order = {"home": str(home.path), "providers": [self.cloud], "ahead_s": ahead_s, "line": line}
        assert self.zygote.stdin is not None and self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps(order) + "\n")
        self.zygote.stdin.flush()
        told: dict[str, Any] = json.loads(self.zygote.stdout.readline())
        return told

    def up(self, home: Home) -> list[str]:
        number = home.path.name.rpartition("-")[2]
        return [m.id for m in self.fake.fleet.up() if f"-job{number}-" in m.key]

    def story(self, home: Home) -> str:
        store = open_store(home)
        try:
            (job,) = store.jobs()
            told = [f"{e.kind}: {e.text}" for _, e in store.events(job.name)]
            return "\n".join([*told, *map(str, store.machines())])
        finally:
            store.close()


@contextmanager
def ground_of(cloud: str, folder: Path) -> Iterator[Ground]:
    with ExitStack() as stack:
        endpoint = stack.enter_context(s3_server())
        make_bucket(endpoint, "checkpoints")
        fake = FAKES[cloud]()
        url = stack.enter_context(fake.serving())
        env = {
            **{k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")},
            **CREDENTIALS,
            **fake.environment(url),
            "HOME": str(folder),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'providers'}",
            "SPOTLAUNCH_STORE_STS_ENDPOINT": endpoint,
            "SPOTLAUNCH_STORE_ROLE": "arn:aws:iam::123456789012:role/spotlaunch",
            "AWS_EC2_METADATA_DISABLED": "true",
            **REGIONS.get(cloud, {}),
        }
        log = stack.enter_context((folder / "watchdogs.log").open("w"))
        zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.rehearsal.zygote"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Ground(cloud, fake, folder, endpoint, zygote)
        finally:
            zygote.kill()
            zygote.wait()


# A market of one region: prices are not what is tried out here.
REGIONS = {
    "aws": {"SPOTLAUNCH_AWS_REGIONS": "us-east-1"},
    "gcp": {"SPOTLAUNCH_GCP_REGIONS": "us-central1"},
    "azure": {"SPOTLAUNCH_AZURE_REGIONS": "westus"},
}


@pytest.mark.parametrize("cloud", FAKES)
def test_a_watchdog_killed_at_any_line_of_a_launch_leaves_one_machine_and_then_none(cloud: str, tmp_path: Path) -> None:
    with ground_of(cloud, tmp_path) as ground:
        lines = _lines_of_a_launch(ground)
        assert len(lines) >= 15
        for line in _share(lines, list(FAKES).index(cloud)):
            home = ground.home()
            died = ground.watchdog(home, line=line)
            assert died["status"] == -9, f"line {line} was not reached"
            _whole_again(ground, home, line)


@pytest.mark.parametrize("cloud", FAKES)
def test_it_may_also_die_where_the_answer_of_its_launch_was_lost(cloud: str, tmp_path: Path) -> None:
    with ground_of(cloud, tmp_path) as ground:
        known = set(_lines_of_a_launch(ground))
        ground.fake.lose_answers(after=True)
        home = ground.home()
        lines = [n for n in ground.watchdog(home)["lines"] if n not in known]
        ground.fake.heal()
        _whole_again(ground, home, 0)
        # None, where the provider finds by itself what became of a launch whose answer was lost.
        for line in lines:
            home = ground.home()
            ground.fake.lose_answers(after=True)
            died = ground.watchdog(home, line=line)
            ground.fake.heal()
            assert died["status"] == -9, f"line {line} was not reached"
            _whole_again(ground, home, line)


def _share(lines: list[int], turn: int) -> list[int]:
    """All lines with ``FAULT_POINTS=all``. Else each cloud gets one in five, and together they get every line."""
    if os.environ.get("FAULT_POINTS") == "all":
        return lines
    return [line for n, line in enumerate(lines) if (n - turn) % len(FAKES) == 0]


def _lines_of_a_launch(ground: Ground) -> list[int]:
    """All lines of act.py that a launch runs through, from the hand-over to the workers to the written result."""
    home = ground.home()
    told = ground.watchdog(home)
    assert told["status"] == 0
    assert len(ground.up(home)) == 1, ground.story(home)
    _whole_again(ground, home, 0)
    return list(told["lines"])


def _whole_again(ground: Ground, home: Home, line: int) -> None:
    """The next watchdogs find out what there is: one machine once it has settled, and none when it is cancelled."""
    ground.watchdog(home)
    ground.watchdog(home, ahead_s=SETTLED_S)
    assert len(ground.up(home)) <= 1, f"killed at line {line}: {ground.up(home)}\n{ground.story(home)}"
    ahead_s = SETTLED_S
    while not ground.up(home):  # what was never made is tried again, in its own time
        ahead_s += 30
        assert ahead_s < 6 * SETTLED_S, f"killed at line {line}\n{ground.story(home)}"
        ground.watchdog(home, ahead_s=ahead_s)
    assert len(ground.up(home)) == 1, f"killed at line {line}: {ground.up(home)}\n{ground.story(home)}"
    ground.cancel(home)
    ground.watchdog(home, ahead_s=ahead_s + 1)
    ground.watchdog(home, ahead_s=ahead_s + SETTLED_S)
    left = ground.fake.fleet.left()
    assert not left, f"killed at line {line}: {left}\n{ground.story(home)}"
