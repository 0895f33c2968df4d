"""What a row of the listing says of a machine. Pure: what was seen before and whether money is left are told.

Four words tell a contract's state: `actual_status` of the container, `intended_status` that it shall have, and
`cur_state` and `next_state` of the contract. Nothing tells why it stopped: that is read off the rest of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spotlaunch.core.facts import EndReason, Market, Pool, SeenMachine, SeenPhase
from spotlaunch_providers.vast.offers import country, shape_name, usd
from spotlaunch_providers.vast.renting import REGION, SHELL

# The container is being made. No word at all is the first of these.
_STARTING = frozenset({"", "created", "loading", "scheduling", "creating", "starting"})
_ENDED = frozenset({"exited", "stopped"})
_SILENT = frozenset({"unknown", "offline"})

# Words of `status_msg` after which a container never comes up, seen from Docker and its registry.
_BROKEN = (
    "oci runtime create failed",
    "error response from daemon",
    "manifest unknown",
    "manifest for",
    "pull access denied",
    "no such image",
    "no space left on device",
    "failed to create",
    "unsatisfied condition: cuda",
)
# Where the container was created and did not start, any error does.
_BROKEN_CREATED = (*_BROKEN, "error", "failed")


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """How a machine is. ``quiet``: nothing is heard of its host; ``over``: its program has ended. Both may pass."""

    phase: SeenPhase
    reason: EndReason = ""
    detail: str = ""
    quiet: bool = False
    over: bool = False


def state_of(row: Mapping[str, Any], *, now: float) -> State:
    """As the row alone tells it. ``reason`` of a stopped one is a guess until the account was asked (see `Watch`).

    A word that is not known is no error, and never an end.
    """
    actual, intended, cur = (_word(row.get(key)) for key in ("actual_status", "intended_status", "cur_state"))
    said = str(row.get("status_msg") or "")
    if intended == "stopped" or (cur == "stopped" and actual in _ENDED):
        if (ends_at := _time(row.get("end_date"))) and ends_at <= now:
            return State(phase="stopped", reason="ttl", detail="its host's listing has ended")
        if row.get("is_bid"):
            return State(phase="stopped", reason="preempted", detail=_outbid(row))
        return State(phase="stopped", reason="by-hand", detail="stopped, and not by spotlaunch")
    if actual in _STARTING:
        broken = _BROKEN_CREATED if actual == "created" else _BROKEN
        if any(words in said.lower() for words in broken):
            return State(phase="stopped", reason="failed", detail=said)
        return State(phase="starting")
    if actual in _ENDED:
        return State(phase="running", detail=said, over=True)
    if actual in _SILENT:
        return State(phase="running", detail=f"its host is {actual}", quiet=True)
    return State(phase="running")


def read(row: Mapping[str, Any], state: State) -> SeenMachine:
    """The machine of a row that bears a label of ours. Raises `ValueError` for one without a number."""
    contract = row.get("id")
    if not isinstance(contract, int) or isinstance(contract, bool):
        raise ValueError("a machine of ours without a number")
    return SeenMachine(
        launch_key=str(row["label"]),
        instance_id=str(contract),
        pool=pool_of(row),
        phase=state.phase,
        started_at=_time(row.get("start_date")),
        ending_reason=state.reason,
        detail=state.detail,
        ssh=_shell(row),
    )


def pool_of(row: Mapping[str, Any]) -> Pool:
    """Where a machine came from. The region stands in its environment: a search says "California, US", and a listing
    "California, United States"."""
    market: Market = "spot" if row.get("is_bid") else "on-demand"
    return Pool(
        provider="vast",
        region=_environment(row).get(REGION) or country(row.get("geolocation")),
        zone=f"m{row.get('machine_id')}",
        instance_type=shape_name(row.get("num_gpus"), str(row.get("gpu_name") or "unknown")),
        market=market,
    )


def _outbid(row: Mapping[str, Any]) -> str:
    """In numbers, where they tell it. Hiring on demand goes before every bid, and shows nowhere."""
    bid, floor = usd(row.get("dph_base")), usd(row.get("min_bid"))
    if bid and floor and floor > bid:
        return f"outbid: the floor is ${floor} an hour now, the bid was ${bid}"
    return "stopped without a word: outbid, or hired by somebody on demand"


def _shell(row: Mapping[str, Any]) -> str:
    """By way of Vast.ai's own host: it needs no open port on the machine's."""
    host, port = row.get("ssh_host"), row.get("ssh_port")
    allowed = SHELL in _environment(row) and isinstance(host, str) and isinstance(port, int)
    return f"root@{str(host).strip()}:{port}" if allowed and host else ""


def _environment(row: Mapping[str, Any]) -> dict[str, str]:
    """Of what the container was given, our two names; other people's may be secret."""
    pairs = row.get("extra_env")
    found = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and pair[0] in (REGION, SHELL):
            found[str(pair[0])] = str(pair[1])
    return found


def _word(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _time(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 < value < 1e12 else None
