"""The spec: what a job file says, parsed and checked. Pure values; `core.jobfile` reads the YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

MarketWish = Literal["auto", "spot", "on-demand"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a machine must have at least. ``gpus``: alternatives ``(name, count)``; empty for none."""

    gpus: tuple[tuple[str, int], ...] = ()
    cpus: float = 0
    memory_gb: float = 0
    disk_gb: float = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """Where the job may run: provider names, region globs, ``provider:region`` globs to leave out."""

    providers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """None means no limit. ``runtime_s`` counts machine time over all attempts; ``attempts`` those that ran."""

    price_usd_hour: Decimal | None = None
    cost_usd: Decimal | None = None
    runtime_s: float | None = None
    attempts: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fallback:
    """``patience_s``: how long to look for spot before paying on-demand (market ``auto`` only). ``look_every_s``: how
    often to look for spot while paying; None: as soon as a dry pool may have filled again."""

    patience_s: float = 1200.0
    return_to_spot: bool = True
    look_every_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BlobStoreRef:
    """Where checkpoints live. An empty url is the folder of this computer's own store."""

    url: str = ""
    endpoint: str = ""
    region: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointSpec:
    """``every_s`` None: as often as is best (`core.intervals`). ``signal``: what tells the program that this has
    changed, such as ``USR1``; empty for nothing, as that ends programs which do not expect it.
    """

    dir: str = "checkpoints"
    every_s: float | None = None
    keep: int = 3
    grace_s: float = 25.0
    signal: str = ""
    store: BlobStoreRef = field(default_factory=BlobStoreRef)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A whole job file. ``secrets`` are names; their values are never part of a spec.

    ``image``: the container that the command runs in. ``vm_images``: by provider, the disk image of its virtual
    machines, in its own words; where there is none, the adapter's default.

    ``deadline_s`` (after the submission) or ``deadline_at``: when it must have ended; both None: whenever.
    ``work_s``: the compute time it needs, None where nobody said. ``policy``: a name of `core.policy.POLICIES`, or
    empty for the usual.

    ``ssh``: whether a shell may be opened on its machines. ``ssh_key`` is the public key of that shell in OpenSSH's
    form; no file says it, submitting makes it.
    """

    name: str
    run: str
    setup: str = ""
    workdir: str = ""
    image: str = ""
    vm_images: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    market: MarketWish = "auto"
    where: Where = field(default_factory=Where)
    limits: Limits = field(default_factory=Limits)
    fallback: Fallback = field(default_factory=Fallback)
    checkpoint: CheckpointSpec = field(default_factory=CheckpointSpec)
    restart_on_exit: tuple[int, ...] = ()
    deadline_s: float | None = None
    deadline_at: float | None = None
    work_s: float | None = None
    policy: str = ""
    ssh: bool = False
    ssh_key: str = ""


def spec_to_dict(spec: Spec) -> dict[str, Any]:
    """A spec as plain JSON values, for the book. Money becomes text, so that it stays exact."""
    r, w, li, f, c = spec.resources, spec.where, spec.limits, spec.fallback, spec.checkpoint
    return {
        "name": spec.name,
        "run": spec.run,
        "setup": spec.setup,
        "workdir": spec.workdir,
        "image": spec.image,
        "vm_images": dict(spec.vm_images),
        "env": dict(spec.env),
        "secrets": list(spec.secrets),
        "resources": {
            "gpus": [list(g) for g in r.gpus],
            "cpus": r.cpus,
            "memory_gb": r.memory_gb,
            "disk_gb": r.disk_gb,
        },
        "market": spec.market,
        "where": {"providers": list(w.providers), "regions": list(w.regions), "exclude": list(w.exclude)},
        "limits": {
            "price_usd_hour": None if li.price_usd_hour is None else str(li.price_usd_hour),
            "cost_usd": None if li.cost_usd is None else str(li.cost_usd),
            "runtime_s": li.runtime_s,
            "attempts": li.attempts,
        },
        "fallback": {"patience_s": f.patience_s, "return_to_spot": f.return_to_spot, "look_every_s": f.look_every_s},
        "checkpoint": {
            "dir": c.dir,
            "every_s": c.every_s,
            "keep": c.keep,
            "grace_s": c.grace_s,
            "signal": c.signal,
            "store": {"url": c.store.url, "endpoint": c.store.endpoint, "region": c.store.region},
        },
        "restart_on_exit": list(spec.restart_on_exit),
        "deadline_s": spec.deadline_s,
        "deadline_at": spec.deadline_at,
        "work_s": spec.work_s,
        "policy": spec.policy,
        "ssh": spec.ssh,
        "ssh_key": spec.ssh_key,
    }


def spec_from_dict(raw: Mapping[str, Any]) -> Spec:
    """The inverse of `spec_to_dict`. Keys that older books lack have their defaults."""
    limits = dict(raw["limits"])
    for key in ("price_usd_hour", "cost_usd"):
        limits[key] = None if limits[key] is None else Decimal(limits[key])
    resources = dict(raw["resources"])
    resources["gpus"] = tuple((str(n), int(c)) for n, c in resources["gpus"])
    checkpoint = dict(raw["checkpoint"])
    checkpoint["store"] = BlobStoreRef(**checkpoint["store"])
    return Spec(
        name=raw["name"],
        run=raw["run"],
        setup=raw["setup"],
        workdir=raw["workdir"],
        image=raw["image"],
        vm_images=raw.get("vm_images", {}),
        env=dict(raw["env"]),
        secrets=tuple(raw["secrets"]),
        resources=Resources(**resources),
        market=raw["market"],
        where=Where(**{k: tuple(v) for k, v in raw["where"].items()}),
        limits=Limits(**limits),
        fallback=Fallback(**raw["fallback"]),
        checkpoint=CheckpointSpec(**checkpoint),
        restart_on_exit=tuple(raw["restart_on_exit"]),
        deadline_s=raw.get("deadline_s"),
        deadline_at=raw.get("deadline_at"),
        work_s=raw.get("work_s"),
        policy=raw.get("policy", ""),
        ssh=raw.get("ssh", False),
        ssh_key=raw.get("ssh_key", ""),
    )
