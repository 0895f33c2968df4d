"""What is seen: pools, offers, machines as a provider lists them, and how providers differ.

Everything here is a frozen value. Money is `Decimal` US dollars, times are seconds since the epoch
(passed in, never read from a clock here), and units stand last in names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

Market = Literal["spot", "on-demand"]
Availability = Literal["yes", "no", "unknown"]
# `ending`: being taken or ended, its program may still run. `stopped`: nothing runs there any more, but it exists: its
# disk bills, or it may be started again behind our back. `gone`: it is no more and costs nothing, and is listed only
# for as long as its cloud tells why.
SeenPhase = Literal["starting", "running", "ending", "stopped", "gone"]

# Why a machine ends or has ended, as far as its cloud tells. Empty: it does not. `asked`: by us, through the API.
# `itself`: its own system shut down. `by-hand`: somebody else with access to the account. `failed`: it never came up,
# or its container cannot run. `ttl`: the cloud's own limit on its life.
EndReason = Literal["", "preempted", "asked", "itself", "by-hand", "failed", "out-of-funds", "host-lost", "ttl"]

# How an agent on a machine is told that the machine will be taken (`agent.watchers`). Empty: it is not told.
NoticeSource = Literal["", "imds", "gce", "scheduled-events"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Pool:
    """One place capacity comes from, and which can run dry."""

    provider: str
    region: str
    zone: str
    instance_type: str
    market: Market

    def __str__(self) -> str:
        return f"{self.provider}:{self.zone or self.region}/{self.instance_type}/{self.market}"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Scope:
    """What a refusal covers. An empty field means any, so ``Scope(provider="aws")`` is all of AWS."""

    provider: str
    region: str = ""
    zone: str = ""
    instance_type: str = ""
    market: str = ""

    def covers(self, pool: Pool) -> bool:
        """Whether ``pool`` lies inside this scope."""
        return (
            self.provider == pool.provider
            and self.region in ("", pool.region)
            and self.zone in ("", pool.zone)
            and self.instance_type in ("", pool.instance_type)
            and self.market in ("", pool.market)
        )

    def __str__(self) -> str:
        inside = "/".join(filter(None, (self.zone or self.region, self.instance_type, self.market)))
        return f"{self.provider}:{inside}" if inside else self.provider

    @staticmethod
    def of(pool: Pool) -> Scope:
        """The narrowest scope: just this pool."""
        return Scope(
            provider=pool.provider,
            region=pool.region,
            zone=pool.zone,
            instance_type=pool.instance_type,
            market=pool.market,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A pool with its price now, what it holds, how sure we are, and when it was seen.

    ``price_usd_hour`` is for the whole machine in its own market; ``on_demand_usd_hour`` is what the same
    shape costs on demand there, where that is known. ``gpu`` is a canonical name of `core.gpus`, or the
    provider's own word for one that the table does not know. ``storage_usd_gb_month`` is what a GB of disk
    costs beside the price (0: it is in the price), ``egress_usd_gb`` what a GB costs that leaves the machine
    for elsewhere. ``obtainability`` is the provider's own word on the chance to get one now (0..1), and
    ``interruptions_per_hour`` on how often one is taken; None where it says nothing. ``ends_at`` is when every machine
    of it ends, with the offer itself (None: not known of any such time). ``source`` is "live", or names the public
    feed that the price came from. ``extra`` belongs to the adapter; core never reads it.
    """

    pool: Pool
    gpu: str = ""
    gpu_count: int = 0
    gpu_memory_gb: float | None = None
    vcpus: float = 0
    memory_gb: float = 0
    disk_gb: float | None = None
    price_usd_hour: Decimal
    on_demand_usd_hour: Decimal | None = None
    storage_usd_gb_month: Decimal = Decimal(0)
    egress_usd_gb: Decimal = Decimal(0)
    available: Availability = "unknown"
    why: str = ""
    obtainability: float | None = None
    interruptions_per_hour: float | None = None
    ends_at: float | None = None
    seen_at: float
    source: str = "live"
    extra: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


class Offers(tuple[Offer, ...]):
    """A provider's answer: offers, and in ``missing`` what is not among them, a sentence for people each.

    One region that does not answer must not cost the others, nor be passed over in silence.
    """

    missing: tuple[str, ...]

    def __new__(cls, offers: Iterable[Offer] = (), *, missing: Iterable[str] = ()) -> Offers:
        made = super().__new__(cls, offers)
        made.missing = tuple(missing)
        return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Want:
    """What to ask a provider for. Providers may answer with more than this; ranking turns it down.

    ``gpus``: alternatives ``(name, count)``, canonical names or families; count 0 means any count, and no
    ``gpus`` at all means every GPU that the provider sells.
    """

    gpus: tuple[tuple[str, int], ...] = ()
    cpus: float = 0
    memory_gb: float = 0
    disk_gb: float = 0
    markets: tuple[Market, ...] = ("spot", "on-demand")
    image: str = ""


