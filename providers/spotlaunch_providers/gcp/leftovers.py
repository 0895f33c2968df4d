"""Disks of ours that outlived their machines. Pure.

Every boot disk is made to be deleted with its machine, so there should be none; but a disk that somebody detached, or
that stayed when a machine was taken while it was being made, bills for as long as nobody looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spotlaunch.core.facts import Pool, SeenMachine
from spotlaunch_providers.gcp.blueprint import KEY
from spotlaunch_providers.gcp.offers import NAME
from spotlaunch_providers.gcp.shapes import region_of
from spotlaunch_providers.shared.times import seconds

# A disk is made before the machine that it is for, so a young one may still get its machine.
LEAST_AGE_S = 600.0
DISKS = "disks/"


def disks(rows: Iterable[tuple[str, Mapping[str, Any]]], *, now: float) -> list[SeenMachine]:
    """The disks without a machine, of zone and disk, as what `terminate` understands: ``zone/disks/name``."""
    found = []
    for zone, disk in rows:
        made_at = seconds(disk.get("creationTimestamp"))
        if disk.get("users") or made_at is None or now - made_at < LEAST_AGE_S:
            continue
        name = str(disk["name"])
        found.append(
            SeenMachine(
                launch_key=str((disk.get("labels") or {}).get(KEY) or name),
                instance_id=f"{zone}/{DISKS}{name}",
                pool=Pool(provider=NAME, region=region_of(zone), zone=zone, instance_type="disk", market="on-demand"),
                phase="stopped",
                ended_at=seconds(disk.get("lastDetachTimestamp")),
                detail="a disk that outlived its machine",
            )
        )
    return found
