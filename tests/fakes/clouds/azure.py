"""A fake Azure: Resource Manager, Resource Graph and the retail prices on one port.

Written from the fact sheet (3.1 to 3.7) and the models of azure-mgmt-compute, azure-mgmt-resource and
azure-mgmt-computerecommender. Here is what it sells; its machines are in `azure_machines`, what is around them in
`azure_groups`, and what a test may do to them in `azure_estate`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlencode

from tests.fakes.clouds import azure_catalog, azure_data
from tests.fakes.clouds.azure_groups import Groups
from tests.fakes.clouds.azure_machines import Machines
from tests.fakes.clouds.azure_odata import BadFilter, read
from tests.fakes.clouds.azure_wire import VERSIONS, refusal
from tests.fakes.clouds.server import Request, Response, route

PAGE = 1000
SCORES_AN_HOUR = 10
_SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft\.Compute"


class FakeAzure(Machines, Groups):
    """``may_score``: whether the account has that role.

    ``plain_filters``: the price feed knows only the operators that the fact sheet writes down.
    """

    name = "azure"
    refusals: ClassVar[Mapping[str, Response]] = {
        "throttle": refusal(429, "TooManyRequests", "The request is being throttled."),
        "server-error": refusal(500, "InternalServerError", "Encountered internal server error."),
        "expired-token": refusal(
            401,
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time '11/21/2026 7:00:00 AM' is earlier than current UTC time.",
        ),
        "forbidden": refusal(
            403,
            "AuthorizationFailed",
            "The client 'someone@example.com' with object id '4f9c2ac2-1111-4222-8333-944455556666' does not have"
            " authorization to perform action 'Microsoft.Compute/skus/read' over scope"
            " '/subscriptions/deadbeef-1111-4222-8333-944455556666'.",
        ),
    }

    def __init__(self, *, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__(run_machines=run_machines, boot_s=boot_s)
        self.may_score = True
        self.plain_filters = False
        self.scores_given = 0
        self._catalogs: dict[str, bytes] = {}

    def environment(self, url: str) -> dict[str, str]:
        """What points spotlaunch here."""
        return {
            "SPOTLAUNCH_AZURE_ENDPOINT": url,
            "SPOTLAUNCH_AZURE_PRICES_ENDPOINT": url,
            "SPOTLAUNCH_AZURE_AUTH": "none",
        }

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The price feed. A test may add to it."""
        return azure_data.rows()

    def _reprice(self, price: Decimal, region: str, size: str, market: str) -> None:
        kind = " Spot" if market == "spot" else ""
        sold = next(s for s in azure_data.SIZES if s.size == size)
        short = size.removeprefix("Standard_").replace("_", " ")
        for n, row in enumerate(self.rows):
            its = (row["armSkuName"], row["armRegionName"], row["productName"], row["skuName"], row["type"])
            if its == (size, region, sold.product, short + kind, "Consumption"):
                self.rows[n] = row | {"retailPrice": float(price), "unitPrice": float(price)}

    def not_found(self, request: Request) -> Response:
        return refusal(404, "InvalidResourceType", f"The resource type could not be found: {request.path}")

    # -- retail prices: no account -------------------------------------------------------------------------

    @route("GET", "/api/retail/prices")
    def prices(self, request: Request) -> Response:
        query = dict(request.query)
        skip = int(query.pop("$skip", "0"))
        if query.get("api-version", "2023-01-01-preview") not in VERSIONS["prices"]:
            return _bad_price_question("The api-version is not supported")
        if not re.fullmatch(r"'?USD'?", query.get("currencyCode", "'USD'")):
            return _bad_price_question("This fake knows USD only")
        if unknown := query.keys() - {"api-version", "currencyCode", "$filter", "$top", "meterRegion"}:
            return _bad_price_question(f"Invalid parameters: {unknown}")
        try:
            fits = read(query["$filter"], plain=self.plain_filters) if query.get("$filter") else lambda row: True
        except BadFilter:
            return _bad_price_question("Invalid OData parameters supplied")
        found = [row for row in self.rows if fits(row)]
        page = found[skip : skip + PAGE]
        following = skip + PAGE if skip + PAGE < len(found) else None
        if self.paging() == "endless-paging":
            following = skip
        elif self.paging() == "empty-pages":
            page, following = [], skip + PAGE if skip < 2 * PAGE else None
        return Response(body=self._price_page(page, query, following))

    def _price_page(self, page: list[Any], query: Mapping[str, str], following: int | None) -> dict[str, Any]:
        link = None
        if following is not None:
            link = f"{self.url}/api/retail/prices?{urlencode({**query, '$skip': following})}"
        return {
            "BillingCurrency": "USD",
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": page,
            "NextPageLink": link,
            "Count": len(page),
        }

    # -- Resource Manager --------------------------------------------------------------------------------------

    @route("GET", _SUBSCRIPTION + r"/skus")
    def skus(self, request: Request) -> Response:
        """One region's catalog; only `location` filters, and whoever names an unknown region gets nothing."""
        if no := self.refused(request, "skus", {"$filter", "includeExtendedLocations"}):
            return no
        asked = re.fullmatch(r"location eq '([^']+)'", request.query.get("$filter", ""))
        if request.query.get("$filter") and asked is None:
            return refusal(400, "InvalidParameter", "Only location filter is supported.")
        if self.paging() == "endless-paging":
            return Response(body={"value": [], "nextLink": f"{self.url}{request.path}?{urlencode(request.query)}"})
        if self.paging() == "empty-pages":
            return Response(body={"value": []})
        regions = [asked[1].lower()] if asked else azure_data.REGIONS
        if len(regions) == 1:
            return Response(body=self._catalog(regions[0]), headers={"Content-Type": "application/json"})
        return Response(body={"value": [row for region in regions for row in azure_catalog.catalog(region)]})

    def _catalog(self, region: str) -> bytes:
        if region not in self._catalogs:
            rows = azure_catalog.catalog(region) if region in azure_data.REGIONS else []
            self._catalogs[region] = json.dumps({"value": rows}).encode()
        return self._catalogs[region]

    @route("GET", _SUBSCRIPTION + r"/locations/(?P<region>\w+)/usages")
    def usages(self, request: Request) -> Response:
        if no := self.refused(request, "usages", set()):
            return no
        if request.found["region"] not in azure_data.REGIONS:
            return refusal(400, "NoRegisteredProviderFound", "No registered resource provider found for location.")
        return Response(body={"value": azure_catalog.usages()})

    @route("POST", "/providers/Microsoft\\.ResourceGraph/resources")
    def graph(self, request: Request) -> Response:
        """Table SpotResources, eviction rates only: the rest of the language is not for this fake."""
        if no := self.refused(request, "graph", set()):
            return no
        body = request.json
        if not isinstance(body, dict) or body.keys() - {"query", "options", "subscriptions", "managementGroups"}:
            return refusal(400, "InvalidQuery", "Query is invalid.")
        options = body.get("options") or {}
        if options.keys() - {"resultFormat", "$top", "$skip", "$skipToken", "authorizationScopeFilter"}:
            return refusal(400, "BadRequest", "Unknown options.")
        shape = r"SpotResources \| where type =~ 'microsoft\.compute/skuspotevictionrate/location'(.*)"
        query = re.fullmatch(shape, " ".join(body["query"].split()))
        if query is None or options.get("resultFormat") != "objectArray":
            return refusal(400, "InvalidQuery", "This fake does not know that query.")
        names = re.search(r"in~ \(([^)]*)\)", query[1])
        found = azure_catalog.evictions(re.findall(r"'([^']*)'", names[1]) if names else [])
        # The table belongs to the directory: for who names subscriptions it is empty.
        found = [] if body.get("subscriptions") else found
        return Response(body=self._graph_page(found, int(options.get("$top", 1000)), options.get("$skipToken", "")))

    def _graph_page(self, found: list[Any], top: int, token: str) -> dict[str, Any]:
        start = int(token.removeprefix("from-") or 0)
        page = found[start : start + top]
        following = f"from-{start + top}" if start + top < len(found) else ""
        if self.paging() == "endless-paging":
            following = token or "from-0"
        elif self.paging() == "empty-pages":
            page, following = [], "" if start > top else f"from-{start + top}"
        answer = {
            "totalRecords": len(found),
            "count": len(page),
            "data": page,
            "facets": [],
            "resultTruncated": "false",
        }
        return answer | ({"$skipToken": following} if following else {})

    @route("POST", _SUBSCRIPTION + r"/locations/(?P<region>\w+)/placementScores/spot/generate")
    def scores(self, request: Request) -> Response:
        if no := self.refused(request, "scores", set()):
            return no
        if not self.may_score:
            action = "Microsoft.Compute/locations/placementScores/generate/action"
            return refusal(403, "AuthorizationFailed", f"The client does not have authorization to perform {action}.")
        with self._lock:
            self.scores_given += 1
            if self.scores_given > SCORES_AN_HOUR:
                return refusal(429, "TooManyRequests", "Too many placement score requests.", **{"Retry-After": "1800"})
        body = request.json
        known = {"desiredLocations", "desiredSizes", "desiredCount", "availabilityZones"}
        regions, sizes = body.get("desiredLocations") or [], body.get("desiredSizes") or []
        if body.keys() - known or not 0 < len(regions) <= 8 or not 0 < len(sizes) <= 5:
            return refusal(400, "BadRequest", "desiredLocations: 1 to 8; desiredSizes: 1 to 5.")
        names = [size["sku"] for size in sizes]
        return Response(body={**body, "placementScores": azure_catalog.scores(names, regions)})


def _bad_price_question(message: str) -> Response:
    return Response(status=400, body={"Error": {"Code": "BadRequest", "Message": message}})
