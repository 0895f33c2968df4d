"""What the fake Vast.ai bills: GET /api/v0/charges/. Written from its OpenAPI description; rows as others saw them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.clouds.server import Request, Response, route
from tests.fakes.clouds.vast_machines import refusal

DAY_S = 86400
TENTH_OF_A_CENT = Decimal("0.001")


class VastBilling:
    """A row for each contract and day (UTC), also of contracts that are gone, in pages.

    ``traffic_usd``: billed to each contract on its last day. ``charges_page``: rows of a page at most.
    """

    fleet: Fleet
    traffic_usd = Decimal(0)
    charges_page = 500

    @route("GET", "/api/v0/charges/")
    def charges(self, request: Request) -> Response:
        if refused := self._bad_key(request, needed=True):  # type: ignore[attr-defined]
            return refused
        filters = json.loads(request.query.get("select_filters", "{}"))
        day = filters.get("day", {})
        if not {"gte", "lte"} <= set(day):
            return refusal(400, "invalid_args", "Must provide both 'day' gte and lte filters for instance charges")
        rows = [row for m in list(self.fleet.machines.values()) for row in self._rows(m, day["gte"], day["lte"])]
        start = int(request.query.get("after_token") or 0)
        end = start + min(self.charges_page, int(request.query.get("limit", 100)))
        body = {
            "success": True,
            "count": len(rows[start:end]),
            "total": len(rows),
            "results": rows[start:end],
            "next_token": str(end) if end < len(rows) else None,
        }
        return Response(body=body)

    def _rows(self, machine: Rented, first: float, last: float) -> Iterator[dict[str, Any]]:
        until = machine.ended_at if machine.ended_at is not None else self.fleet.now()
        day = int(first) // DAY_S * DAY_S
        while day <= last:
            seconds = min(until, day + DAY_S) - max(machine.billed_from, day)
            if seconds > 0:
                gpu = machine.price_usd_hour * Decimal(str(seconds)) / 3600
                traffic = self.traffic_usd if until <= day + DAY_S else Decimal(0)
                yield {
                    "start": day,
                    "end": day,
                    "type": "instance",
                    "source": f"instance-{machine.id}",
                    "description": f"Instance {machine.id} Charges - 1 day",
                    "amount": _rounded(gpu + traffic),
                    "metadata": {"label": machine.key},
                    "items": [
                        {"type": "gpu", "amount": _rounded(gpu), "items": []},
                        {"type": "bwu", "amount": _rounded(traffic), "items": []},
                    ],
                }
            day += DAY_S


def _rounded(usd: Decimal) -> float:
    return float(usd.quantize(TENTH_OF_A_CENT, ROUND_HALF_UP))
