"""`spotlaunch gpus`: which GPUs there are, who sells them, and what one costs at the least."""

from __future__ import annotations

from typing import Any

from spotlaunch.cli import render
from spotlaunch.cli.market import Seen, open_asker, tell_silent, whom_to_ask
from spotlaunch.cli.pricetable import provider_json
from spotlaunch.core.facts import Offer, Want
from spotlaunch.core.gpulist import GpuLine, gpu_list, price_usd_gpu_hour
from spotlaunch.storage.columns import uncollected

# Which GPUs there are changes over weeks, so prices of the last hour will do; their age is shown.
MAX_AGE_S = 3600.0

HEAD = render.columns(
    "gpu", ">GB", "sold by", ">spot $/GPU-h", "where", ">age", ">on-demand $/GPU-h", "where", ">age"
)  # fmt: skip


def run(*, as_json: bool) -> int:
    """Print the list. Returns 1 when no provider answered."""
    with open_asker() as asker, uncollected():
        seen = asker.ask(whom_to_ask([]), Want(), max_age_s=MAX_AGE_S)
        lines = gpu_list(seen.offers)
        if as_json:
            providers = [provider_json(a, seen.now) for a in seen.answers]
            render.as_json({"gpus": [line_json(line, seen.now) for line in lines], "providers": providers})
        else:
            _show(lines, seen)
    return 0 if seen.answered else 1


def _show(lines: tuple[GpuLine, ...], seen: Seen) -> None:
    sold = [line for line in lines if line.providers]
    if sold:
        render.table(HEAD, [_cells(line, seen.now) for line in sold])
    strangers = [line.gpu for line in sold if not line.known]
    if strangers:
        render.say(f"not in our table of names, shown as their providers call them: {', '.join(map(_word, strangers))}")
    unsold = [line.gpu for line in lines if not line.providers]
    if unsold and seen.answered:
        render.say(f"known, and sold by nobody who answered: {', '.join(unsold)}")
    tell_silent(seen.answers)


def _word(name: str) -> str:
    return render.one_line(name)


def _cells(line: GpuLine, now: float) -> list[str]:
    memory = "" if line.memory_gb is None else f"{line.memory_gb:g}"
    return [line.gpu, memory, ", ".join(line.providers), *_offer(line.spot, now), *_offer(line.on_demand, now)]


def _offer(offer: Offer | None, now: float) -> list[str]:
    if offer is None:
        return ["", "", ""]
    pool = offer.pool
    age = render.duration(now - offer.seen_at)
    return [render.usd(price_usd_gpu_hour(offer)), f"{pool.provider}:{pool.zone or pool.region}", age]


# -- for scripts: keys are stable, see docs/reference.md -------------------------------------------------


def line_json(line: GpuLine, now: float) -> dict[str, Any]:
    """One GPU with stable keys."""
    return {
        "gpu": line.gpu,
        "known": line.known,
        "families": list(line.families),
        "memory_gb": line.memory_gb,
        "providers": list(line.providers),
        "spot": None if line.spot is None else cheapest_json(line.spot, now),
        "on_demand": None if line.on_demand is None else cheapest_json(line.on_demand, now),
    }


def cheapest_json(offer: Offer, now: float) -> dict[str, Any]:
    """Where a GPU is cheapest, with stable keys."""
    return {
        "provider": offer.pool.provider,
        "region": offer.pool.region,
        "zone": offer.pool.zone,
        "instance_type": offer.pool.instance_type,
        "market": offer.pool.market,
        "gpu_count": offer.gpu_count,
        "price_usd_hour": offer.price_usd_hour,
        "price_usd_gpu_hour": round(price_usd_gpu_hour(offer), 6),
        "available": offer.available,
        "seen_at": offer.seen_at,
        "age_s": round(max(0.0, now - offer.seen_at), 3),
        "source": offer.source,
    }
