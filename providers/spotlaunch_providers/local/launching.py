"""One launch: the machine that bears the key already, a new one, or every refusal on the way to none.

All of it happens under the cloud's lock, so that no two launches see the same last place in a pool.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spotlaunch.core.chance import draw
from spotlaunch.core.facts import Launched, Offer, Order, Pool, Refused
from spotlaunch.errors import InvalidOrder, OutcomeUnknown
from spotlaunch_providers.local import machines
from spotlaunch_providers.local.counters import Counters
from spotlaunch_providers.local.errors import refusal
from spotlaunch_providers.local.files import machine_name, parse_name
from spotlaunch_providers.local.market import Market, MarketPool
from spotlaunch_providers.local.offers import refuse
from spotlaunch_providers.shared.refused import as_error, ends_the_call

HANG_WITHIN_S = 3.0  # a machine that hangs does so within this time after its boot


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A machine's folder exists. ``door`` is None for one that was there before; else it holds the machine."""

    launched: Launched
    door: int | None = None
    host_order: Mapping[str, Any] = field(default_factory=dict, repr=False)  # secrets are in it


class Launching:
    """One call. Afterwards ``slow_s`` says how long it shall take, ``answer_lost`` whether anybody hears of it."""

    def __init__(
        self, *, order: Order, owner: str, folder: Path, market: Market, now: float, agent_command: Sequence[str]
    ) -> None:
        self.order, self.owner, self.folder, self.market, self.now = order, owner, folder, market, now
        self.agent_command = list(agent_command)
        self.slow_s = 0.0
        self.answer_lost = False

    def decide(self, counters: Counters) -> Made:
        """Take the first alternative that can be had. Raises the last refusal, or `OutcomeUnknown`."""
        if not self.order.alternatives:
            raise InvalidOrder("an order without alternatives")
        if (found := self.bearing_the_key()) is not None:
            return found
        refused: list[Refused] = []
        for offer in self.order.alternatives:
            pool = self.market.find(offer.pool)
            no = self.unknown(offer) if pool is None else self.ask(pool, counters)
            if pool is not None and no is None:
                return self.make(pool, offer, tuple(refused), counters)
            assert no is not None
            refused.append(no)
            if ends_the_call(no):
                break
        raise as_error(refused)

    def bearing_the_key(self) -> Made | None:
        """The machine of this owner that bears the launch key, if it lives."""
        for name in machines.names(self.folder):
            parsed = parse_name(name)
            if parsed is None or parsed[2] != self.tag():
                continue
            machine = self.folder / "machines" / name
            record = machines.read_record(machine)
            if record is not None and machines.knock(machine):
                return Made(launched=Launched(instance_id=name, offer=self.offer_of(record)))
        return None

    def ask(self, pool: MarketPool, counters: Counters) -> Refused | None:
        """None if the pool gives a machine. Raises `OutcomeUnknown` when its answer gets lost on a refusal."""
        faults, digest = pool.faults, self.market.digest
        self.slow_s += faults.slow_s
        arrives = True
        if faults.throttled or faults.lose_answer:
            call = counters.next(digest, f"{pool.name} calls", self.now)
            if self.luck(pool, "throttled", call) < faults.throttled:
                return refusal("throttled", pool.pool)
            self.answer_lost = self.luck(pool, "lost", call) < faults.lose_answer
            arrives = not self.answer_lost or self.luck(pool, "arrives", call) < 0.5
        taken = machines.taken(machines.names(self.folder))[pool.name]
        elapsed_s = self.now - counters.zero_at(digest, self.now)
        no = refuse(pool, cap=self.order.price_cap_usd_hour, taken=taken, elapsed_s=elapsed_s)
        if self.answer_lost and (no is not None or not arrives):
            raise lost_answer(pool.pool)
        return no

    def unknown(self, offer: Offer) -> Refused:
        """A pool that this market does not have: it never did, or the market file is another since the offer."""
        changed = offer.extra.get("market", self.market.digest) != self.market.digest
        return refusal("changed" if changed else "unknown-pool", offer.pool)

    # -- making one --------------------------------------------------------------------------------------

    def make(self, pool: MarketPool, offer: Offer, refused: tuple[Refused, ...], counters: Counters) -> Made:
        name = machine_name(pool.name, counters.serial(), self.tag())
        number = counters.next(self.market.digest, f"{pool.name} machines", self.now)
        host_order = self.host_order(pool, number, zero_at=counters.zero_at(self.market.digest, self.now))
        door = machines.create(self.folder, self.record(pool, name))
        launched = Launched(instance_id=name, offer=offer, refused=refused)
        return Made(launched=launched, door=door, host_order=host_order)

    def record(self, pool: MarketPool, name: str) -> dict[str, Any]:
        """What is kept of a machine on disk, for everybody to read who may read the folder: no secret."""
        p = pool.pool
        return {
            "instance_id": name,
            "launch_key": self.order.launch_key,
            "owner": self.owner,
            "job": self.order.job,
            "attempt": self.order.attempt,
            "pool": {"region": p.region, "zone": p.zone, "instance_type": p.instance_type, "market": p.market},
            "price_usd_hour": str(pool.price_usd_hour),
            "started_at": self.now,
            "phase": "starting",
            "ending_reason": "",
        }

    def host_order(self, pool: MarketPool, number: int, *, zero_at: float) -> dict[str, Any]:
        """What the host of the pool's machine ``number`` is told, its luck included. See `fate.Fate`."""
        hangs = self.luck(pool, "hangs", number) < pool.faults.hang
        return {
            "agent_command": self.agent_command,
            "agent_env": dict(self.order.agent_env),
            "secret_env": dict(self.order.secret_env),
            "boot_s": pool.boot_s,
            "notice_s": pool.notice_s,
            "never_boots": self.luck(pool, "never boots", number) < pool.faults.never_boots,
            "life_s": life_s(self.luck(pool, "life", number), pool.interruptions_per_hour),
            "hang_after_s": HANG_WITHIN_S * self.luck(pool, "hangs at", number) if hangs else None,
            "ttl_s": self.order.ttl_s,
            "trace": pool.trace.to_dict() if pool.trace else None,
            "zero_at": zero_at,
        }

    def luck(self, pool: MarketPool, what: str, number: int) -> float:
        return draw(self.market.seed, pool.name, what, number)

    def tag(self) -> str:
        """Ten characters of a machine's name that stand for its owner and launch key, to find it by them.

        And for this cloud's folder: names are what processes are found and killed by, so two clouds on one
        computer must never give the same.
        """
        whose = f"{self.folder.absolute()}\0{self.owner}\0{self.order.launch_key}"
        return hashlib.sha256(whose.encode()).hexdigest()[:10]

    def offer_of(self, record: Mapping[str, Any]) -> Offer:
        """The alternative that a machine came from; where it is none of them, what its record tells."""
        pool = machines.pool_of(record)
        told = Offer(pool=pool, price_usd_hour=machines.price_of(record), seen_at=record["started_at"])
        return next((o for o in self.order.alternatives if o.pool == pool), told)


def life_s(luck: float, interruptions_per_hour: float | None) -> float | None:
    """How long a machine lives after its boot, drawn from an exponential distribution; None: for ever."""
    if not interruptions_per_hour:
        return None
    return -math.log(1.0 - luck) * 3600.0 / interruptions_per_hour


def lost_answer(pool: Pool) -> OutcomeUnknown:
    """The error of a call whose answer did not come back."""
    return OutcomeUnknown(f"the connection broke while {pool} was asked for a machine")
