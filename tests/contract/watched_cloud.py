"""A real watchdog over a real adapter and its fake cloud, without machines that run, in time that the test moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.book import Event, Job
from spotlaunch.core.facts import Order
from spotlaunch.core.spec import BlobStoreRef, CheckpointSpec, Resources, Spec, Where
from spotlaunch.home import Home
from spotlaunch.ports import Lease, Provider
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore
from spotlaunch.storage.unusable import note_unusable
from spotlaunch.watchdog.clouds import connect_all, launchable
from spotlaunch.watchdog.loop import Outside, Watchdog
from spotlaunch_providers.aws import access
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.adapter import AwsProvider
from spotlaunch_providers.azure.adapter import AzureProvider
from spotlaunch_providers.gcp.adapter import GcpProvider
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.shared.http import Api
from spotlaunch_providers.vast.adapter import VastProvider
from spotlaunch_providers.vast.pace import Pace
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.clouds.all import FAKES
from tests.fakes.clouds.fleet import Rented
from tests.fakes.clouds.gcp import FakeGcp
from tests.sim.clock import AtOnce

REAL_TIME = time.time
ADAPTERS = (AwsProvider, AzureProvider, GcpProvider, RunpodProvider, VastProvider)

# What the owner is made of.
SEED = "seed"
OWNER = SqliteStore(":memory:", owner_seed=SEED).owner

# A market of one region: prices are not what is tried out here.
REGIONS = {"aws": "us-east-1", "gcp": "us-central1", "azure": "westus"}

# The call that makes a machine, as its fake logs it.
CREATE = {
    "aws": "RunInstances$",
    "gcp": "/zones/[^/]+/instances$",
    "azure": "(?i)/virtualMachines/[^/]+$",
    "runpod": "^/v2/pods$",
    "vast": "^/api/v0/asks/",
}

# No look comes later than this after the one before it, if nobody says otherwise.
STEP_S = 15.0


class Ahead:
    """This computer's time, and as much ahead of it as the test says. The port `Clock`."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:
        return REAL_TIME() + self.ahead_s

    def sleep(self, seconds: float) -> None:
        self.ahead_s += max(0.0, seconds)

    def sleep_until(self, at: float) -> None:
        self.sleep(at - self.now())


