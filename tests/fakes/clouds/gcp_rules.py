"""What Compute Engine refuses of an instance before it makes it, in its words, and the shape of its errors."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.server import Request, Response

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_IMAGES = (
    "projects/ubuntu-os-accelerator-images/global/images/",
    "projects/deeplearning-platform-release/global/images/",
    "global/images/mine",
)
_NETWORKS = ("global/networks/default", "global/networks/lab")
_HYPERDISK_ONLY = ("g4-", "a3-ultragpu-", "a4-")

# The fields that are known here, of the many that there are; the official document is held against in a test.
FIELDS = {
    "": {"name", "description", "machineType", "labels", "scheduling", "disks", "networkInterfaces", "serviceAccounts",
         "metadata", "guestAccelerators", "tags", "shieldedInstanceConfig"},
    "scheduling": {"provisioningModel", "instanceTerminationAction", "automaticRestart", "onHostMaintenance",
                   "maxRunDuration", "preemptionNoticeDuration", "preemptible"},
    "disks": {"boot", "autoDelete", "initializeParams", "deviceName", "mode", "type"},
    "disks.initializeParams": {"sourceImage", "diskSizeGb", "diskType", "labels", "diskName"},
    "networkInterfaces": {"network", "subnetwork", "accessConfigs"},
    "networkInterfaces.accessConfigs": {"type", "name", "networkTier"},
    "serviceAccounts": {"email", "scopes"},
    "metadata": {"items"},
    "metadata.items": {"key", "value"},
    "guestAccelerators": {"acceleratorType", "acceleratorCount"},
}  # fmt: skip
ENUMS = {
    "provisioningModel": {"SPOT", "STANDARD", "FLEX_START", "RESERVATION_BOUND"},
    "instanceTerminationAction": {"STOP", "DELETE"},
    "onHostMaintenance": {"MIGRATE", "TERMINATE"},
    "type": {"ONE_TO_ONE_NAT", "PERSISTENT", "SCRATCH"},
}


def compute_error(status: int, reason: str, message: str, domain: str = "global") -> Response:
    """An error in Compute Engine's shape."""
    errors = [{"message": message, "domain": domain, "reason": reason}]
    return Response(status=status, body={"error": {"code": status, "message": message, "errors": errors}})


class Refusal(Exception):
    """An instance that is not made, with the answer that says so."""

    def __init__(self, field: str, said: str, *, status: int = 400, reason: str = "invalid") -> None:
        super().__init__(said)
        message = f"Invalid value for field 'resource.{field}': {said}" if field else said
        self.response = compute_error(status, reason, message)


def check(request: Request, zone: str, *, long_notice: bool) -> dict[str, Any]:
    """The instance that is asked for. Raises `Refusal`."""
    try:
        asked = request.json
    except ValueError:
        raise Refusal("", "Parse Error", reason="parseError") from None
    if not isinstance(asked, dict):
        raise Refusal("", "Required field 'resource' not specified", reason="required")
    _known(asked, "")
    if not _NAME.fullmatch(str(asked.get("name", ""))):
        raise Refusal(
            "name", f"'{asked.get('name')}'. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{{0,61}}[a-z0-9])?)'"
        )
    for key, value in (asked.get("labels") or {}).items():
        if not _LABEL.fullmatch(key) or not key[:1].isalpha() or not _LABEL.fullmatch(value):
            raise Refusal("labels", f"'{value}'")
    kind = _machine_type(asked, zone)
    _scheduling(asked.get("scheduling") or {}, kind, asked, long_notice)
    _disks(asked.get("disks") or [], kind, zone)
    _network(asked.get("networkInterfaces") or [], zone)
    _metadata((asked.get("metadata") or {}).get("items") or [])
    return asked


def _known(value: Any, at: str) -> None:
    """Every field is known at its place, and every word of a list of words is one of them."""
    if isinstance(value, list):
        for item in value:
            _known(item, at)
        return
    if not isinstance(value, dict) or at not in FIELDS:
        return
    for key, item in value.items():
        if key not in FIELDS[at]:
            raise Refusal(
                "", f"Invalid JSON payload received. Unknown name \"{key}\" at 'resource.{at}': Cannot find field."
            )
        if key in ENUMS and isinstance(item, str) and item not in ENUMS[key]:
            raise Refusal(f"{at}.{key}", f"'{item}'")
        _known(item, f"{at}.{key}" if at else key)


def _not_found(where: str) -> Refusal:
    return Refusal("", f"The resource 'projects/{data.PROJECT}/{where}' was not found", status=404, reason="notFound")


