"""A market: what the rehearsal cloud sells, how it behaves, and what goes wrong. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from spotlaunch.core.facts import Pool, Traits
from spotlaunch_providers.local.fate import Trace


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """What goes wrong in a pool. Chances are from 0 to 1, per call or per machine.

    ``dry``, ``quota``, ``unauthorized``, ``no_funds``: every launch is refused so, whatever the offers say.
    ``throttled``: a call is one too many. ``slow_s``: a launch takes so long. ``lose_answer``: the answer of
    a launch is lost; the machine may exist or not. ``never_boots``: a machine that exists and never wakes.
    ``hang``: its processes freeze soon after the boot.
    """

    dry: bool = False
    quota: bool = False
    unauthorized: bool = False
    no_funds: bool = False
    throttled: float = 0.0
    slow_s: float = 0.0
    lose_answer: float = 0.0
    never_boots: float = 0.0
    hang: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudFaults:
    """What goes wrong with the whole cloud: chances from 0 to 1 that such a call does not get through."""

    offers: float = 0.0
    launch: float = 0.0
    listing: float = 0.0
    terminate: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketPool:
    """One pool of the market file. ``capacity``: how many machines at a time. ``trace``: fewer than that, then."""

    name: str
    pool: Pool
    gpu: str = ""
    gpu_count: int = 0
    gpu_memory_gb: float | None = None
    cpus: float = 1.0
    memory_gb: float = 1.0
    disk_gb: float | None = None
    price_usd_hour: Decimal
    on_demand_usd_hour: Decimal | None = None
    boot_s: float = 0.0
    notice_s: float = 0.0
    capacity: int = 16
    interruptions_per_hour: float | None = None
    trace: Trace | None = None
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """A whole market file. ``digest`` is that of its content and of its traces' content."""

    file: str
    digest: str
    seed: int
    pools: tuple[MarketPool, ...]
    traits: Traits
    faults: CloudFaults = field(default_factory=CloudFaults)

    def find(self, pool: Pool) -> MarketPool | None:
        """The pool of that identity, if this market has it."""
        return next((p for p in self.pools if p.pool == pool), None)


def traits_of(pools: tuple[MarketPool, ...]) -> Traits:
    """How this cloud differs from others, as far as the pools tell; a market file may say otherwise."""
    boot_s = max((p.boot_s for p in pools), default=0.0)
    return Traits(
        settle_s=1.0,
        idempotent_launch=True,
        notice_s=max((p.notice_s for p in pools), default=0.0),
        has_spot=any(p.pool.market == "spot" for p in pools),
        bids=False,
        stopped_still_bills=False,
        shutdown_ends_billing=True,
        server_side_ttl=True,
        list_interval_s=1.0,
        rest_s=2.0,
        max_rest_s=30.0,
        boot_timeout_s=max(60.0, 3 * boot_s),
        start_s=boot_s + 1.0,
        silence_s=120.0,
        shares_disk=True,
        rehearsal=True,
    )
