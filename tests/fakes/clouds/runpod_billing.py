"""What the fake RunPod bills: GET /v2/billing/pods. Written from its documentation, and from what others have seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.clouds.runpod_rules import problem
from tests.fakes.clouds.server import Request, Response, route

BUCKETS = ("hour", "day", "week", "month", "year")
PARAMETERS = {"startTime", "endTime", "bucketSize", "lastN", "podId"}


class RunpodBilling:
    """Records by pod and day, also of pods that are gone. ``bill_lag_s``: the newest seconds are not billed yet."""

    fleet: Fleet
    bill_lag_s = 0.0

    @route("GET", "/v2/billing/pods")
    def pod_billing(self, request: Request) -> Response:
        query = request.query
        if ("startTime" in query) != ("endTime" in query):
            return problem(400, "startTime and endTime must be provided together")
        if "lastN" in query and "startTime" in query:
            return problem(400, "lastN and startTime exclude each other")
        if query.get("bucketSize", "day") not in BUCKETS:
            return problem(422, "bucketSize must be one of " + ", ".join(BUCKETS))
        if query.get("bucketSize", "day") != "day":
            return problem(501, "this fake has days only")
        now = self.fleet.now()
        since = _time(query["startTime"]) if "startTime" in query else now - 30 * 86400
        until = _time(query["endTime"]) if "endTime" in query else now
        rows = [row for m in list(self.fleet.machines.values()) for row in self._records(m, since, until)]
        rows = [r for r in rows if query.get("podId") in (None, r["podId"])]
        return Response(body={"records": rows, "metadata": {"recordCount": len(rows)}})

    def _records(self, machine: Rented, since: float, until: float) -> Iterator[dict[str, Any]]:
        day = datetime.fromtimestamp(since, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        billed_until = min(machine.ended_at or float("inf"), self.fleet.now() - self.bill_lag_s)
        while day.timestamp() < until:
            begin, end = day.timestamp(), (day + timedelta(days=1)).timestamp()
            seconds = min(billed_until, end) - max(machine.billed_from, begin)
            if seconds > 0:
                hours = Decimal(str(seconds)) / 3600
                disk = float(machine.beside_usd_hour * hours)
                gpu = float((machine.price_usd_hour - machine.beside_usd_hour) * hours)
                yield {
                    "podId": machine.id,
                    "startTime": f"{day:%Y-%m-%dT%H:%M:%SZ}",
                    "endTime": f"{day + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
                    "totalAmount": gpu + disk,
                    "gpuAmount": gpu,
                    "cpuAmount": 0.0,
                    "diskAmount": disk,
                }
            day += timedelta(days=1)


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
