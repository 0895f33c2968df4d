"""Virtual machines of the fake Azure: their PUT with its operation, their lists, their end, and their metadata."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.fakes.clouds import azure_data
from tests.fakes.clouds.azure_estate import Estate, Machine, stamp
from tests.fakes.clouds.azure_rules import turned_down
from tests.fakes.clouds.azure_wire import GROUP, SUBSCRIPTION, refusal
from tests.fakes.clouds.server import Request, Response, route

PAGE = 400
_ALL = SUBSCRIPTION + r"/providers/Microsoft\.Compute"
_IN_GROUP = GROUP + r"/providers/Microsoft\.Compute/virtualMachines"
_ONE = _IN_GROUP + r"/(?P<machine>[^/]+)"


class Machines(Estate):
    """The routes."""

    @route("PUT", _ONE)
    def put_machine(self, request: Request) -> Response:
        if no := self.refused(request, "machines", set()):
            return no
        with self._lock:
            lost = self.lost()
            if lost == "before":
                return self._lose(refusal(500, "InternalServerError", "Encountered internal server error."))
            response = self._put(request)
            if lost == "after":
                return self._lose(refusal(500, "InternalServerError", "Encountered internal server error."))
            return response

    def _lose(self, instead: Response) -> Response:
        if self._lost.get("how") == "cut":
            self.cut()
        return instead

    def _put(self, request: Request) -> Response:
        group, name, body = request.found["group"].lower(), request.found["machine"], request.json
        if group not in self.groups:
            return refusal(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        if self.groups[group].gone_at is not None:
            return refusal(409, "ResourceGroupBeingDeleted", f"The resource group '{group}' is being deleted.")
        if no := turned_down(body):
            return no
        known = self.machines.get((group, name))
        if known is not None:
            return self._put_again(request, known, body)
        if no := self._impossible(body):
            return no
        size, region = body["properties"]["hardwareProfile"]["vmSize"], body["location"]
        market = "spot" if body["properties"].get("priority") == "Spot" else "on-demand"
        failure = self.fails(size, region, market)
        if failure is not None and not failure[1]:
            status, code, message = failure[0]
            return refusal(status, code, message)
        machine = Machine(group=group, name=name, body=body, made_at=self.fleet.now())
        self.machines[group, name] = machine
        self.fleet.hold(*machine.things()[1:])
        if failure is not None:
            machine.failed, machine.fails_at = failure[0][1:], self.fleet.now() + self.allocate_s
        else:
            self.fleet.hold(machine.things()[0])
            self.rent(machine)
        where = request.path.split("/resource")[0]
        operation = f"{self.url}{where}/providers/Microsoft.Compute/locations/{region}/operations/{machine.vm_id}"
        headers = {"Azure-AsyncOperation": f"{operation}?p=1&api-version=2024-07-01", "Retry-After": "10"}
        return Response(status=201, body=self.show(machine), headers=headers)

    def _put_again(self, request: Request, known: Machine, body: dict[str, Any]) -> Response:
        if request.headers.get("If-None-Match") == "*":
            return refusal(412, "PreconditionFailed", "The precondition given in the request header evaluated to false")
        if body["properties"]["hardwareProfile"] != known.body["properties"]["hardwareProfile"]:
            return refusal(409, "PropertyChangeNotAllowed", "Changing property 'vmSize' is not allowed.")
        return Response(body=self.show(known))

    def _impossible(self, body: dict[str, Any]) -> Response | None:
        """What no amount of waiting would mend."""
        properties, region = body["properties"], body["location"]
        size = properties["hardwareProfile"]["vmSize"]
        sold = next((s for s in azure_data.SIZES if s.size == size and s.listed), None)
        if sold is None or region not in azure_data.regions_of(sold):
            return refusal(400, "InvalidParameter", f"The value {size} of parameter vmSize is not valid here.")
        for interface in properties["networkProfile"]["networkInterfaceConfigurations"]:
            inner = interface["properties"]
            subnets = [ip["properties"]["subnet"]["id"] for ip in inner["ipConfigurations"]]
            guards = [inner["networkSecurityGroup"]["id"]] if "networkSecurityGroup" in inner else []
            for path in [s.rpartition("/subnets/")[0] for s in subnets] + guards:
                known = self.networks.get(path.lower())
                if known is None or known["location"] != region:
                    return refusal(400, "InvalidResourceReference", f"Resource {path} was not found.")
        most = (properties.get("billingProfile") or {}).get("maxPrice", -1)
        if properties.get("priority") == "Spot" and most != -1 and self.price(size, region, "spot") > most:
            said = f"the provided max price '{most} USD' is lower than the current spot price"
            return refusal(409, "SpotPriceGreaterThanProvidedMaxPrice", f"Unable to perform operation since {said}.")
        return None

    @route("GET", _ALL + r"/locations/(?P<region>\w+)/operations/(?P<operation>[\w-]+)")
    def operation(self, request: Request) -> Response:
        if no := self.refused(request, "machines", {"p"}):
            return no
        with self._lock:
            machine = next((m for m in self.machines.values() if m.vm_id == request.found["operation"]), None)
            if machine is None:  # it vanished in the making
                error = {"code": "ResourceNotFound", "message": "The entity was not found in this Azure location."}
                return Response(body={"status": "Failed", "error": error})
            now = self.fleet.now()
            if machine.failed is not None and now >= machine.fails_at:
                code, message = machine.failed
                return Response(body={"status": "Failed", "error": {"code": code, "message": message}})
            if now < machine.made_at + self.allocate_s:
                return Response(body={"status": "InProgress"}, headers={"Retry-After": "0"})
            return Response(body={"status": "Succeeded", "startTime": stamp(machine.made_at)})

    @route("GET", _ONE)
    def get_machine(self, request: Request) -> Response:
        if no := self.refused(request, "machines", {"$expand"}):
            return no
        with self._lock:
            if self._lost.get("lookups"):
                self.cut()
            machine = self.machines.get((request.found["group"].lower(), request.found["machine"]))
            if machine is None:
                return refusal(404, "ResourceNotFound", f"The Resource '{request.path}' was not found.")
            return Response(body=self.show(machine))

    @route("GET", _IN_GROUP)
    def of_group(self, request: Request) -> Response:
        if no := self.refused(request, "machines", set()):
            return no
        with self._lock:
            group = request.found["group"].lower()
            if group not in self.groups:
                return refusal(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
            return Response(body={"value": [self.show(m) for m in self.machines.values() if m.group == group]})

    @route("GET", _ALL + "/virtualMachines")
    def all_machines(self, request: Request) -> Response:
        if no := self.refused(request, "machines", {"statusOnly", "$filter"}):
            return no
        with self._lock:
            before = self.fleet.now() - self.list_lag_s
            listed = [m for m in self.machines.values() if m.made_at <= before]
            status_only = request.query.get("statusOnly") == "true"
            return self.paged(request, [self.status(m) if status_only else self.show(m) for m in listed], PAGE)

    @route("DELETE", _ONE)
    def delete_machine(self, request: Request) -> Response:
        if no := self.refused(request, "machines", {"forceDeletion"}):
            return no
        with self._lock:
            machine = self.machines.get((request.found["group"].lower(), request.found["machine"]))
            if machine is None:
                return Response(status=204)
            self.delete(machine, "deleted")
            where = f"{self.url}/subscriptions/{request.found['subscription']}/operationresults"
            return Response(status=202, headers={"Location": f"{where}/{machine.group}/{machine.name}"})

    # -- how they are shown ------------------------------------------------------------------------------

    def show(self, machine: Machine) -> dict[str, Any]:
        """As it is got and listed: without what was secret in the PUT, and the group in capital letters."""
        properties = copy.deepcopy(machine.body["properties"])
        properties["osProfile"].pop("customData", None)
        interface = self.id_of(machine, shout=True).replace("Compute/virtualMachines", "Network/networkInterfaces")
        properties["networkProfile"] = {"networkInterfaces": [{"id": f"{interface}-nic"}]}
        properties |= {"provisioningState": self._provisioning(machine), "vmId": machine.vm_id}
        properties["timeCreated"] = stamp(machine.made_at)
        return {
            "id": self.id_of(machine, shout=True),
            "name": machine.name,
            "type": "Microsoft.Compute/virtualMachines",
            "location": machine.body["location"],
            "tags": dict(machine.body.get("tags") or {}),
            "properties": properties,
        }

    def status(self, machine: Machine) -> dict[str, Any]:
        """As the other list has it: states, and no marks."""
        made = {"code": f"ProvisioningState/{self._provisioning(machine).lower()}", "level": "Info"}
        if machine.failed is not None:
            made |= {"code": f"ProvisioningState/failed/{machine.failed[0]}", "message": machine.failed[1]}
        power = self._power(machine)
        states = [made] + (
            [{"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"}] * bool(power)
        )
        return {
            "id": self.id_of(machine),
            "name": machine.name,
            "type": "Microsoft.Compute/virtualMachines",
            "location": machine.body["location"],
            "properties": {"vmId": machine.vm_id, "instanceView": {"statuses": states}},
        }

    def _provisioning(self, machine: Machine) -> str:
        now = self.fleet.now()
        if machine.gone_at is not None:
            return "Deleting"
        if machine.failed is not None and now >= machine.fails_at:
            return "Failed"
        booted = machine.rented and self.fleet.machines[machine.rented].booted
        return "Succeeded" if booted and now >= machine.made_at + self.allocate_s else "Creating"

    def _power(self, machine: Machine) -> str:
        if machine.power:
            return machine.power
        if not machine.rented or machine.gone_at is not None:
            return ""
        return "running" if self.fleet.machines[machine.rented].booted else "starting"

    # -- what the machine itself may ask -----------------------------------------------------------------

    @route("GET", r"/-/metadata/(?P<machine>.+)/metadata/scheduledevents")
    def events(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("metadata", "").lower() != "true" or "api-version" not in request.query:
            return Response(status=400, body={"error": "Bad request. Required metadata header not specified"})
        rented = self.fleet.machines.get(request.found["machine"])
        found = []
        if rented is not None and rented.notice_at is not None and rented.alive:
            left = (rented.taken_at or self.fleet.now()) - self.fleet.now()
            before = format_datetime(datetime.now(UTC) + timedelta(seconds=max(0.0, left)), usegmt=True)
            found = [
                {
                    "EventId": f"evict-{rented.id}",
                    "EventStatus": "Scheduled",
                    "EventType": "Preempt",
                    "ResourceType": "VirtualMachine",
                    "Resources": ["vm-0"],
                    "NotBefore": before,
                    "Description": "",
                    "EventSource": "Platform",
                    "DurationInSeconds": -1,
                }
            ]
        return Response(body={"DocumentIncarnation": 1 + len(found), "Events": found})

    @route("POST", r"/-/metadata/(?P<machine>.+)/metadata/scheduledevents")
    def acknowledge(self, request: Request) -> Response:
        """The machine is ready: it need not be waited for."""
        body = request.json or {}
        asked = {str(each.get("EventId")) for each in body.get("StartRequests", [])}
        name = request.found["machine"]
        if f"evict-{name}" not in asked:
            return Response(status=400, body={"error": "no such event"})
        self.acknowledged.add(name)
        rented = self.fleet.machines[name]
        if rented.alive and rented.taken_at is not None:
            rented.taken_at = self.fleet.now()
        return Response(status=200)

    @route("GET", r"/-/metadata/(?P<machine>.+)/metadata/instance")
    def instance(self, request: Request) -> Response:
        found = self._of(request.found["machine"])
        if not found:
            return Response(status=404)
        compute = {"name": found[0].name, "location": found[0].body["location"], "vmId": found[0].vm_id}
        return Response(body={"compute": compute})