@dataclass
class Watched:
    """Clouds, and a new watchdog with an empty book over them for each test."""

    clock: Ahead
    fakes: dict[str, Any]
    home: Home
    env: dict[str, str]
    providers: dict[str, Provider] = field(default_factory=dict)
    store: SqliteStore = field(init=False)
    watchdog: Watchdog = field(init=False)
    complaints: list[str] = field(default_factory=list)
    jobs: int = 0
    wake_at: float = 0.0
    rung: bool = False

    def connect(self) -> None:
        """Where machines can be had, as the environment says now."""
        connected, _ = connect_all(self.home, owner=OWNER, names=FAKES)
        self.providers, _ = launchable(connected)

    def begin(self, *clouds: str, book: Path | None = None) -> None:
        """Forget what was, and watch an empty book, with these clouds; it is in memory, or in that file."""
        self.store = SqliteStore(book or ":memory:", owner_seed=SEED)
        self.complaints = []
        blobs = MemoryBlobs(now=self.clock.now)
        lease = Lease(token="me", host="here", pid=1, process_started_at=1.0, until=self.clock.now() + 60)
        self.store.take_lease(lease, now=self.clock.now())
        outside = Outside(
            providers={name: self.providers[name] for name in clouds},
            mailbox=lambda job: Mailbox(blobs, job.name),
            secrets=lambda job: {},
            forget_secrets=lambda job: None,
            told=lambda event: None,
            complain=self.complaints.append,
            ring=self.ring,
            note_silent=lambda silent: note_unusable(self.home, self.providers, silent, passing=True),
            lookers=AtOnce(),
            callers=AtOnce(),
            prepare=_with_a_script,
        )
        self.watchdog = Watchdog(self.store, self.clock, lease, outside, owner=self.store.owner)

    # -- jobs ----------------------------------------------------------------------------------------------

    def submit(self, *clouds: str) -> str:
        """A job that may run on these clouds; its name, which no job of an earlier test had."""
        self.jobs += 1
        name = f"job{self.jobs}"
        spec = Spec(
            name=name,
            run="train",
            resources=Resources(gpus=(("H100", 1),)),
            where=Where(providers=clouds),
            checkpoint=CheckpointSpec(store=BlobStoreRef(url="s3://bucket/x", endpoint="", region="us-east-1")),
        )
        job = Job(name=name, spec=spec, submitted_at=self.clock.now(), store_url="s3://bucket/x")
        self.store.add_job(job, Event(job=name, at=job.submitted_at, kind="submitted", text="submitted"))
        return name

    def cancel(self, name: str) -> None:
        event = Event(job=name, at=self.clock.now(), kind="cancel", text="cancel")
        self.store.want(name, "cancel-now", at=self.clock.now(), event=event)

    def up(self, name: str) -> list[Rented]:
        """Machines of the job that bill."""
        return [m for fake in self.fakes.values() for m in fake.fleet.up() if f"-{name}-" in m.key]

    def story(self, name: str) -> str:
        """For the message of a test that fails."""
        told = [f"{e.at - REAL_TIME():8.0f} {e.kind}: {e.text}" for _, e in self.store.events(name)]
        job = self.store.job(name)
        machines = [f"{m.launch_key} {m.pool} {m.state} {m.outcome} {m.instance_id}" for m in self.store.machines()]
        return "\n".join([*told, f"{job.state}: {job.reason} {job.note}", *machines, *self.complaints[-10:]])

    # -- time ----------------------------------------------------------------------------------------------

    def ring(self) -> None:
        self.rung = True

    def look(self) -> None:
        """One look, and its calls. After an answer to one of these the watchdog looks again at once."""
        self.rung = False
        wake_at, _ = self.watchdog.look()
        self.wake_at = self.clock.now() if self.rung else wake_at

    def pass_time(self, seconds: float, *, until: Callable[[], bool] = lambda: False, step_s: float = STEP_S) -> bool:
        """Look whenever the watchdog wants to, for so long or until something is so; whether it came so far."""
        end = self.clock.now() + seconds
        while True:
            self.look()
            if until():
                return True
            now = self.clock.now()
            if now >= end:
                return False
            self.clock.sleep_until(min(max(self.wake_at, now + 1.0), now + step_s, end))


def _with_a_script(job: Job, call: Any, secrets: Any, traits: Any) -> Order:
    return replace(call.order, script="#!/bin/sh\nexit 0\n")


@contextmanager
def watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """All five fakes with their adapters, which do not sleep, and repeat no call."""
    clock = Ahead()
    monkeypatch.setattr(time, "time", clock.now)
    for adapter in ADAPTERS:
        monkeypatch.setitem(adapter.__init__.__kwdefaults__, "now", clock.now)
    monkeypatch.setitem(Api.__init__.__kwdefaults__, "sleep", lambda s: None)
    monkeypatch.setitem(Pace.__init__.__kwdefaults__, "mono", clock.now)
    monkeypatch.setitem(Pace.__init__.__kwdefaults__, "sleep", clock.sleep)
    monkeypatch.setitem(Access.__init__.__kwdefaults__, "tries", 1)
    monkeypatch.setattr(access, "MOST_PAGES", 20)
    home = Home(folder / "home").prepare()
    with ExitStack() as stack:
        fakes: dict[str, Any] = {name: make() for name, make in FAKES.items()} | {"gcp": FakeGcp(filler=2)}
        env: dict[str, str] = {}
        for name, fake in fakes.items():
            fake.fleet.now = clock.now
            url = stack.enter_context(fake.serving())
            env |= fake.environment(url)
            if name in REGIONS:
                env[f"SPOTLAUNCH_{name.upper()}_REGIONS"] = REGIONS[name]
        for variable, value in env.items():
            monkeypatch.setenv(variable, value)
        made = Watched(clock=clock, fakes=fakes, home=home, env=env)
        made.connect()
        yield made
