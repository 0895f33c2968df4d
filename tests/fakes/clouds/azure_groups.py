"""Resource groups, networks, addresses and the activity log of the fake Azure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from tests.fakes.clouds.azure_data import REGIONS
from tests.fakes.clouds.azure_estate import Estate, Group
from tests.fakes.clouds.azure_wire import GROUP, SUBSCRIPTION, refusal
from tests.fakes.clouds.server import Request, Response, route

PAGE = 500
_NETWORK = r"/providers/Microsoft\.Network/(?P<kind>virtualNetworks|networkSecurityGroups)/(?P<name>[\w-]+)"
_TAG = r"tagName eq '([\w-]+)'(?: and tagValue eq '([^']*)')?"
_SPAN = r"eventTimestamp ge '([^']+)' and eventTimestamp le '([^']+)'(?: and resourceProvider eq 'Microsoft\.Compute')?"
_FIELDS = {"location", "tags", "properties"}
_INNER = {"virtualNetworks": {"addressSpace", "subnets"}, "networkSecurityGroups": {"securityRules"}}


class Groups(Estate):
    """The routes."""

    @route("PUT", GROUP)
    def put_group(self, request: Request) -> Response:
        if no := self.refused(request, "groups", set()):
            return no
        name, body = request.found["group"].lower(), request.json
        if not isinstance(body, dict) or body.keys() - {"location", "tags", "properties", "managedBy"}:
            return refusal(400, "InvalidRequestContent", "The request content was invalid.")
        if not re.fullmatch(r"[-\w().]{0,89}[-\w()]", name):
            return refusal(400, "InvalidParameter", "The provided resource group name is invalid.")
        if body.get("location") not in REGIONS:
            return refusal(400, "LocationNotAvailableForResourceGroup", "The provided location is not available.")
        with self._lock:
            known = self.groups.get(name)
            if known is not None and known.gone_at is not None:
                return refusal(409, "ResourceGroupBeingDeleted", f"The resource group '{name}' is being deleted.")
            if known is not None and known.location != body["location"]:
                return refusal(409, "InvalidResourceGroupLocation", f"It already exists in '{known.location}'.")
            self.groups[name] = Group(name=name, location=body["location"], tags=dict(body.get("tags") or {}))
            if not name.startswith("spotlaunch-net-"):
                self.fleet.hold(f"group:{name}")
            return Response(status=201 if known is None else 200, body=self._show(self.groups[name]))

    @route("GET", SUBSCRIPTION + r"/(?i:resourcegroups)")
    def list_groups(self, request: Request) -> Response:
        if no := self.refused(request, "groups", {"$filter", "$top"}):
            return no
        asked = re.fullmatch(_TAG, request.query.get("$filter", ""))
        if request.query.get("$filter") and asked is None:
            return refusal(400, "InvalidFilterInQueryString", "Invalid $filter.")
        with self._lock:
            found = [
                self._show(group)
                for group in self.groups.values()
                if asked is None or group.tags.get(asked[1]) == (asked[2] or group.tags.get(asked[1]))
            ]
        return self.paged(request, found, PAGE)

    @route("DELETE", GROUP)
    def delete_group(self, request: Request) -> Response:
        if no := self.refused(request, "groups", {"forceDeletionTypes"}):
            return no
        with self._lock:
            name = request.found["group"].lower()
            group = self.groups.get(name)
            if group is None:
                return refusal(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
            if group.gone_at is None:
                group.gone_at = self.fleet.now() + self.delete_s
                for machine in [m for m in self.machines.values() if m.group == name]:
                    self.delete(machine, "deleted with its group")
                self._pass_time()
            where = f"{self.url}/subscriptions/{request.found['subscription']}/operationresults/{name}"
            return Response(status=202, headers={"Location": where})

    @route("GET", SUBSCRIPTION + r"/operationresults/(?P<group>[^/]+)(?:/(?P<machine>[^/]+))?")
    def deletion(self, request: Request) -> Response:
        """What `Location` names: 202 until what was deleted is gone."""
        with self._lock:
            group, machine = request.found["group"], request.found["machine"]
            there = (group, machine) in self.machines if machine else group in self.groups
            return Response(status=202 if there else 200)

    def _show(self, group: Group) -> dict[str, Any]:
        state = "Deleting" if group.gone_at is not None else "Succeeded"
        return {
            "id": f"/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/{group.name}",
            "name": group.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": group.location,
            "tags": dict(group.tags),
            "properties": {"provisioningState": state},
        }

    # -- networks ----------------------------------------------------------------------------------------

    @route("PUT", GROUP + _NETWORK)
    def put_network(self, request: Request) -> Response:
        if no := self.refused(request, "network", set()):
            return no
        body, group, kind = request.json, request.found["group"].lower(), request.found["kind"]
        if body.keys() - _FIELDS or (body.get("properties") or {}).keys() - _INNER[kind]:
            return refusal(400, "InvalidRequestFormat", "Cannot parse the request.")
        with self._lock:
            if group not in self.groups:
                return refusal(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
            known = request.path.lower() in self.networks
            self.networks[request.path.lower()] = body
        return Response(status=200 if known else 201, body=self._network(request, body, "Updating"))

    @route("GET", GROUP + _NETWORK)
    def get_network(self, request: Request) -> Response:
        if no := self.refused(request, "network", set()):
            return no
        with self._lock:
            body = self.networks.get(request.path.lower())
        if body is None:
            return refusal(404, "ResourceNotFound", f"The Resource '{request.path}' was not found.")
        return Response(body=self._network(request, body, "Succeeded"))

    def _network(self, request: Request, body: dict[str, Any], state: str) -> dict[str, Any]:
        properties = {**body["properties"], "provisioningState": state}
        return {**body, "id": request.path, "name": request.found["name"], "properties": properties}

    @route("GET", SUBSCRIPTION + r"/providers/Microsoft\.Network/publicIPAddresses")
    def addresses(self, request: Request) -> Response:
        if no := self.refused(request, "network", set()):
            return no
        with self._lock:
            found = [
                {
                    "id": self.id_of(m).replace("Compute/virtualMachines", "Network/publicIPAddresses") + "-ip",
                    "name": f"{m.name}-ip",
                    "location": m.body["location"],
                    "properties": {"provisioningState": "Succeeded", "ipAddress": m.address},
                }
                for m in self.machines.values()
                if m.address
            ]
        return self.paged(request, found, PAGE)

    # -- what the account may do -------------------------------------------------------------------------

    @route("GET", SUBSCRIPTION + r"/providers/Microsoft\.Authorization/permissions")
    def permissions(self, request: Request) -> Response:
        if no := self.refused(request, "permissions", set()):
            return no
        reader = {"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}
        return Response(body={"value": [reader, {**reader, "actions": self.permitted}]})

    # -- the activity log --------------------------------------------------------------------------------

    @route("GET", SUBSCRIPTION + r"/providers/Microsoft\.Insights/eventtypes/management/values")
    def activity(self, request: Request) -> Response:
        if no := self.refused(request, "activity", {"$filter", "$select"}):
            return no
        asked = re.fullmatch(_SPAN, request.query.get("$filter", ""))
        if asked is None:
            return refusal(400, "BadRequest", "The $filter is not supported: only certain patterns are allowed.")
        since, until = (datetime.fromisoformat(text).timestamp() for text in asked.groups())
        fields = set(request.query["$select"].split(",")) if "$select" in request.query else None
        with self._lock:
            told = [row for at, row in self.log if since <= at <= until and at + self.log_lag_s <= self.fleet.now()]
        rows = [{k: v for k, v in row.items() if fields is None or k in fields} for row in reversed(told)]
        return self.paged(request, rows, PAGE)
