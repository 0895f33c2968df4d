"""From Vast.ai's rows to offers. Pure.

A row ("ask") is one slice of one host's machine, with a price for the whole slice. A pool is a shape of one machine:
what can run dry, and what must rest after a refusal, is the host.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

from spotlaunch.core.facts import Market, Offer, Pool, Want
from spotlaunch.core.gpus import gpu_matches
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.names import name_of

_MICRO = Decimal("0.000001")
# Hosts write their prices themselves, and what has too many digits cannot be reckoned with.
_MOST_USD = Decimal(10**6)

# [I] Hiring goes before every bid, so that what only takes bids is most likely hired by somebody now. Or its row is on
# a page that was not read: then nobody knows.
_NOT_FOR_HIRE = "not seen among what is for hire now: a bid may have to wait"

# What a launch will need, or a person may want to know of a host. None of it is secret, or of an account of ours.
_TOLD = {
    "gpu_name": "gpu_name",
    "machine_id": "machine_id",
    "host_id": "host_id",
    "geolocation": "place",
    "verification": "verification",
    "reliability2": "reliability",
    "cuda_max_good": "cuda",
    "inet_up_cost": "inet_up_usd_gb",
    "inet_down_cost": "inet_down_usd_gb",
    "end_date": "listed_until",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A row, read. ``usd_hour`` and ``floor_usd_hour`` (the least bid) are of the whole slice, without disk."""

    id: int
    machine: int
    word: str
    gpu: str
    gpu_memory_gb: float
    count: int
    vcpus: float
    memory_gb: float
    disk_gb: float
    usd_hour: Decimal
    floor_usd_hour: Decimal | None
    storage_usd_gb_month: Decimal
    egress_usd_gb: Decimal
    region: str
    ends_at: float = 0.0
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, str, int]:
        """Which machine, which GPU, how many."""
        return self.machine, self.gpu, self.count


def offers(
    on_demand: Iterable[Mapping[str, Any]], bids: Iterable[Mapping[str, Any]], *, want: Want, now: float
) -> list[Offer]:
    """The offers in the rows of both markets' searches: each pool once, with its cheapest row."""
    disk_gb = want.disk_gb or figures.DISK_GB
    hired = [ask for ask in map(read, on_demand) if ask is not None]
    best: dict[Pool, Offer] = {}
    for offer in (*_on_demand(hired, disk_gb, now), *_spot(bids, hired, disk_gb, now)):
        if offer.pool.market not in want.markets or not _wanted(want, offer):
            continue
        known = best.get(offer.pool)
        if known is None or offer.price_usd_hour < known.price_usd_hour:
            best[offer.pool] = offer
    return list(best.values())


def bid_usd_hour(floor: Decimal, on_demand: Decimal | None) -> Decimal | None:
    """What to bid for a slice: the floor and a margin, never more than the slice costs on demand.

    None where the floor is no less than that: a bid is the price that is paid, so that it would make no sense.
    Where the price on demand is not known it is the floor itself, since nothing tells how far one may go.
    """
    if on_demand is None:
        return floor.quantize(figures.SMALLEST_STEP_USD, ROUND_UP)
    if floor >= on_demand:
        return None
    return min(on_demand, (floor * (1 + figures.BID_MARGIN)).quantize(figures.SMALLEST_STEP_USD, ROUND_UP))


def read(row: Mapping[str, Any]) -> Ask | None:
    """A row, or None where it lacks what an offer cannot be without."""
    word, ram_mib = row.get("gpu_name"), _number(row.get("gpu_ram"))
    ask_id, machine, count = (_whole(row.get(k)) for k in ("ask_contract_id", "machine_id", "num_gpus"))
    usd_hour, storage = usd(row.get("dph_base")), usd(row.get("storage_cost"))
    ask_id = ask_id or _whole(row.get("id"))
    if not (isinstance(word, str) and word.strip() and ask_id and machine and count and usd_hour):
        return None
    if storage is None:
        return None
    floor = usd(row.get("min_bid"))
    return Ask(
        id=ask_id,
        machine=machine,
        word=word.strip(),
        gpu=name_of(word.strip(), ram_mib / 1024),
        gpu_memory_gb=round(ram_mib / 1024, 1),
        count=count,
        vcpus=_number(row.get("cpu_cores_effective")),
        # As Vast.ai's own client shows it; the rest of the machine belongs to its other slices.
        memory_gb=round(_number(row.get("cpu_ram")) / 1000 * _share(row), 1),
        disk_gb=_number(row.get("disk_space")),
        usd_hour=usd_hour,
        floor_usd_hour=floor or None,
        storage_usd_gb_month=storage,
        egress_usd_gb=(usd(row.get("inet_up_cost")) or Decimal(0)) + (usd(row.get("inet_down_cost")) or Decimal(0)),
        region=country(row.get("geolocation")),
        ends_at=_number(row.get("end_date")),
        told={ours: str(row[theirs]) for theirs, ours in _TOLD.items() if row.get(theirs) not in (None, "")},
    )


