"""The pods of the fake RunPod: made, listed, stopped and deleted as the fact sheet and RunPod's own schema say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.clouds.runpod_data import COMMUNITY, SECURE, GpuType
from tests.fakes.clouds.runpod_rules import (
    ACTIONS,
    CUDA,
    DRY,
    LAUNCH_FAILURES,
    MOST_BODY,
    NO_GPUS,
    POOR,
    invalid,
    pod_key,
    problem,
    script_of,
    version,
)
from tests.fakes.clouds.server import FakeCloud, Request, Response, route


@dataclass(kw_only=True)
class Pod:
    """A pod beside its machine in the fleet. ``status``: a word that stands in the place of the usual one."""

    id: str
    request: Mapping[str, Any]
    gpu: GpuType
    cloud: str
    data_center: str
    cost: float
    created_at: float
    status: str = ""
    count: int = 1
    ended_at: float | None = None
    never_ready: bool = False
    crashes: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)  # what it got in the place of what was ordered


class RunpodPods(FakeCloud):
    """The part of the fake that has pods. The catalog's part gives it `gpus` and `keys`."""

    gpus: list[GpuType]
    balance: float

    def __init__(self, *, run_machines: bool = False, boot_s: float = 0.0) -> None:
        super().__init__()
        self.fleet = Fleet(run=run_machines, boot_s=boot_s, on_exit=self._container_exited, on_taken=self._taken)
        self.pods: dict[str, Pod] = {}
        self.page_size = 1000
        self.list_lag_s = 0.0
        self.restart_s = 0.5  # a container that exits is started again after so long
        self.takes_commands = True  # `entrypoint` and `cmd`; until September 2026 there was `args` alone
        self.pod_keys_on_rest = True  # whether a pod's own key is good for REST, or for GraphQL only
        self.charges = 1.0  # what is billed, by what is listed
        self.gives: dict[str, Any] = {}  # what a pod gets, whatever is ordered: `id`, `count`; `cloud`, `dataCenterId`
        self._dry: list[dict[str, str]] = []
        self._failures: list[str] = []
        self._lost = {"before": 0, "after": 0}
        self._number = 0
        self._aftermath: dict[str, str] = {}

    # -- what a test does --------------------------------------------------------------------------------

    def run_dry(self, *, region: str = "", zone: str = "", instance_type: str = "", market: str = "") -> None:
        """From now on there is nothing to be had there, whatever the catalog says."""
        self._dry.append({"region": region, "instance_type": instance_type, "market": market})

    def refill(self) -> None:
        self._dry.clear()

    def never_boot(self) -> None:
        self.fleet.never_boot = True

    def set_price(self, price_usd_hour: float, *, region: str = "", instance_type: str = "", **_: str) -> None:
        """Of the whole machine, in one cloud ("community") or in the other (everything else)."""
        for gpu in self.gpus:
            count, _, name = instance_type.partition("x-")
            if name == gpu.id.replace(" ", "-"):
                price = price_usd_hour / int(count)
                if region != "community":
                    gpu.secure_price = price
                if region in ("", "community"):
                    gpu.community_price = price

    def lose_answers(self, *, before: int = 0, after: int = 0) -> None:
        """So many launches are cut off before anything is made, then so many after."""
        self._lost = {"before": before, "after": after}

    def fail_launch(self, code: str, *, times: int = 1) -> None:
        """A key of `LAUNCH_FAILURES`; ``<code>-made`` makes the pod all the same."""
        if code.removesuffix("-made") not in LAUNCH_FAILURES:
            raise ValueError(f"no failure is called {code!r}")
        self._failures += [code] * times

    def preempt(self, machine_id: str, *, notice_s: float = 0.0, aftermath: str = "gone") -> None:
        """RunPod gives no notice. Afterwards the pod is ``gone``, or ``exited`` as spot pods were."""
        self._aftermath[machine_id] = aftermath
        self.fleet.take(machine_id, notice_s=notice_s)

    def vanish(self, machine_id: str) -> None:
        self.delete(machine_id, "vanished")

    def exit(self, machine_id: str) -> None:
        """Stopped by a person or by RunPod: nothing runs, the pod is there."""
        self.fleet.end(machine_id, "exited")
        self.fleet.hold(f"pod:{machine_id}")
        self.pods[machine_id].status = "EXITED"

    def broke(self, *, delete: bool = True) -> None:
        """The money is gone. Pods without a network volume are deleted; those with one are stopped."""
        self.balance = 0.0
        for machine in self.fleet.up():
            self.delete(machine.id, "out of funds") if delete else self.exit(machine.id)

    def heal(self) -> None:
        super().heal()
        self._lost = {"before": 0, "after": 0}
        self._failures.clear()
        self._dry.clear()

    def add(self, name: str, **more: Any) -> Pod:
        """A pod that somebody made."""
        gpu = self.gpus[0]
        request = {"name": name, "image": "i", "disk": 20, "gpu": {"id": gpu.id, "count": 1}, **more}
        return self._make(request, gpu, SECURE, "US-KS-2", 1)

    def close(self) -> None:
        self.fleet.close()

    # -- REST --------------------------------------------------------------------------------------------

    @route("POST", "/v2/pods")
    def create(self, request: Request) -> Response:
        with self._lock:
            failure = self._failures.pop(0) if self._failures else ""
            lost = next((when for when, left in self._lost.items() if left > 0), "")
            if lost:
                self._lost[lost] -= 1
        if lost:
            self.cut()
        if lost == "before":
            return Response()
        if failure and not failure.endswith("-made"):
            return LAUNCH_FAILURES[failure]
        response = self._create(request)
        return LAUNCH_FAILURES[failure.removesuffix("-made")] if failure else response

    @route("GET", "/v2/pods")
    def list_pods(self, request: Request) -> Response:
        limit, cursor = request.query.get("limit", "100"), request.query.get("cursor", "")
        if not limit.isdigit() or not 1 <= int(limit) <= 1000:
            return problem(422, "limit must be between 1 and 1000")
        if cursor and not (cursor.startswith("c") and cursor[1:].isdigit()):
            return problem(422, "cursor is not valid")
        rows = [p for p in reversed(self.pods.values()) if self._listed(p)]
        start = int(cursor[1:] or 0)
        page = rows[start : start + min(int(limit), self.page_size)]
        after = start + len(page)
        more = after < len(rows)
        if self.paging() == "endless-paging":
            more, after = True, start
        elif self.paging() == "empty-pages":
            page, more, after = [], start < 3, start + 1
        pagination = {"nextCursor": f"c{after}" if more else None, "hasNextPage": more}
        return Response(body={"pods": [self.row(p) for p in page], "pagination": pagination})

    @route("GET", "/v2/pods/(?P<id>[^/]+)")
    def one_pod(self, request: Request) -> Response:
        pod = self._there(request.found["id"])
        return Response(body=self.row(pod)) if pod else problem(404, "pod not found")

    @route("DELETE", "/v2/pods/(?P<id>[^/]+)")
    def delete_pod(self, request: Request) -> Response:
        if self._there(request.found["id"]) is None:
            return problem(404, "pod not found")
        self.delete(request.found["id"], "deleted")
        return Response(status=204)

    @route("POST", "/v2/pods/(?P<id>[^/]+)/action")
    def act(self, request: Request) -> Response:
        pod = self._there(request.found["id"])
        if pod is None:
            return problem(404, "pod not found")
        action = (request.json or {}).get("action")
        if action not in self.row(pod)["actions"]:
            return problem(409, f"{action} is not allowed now")
        if action == "terminate":
            self.delete(pod.id, "deleted")
            return Response(status=204)
        if action == "stop":
            self.exit(pod.id)
            return Response(body=self.row(pod))
        return problem(400, NO_GPUS)

    # -- how it works ------------------------------------------------------------------------------------

    def row(self, pod: Pod) -> dict[str, Any]:
        """The pod as `Pod` of REST v2: every field of the schema."""
        rented, request = self.fleet.machines[pod.id], pod.request
        status = pod.status or self._status(rented)
        running = status == "RUNNING" and rented.booted and not pod.never_ready
        uptime = 0 if pod.crashes else int(self.fleet.now() - rented.boots_at) if rented.booted else 0
        ssh = running and "22/tcp" in request.get("ports", ())
        direct = {"host": "127.0.0.1", "port": 34446, "username": "root", "command": "ssh root@127.0.0.1 -p 34446"}
        ports = [{"private": 22, "public": 34446, "type": "tcp", "ip": "127.0.0.1"}] if ssh else []
        proxy = {"host": "ssh.runpod.io", "port": 22, "username": f"{pod.id}-64411eb2", "command": "ssh"}
        command = {k: request[k] for k in ("entrypoint", "cmd") if k in request}
        row: dict[str, Any] = {
            "id": pod.id,
            "name": request["name"],
            "status": status,
            "actions": ACTIONS.get(status, []),
            "image": request["image"],
            "args": json.dumps(command) if command else request.get("args", ""),
            "disk": request["disk"],
            "ports": list(request.get("ports", ())),
            "env": dict(request.get("env", {})),
            "registry": None,
            "mounts": request.get("mounts", {}),
            "gpu": {"id": pod.gpu.id, "count": pod.count, "vcpuCount": 8 * pod.count, "memory": 32 * pod.count},
            "cloud": pod.cloud,
            "dataCenterId": pod.data_center or None,
            "cudaVersion": "12.8",
            "ssh": {"proxy": proxy, "direct": direct if ssh else None},
            "template": None,
            "cost": pod.cost,
            "locked": False,
            "globalNetworking": {"enabled": False},
            "runtime": {"uptime": uptime, "ports": ports} if running else None,
            "createdAt": _iso(pod.created_at),
            "startedAt": _iso(rented.boots_at) if rented.booted else None,
            **(command if self.takes_commands else {}),
        }
        for key, value in pod.given.items():
            if value is None:
                row.pop(key, None)
            else:
                row[key] = value
        return row

    def delete(self, pod_id: str, why: str) -> None:
        """The pod is no more, with all that it had."""
        with self._lock:
            pod = self.pods[pod_id]
            if pod.ended_at is not None:
                return
            pod.ended_at = self.fleet.now()
            free = pod.gpu.free.get(pod.cloud, {})
            if pod.data_center in free:
                free[pod.data_center] += pod.count
        self.fleet.end(pod_id, why)
        self.fleet.release(f"pod:{pod_id}")

    def _status(self, rented: Rented) -> str:
        if rented.booted:
            return "RUNNING"
        return "STARTING" if self.fleet.now() >= rented.boots_at - self.fleet.boot_s / 2 else "PROVISIONING"

    def _there(self, pod_id: str) -> Pod | None:
        pod = self.pods.get(pod_id)
        return pod if pod is not None and pod.ended_at is None else None

    def _listed(self, pod: Pod) -> bool:
        now = self.fleet.now()
        if pod.ended_at is not None:
            return now < pod.ended_at + self.list_lag_s
        return now >= pod.created_at + self.list_lag_s

    def _create(self, request: Request) -> Response:
        if len(request.body) > MOST_BODY:
            return problem(413, "request body too large")
        body = request.json
        if (wrong := invalid(body, takes_commands=self.takes_commands)) is not None:
            return wrong
        asked, cloud = body["gpu"], body.get("cloud", SECURE)
        gpu = next((g for g in self.gpus if g.id == asked["id"]), None)
        if gpu is None:
            return problem(422, "Request validation failed.", "$.gpu.id: value must be one of the GPU types")
        count = asked.get("count", 1)
        with self._lock:
            place = self._place(gpu, cloud, count, body)
            if place is None:
                return problem(400, DRY)
            if self.balance < self._cost(gpu, cloud, count, body):
                return problem(402, POOR)
            pod = self._make(body, gpu, cloud, place, count)
        return Response(status=201, body=self.row(pod))

    def _place(self, gpu: GpuType, cloud: str, count: int, body: Mapping[str, Any]) -> str | None:
        """The data center that has the machine ("": somewhere in the community)."""
        sold, most = (gpu.secure, gpu.max_secure) if cloud == SECURE else (gpu.community, gpu.max_community)
        floor = body["gpu"].get("minCudaVersion", "0.0")
        tight = body["gpu"].get("minRamPerGpu", 0) > 283 or body["gpu"].get("minVcpuCountPerGpu", 0) > 32
        if not sold or count > most or tight or version(floor) > max(map(version, CUDA)):
            return None
        type_ = f"{count}x-{gpu.id.replace(' ', '-')}"
        for place, free in gpu.free.get(cloud, {}).items():
            wanted = not body.get("dataCenterIds") or place in body["dataCenterIds"]
            region = "community" if cloud == COMMUNITY else place
            if wanted and free >= count and not self._is_dry(region, cloud, type_):
                return place
        return None

    def _is_dry(self, region: str, cloud: str, type_: str) -> bool:
        return any(
            dry["region"] in ("", region, "secure" if cloud == SECURE else "community")
            and dry["instance_type"] in ("", type_)
            and dry["market"] in ("", "on-demand")
            for dry in self._dry
        )

    def _cost(self, gpu: GpuType, cloud: str, count: int, body: Mapping[str, Any]) -> float:
        price = (gpu.secure_price if cloud == SECURE else gpu.community_price) or 0.0
        return round(price * count * self.charges + body["disk"] * 0.10 / 730, 4)

    def _make(self, body: Mapping[str, Any], gpu: GpuType, cloud: str, place: str, count: int) -> Pod:
        with self._lock:
            self._number += 1
            pod_id = f"{self._number:04d}k2m4n6p{self._number % 7}"
            if place in gpu.free.get(cloud, {}):
                gpu.free[cloud][place] -= count
            cost = self._cost(gpu, cloud, count, body)
            # Billed from the second that `createdAt` tells, which has no smaller parts.
            created_at = float(int(self.fleet.now()))
            got = next((g for g in self.gpus if g.id == self.gives.get("id")), gpu)
            pod = Pod(
                id=pod_id,
                request=body,
                gpu=got,
                cloud=cloud,
                data_center=place,
                cost=cost,
                created_at=created_at,
                count=self.gives.get("count", count),
                given={k: v for k, v in self.gives.items() if k not in ("id", "count")},
            )
            self.pods[pod_id] = pod
            self.fleet.rent(
                Rented(
                    id=pod_id,
                    key=body["name"],
                    market="on-demand",
                    price_usd_hour=Decimal(str(cost)),
                    beside_usd_hour=Decimal(str(round(body["disk"] * 0.10 / 730, 6))),
                    script=script_of(body),
                    env={**body.get("env", {}), **self._injected(pod)},
                    billed_from=created_at,
                )
            )
        return pod

    def _injected(self, pod: Pod) -> dict[str, str]:
        return {
            "RUNPOD_POD_ID": pod.id,
            "RUNPOD_API_KEY": pod_key(pod.id),
            "RUNPOD_DC_ID": pod.data_center,
            "RUNPOD_GPU_COUNT": str(pod.count),
            "RUNPOD_PUBLIC_IP": "127.0.0.1",
        }

    def _container_exited(self, machine: Rented) -> None:
        """RunPod starts it again, and bills on."""
        self.fleet.start_again(machine.id)
        machine.boots_at = self.fleet.now() + self.restart_s

    def _taken(self, machine: Rented) -> None:
        if self._aftermath.get(machine.id) == "exited":
            self.exit(machine.id)
        else:
            self.delete(machine.id, "preempted")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