# Some clouds take no more than 4096 bytes of a container's command.
SCRIPT_MOST_BYTES = 3900


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One machine, to be started from the first of ``alternatives`` that the provider can give.

    All alternatives are of one provider, best first. ``ttl_s`` is how long the machine may live at most (0: no limit
    known). ``image`` is a container image (empty: the provider's own choice, `Traits.container_image`): containers are
    made from it, on virtual machines the agent runs the job's command in it. ``vm_image`` names the disk image of a
    virtual machine, in the words of its cloud (empty: the adapter's default).

    ``script`` is what the machine does at its first boot, as root: a POSIX shell script of at most
    `SCRIPT_MOST_BYTES`, which brings the agent and starts it. It holds no secret but a key that is good for one start,
    and stays out of ``repr``. Where machines share this computer's disk there is none: there ``agent_env`` starts the
    agent and holds nothing secret, and ``secret_env`` must never reach user data, a log or an argument.
    ``ssh_key`` is a public key in OpenSSH's form that may open a shell there (empty: nobody may).
    """

    launch_key: str
    job: str
    attempt: int
    alternatives: tuple[Offer, ...]
    image: str = ""
    disk_gb: float = 0
    price_cap_usd_hour: Decimal | None = None
    ttl_s: float = 0
    vm_image: str = ""
    script: str = field(default="", repr=False)
    ssh_key: str = ""
    agent_env: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    secret_env: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """An alternative the cloud turned down: which scope, by which error (class name), in whose words."""

    scope: Scope
    error: str
    reason: str
    hint: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Launched:
    """A machine exists: its id, the offer it came from, and what was refused on the way to it.

    The offer's price is what is really paid: where a bid was made, the bid.
    """

    instance_id: str
    offer: Offer
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenMachine:
    """A machine as its provider lists it. ``launch_key`` tells whose it is.

    ``started_at`` is when the provider began to bill it, if it says so; ``ended_at`` when a machine that is gone (or
    stopped) ended. ``ending_reason`` is set where the provider tells why it ends or has ended, ``detail`` are its own
    words on that. ``ssh`` is where a shell may be had: ``user@host:port``.
    """

    launch_key: str
    instance_id: str
    pool: Pool
    phase: SeenPhase
    started_at: float | None = None
    ended_at: float | None = None
    ending_reason: EndReason = ""
    detail: str = ""
    ssh: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """All machines of this owner at one provider. A failed listing is ``ok=False``, never an empty one.

    ``started_at`` is when the asking began: what was launched later may be missing from it. ``before_at`` is when the
    last good one before it began (None: there was none in this process): what went since then went in between.
    """

    provider: str
    started_at: float
    ok: bool
    machines: tuple[SeenMachine, ...] = ()
    error: str = ""
    before_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """How a provider differs from the others, as data.

    ``settle_s``: how long a launch may be missing from the listing. ``notice_s``: the warning before a
    machine is taken (0: none). ``rest_s``: the first rest of a dry pool; repeated refusals double it up to
    ``max_rest_s``. ``boot_timeout_s``: no word from the agent for so long after launch means the machine
    never came up. ``start_s``: boot, restore and setup until a machine does useful work, as a
    first guess. ``silence_s``: how long a machine that is still listed may say nothing and make no
    progress before it is replaced. ``shares_disk``: its machines see this computer's files.
    ``rehearsal``: costs nothing real, and so is used only when named or when there is nothing else.
    ``prices_only``: why nothing can be launched there (no credentials, say), for a person; empty where
    machines can be had.

    ``container_image``: its machines are containers, by default of this image; empty: they are virtual machines.
    ``notice_source``: how an agent there is told of a notice. ``end_command``: the shell command by which a machine
    ends itself, and its own billing where that is possible. ``strangers``: machines stand with people whom nobody
    vouches for, so that whatever is sent there is as good as published.

    For the bill: ``disk_gb`` is the disk that comes with a machine where its job names none, ``home_store`` the scheme
    of the stores that are this cloud's own (``s3``, say): what goes to one of them in the same region costs nothing.
    """

    settle_s: float
    idempotent_launch: bool
    notice_s: float
    has_spot: bool
    bids: bool
    stopped_still_bills: bool
    shutdown_ends_billing: bool
    server_side_ttl: bool
    list_interval_s: float
    rest_s: float = 180.0
    max_rest_s: float = 3600.0
    boot_timeout_s: float = 900.0
    start_s: float = 300.0
    silence_s: float = 1800.0
    shares_disk: bool = False
    rehearsal: bool = False
    prices_only: str = ""
    container_image: str = ""
    notice_source: NoticeSource = ""
    end_command: str = "shutdown -h now"
    strangers: bool = False
    disk_gb: float = 0.0
    home_store: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unusable:
    """A provider where no machine can be had: by which error (class name), and why.

    ``until``: when it is asked again (seconds since the epoch); None: when its settings have changed.
    """

    provider: str
    error: str
    reason: str
    hint: str = ""
    until: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Billing:
    """How a provider tells what it bills, as data.

    ``why_not`` (with ``hint``): why it cannot be asked what a machine cost, for a person; empty where it can.
    ``lag_s``: after its end a machine's bill may grow for so long. ``step_usd``: what an amount of one day is rounded
    to (0: it is not).
    """

    why_not: str = ""
    hint: str = ""
    lag_s: float = 0.0
    step_usd: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """What a provider has billed for one instance so far.

    ``machine_usd`` is what stands against the price of its offer; ``storage_usd`` and ``traffic_usd`` come beside it.
    """

    instance_id: str
    machine_usd: Decimal
    storage_usd: Decimal = Decimal(0)
    traffic_usd: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that `check` found out about a provider: what was tried, whether it is fine, what to do if not.

    ``kind``: "credentials" (found where), "call" (permitted or not) or "quota" (how much may be had).
    """

    kind: Literal["credentials", "call", "quota"]
    name: str
    ok: bool
    detail: str
    hint: str = ""