def _machine_type(asked: dict[str, Any], zone: str) -> str:
    path = str(asked.get("machineType", ""))
    found = re.fullmatch(rf"zones/{zone}/machineTypes/(?P<kind>[\w-]+)", path)
    if found is None:
        raise Refusal("machineType", f"'{path}'")
    kind = found["kind"]
    if not data.sells(kind, zone):
        raise _not_found(f"zones/{zone}/machineTypes/{kind}")
    gpus = asked.get("guestAccelerators") or []
    for gpu in gpus:
        name = str(gpu.get("acceleratorType", "")).removeprefix(f"zones/{zone}/acceleratorTypes/")
        if name not in data.ACCELERATORS or zone not in data.ACCELERATORS[name][1]:
            raise _not_found(f"zones/{zone}/acceleratorTypes/{name}")
        if not kind.startswith("n1-") or not 1 <= int(gpu.get("acceleratorCount") or 0) <= data.ACCELERATORS[name][0]:
            raise Refusal("guestAccelerators", f"[{kind}] cannot have {gpu.get('acceleratorCount')} of {name}")
    return kind


def _scheduling(said: dict[str, Any], kind: str, asked: dict[str, Any], long_notice: bool) -> None:
    model, limit = said.get("provisioningModel", "STANDARD"), said.get("maxRunDuration")
    gpus = data.gpu_count(kind) or asked.get("guestAccelerators")
    if gpus and said.get("onHostMaintenance") != "TERMINATE":
        raise Refusal(
            "scheduling.onHostMaintenance", "Instances with guest accelerators do not support live migration."
        )
    if model == "SPOT" and said.get("automaticRestart"):
        raise Refusal("scheduling.automaticRestart", "Scheduling must have automaticRestart be false when SPOT.")
    if model == "STANDARD" and said.get("instanceTerminationAction") and not limit:
        raise Refusal(
            "scheduling.instanceTerminationAction", "You cannot specify a termination action for a STANDARD VM."
        )
    if model == "STANDARD" and kind in data.SPOT_ONLY:
        raise Refusal("scheduling.provisioningModel", f"STANDARD provisioning is not supported for {kind}.")
    if limit is not None and not 30 <= int(limit.get("seconds", 0)) <= 120 * 86400:
        raise Refusal("scheduling.maxRunDuration", "must be between 30 seconds and 120 days")
    notice = said.get("preemptionNoticeDuration")
    if notice and (not long_notice or model != "SPOT" or not 0 <= int(notice.get("seconds", -1)) <= 120):
        raise Refusal("scheduling.preemptionNoticeDuration", "Preemption notice duration is not supported.")


def _disks(disks: list[dict[str, Any]], kind: str, zone: str) -> None:
    if len(disks) != 1 or not disks[0].get("boot"):
        raise Refusal("disks", "At least one boot disk is required.", reason="required")
    params = disks[0].get("initializeParams") or {}
    image = str(params.get("sourceImage", ""))
    if not image:
        raise Refusal("disks[0].initializeParams.sourceImage", "''", reason="required")
    if not image.startswith(_IMAGES):
        raise _not_found(image.partition(f"projects/{data.PROJECT}/")[2] or image)
    if not re.fullmatch("[0-9]+", str(params.get("diskSizeGb", ""))) or int(params["diskSizeGb"]) < 20:
        raise Refusal(
            "disks[0].initializeParams.diskSizeGb", f"'{params.get('diskSizeGb')}' is less than the image's 20 GB"
        )
    disk = str(params.get("diskType", "")).removeprefix(f"zones/{zone}/diskTypes/")
    hyper = kind.startswith(_HYPERDISK_ONLY)
    if disk not in {"pd-balanced", "pd-ssd", "pd-standard", "hyperdisk-balanced"}:
        raise _not_found(f"zones/{zone}/diskTypes/{disk}")
    if hyper == disk.startswith("pd-"):
        raise Refusal("", f"[{kind}, {disk}] features are not compatible for creating instance.")
    for key, value in (params.get("labels") or {}).items():
        if not _LABEL.fullmatch(key) or not _LABEL.fullmatch(value):
            raise Refusal("disks[0].initializeParams.labels", f"'{value}'")


def _network(interfaces: list[dict[str, Any]], zone: str) -> None:
    if len(interfaces) != 1:
        raise Refusal("networkInterfaces", "At least one network interface is required.", reason="required")
    network, subnetwork = str(interfaces[0].get("network", "")), str(interfaces[0].get("subnetwork", ""))
    if network and network not in _NETWORKS:
        raise _not_found(network)
    if subnetwork and subnetwork != f"regions/{data.ZONES[zone]}/subnetworks/lab":
        raise _not_found(subnetwork)


def _metadata(items: list[dict[str, Any]]) -> None:
    keys = [str(item.get("key", "")) for item in items]
    if len(set(keys)) != len(keys) or not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,127}", key) for key in keys):
        raise Refusal("metadata.items", "keys must be unique and match [a-zA-Z0-9-_]{1,128}")
    if any(len(str(item.get("value", "")).encode()) > 262_144 for item in items):
        raise Refusal("metadata.items", "the value is larger than 256 KB")
