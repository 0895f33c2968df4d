"""The metadata service that a machine of the fake AWS finds: its second version, with tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.fakes.clouds.fleet import Fleet
from tests.fakes.clouds.server import FakeCloud, Request, Response, route


class AwsMetadata(FakeCloud):
    """A part of `AwsMachines`. ``rebalance_at``: since when a machine is advised to move, by its id."""

    fleet: Fleet
    instances: dict[str, Any]
    rebalance_at: dict[str, float]

    @route("PUT", r"/-/metadata/(?P<id>[^/]+)/latest/api/token")
    def imds_token(self, request: Request) -> Response:
        headers = {k.lower(): v for k, v in request.headers.items()}
        seconds = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
            return Response(status=400, body="")
        token = f"token-{len(self.instances[request.found['id']].tokens)}"
        self.instances[request.found["id"]].tokens.append(token)
        return Response(body=token)

    @route("GET", r"/-/metadata/(?P<id>[^/]+)/latest/meta-data/(?P<what>.*)")
    def imds(self, request: Request) -> Response:
        machine_id, what = request.found["id"], request.found["what"]
        headers = {k.lower(): v for k, v in request.headers.items()}
        instance = self.instances.get(machine_id)
        if instance is None or headers.get("x-aws-ec2-metadata-token") not in instance.tokens:
            return Response(status=401, body="")
        machine = self.fleet.machines[machine_id]
        if what == "instance-id":
            return Response(body=machine_id)
        if what == "spot/instance-action" and machine.taken_at is not None:
            return Response(body={"action": "terminate", "time": _iso(machine.taken_at)})
        if what == "events/recommendations/rebalance" and machine_id in self.rebalance_at:
            return Response(body={"noticeTime": _iso(self.rebalance_at[machine_id])})
        return Response(status=404, body="")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
