"""A market for rehearsing one job: what the job wants, always to be had, and taken away only by hand."""

from __future__ import annotations

from typing import Any

from spotlaunch.core.facts import Want

# Enough that the next machine is there while those before it are still leaving.
ZONES = ("a", "b", "c")

# Nobody must wait here for what a real cloud takes minutes for; a quiet program is given time all the same.
TRAITS = {"settle_s": 1, "list_interval_s": 0.3, "rest_s": 0.2, "max_rest_s": 0.5, "silence_s": 3600}


def steady(want: Want, *, notice_s: float) -> dict[str, Any]:
    """The content of the market file. The first of the wanted GPUs is only a name here: `SPOTLAUNCH_GPU` says it."""
    holds: dict[str, Any] = {"cpus": max(1, want.cpus), "memory_gb": max(1, want.memory_gb)}
    if want.disk_gb:
        holds["disk_gb"] = want.disk_gb
    if want.gpus:
        name, count = want.gpus[0]
        holds["gpu"] = f"{name}:{count or 1}"
    return {
        "traits": TRAITS,
        "defaults": {"type": "rehearsal", "price_usd_hour": 1, "boot": "0.1s", "notice": f"{notice_s}s", **holds},
        "pools": [{"name": f"rehearsal-{zone}", "zone": f"local-1{zone}"} for zone in ZONES],
    }
