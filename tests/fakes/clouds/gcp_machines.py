"""Machines of the fake Google over HTTP: instances, their disks and operations, and the metadata service of each."""

from __future__ import annotations

import uuid
from typing import Any

from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp_life import Life
from tests.fakes.clouds.gcp_operations import ANSWERS, Instance
from tests.fakes.clouds.gcp_rules import Refusal, check, compute_error
from tests.fakes.clouds.server import Request, Response, route

ZONE = r"/compute/v1/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)"


class Machines(Life):
    """The half of the fake that keeps machines. A machine's id is ``zone/name``.

    ``place_s``: how long a machine waits for its place (PROVISIONING); ``refuse_s``: after how long an operation says
    that there is none; ``long_notice``: whether the project may have `preemptionNoticeDuration`; ``unreachable``:
    zones that no list reaches; ``wait_most_s``: how long `operations.wait` waits at most.
    """

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
                self.cut()
                return Response(status=500)
            try:
                asked = check(request, zone, long_notice=self.long_notice)
            except Refusal as e:
                return e.response
            response = self._insert(zone, asked, token)
            if cut == "after":
                self.cut()
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


def _bad_token(token: str) -> Response | None:
    try:
        good = not token or uuid.UUID(token).int != 0
    except ValueError:
        good = False
    return None if good else compute_error(400, "invalid", "Invalid value for field 'requestId': must be a UUID")