def _on_demand(asks: Iterable[Ask], disk_gb: float, now: float) -> Iterator[Offer]:
    for ask in asks:
        price = _with_disk(ask.usd_hour, ask, disk_gb)
        yield _offer(ask, "on-demand", price, price, disk_gb, now, {})


def _spot(rows: Iterable[Mapping[str, Any]], hired: Iterable[Ask], disk_gb: float, now: float) -> Iterator[Offer]:
    """In a search for bids `dph_base` is the floor, so the price on demand comes from the other search."""
    by_id: dict[int, Decimal] = {}
    by_shape: dict[tuple[int, str, int], Decimal] = {}
    for ask in hired:
        by_id[ask.id] = ask.usd_hour
        by_shape[ask.shape] = min(ask.usd_hour, by_shape.get(ask.shape, ask.usd_hour))
    for ask in (a for a in map(read, rows) if a is not None and a.floor_usd_hour):
        assert ask.floor_usd_hour is not None
        usual = by_id.get(ask.id, by_shape.get(ask.shape))
        bid = bid_usd_hour(ask.floor_usd_hour, usual)
        if bid is None:
            continue
        whole = None if usual is None else _with_disk(usual, ask, disk_gb)
        extra = {"bid_usd_hour": str(bid), "min_bid_usd_hour": str(ask.floor_usd_hour)}
        yield _offer(ask, "spot", _with_disk(bid, ask, disk_gb), whole, disk_gb, now, extra)


def _offer(
    ask: Ask,
    market: Market,
    price: Decimal,
    on_demand: Decimal | None,
    disk_gb: float,
    now: float,
    extra: Mapping[str, str],
) -> Offer:
    return Offer(
        pool=Pool(
            provider="vast",
            region=ask.region,
            zone=f"m{ask.machine}",
            instance_type=shape_name(ask.count, ask.word),
            market=market,
        ),
        gpu=ask.gpu,
        gpu_count=ask.count,
        gpu_memory_gb=ask.gpu_memory_gb or None,
        vcpus=ask.vcpus,
        memory_gb=ask.memory_gb,
        disk_gb=ask.disk_gb,
        price_usd_hour=price,
        on_demand_usd_hour=on_demand,
        egress_usd_gb=ask.egress_usd_gb,
        available="unknown" if on_demand is None else "yes",
        why=_NOT_FOR_HIRE if on_demand is None else "",
        # With a host's listing every contract there ends [D].
        ends_at=ask.ends_at if math.isfinite(ask.ends_at) and ask.ends_at > now else None,
        seen_at=now,
        extra={
            "ask_contract_id": str(ask.id),
            "disk_gb": f"{disk_gb:g}",
            "disk_usd_gb_month": str(ask.storage_usd_gb_month),
            **ask.told,
            **extra,
        },
    )


def shape_name(count: Any, word: str) -> str:
    """The instance type of so many GPUs that Vast.ai calls ``word``: "8x-H100-SXM"."""
    return f"{count}x-{word.strip().replace(' ', '-')}"


def _with_disk(usd_hour: Decimal, ask: Ask, disk_gb: float) -> Decimal:
    """The price with its disk, which is paid for as long as the machine exists."""
    disk = Decimal(str(disk_gb)) * ask.storage_usd_gb_month / figures.HOURS_PER_MONTH
    return (usd_hour + disk).quantize(_MICRO, ROUND_HALF_UP)


def _wanted(want: Want, offer: Offer) -> bool:
    counts = ((name, n) for name, n in want.gpus if n in (0, offer.gpu_count))
    return not want.gpus or any(gpu_matches(name, offer.gpu) for name, _ in counts)


def _share(row: Mapping[str, Any]) -> float:
    """This slice's part of the machine, by its cores, or by its GPUs where these are not told."""
    cores, mine = _number(row.get("cpu_cores")), _number(row.get("cpu_cores_effective"))
    share = mine / cores if cores and mine else _number(row.get("gpu_frac"))
    return min(1.0, share)


def country(geolocation: Any) -> str:
    """``US`` of "Texas, US". Where nothing is told, a word, since a pool has a region."""
    parts = [p.strip() for p in str(geolocation or "").split(",")]
    last = next((p for p in reversed(parts) if p), "")
    return last.upper() if len(last) == 2 else last.replace(" ", "-") or "unknown"


def usd(number: Any) -> Decimal | None:
    """An amount, exactly as it was written; None for what is none."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    amount = Decimal(str(number))
    return amount if amount.is_finite() and 0 <= amount <= _MOST_USD else None


def _number(value: Any) -> float:
    """A number above zero; zero for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
