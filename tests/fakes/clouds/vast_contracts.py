"""The contracts of the fake Vast.ai: what a create may say, and how a contract shows in a listing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

MOST_ENV_BYTES = 32_768
RUNTYPES = ("ssh", "jupyter", "args", "ssh_proxy", "ssh_direct", "jupyter_proxy", "jupyter_direct")
COUNTRIES = {"US": "United States", "CA": "Canada", "SE": "Sweden", "NO": "Norway", "DE": "Germany"}
# What a create may hold, with the kinds of its values (api-reference/openapi/yaml/create_instance.yaml).
FIELDS: dict[str, tuple[type, ...]] = {
    "image": (str,),
    "label": (str,),
    "disk": (int, float),
    "price": (int, float, type(None)),
    "runtype": (str,),
    "args": (list,),
    "args_str": (str,),
    "onstart": (str,),
    "env": (dict,),
    "cancel_unavail": (bool,),
    "target_state": (str,),
    "image_login": (str,),
    "force": (bool,),
    "template_hash_id": (str,),
    "target_reliability": (int, float),
    "vm": (bool,),
    "user": (str,),
    "volume_info": (dict,),
}


@dataclass
class Contract:
    """One rental: a slice (``ask``) of a machine, with a disk for as long as it exists.

    ``stopped``: outbid, or by hand. ``reads``: how often it was shown, since some of its words lag behind.
    """

    id: int
    label: str
    ask: dict[str, Any]
    is_bid: bool
    base_usd_hour: float
    disk_gb: float
    image: str = ""
    runtype: str = "args"
    args: list[str] = field(default_factory=list)
    onstart: str = ""
    env: dict[str, str] = field(default_factory=dict)
    key: str = ""
    made_at: float = field(default_factory=time.time)
    stopped: bool = False
    stopped_reads: int = 0
    reads: int = 0
    status: str = ""  # a word that hides the others: "offline", "unknown", or one that nobody knows
    status_msg: str = ""
    end_date: float = 0.0
    ssh_keys: list[str] = field(default_factory=list)

    @property
    def machine(self) -> int:
        return int(self.ask["machine_id"])

    @property
    def gpus(self) -> int:
        return int(self.ask["num_gpus"])

    @property
    def usd_hour(self) -> float:
        return float(self.base_usd_hour + self.disk_gb * self.ask["storage_cost"] / 720)

    def actual(self, *, booted: bool, exited: bool) -> str | None:
        """`actual_status`, as this read sees it."""
        self.reads += 1
        if self.status:
            return self.status
        if self.stopped:
            self.stopped_reads += 1
            return "running" if self.stopped_reads == 1 and booted else "exited"
        if booted:
            return "exited" if exited else "running"
        return (None, "created")[self.reads - 1] if self.reads <= 2 else "loading"

    def row(self, *, booted: bool, exited: bool) -> dict[str, Any]:
        """The contract as a listing shows it."""
        actual = self.actual(booted=booted, exited=exited)
        target = "stopped" if self.stopped else "running"
        up = actual == "running" and not self.stopped
        ssh = "ssh" in self.runtype
        return {
            "id": self.id,
            "label": self.label,
            "machine_id": self.machine,
            "host_id": self.ask["host_id"],
            "actual_status": actual,
            "intended_status": target,
            "cur_state": target,
            "next_state": target,
            "status_msg": self.status_msg or None,
            "is_bid": self.is_bid,
            "min_bid": self.ask["min_bid"],
            "dph_base": self.base_usd_hour,
            "dph_total": self.usd_hour,
            "num_gpus": self.gpus,
            "gpu_name": self.ask["gpu_name"],
            "gpu_ram": self.ask["gpu_ram"],
            "geolocation": _spelt(self.ask["geolocation"]),
            "public_ipaddr": "203.0.113.7 ",
            # Also where nobody listens there.
            "ssh_host": "ssh5.vast.ai",
            "ssh_port": 10000 + self.id % 50000,
            "ports": {"22/tcp": [{"HostPort": "33526"}]} if up and ssh else None,
            "image_uuid": self.image,
            "image_runtype": self.runtype,
            "image_args": list(self.args),
            "onstart": self.onstart,
            "extra_env": [[k, v] for k, v in self.env.items()],
            "start_date": self.made_at,
            "end_date": self.end_date or self.made_at + self.ask["duration"],
            "disk_space": self.disk_gb,
            "instance": {"gpuCostPerHour": self.base_usd_hour if up else 0, "totalHour": self.usd_hour},
        }


def _spelt(place: str | None) -> str | None:
    """A listing spells the country out; a search does not."""
    head, comma, country = (place or "").rpartition(", ")
    return f"{head}{comma}{COUNTRIES.get(country, country)}" if place else None


def invalid(body: Any, ask: dict[str, Any]) -> str:
    """What is wrong with a create; empty: nothing."""
    if not isinstance(body, dict) or not body.get("image"):
        return "image: Field required"
    for key, value in body.items():
        if key not in FIELDS:
            return f"{key}: Extra inputs are not permitted"
        if not isinstance(value, FIELDS[key]) or (isinstance(value, bool) and bool not in FIELDS[key]):
            return f"{key}: wrong type"
    args = body.get("args", [])
    command = sum(len(str(a).encode()) for a in args) + len(body.get("onstart", "").encode())
    rules = {
        "image: longer than 1024": len(body["image"]) <= 1024,
        "label: longer than 256": len(body.get("label", "")) <= 256,
        "args: not words": all(isinstance(a, str) for a in args),
        "args: longer than 4096": command <= 4096,
        "env: not text": all(isinstance(v, str) for v in body.get("env", {}).values()),
        "env: longer than 32768": len(str(body.get("env", ""))) <= MOST_ENV_BYTES,
        "runtype: not one of them": body.get("runtype", "args") in RUNTYPES,
        "args: only with runtype args": not args or body.get("runtype") == "args",
        "disk: at least 8": 8 <= body.get("disk", 8) <= ask["disk_space"],
        "price: from 0.001 to 128": body.get("price") is None or 0.001 <= body["price"] <= 128,
        "target_state: running or stopped": body.get("target_state", "running") in ("running", "stopped"),
    }
    return next((words for words, kept in rules.items() if not kept), "")


def script_of(body: dict[str, Any]) -> str:
    """What the container runs, if it is a shell's command; an `onstart` is a script."""
    args = body.get("args", [])
    return str(args[2]) if args[:2] in (["/bin/sh", "-c"], ["/bin/bash", "-lc"]) else str(body.get("onstart", ""))
