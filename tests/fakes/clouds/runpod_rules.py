"""What the fake RunPod accepts of a create, and the ways in which it says no."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.clouds.runpod_data import COMMUNITY, SECURE
from tests.fakes.clouds.server import Response

PROBLEM = {"Content-Type": "application/problem+json"}
TITLES = {400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found"}
CUDA = ("12.1", "12.4", "12.6", "12.8", "13.0")
DRY = "There are no longer any instances available with the requested specifications. Please refresh and try again."
POOR = "Your account balance is too low to rent a pod. Please add funds to your account."
NO_GPUS = "There are not enough free GPUs on the host machine to start this pod."
MOST_BODY = 102_400

# CreatePodRequest and what is in it. The schemas are strict: anything else is refused.
CREATE = {
    *("name", "image", "args", "entrypoint", "cmd", "disk", "env", "ports", "registry", "cloud", "cpu", "gpu"),
    *("dataCenterIds", "globalNetworking", "mounts", "startJupyter", "startSsh", "templateId"),
}
CREATE_GPU = {"id", "count", "allowedCudaVersions", "minCudaVersion", "minRamPerGpu", "minVcpuCountPerGpu"}


def problem(status: int, detail: str, *errors: str, **headers: str) -> Response:
    """An error in the shape of RFC 9457, as REST v2 gives it."""
    body: dict[str, Any] = {"title": TITLES.get(status, "Error"), "status": status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    return Response(status=status, body=body, headers={**PROBLEM, **headers})


# What a create may be told to answer, by the names that `fail_launch` takes: each row of the fact sheet's table.
LAUNCH_FAILURES: Mapping[str, Response] = {
    "401": problem(401, "invalid bearer token"),
    "402": problem(402, POOR),
    "403": problem(403, "access denied"),
    "1010": Response(status=403, body="<html>error code: 1010</html>", headers={"Content-Type": "text/html"}),
    "capacity": problem(400, DRY),
    "no-free-gpus": problem(400, NO_GPUS),
    "no-free-gpus-v1": Response(status=400, body={"error": "not enough free GPUs on the host machine"}),
    "400": problem(400, "request could not be processed"),
    "registry": problem(400, "container registry auth abc not found"),
    "volume": problem(400, "network volume vol_1 not found"),
    "volume-elsewhere": problem(
        400, 'Network volume "v" is in data center "US-KS-2", which is not in the requested set ["EU-RO-1"]'
    ),
    "404": problem(404, "resource not found"),
    "410": Response(status=410),
    "413": problem(413, "request body too large"),
    "422": problem(422, "Request validation failed.", "$: additional properties 'x' not allowed"),
    # Its real words are not known: only that there is such a limit.
    "spend-limit": problem(400, "This would exceed your spending limit of $80 per hour"),
    "429": problem(429, "rate limit exceeded for the minute window", **{"Retry-After": "12"}),
    "409": problem(409, "conflict"),
    "500": problem(500, "internal error"),
    "500-capacity": Response(status=500, body={"error": "create pod: There are no instances currently available"}),
    "500-spot": Response(status=500, body={"error": "create pod: Spot pods are no longer offered", "status": 500}),
    "502": Response(status=502, body="<html>502 Bad Gateway</html>", headers={"Content-Type": "text/html"}),
    "503": problem(503, "unavailable"),
    "not-json": Response(status=201, body="<html>created</html>", headers={"Content-Type": "text/html"}),
    "no-id": Response(status=201, body={"name": "?"}),
}


ACTIONS = {
    "RUNNING": ["stop", "restart", "terminate"],
    "EXITED": ["start", "terminate"],
    "ERROR": ["start", "terminate"],
    "PROVISIONING": ["stop", "terminate"],
    "STARTING": ["stop", "terminate"],
}


def pod_key(pod_id: str) -> str:
    """The key that a pod finds in its environment: good for itself alone."""
    return f"rpak_{pod_id}"


def invalid(body: Any, *, takes_commands: bool) -> Response | None:
    """Why a create is refused before anybody looks for a machine."""
    if not isinstance(body, dict):
        return problem(400, "request could not be processed")
    known = CREATE if takes_commands else CREATE - {"entrypoint", "cmd"}
    found = [f"$: additional properties '{k}' not allowed" for k in body if k not in known]
    found += [f"$.gpu: additional properties '{k}' not allowed" for k in body.get("gpu") or () if k not in CREATE_GPU]
    found += [f"$.{k}: {why}" for k, why in _badly_typed(body)]
    if found:
        return problem(422, "Request validation failed.", *found)
    if ("gpu" in body) == ("cpu" in body):
        return problem(400, "exactly one of gpu and cpu must be set")
    if "cpu" in body:
        return problem(400, "this fake has no CPU pods")
    if {"persistent", "network"} <= set(body.get("mounts", {})):
        return problem(400, "mounts.persistent and mounts.network exclude each other")
    if body["gpu"].get("allowedCudaVersions") and "minCudaVersion" in body["gpu"]:
        return problem(400, "allowedCudaVersions and minCudaVersion exclude each other")
    if "disk" not in body:
        return problem(400, "Something is wrong with the template id or pod configuration parameters")
    return problem(400, DRY) if body["disk"] < 20 else None


def _badly_typed(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    gpu = body.get("gpu") if isinstance(body.get("gpu"), dict) else {}
    checks = [
        ("name", isinstance(body.get("name"), str) and 1 <= len(body["name"]) <= 191),
        ("image", isinstance(body.get("image"), str) and bool(body["image"])),
        ("disk", _whole(body.get("disk", 1))),
        ("cloud", body.get("cloud", SECURE) in (SECURE, COMMUNITY)),
        ("env", _texts(body.get("env", {}).values()) if isinstance(body.get("env", {}), dict) else False),
        ("ports", all(re.fullmatch(r"\d+/(tcp|http)", str(p)) for p in body.get("ports", ()))),
        ("args", isinstance(body.get("args", ""), str)),
        ("entrypoint", _texts(body.get("entrypoint", ()))),
        ("cmd", _texts(body.get("cmd", ()))),
        ("dataCenterIds", _texts(body.get("dataCenterIds", ()))),
        ("gpu.id", "gpu" not in body or isinstance(gpu.get("id"), str)),
        ("gpu.count", _whole(gpu.get("count", 1))),
        ("gpu.minCudaVersion", bool(re.fullmatch(r"\d+\.\d+", str(gpu.get("minCudaVersion", "1.0"))))),
        ("gpu.minRamPerGpu", _whole(gpu.get("minRamPerGpu", 1))),
        ("gpu.minVcpuCountPerGpu", _whole(gpu.get("minVcpuCountPerGpu", 1))),
    ]
    return [(name, "value is not valid") for name, fine in checks if not fine]


def _whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def _texts(values: Any) -> bool:
    return not isinstance(values, str) and all(isinstance(v, str) for v in values)


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def script_of(body: Mapping[str, Any]) -> str:
    """What the container runs: a shell command, in either of the two ways to say it."""
    said = json.loads(body["args"]) if str(body.get("args", "")).startswith("{") else body
    return said["cmd"][0] if said.get("entrypoint") == ["/bin/sh", "-c"] else ""
