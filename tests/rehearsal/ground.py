"""Five fake clouds that run machines, an S3 server, and a home that knows them all: the ground of a rehearsal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from spotlaunch.core.book import Machine
from spotlaunch.home import Home
from tests.e2e.support import Rehearsal
from tests.fakes.clouds.all import FAKES
from tests.fakes.clouds.fleet import Rented
from tests.fakes.s3 import CREDENTIALS, make_bucket, s3_server
from tests.fakes.waiting import eventually

BUCKET = "checkpoints"

# What a bill may differ from ours: the clouds' clock and ours, and a look in between.
BILL_S = 1.0


@dataclass(kw_only=True)
class FiveClouds(Rehearsal):
    """A `Rehearsal` whose machines stand with five clouds instead of with `local`."""

    fakes: dict[str, Any] = field(default_factory=dict)
    endpoint: str = ""

    # -- machines ------------------------------------------------------------------------------------------

    def rented(self) -> list[tuple[str, Rented]]:
        """All machines that bill now, with their clouds."""
        return [(name, m) for name, fake in self.fakes.items() for m in fake.fleet.up()]

    def machine_of(self, job: str) -> tuple[str, Rented] | None:
        """The newest machine of a job that has booted."""
        own = [(n, m) for n, f in self.fakes.items() for m in f.fleet.booted() if f"-{job}-" in m.key]
        return max(own, key=lambda found: attempt_of(found[1]), default=None)

    def take(self, cloud: str, machine: Rented) -> None:
        """A machine is taken away in its cloud's own way: with the notice that this cloud gives, if it gives one."""
        self.fakes[cloud].preempt(machine.id, notice_s=NOTICE_S.get(cloud, 0.0))

    def dry(self, market: str = "spot") -> None:
        for fake in self.fakes.values():
            fake.run_dry(market=market)

    def refill(self) -> None:
        for fake in self.fakes.values():
            fake.refill()

    # -- jobs ----------------------------------------------------------------------------------------------

    def five_job(self, name: str, *, steps: int, nap_s: float, **keys: Any) -> Path:
        """A job file of the training job for these clouds, its checkpoints in the bucket."""
        keys = {
            "resources": {"gpu": ["H100:1"]},
            "checkpoint": {"every": "1s", "grace": "2s", "store": self.store_of(name)},
            "fallback": {"patience": "2s", "return_to_spot": True, "look_every": "2s"},
            **keys,
        }
        return self.training(name, steps=steps, nap_s=nap_s, **keys)

    def store_of(self, name: str) -> dict[str, str]:
        return {"url": f"s3://{BUCKET}/rehearsal", "endpoint": self.endpoint, "region": "us-east-1"}

    def machines(self, name: str) -> list[Machine]:
        with self.store() as store:
            return store.machines(name)

    def commits(self, name: str) -> int:
        """The step of the newest committed checkpoint."""
        with self.store() as store:
            return max((a.step for a in store.attempts(name)), default=0)

    # -- afterwards ----------------------------------------------------------------------------------------

    def nothing_is_left(self, *, within_s: float = 30.0) -> None:
        """No machine, disk, address, group or contract at any cloud, and no process on this computer."""
        left: list[str] = []

        def gone() -> bool:
            left[:] = [f"{name}: {what}" for name, fake in self.fakes.items() for what in fake.fleet.left()]
            return not left

        give_up_at = time.monotonic() + within_s
        while not gone():
            assert time.monotonic() < give_up_at, f"left behind: {left}"
            time.sleep(0.1)
        eventually(lambda: not self.awake(), within_s=20)

    def bills_agree(self, names: Sequence[str]) -> list[tuple[str, float, float]]:
        """What `cost` says of each machine against its cloud's bill: seconds, and dollars within a second of its price.

        Returns all of them: launch key, our seconds, the cloud's.
        """
        theirs: dict[str, tuple[float, Decimal]] = {}
        for fake in self.fakes.values():
            theirs |= fake.fleet.bills()
        compared, wrong = [], []
        for name in names:
            told = json.loads(self.ok("cost", name, "--json"))
            for line in told["lines"]:
                seconds, usd = theirs.pop(line["launch_key"], (0.0, Decimal(0)))
                ours_s, spent, price = (Decimal(line[k]) for k in ("machine_s", "spent_usd", "price_usd_hour"))
                compared.append((line["launch_key"], float(ours_s), seconds))
                if abs(float(ours_s) - seconds) > BILL_S or abs(spent - usd) > price * Decimal(BILL_S) / 3600:
                    wrong.append((line["launch_key"], float(ours_s), seconds, spent, usd))
            assert sum(Decimal(line["spent_usd"]) for line in told["lines"]) == Decimal(told["total"]["spent_usd"])
        unknown = [key for key in theirs if any(f"-{name}-" in key for name in names)]
        assert not unknown, f"the clouds bill what the book does not know: {unknown}"
        assert not wrong, f"launch key, our seconds, the cloud's, our dollars, the cloud's: {wrong}"
        return compared

    def reconciled(self) -> list[dict[str, Any]]:
        """What the clouds that tell their bills say of each machine, beside what we booked."""
        told = json.loads(self.ok("cost", "--reconcile", "--json"))
        return list(told["machines"])


# What each cloud's warning is cut to here: enough for a last checkpoint of a job that saves in milliseconds.
NOTICE_S = {"aws": 4.0, "gcp": 4.0, "azure": 4.0}


def attempt_of(machine: Rented) -> int:
    return int(machine.key.rsplit("-", 2)[1])


@contextmanager
def five_clouds(folder: Path, *, boot_s: float = 0.2, names: Sequence[str] = tuple(FAKES)) -> Iterator[FiveClouds]:
    """The ground, with everything ended afterwards."""
    here = folder / "here"
    here.mkdir(parents=True, exist_ok=True)
    home = Home(folder / "home")
    with ExitStack() as stack:
        endpoint = stack.enter_context(s3_server())
        make_bucket(endpoint, BUCKET)
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR", "PYTHONPATH")}
        env = {
            **kept,
            **CREDENTIALS,
            "HOME": str(folder),
            "SPOTLAUNCH_HOME": str(home.path),
            "SPOTLAUNCH_LIST_INTERVAL_S": "0.5",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_COLOR": "1",
        }
        fakes: dict[str, Any] = {}
        for name in names:
            fakes[name] = FAKES[name](run_machines=True, boot_s=boot_s)
            url = stack.enter_context(fakes[name].serving())
            env |= fakes[name].environment(url)
        ground = FiveClouds(folder=here, home=home, env=env, fakes=fakes, endpoint=endpoint)
        try:
            yield ground
        finally:
            ground.end()


def python_for_jobs() -> str:
    """The Python that has what the demo job needs, for PATH of the job's program."""
    return str(Path(sys.executable).parent)
