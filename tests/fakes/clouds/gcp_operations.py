"""Operations of the fake Google: what was asked of its machines, and how it ended; and the script of its faults."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.clouds.gcp_rules import compute_error
from tests.fakes.clouds.server import FakeCloud, Request, Response

BASE = f"https://www.googleapis.com/compute/v1/projects/{data.PROJECT}"
SOFT_OFF_S = 30.0  # between the soft-off and the end of a spot machine

# Where a code comes from: those that are not here stand in the error of an operation.
ANSWERS = {
    "authError": 401, "UNAUTHENTICATED": 401, "ACCESS_TOKEN_EXPIRED": 401, "CREDENTIALS_MISSING": 401,
    "accessNotConfigured": 403, "SERVICE_DISABLED": 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT": 403,
    "forbidden": 403, "IAM_PERMISSION_DENIED": 403, "PERMISSION_DENIED": 403, "USER_PROJECT_DENIED": 403,
    "billingNotEnabled": 403, "BILLING_DISABLED": 403, "rateLimitExceeded": 403, "userRateLimitExceeded": 403,
    "RATE_LIMIT_EXCEEDED": 429, "RESOURCE_EXHAUSTED": 429, "quotaExceeded": 403,
    "notFound": 404, "NOT_FOUND": 404, "invalid": 400, "invalidParameter": 400, "badRequest": 400, "required": 400,
    "INVALID_ARGUMENT": 400, "resourceInUseByAnotherResource": 409, "alreadyExists": 409,
    "internalError": 500, "INTERNAL": 500, "backendError": 503, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
}  # fmt: skip


def at(seconds: float) -> str:
    """A time as Compute Engine writes it."""
    return datetime.fromtimestamp(seconds, timezone(timedelta(hours=-8))).isoformat(timespec="milliseconds")


@dataclass
class Instance:
    """One machine: what was asked for, and what became of it."""

    zone: str
    asked: dict[str, Any]
    number: str
    made_at: float
    placed_at: float = 0.0
    gone_at: float | None = None
    refused_at: float | None = None  # since when its operation tells that there is none
    status: str = ""  # where nothing else tells it
    stopped_at: float | None = None

    @property
    def name(self) -> str:
        return str(self.asked["name"])

    @property
    def id(self) -> str:
        return f"{self.zone}/{self.name}"

    @property
    def spot(self) -> bool:
        return bool(self.asked["scheduling"]["provisioningModel"] == "SPOT")


@dataclass
class Launches:
    """What the next launches meet: a code, where and how often; see `Machines.fail_launch`."""

    code: str
    times: int | None
    creates: bool
    leaves_disk: bool
    message: str


@dataclass
class Script:
    """The faults that are switched on."""

    dry: list[dict[str, str]] = field(default_factory=list)
    failing: list[Launches] = field(default_factory=list)
    lost_before: int = 0
    lost_after: int = 0


class Operations(FakeCloud):
    """Machines and operations as the fake remembers them. See `gcp_machines.Machines`."""

    def __init__(self, *, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__()
        self.fleet = Fleet(run=run_machines, boot_s=boot_s, on_power_off=self._powered_off, on_taken=self._taken)
        self.script = Script()
        self.instances: dict[str, Instance] = {}
        self.buried: list[Instance] = []
        self.operations: list[dict[str, Any]] = []
        self.disks: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.place_s = self.refuse_s = self.list_lag_s = 0.0
        self.wait_most_s = 120.0
        self.long_notice = True
        self.unreachable: set[str] = set()
        self.prices: dict[tuple[str, str], Decimal] = {}
        self.changed = threading.Condition()
        self._numbers = iter(range(7_000_000_000_000_000_000, 7_100_000_000_000_000_000))

    # -- operations, and what is wrong with launches -----------------------------------------------------

    def _operation(
        self,
        what: str,
        instance: Instance,
        *,
        user: str = data.SERVICE_ACCOUNT,
        token: str = "",
        done: bool = True,
        kind: str = "instances",
    ) -> dict[str, Any]:
        now, number = self.fleet.now(), str(next(self._numbers))
        prefix = "operation" if user != "system" else "systemevent"
        made: dict[str, Any] = {
            "kind": "compute#operation",
            "id": number,
            "name": f"{prefix}-{number}",
            "operationType": what,
            "targetId": instance.number,
            "targetLink": f"{BASE}/zones/{instance.zone}/{kind}/{instance.name}",
            "zone": f"{BASE}/zones/{instance.zone}",
            "user": user,
            "insertTime": at(now),
            "startTime": at(now),
            "-zone": instance.zone,
            "-target": instance.number,
            "-done": now if done else None,
        }
        if token:
            made["clientOperationId"] = token
        self.operations.append(made)
        return made

    def _operation_now(self, request: Request) -> Response:
        if (refusal := self.guard(request, set())) is not None:
            return refusal
        with self._lock:
            for o in self.operations:
                if o["name"] == request.found["operation"] and o["-zone"] == request.found["zone"]:
                    return Response(body=self._shown(o))
        return compute_error(404, "notFound", f"The resource '{request.found['operation']}' was not found")

    def _shown(self, operation: dict[str, Any]) -> dict[str, Any]:
        """An operation as it is now: done when its machine runs, or when it says that there is none."""
        now, done = self.fleet.now(), operation["-done"]
        errors = operation.get("-errors")
        if errors:
            done = operation["-at"] if now >= operation["-at"] else None
        elif operation.get("-machine"):
            rented = self.fleet.machines[operation["-machine"]]
            done = rented.boots_at if rented.booted or not rented.alive else None
        shown = {k: v for k, v in operation.items() if not k.startswith("-")}
        shown |= {"status": "RUNNING" if done is None else "DONE", "progress": 0 if done is None else 100}
        if done is not None:
            shown["endTime"] = at(min(done, now))
            if errors:
                shown |= {"error": {"errors": errors}, "httpErrorStatusCode": 503, "httpErrorMessage": "UNAVAILABLE"}
        return shown

    def _errors(self, instance: Instance, failing: Launches | None) -> list[dict[str, Any]]:
        """What the operation of a launch ends in; none where there is a machine."""
        zone, kind = instance.zone, instance.asked["machineType"].rpartition("/")[2]
        for gpu in instance.asked.get("guestAccelerators") or []:
            kind += f"+{gpu['acceleratorCount']}x{gpu['acceleratorType'].rpartition('/')[2]}"
        if failing is not None:
            return [{"code": failing.code, "message": failing.message or f"said by the fake: {failing.code}"}]
        market = "spot" if instance.spot else "on-demand"

        def dry(place: str) -> bool:
            here = {"region": data.ZONES[place], "zone": place, "instance_type": kind, "market": market}
            return any(all(here[k] == v for k, v in words.items()) for words in self.script.dry)

        if not dry(zone):
            return []
        others = [z for z in data.ZONES if data.ZONES[z] == data.ZONES[zone] and data.sells(kind, z) and not dry(z)]
        info = {
            "reason": "resource_availability",
            "domain": "compute.googleapis.com",
            "metadatas": {"vmType": kind, "attachment": "", "zone": zone, "zonesAvailable": ",".join(others)},
        }
        where = f"projects/{data.PROJECT}/zones/{zone}"
        said = (
            f"The zone '{where}' does not have enough resources available to fulfill the request. Try a different zone."
        )
        code = "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"
        return [{"code": code, "message": said, "errorDetails": [{"errorInfo": info}]}]

    def _failing(self) -> Launches | None:
        for f in self.script.failing:
            if f.times != 0:
                if f.times is not None:
                    f.times -= 1
                return f
        return None

    def _cuts(self) -> str:
        script = self.script
        if script.lost_before and script.lost_before >= script.lost_after:
            script.lost_before -= 1
            return "before"
        if script.lost_after:
            script.lost_after -= 1
            return "after"
        return ""

    # -- small things ------------------------------------------------------------------------------------

    def guard(self, request: Request, known: set[str]) -> Response | None:
        """What is wrong with a call before its meaning. The other half of the fake knows."""
        raise NotImplementedError

    def aggregated(self, request: Request, key: str, kind: str, rows: Any) -> Response:
        """A page of an aggregated list. The other half of the fake knows."""
        raise NotImplementedError

    def _forget_refused(self) -> None:
        now = self.fleet.now()
        for id_ in [i for i, m in self.instances.items() if m.refused_at is not None and now >= m.refused_at]:
            del self.instances[id_]

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _powered_off(self, machine: Rented) -> None:
        raise NotImplementedError

    def _taken(self, machine: Rented) -> None:
        raise NotImplementedError
