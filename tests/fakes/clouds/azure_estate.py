"""What stands in the fake Azure: groups, machines, networks; how they come and go; and what a test may do to them.

Written from the fact sheet (3.4-3.6). Everything that outlives a machine is held in the fleet: its group, disk,
interface and address. Networks are free and shared, and are not.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.fakes.clouds import azure_data
from tests.fakes.clouds.azure_rules import FAILURES
from tests.fakes.clouds.azure_wire import Wire
from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.clouds.server import Fault, Request, Response


@dataclass
class Group:
    name: str
    location: str
    tags: dict[str, str]
    gone_at: float | None = None  # when its deletion is through


@dataclass
class Machine:
    """A virtual machine as Resource Manager keeps it. ``rented`` is its bill; one that failed has none."""

    group: str
    name: str
    body: dict[str, Any]
    made_at: float
    rented: str = ""
    failed: tuple[str, str] | None = None
    fails_at: float = 0.0
    power: str = ""  # a state that it was brought into; else the fleet tells
    gone_at: float | None = None
    address: str = ""
    vm_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def spot(self) -> bool:
        return self.body["properties"].get("priority") == "Spot"

    def things(self) -> tuple[str, ...]:
        return tuple(f"{kind}:{self.group}/{self.name}" for kind in ("disk", "nic", "ip"))


class Estate(Wire):
    """``run_machines``: their scripts run as processes here. ``boot_s``: how long a machine takes to boot.

    ``allocate_s``: until the operation of a launch tells its end; ``delete_s``: until what is deleted is gone;
    ``list_lag_s``: until a new machine is listed; ``log_lag_s``: until the activity log tells of something.
    """

    def __init__(self, *, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__()
        self.fleet = Fleet(
            run=run_machines, boot_s=boot_s, on_power_off=self._powered_off, on_taken=lambda m: self._evicted(m.id)
        )
        self.allocate_s = self.delete_s = self.list_lag_s = self.log_lag_s = 0.0
        self.groups: dict[str, Group] = {}
        self.machines: dict[tuple[str, str], Machine] = {}
        self.networks: dict[str, dict[str, Any]] = {}  # path in small letters -> body
        self.log: list[tuple[float, dict[str, Any]]] = []
        self.evictions_leave: tuple[str, ...] = ()
        self.permitted = ["*"]  # what the account may do
        self.acknowledged: set[str] = set()
        self._dry: list[dict[str, Any]] = []
        self._failing: list[tuple[str, bool, int | None]] = []
        self._prices: dict[tuple[str, str, str], Decimal] = {}
        self._lost: dict[str, Any] = {}
        self._addresses = 0

    # -- what a test does --------------------------------------------------------------------------------

    def preempt(self, machine_id: str, *, notice_s: float = 30.0) -> None:
        """An eviction: scheduled events tell at once, and after ``notice_s`` the machine is deleted, and logged."""
        self.fleet.take(machine_id, notice_s=notice_s)

    def vanish(self, machine_id: str) -> None:
        """Gone without notice or reason; its group is left."""
        with self._lock:
            for machine in self._of(machine_id):
                self.fleet.end(machine_id, "vanished")
                self._forget(machine)

    def run_dry(
        self, *, region: str = "", zone: str = "", instance_type: str = "", market: str = "", late: bool = False
    ) -> None:
        """No room there from now on. ``late``: a machine is accepted, and its operation fails."""
        del zone
        with self._lock:
            self._dry.append({"region": region, "size": instance_type.lower(), "market": market, "late": late})

    def refill(self) -> None:
        """There is room everywhere."""
        with self._lock:
            self._dry.clear()

    def never_boot(self) -> None:
        """From now on machines stay at their start-up."""
        self.fleet.never_boot = True

    def set_price(self, usd_hour: Decimal | float | str, *, region: str, instance_type: str, market: str) -> None:
        """What this size costs there from now on, in the feed too."""
        price = Decimal(str(usd_hour))
        with self._lock:
            self._prices[instance_type.lower(), region, market] = price
            self._reprice(price, region, instance_type, market)

    def lose_answers(
        self, *, before: bool = False, after: bool = False, how: str = "cut", lookups: bool = False, never: int = 0
    ) -> None:
        """Answers to launches are lost before or after the machine is made; with both, by turns.

        ``how``: "cut", or "500" for an answer that says that something broke. ``lookups`` are lost then too.
        The first ``never`` launches are answered.
        """
        turns = [word for word, on in (("before", before), ("after", after)) if on]
        with self._lock:
            self._lost = {"turns": turns, "how": how, "lookups": lookups, "count": -never} if turns else {}

    def fail_launch(self, failure: str, *, late: bool = False, times: int | None = 1) -> None:
        """The next launches are refused this way: a name of `azure_rules.FAILURES`. ``late``: by their operation."""
        assert failure in FAILURES, failure
        with self._lock:
            self._failing.append((failure, late, times))

    def leave_behind(self, *what: str) -> None:
        """Evictions leave these from now on: "disk", "nic", "ip"."""
        self.evictions_leave = what

    def heal(self) -> None:
        """Take back all faults."""
        super().heal()
        with self._lock:
            self._dry.clear()
            self._failing.clear()
            self._lost = {}
            self.fleet.never_boot = False

    def close(self) -> None:
        """End all machines' processes."""
        self.fleet.close()

    # -- how it works ------------------------------------------------------------------------------------

    def answer(self, request: Request) -> tuple[Response, list[Fault]]:
        with self._lock:
            self._pass_time()
        return super().answer(request)

    def lost(self) -> str:
        """When the answer to this launch is lost: "before", "after", or empty."""
        if not self._lost:
            return ""
        turns, n = self._lost["turns"], self._lost["count"]
        self._lost["count"] += 1
        return str(turns[n % len(turns)]) if n >= 0 else ""

    def fails(self, size: str, region: str, market: str) -> tuple[tuple[int, str, str], bool] | None:
        """How this launch is refused, and whether late."""
        for n, (failure, late, times) in enumerate(self._failing):
            if times != 0:
                self._failing[n] = (failure, late, None if times is None else times - 1)
                return FAILURES[failure], late
        for dry in self._dry:
            if dry["region"] in ("", region) and dry["size"] in ("", size.lower()) and dry["market"] in ("", market):
                return FAILURES["AllocationFailed" if dry["late"] else "SkuNotAvailable"], dry["late"]
        return None

    def price(self, size: str, region: str, market: str) -> Decimal:
        """What a machine costs an hour there now."""
        given = self._prices.get((size.lower(), region, market))
        sold = next(s for s in azure_data.SIZES if s.size.lower() == size.lower())
        return given if given is not None else Decimal(str(azure_data.usd(sold, region, spot=market == "spot")))

    def _reprice(self, price: Decimal, region: str, size: str, market: str) -> None:
        """Subclasses that have a feed change it."""

    def rent(self, machine: Machine) -> None:
        """It runs from now on, and bills."""
        body = machine.body
        market = "spot" if machine.spot else "on-demand"
        taken = machine.group in self.fleet.machines and self.fleet.machines[machine.group].alive
        machine.rented = f"{machine.group}/{machine.name}" if taken else machine.group
        self._addresses += 1
        machine.address = f"20.10.{self._addresses // 250}.{self._addresses % 250 + 1}"
        system = body["properties"]["osProfile"]
        rented = Rented(
            id=machine.rented,
            key=(body.get("tags") or {}).get("spotlaunch-key", machine.group),
            market=market,
            price_usd_hour=self.price(body["properties"]["hardwareProfile"]["vmSize"], body["location"], market),
            script=base64.b64decode(system.get("customData", "")).decode(),
            env={"SPOTLAUNCH_METADATA_AZURE": f"{self.url}/-/metadata/{machine.rented}"},
            billed_from=machine.made_at,
        )
        self.fleet.rent(rented)

    def delete(self, machine: Machine, why: str) -> None:
        """By a call: it stops at once, and is gone a little later."""
        if machine.gone_at is not None:
            return
        if machine.rented:
            self.fleet.end(machine.rented, why)
        machine.gone_at = self.fleet.now() + self.delete_s
        self.tell(machine, "Microsoft.Compute/virtualMachines/delete")
        self._pass_time()

    def tell(self, machine: Machine, operation: str) -> None:
        """Into the activity log."""
        at = self.fleet.now()
        row = {
            "operationName": {"value": operation, "localizedValue": operation},
            "resourceId": self.id_of(machine, shout=True),
            "status": {"value": "Succeeded", "localizedValue": "Succeeded"},
            "eventTimestamp": stamp(at),
            "caller": "someone@example.com",
        }
        self.log.append((at, row))

    def id_of(self, machine: Machine, *, shout: bool = False) -> str:
        group = machine.group.upper() if shout else machine.group
        start = f"/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/{group}"
        return f"{start}/providers/Microsoft.Compute/virtualMachines/{machine.name}"

    def _of(self, machine_id: str) -> list[Machine]:
        return [m for m in self.machines.values() if m.rented == machine_id]

    def _evicted(self, machine_id: str) -> None:
        self.fleet.end(machine_id, "evicted")  # not under our lock: killing processes takes a while
        with self._lock:
            for machine in self._of(machine_id):
                self.tell(machine, "Microsoft.Compute/virtualMachines/evictSpotVM/action")
                self._forget(machine, leaving=self.evictions_leave)

    def _powered_off(self, rented: Rented) -> None:
        """Shut down from inside: it stays allocated, and is paid for."""
        with self._lock:
            for machine in self._of(rented.id):
                machine.power = "stopped"
        self.fleet.pause(rented.id)

    def _forget(self, machine: Machine, *, leaving: tuple[str, ...] = ()) -> None:
        self.machines.pop((machine.group, machine.name), None)
        self.fleet.release(*(t for t in machine.things() if t.partition(":")[0] not in leaving))

    def _pass_time(self) -> None:
        """What was deleted is gone when its time has come."""
        now = self.fleet.now()
        for machine in [m for m in self.machines.values() if m.gone_at is not None and m.gone_at <= now]:
            self._forget(machine)
        for group in [g for g in self.groups.values() if g.gone_at is not None and g.gone_at <= now]:
            for machine in [m for m in self.machines.values() if m.group == group.name]:
                self._forget(machine)
            del self.groups[group.name]
            self.fleet.release(f"group:{group.name}")
            self.fleet.release(*(h for h in list(self.fleet.held) if h.partition(":")[2].startswith(f"{group.name}/")))


def stamp(at: float) -> str:
    """A time as Azure writes it: seven places of a second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
