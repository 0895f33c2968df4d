"""A watchdog's surroundings in memory: a cloud that does as it is told, a mailbox, a store, and time that stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spotlaunch.core.book import Event, Job
from spotlaunch.core.facts import Launched, Offer, Order, SeenMachine, Traits, Want
from spotlaunch.ports import Lease
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog.loop import Outside, Watchdog
from tests.core.worlds import CLOUD, NOW, a_pool, an_offer
from tests.fakes.blobs import MemoryBlobs
from tests.sim.clock import AtOnce, SimClock

SECRETS = {"TOKEN": "hush"}


class Cloud:
    """A provider of one pool. ``before`` is called in each call with its name and may raise what it likes."""

    def __init__(self, name: str = "cloud", traits: Traits = CLOUD) -> None:
        self.name = name
        self.traits = traits
        self.machines: dict[str, SeenMachine] = {}
        self.calls: list[str] = []
        self.orders: list[Order] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after_launch: Callable[[], None] = lambda: None
        self.price_at = NOW
        self.price = "1.00"

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.before(name)

    def offers(self, want: Want) -> Sequence[Offer]:
        self._called("offers")
        return [an_offer(self.price, a_pool(provider=self.name), seen_at=self.price_at)]

    def launch(self, order: Order) -> Launched:
        self._called("launch")
        self.orders.append(order)
        offer = order.alternatives[0]
        made = f"i-{len(self.orders)}"
        self.machines[made] = SeenMachine(
            launch_key=order.launch_key, instance_id=made, pool=offer.pool, phase="running"
        )
        self.after_launch()
        return Launched(instance_id=made, offer=offer)

    def list_machines(self) -> Sequence[SeenMachine]:
        self._called("list")
        return list(self.machines.values())

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        self._called("terminate")
        for i in instance_ids:
            self.machines.pop(i, None)
        return {}


def a_lease(token: str = "me", until: float = NOW + 60) -> Lease:
    return Lease(token=token, host="here", pid=1, process_started_at=1.0, until=until)


class Ground:
    """Everything that a `Watchdog` is given, and the watchdog. Calls are made on the spot.

    ``more``: what else `Outside` is given.
    """

    def __init__(self, *clouds: Cloud, **more: Any) -> None:
        self.clock = SimClock(NOW)
        self.clouds = {c.name: c for c in clouds or (Cloud(),)}
        self.blobs = MemoryBlobs(now=self.clock.now)
        self.store = SqliteStore(":memory:", owner_seed="seed")
        self.owner = self.store.owner
        self.complaints: list[str] = []
        self.told: list[Event] = []
        self.forgotten: list[str] = []
        self.noted: list[Offer] = []
        self.store.take_lease(a_lease(), now=NOW)
        outside = Outside(
            providers=self.clouds,
            mailbox=lambda job: Mailbox(self.blobs, job.name),
            secrets=self._secrets,
            forget_secrets=self.forgotten.append,
            told=self.told.append,
            complain=self.complaints.append,
            ring=self.clock.ring,
            lookers=AtOnce(),
            callers=AtOnce(),
            note_prices=self.noted.extend,
            **more,
        )
        self.watchdog = Watchdog(self.store, self.clock, a_lease(), outside, owner=self.owner)

    def _secrets(self, job: str) -> Mapping[str, str]:
        return SECRETS

    @property
    def cloud(self) -> Cloud:
        return next(iter(self.clouds.values()))

    def submit(self, *jobs: Job) -> None:
        for job in jobs:
            self.store.add_job(job, Event(job=job.name, at=NOW, kind="submitted", text="submitted"))

    def look(self, after_s: float = 0.0) -> tuple[float, bool]:
        """One look, ``after_s`` later."""
        self.clock.advance(after_s)
        for cloud in self.clouds.values():
            cloud.price_at = self.clock.now()
        return self.watchdog.look()

    def stolen(self) -> None:
        """Another watchdog takes the lease."""
        self.store.take_lease(a_lease("other"), now=NOW, dead="me")
