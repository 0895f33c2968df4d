"""Machines of the fake Google: instances, their disks and operations, and the metadata service of each."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.clouds.gcp_rules import Refusal, check, compute_error
from tests.fakes.clouds.server import FakeCloud, Fault, Request, Response, route

ZONE = r"/compute/v1/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)"
_BASE = f"https://www.googleapis.com/compute/v1/projects/{data.PROJECT}"
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


class Machines(FakeCloud):
    """The half of the fake that keeps machines. A machine's id is ``zone/name``.

    ``place_s``: how long a machine waits for its place (PROVISIONING); ``refuse_s``: after how long an operation says
    that there is none; ``long_notice``: whether the project may have `preemptionNoticeDuration`; ``unreachable``:
    zones that no list reaches; ``long_s``: how long `operations.wait` waits at most.
    """

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

    # -- what a test does --------------------------------------------------------------------------------

    def run_dry(self, *, region: str = "", zone: str = "", instance_type: str = "", market: str = "") -> None:
        """Pools like this have no machine to give; an empty word means any."""
        told = {"region": region, "zone": zone, "instance_type": instance_type, "market": market}
        self.script.dry.append({k: v for k, v in told.items() if v})

    def refill(self) -> None:
        self.script.dry.clear()

    def never_boot(self) -> None:
        self.fleet.never_boot = True

    def set_price(self, *, instance_type: str, region: str, price_usd_hour: Decimal) -> None:
        """The spot price of a machine type in a region, from now on."""
        self.prices[(instance_type, region)] = price_usd_hour

    def lose_answers(self, *, before: int = 0, after: int = 0) -> None:
        """The answers of so many launches are cut before anything was made, or after; where both, in turns."""
        self.script.lost_before, self.script.lost_after = before, after

    def fail_launch(
        self,
        code: str,
        *,
        times: int | None = None,
        creates: bool = False,
        leaves_disk: bool = False,
        message: str = "",
    ) -> None:
        """Launches end in this code: in the answer, or in the operation. ``creates``: there is a machine anyway."""
        self.script.failing.append(Launches(code, times, creates, leaves_disk, message))

    def heal(self) -> None:
        super().heal()
        self.script = Script()
        self.unreachable = set()

    def preempt(self, machine_id: str, *, notice_s: float = SOFT_OFF_S) -> None:
        """Google takes the machine: its metadata tells at once, and it is gone after ``notice_s``."""
        instance = self.instances[machine_id]
        self._operation("compute.instances.preempted", instance, user="system", done=False)
        self.fleet.take(machine_id, notice_s=notice_s)
        self._tell()

    def vanish(self, machine_id: str) -> None:
        """Gone, and nothing tells why."""
        self._remove(self.instances[machine_id], "vanished")

    def delete_by_hand(self, machine_id: str) -> None:
        instance = self.instances[machine_id]
        self._operation("delete", instance, user="somebody@example.com")
        self._remove(instance, "by-hand")

    def host_error(self, machine_id: str) -> None:
        """Its host breaks; since it may not be started again, it stays stopped."""
        instance = self.instances[machine_id]
        self._operation("compute.instances.hostError", instance, user="system")
        self._stop(instance, "host-lost")

    def set_status(self, machine_id: str, status: str) -> None:
        """A machine shows this status, whatever it does."""
        self.instances[machine_id].status = status

    def close(self) -> None:
        """No process of any machine is left after this."""
        self.fleet.close()
        self._tell()

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        with super().serving(port) as url:
            try:
                yield url
            finally:
                self.close()

    # -- instances ---------------------------------------------------------------------------------------

    @route("POST", rf"{ZONE}/instances")
    def insert(self, request: Request) -> Response:
        if (refusal := self.guard(request, {"requestId", "sourceInstanceTemplate", "sourceMachineImage"})) is not None:
            return refusal
        zone, token = request.found["zone"], request.query.get("requestId", "")
        if zone not in data.ZONES:
            return compute_error(404, "notFound", f"The resource 'projects/{data.PROJECT}/zones/{zone}' was not found")
        if (bad := _bad_token(token)) is not None:
            return bad
        with self._lock:
            if token and token in self.tokens:
                return Response(body=self._shown(self.tokens[token]))
            cut = self._cuts()
            if cut == "before":
                self._local.cut = True
                return Response(status=500)
            try:
                asked = check(request, zone, long_notice=self.long_notice)
            except Refusal as e:
                return e.response
            response = self._insert(zone, asked, token)
            self._local.cut = cut == "after"
            return response

    def _insert(self, zone: str, asked: dict[str, Any], token: str) -> Response:
        if f"{zone}/{asked['name']}" in self.instances:
            where = f"projects/{data.PROJECT}/zones/{zone}/instances/{asked['name']}"
            return compute_error(409, "alreadyExists", f"The resource '{where}' already exists")
        instance = Instance(zone=zone, asked=asked, number=str(next(self._numbers)), made_at=self.fleet.now())
        failing = self._failing()
        if failing is not None and failing.code in ANSWERS:
            if failing.creates:
                self._rent(instance, self._operation("insert", instance, token=token, done=False))
            said = failing.message or f"said by the fake: {failing.code}"
            return compute_error(ANSWERS[failing.code], failing.code, said)
        errors = self._errors(instance, failing)
        operation = self._operation("insert", instance, token=token, done=False)
        if token:
            self.tokens[token] = operation
        if errors:
            instance.refused_at = self.fleet.now() + self.refuse_s
            operation |= {"-errors": errors, "-at": instance.refused_at}
            if self.refuse_s:
                self.instances[instance.id] = instance
            if failing is not None and failing.leaves_disk:
                self._hold_disk(instance, users=False)
        else:
            self._rent(instance, operation)
        return Response(body=self._shown(operation))

    @route("GET", rf"{ZONE}/instances/(?P<name>[^/]+)")
    def get_instance(self, request: Request) -> Response:
        if (refusal := self.guard(request, set())) is not None:
            return refusal
        found = self._find(request)
        return Response(body=self._described(found)) if isinstance(found, Instance) else found

    @route("DELETE", rf"{ZONE}/instances/(?P<name>[^/]+)")
    def delete_instance(self, request: Request) -> Response:
        if (refusal := self.guard(request, {"requestId", "noGracefulShutdown"})) is not None:
            return refusal
        token = request.query.get("requestId", "")
        if (bad := _bad_token(token)) is not None:
            return bad
        with self._lock:
            if token and token in self.tokens:
                return Response(body=self._shown(self.tokens[token]))
            found = self._find(request)
            if isinstance(found, Response):
                return found
            operation = self._operation("delete", found, token=token)
            self._remove(found, "asked")
            if token:
                self.tokens[token] = operation
            return Response(body=self._shown(operation))

    @route("GET", r"/compute/v1/projects/(?P<project>[^/]+)/aggregated/instances")
    def list_instances(self, request: Request) -> Response:
        now = self.fleet.now()
        with self._lock:
            self._forget_refused()
            shown = [i for i in self.instances.values() if i.made_at <= now - self.list_lag_s]
            shown += [i for i in self.buried if i.gone_at is not None and i.gone_at > now - self.list_lag_s]
            rows = [(i.zone, self._described(i)) for i in shown if i.zone not in self.unreachable]
        return self.aggregated(request, "instances", "compute#instanceAggregatedList", rows)

    # -- operations --------------------------------------------------------------------------------------

    @route("GET", rf"{ZONE}/operations/(?P<operation>[^/]+)")
    def get_operation(self, request: Request) -> Response:
        return self._operation_now(request)

    @route("POST", rf"{ZONE}/operations/(?P<operation>[^/]+)/wait")
    def wait_operation(self, request: Request) -> Response:
        """Answers when the operation is done, or after two minutes at most."""
        until = self.fleet.now() + self.wait_most_s
        while True:
            answer = self._operation_now(request)
            if (
                answer.status != 200
                or answer.body["status"] == "DONE"
                or self.fleet.now() > until
                or self._gone.is_set()
            ):
                return answer
            self.wait(0.01)

    @route("GET", r"/compute/v1/projects/(?P<project>[^/]+)/aggregated/operations")
    def list_operations(self, request: Request) -> Response:
        if request.query.get("orderBy", "") not in ("", "name", "creationTimestamp desc"):
            return compute_error(400, "invalid", "Invalid value for field 'orderBy'")
        with self._lock:
            rows = [(o["-zone"], self._shown(o)) for o in reversed(self.operations)]
        return self.aggregated(request, "operations", "compute#operationAggregatedList", rows)

    # -- disks -------------------------------------------------------------------------------------------

    @route("GET", r"/compute/v1/projects/(?P<project>[^/]+)/aggregated/disks")
    def list_disks(self, request: Request) -> Response:
        with self._lock:
            rows = [(key.partition("/")[0], dict(disk)) for key, disk in self.disks.items()]
        return self.aggregated(request, "disks", "compute#diskAggregatedList", rows)

    @route("DELETE", rf"{ZONE}/disks/(?P<name>[^/]+)")
    def delete_disk(self, request: Request) -> Response:
        if (refusal := self.guard(request, {"requestId"})) is not None:
            return refusal
        key = f"{request.found['zone']}/{request.found['name']}"
        with self._lock:
            disk = self.disks.get(key)
            if disk is None:
                where = f"projects/{data.PROJECT}/zones/{request.found['zone']}/disks/{request.found['name']}"
                return compute_error(404, "notFound", f"The resource '{where}' was not found")
            if disk.get("users"):
                said = f"The disk resource '{key}' is already being used by '{disk['users'][0]}'"
                return compute_error(400, "resourceInUseByAnotherResource", said)
            del self.disks[key]
            self.fleet.release(f"disk:{key}")
            gone = Instance(zone=request.found["zone"], asked={"name": request.found["name"]}, number="1", made_at=0)
            return Response(body=self._shown(self._operation("delete", gone, kind="disks")))

    # -- metadata ----------------------------------------------------------------------------------------

    @route("GET", r"/-/metadata/(?P<zone>[^/]+)/(?P<name>[^/]+)/computeMetadata/v1/(?P<what>.+)")
    def metadata(self, request: Request) -> Response:
        """What a machine may ask of itself. With `wait_for_change` the answer comes when it is another."""
        headers = {k.lower(): v for k, v in request.headers.items()}
        if headers.get("metadata-flavor") != "Google" or "x-forwarded-for" in headers:
            return Response(status=403, body="Missing Metadata-Flavor:Google header.")
        id_, what = f"{request.found['zone']}/{request.found['name']}", request.found["what"]
        first = said = self._metadata(id_, what)
        if request.query.get("wait_for_change", "").lower() == "true":
            known = request.query.get("last_etag")
            limit = float(request.query.get("timeout_sec") or 3600)
            with self.changed:
                while said == (known if known is not None else first) and not self._gone.is_set() and limit > 0:
                    self.changed.wait(0.05)
                    limit -= 0.05
                    said = self._metadata(id_, what)
        if said is None:
            return Response(status=404, body="not found")
        headers = {"Metadata-Flavor": "Google", "ETag": said, "Content-Type": "application/text"}
        return Response(body=said, headers=headers)

    def _metadata(self, id_: str, what: str) -> str | None:
        instance, rented = self.instances.get(id_), self.fleet.machines.get(id_)
        if instance is None or rented is None:
            return None
        items = {i["key"]: i["value"] for i in instance.asked.get("metadata", {}).get("items", [])}
        if what.startswith("instance/attributes/"):
            return items.get(what.removeprefix("instance/attributes/"))
        known = {
            "instance/preempted": "TRUE" if rented.notice_at is not None else "FALSE",
            "instance/maintenance-event": "NONE",
            "instance/name": instance.name,
            "instance/id": instance.number,
            "instance/zone": f"projects/{data.PROJECT_NUMBER}/zones/{instance.zone}",
            "project/project-id": data.PROJECT,
        }
        return known.get(what)

    # -- how a machine lives -----------------------------------------------------------------------------

    def _rent(self, instance: Instance, operation: dict[str, Any]) -> None:
        now, asked = self.fleet.now(), instance.asked
        instance.placed_at = now + self.place_s
        self.instances[instance.id] = instance
        self._hold_disk(instance, users=True)
        if asked["networkInterfaces"][0].get("accessConfigs"):
            self.fleet.hold(f"ip:{instance.id}")
        items = {i["key"]: i["value"] for i in asked.get("metadata", {}).get("items", [])}
        limit = asked["scheduling"].get("maxRunDuration")
        rented = Rented(
            id=instance.id,
            key=items.get("spotlaunch-key") or asked.get("labels", {}).get("spotlaunch_key") or asked["name"],
            market="spot" if instance.spot else "on-demand",
            price_usd_hour=self._price(instance),
            script=items.get("startup-script", ""),
            env={"SPOTLAUNCH_METADATA_GCP": f"{self.url}/-/metadata/{instance.id}"},
            billed_from=now,
            taken_at=now + float(limit["seconds"]) if limit else None,
        )
        operation["-machine"] = instance.id
        self.fleet.rent(rented)

    def _price(self, instance: Instance) -> Decimal:
        region, kind = data.ZONES[instance.zone], instance.asked["machineType"].rpartition("/")[2]
        gpus = instance.asked.get("guestAccelerators") or []
        if gpus:
            nanos = data.attached_nanos(kind, gpus[0], region, spot=instance.spot)
        elif instance.spot:
            return self.spot_price(kind, region)
        else:
            nanos = data.parts_nanos(kind, region, spot=False)
        return Decimal(round(nanos)).scaleb(-9).quantize(Decimal("0.000001"))

    def spot_price(self, machine_type: str, region: str) -> Decimal:
        found = self.prices.get((machine_type, region))
        return found if found is not None else Decimal(data.spot_nanos(machine_type, region)).scaleb(-9)

    def _taken(self, machine: Rented) -> None:
        """A notice is over, or the machine's time to live."""
        with self._lock:
            instance = self.instances.get(machine.id)
            if instance is None:
                return
            preempted = machine.notice_at is not None
            if not preempted:
                self._operation("delete", instance, user="system")
            for o in self.operations:
                if o["-target"] == instance.number and o["operationType"] == "compute.instances.preempted":
                    o["-done"] = self.fleet.now()
            why = "preempted" if preempted else "ttl"
            if instance.asked["scheduling"].get("instanceTerminationAction") == "DELETE":
                self._remove(instance, why)
            else:
                self._stop(instance, why)
        self._tell()

    def _powered_off(self, machine: Rented) -> None:
        with self._lock:
            instance = self.instances.get(machine.id)
            if instance is not None:
                self._operation("compute.instances.guestTerminate", instance, user="system")
                self._stop(instance, "itself")

    def _stop(self, instance: Instance, why: str) -> None:
        """It runs no more, and exists on: its disk is billed, its address is not its own any more."""
        instance.status, instance.stopped_at = "TERMINATED", self.fleet.now()
        self.fleet.end(instance.id, why)
        self.fleet.release(f"ip:{instance.id}")

    def _remove(self, instance: Instance, why: str) -> None:
        with self._lock:
            self.instances.pop(instance.id, None)
            instance.gone_at = self.fleet.now()
            self.buried.append(instance)
            self.fleet.end(instance.id, why)
            self.fleet.release(f"ip:{instance.id}")
            disk = self.disks.get(instance.id)
            if disk is not None and instance.asked["disks"][0].get("autoDelete"):
                del self.disks[instance.id]
                self.fleet.release(f"disk:{instance.id}")
            elif disk is not None:
                disk.pop("users", None)
        self._tell()

    def _hold_disk(self, instance: Instance, *, users: bool) -> None:
        params = instance.asked["disks"][0]["initializeParams"]
        made = {
            "kind": "compute#disk",
            "id": str(next(self._numbers)),
            "name": instance.name,
            "creationTimestamp": at(self.fleet.now()),
            "sizeGb": params["diskSizeGb"],
            "labels": params.get("labels", {}),
            "status": "READY",
            "zone": f"{_BASE}/zones/{instance.zone}",
        }
        if users:
            made["users"] = [f"{_BASE}/zones/{instance.zone}/instances/{instance.name}"]
        self.disks[instance.id] = made
        self.fleet.hold(f"disk:{instance.id}")

    def _status(self, instance: Instance) -> str:
        now, rented = self.fleet.now(), self.fleet.machines.get(instance.id)
        if instance.gone_at is not None:
            return "RUNNING"  # as it was, in a list that lags
        if instance.status:
            return instance.status
        if rented is None or now < instance.placed_at:
            return "PROVISIONING"
        if rented.notice_at is not None and rented.taken_at is not None and now >= rented.taken_at - SOFT_OFF_S:
            return "STOPPING"
        return "RUNNING" if rented.booted else "STAGING"

    def _described(self, instance: Instance) -> dict[str, Any]:
        asked, zone = instance.asked, instance.zone
        rented = self.fleet.machines.get(instance.id)
        number = int(instance.number) % 250
        interface = {"name": "nic0", "networkIP": f"10.128.0.{number}", "network": f"{_BASE}/global/networks/default"}
        if asked["networkInterfaces"][0].get("accessConfigs") and instance.stopped_at is None:
            access = {"type": "ONE_TO_ONE_NAT", "name": "External NAT", "natIP": f"203.0.113.{number}"}
            interface["accessConfigs"] = [access]  # type: ignore[assignment]
        kind = asked["machineType"].rpartition("/")[2]
        made: dict[str, Any] = {
            "kind": "compute#instance",
            "id": instance.number,
            "name": instance.name,
            "creationTimestamp": at(instance.made_at),
            "status": self._status(instance),
            "zone": f"{_BASE}/zones/{zone}",
            "machineType": f"{_BASE}/zones/{zone}/machineTypes/{kind}",
            "labels": asked.get("labels", {}),
            "metadata": {"kind": "compute#metadata", "items": asked.get("metadata", {}).get("items", [])},
            "scheduling": asked["scheduling"],
            "networkInterfaces": [interface],
            "guestAccelerators": data.accelerators(kind, asked.get("guestAccelerators") or [], zone),
        }
        if rented is not None:
            made["lastStartTimestamp"] = at(rented.billed_from)
        if instance.stopped_at is not None:
            made["lastStopTimestamp"] = at(instance.stopped_at)
        return made

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
            "targetLink": f"{_BASE}/zones/{instance.zone}/{kind}/{instance.name}",
            "zone": f"{_BASE}/zones/{instance.zone}",
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

    def answer(self, request: Request) -> tuple[Response, list[Fault]]:
        self._local.cut = False
        response, hits = super().answer(request)
        return response, [*hits, Fault(kind="drop")] if getattr(self._local, "cut", False) else hits

    # -- small things ------------------------------------------------------------------------------------

    def guard(self, request: Request, known: set[str]) -> Response | None:
        """What is wrong with a call before its meaning. The other half of the fake knows."""
        raise NotImplementedError

    def aggregated(self, request: Request, key: str, kind: str, rows: Any) -> Response:
        """A page of an aggregated list. The other half of the fake knows."""
        raise NotImplementedError

    def _find(self, request: Request) -> Instance | Response:
        zone, name = request.found["zone"], request.found["name"]
        if zone not in data.ZONES:
            return compute_error(400, "invalid", f"Invalid value for field 'zone': '{zone}'. Unknown zone.")
        with self._lock:
            self._forget_refused()
            found = self.instances.get(f"{zone}/{name}")
        if found is None:
            where = f"projects/{data.PROJECT}/zones/{zone}/instances/{name}"
            return compute_error(404, "notFound", f"The resource '{where}' was not found")
        return found

    def _forget_refused(self) -> None:
        now = self.fleet.now()
        for id_ in [i for i, m in self.instances.items() if m.refused_at is not None and now >= m.refused_at]:
            del self.instances[id_]

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()


def _bad_token(token: str) -> Response | None:
    try:
        good = not token or uuid.UUID(token).int != 0
    except ValueError:
        good = False
    return None if good else compute_error(400, "invalid", "Invalid value for field 'requestId': must be a UUID")
