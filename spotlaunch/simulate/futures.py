"""Futures: how pools may come and go from now on, drawn from what is known of them. The same seed draws the same.

Spells up and down are drawn anew each time, with the heavy tails of `core.hazard`: the longer one has lasted, the
longer it lasts. How often a pool takes machines is not known for sure, so each future draws the rate from what is
believed of it, and draws alike for pools of one kind, which borrow from each other and so err together. Otherwise pools
come and go each by itself.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice, repeat

from spotlaunch.core.availability import USUAL
from spotlaunch.core.facts import Pool
from spotlaunch.core.hazard import HAZARD, LEASE_CAP_S, YOUNG_S
from spotlaunch.core.policy import Policy
from spotlaunch.core.quantiles import gamma_quantile
from spotlaunch.core.rates import Belief
from spotlaunch.core.situation import ON_DEMAND, Action, Memory, Situation, SpotPool
from spotlaunch.simulate.replay import views_of

# A belief is drawn from at so many of its quantiles.
LEVELS = 24

# Where refusals are as likely as they are of a pool of which nothing is said, spot returns by the law by which it goes
# (so it does in the published traces). Where refusals have other odds, so many times sooner or later, within bounds.
SOONEST, LATEST = 0.25, 24.0

# No spell is drawn on a smaller scale: rates beyond that are no rates of machines that can be used.
LEAST_SCALE_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Prospect:
    """A spot pool as it is known now: what a policy is told of it, and what its future is drawn from.

    ``belief``: how often it takes machines. ``chance`` that a launch there is granted now, 0 if it is known that none
    is; ``return_chance``: the same while nothing tells against it, for how soon the pool returns once it is down.
    ``egress_usd``: to bring a checkpoint there from another region.
    """

    pool: Pool
    view: SpotPool
    belief: Belief
    chance: float
    return_chance: float
    egress_usd: float = 0.0


class Future:
    """The pools at each tick of one future. Made as far as it is read, and the same for all who read it."""

    def __init__(self, prospects: Sequence[Prospect], *, tick_s: float, ticks: int, seed: int, run: int) -> None:
        views = [views_of(p.view, _ups(p, tick_s, seed, run), tick_s) for p in prospects]
        self._coming: Iterator[tuple[SpotPool, ...]] = islice(zip(*views, strict=True) if views else repeat(()), ticks)
        self._known: list[tuple[SpotPool, ...]] = []

    def __iter__(self) -> Iterator[tuple[SpotPool, ...]]:
        yield from self._known
        for pools in self._coming:
            self._known.append(pools)
            yield pools


class Journey:
    """One job through one future: egress is due where it goes to another region than where it was.

    ``home``: where on-demand is, and what it costs to bring a checkpoint there; None: nobody knows.
    """

    def __init__(self, future: Future, prospects: Sequence[Prospect], home: tuple[Pool, float] | None) -> None:
        self._future = future
        self._places = [(p.pool.provider, p.pool.region) for p in prospects]
        self._egress_usd = [p.egress_usd for p in prospects]
        self._home = home
        self._last: tuple[str, str] | None = None
        self.egress_usd = 0.0

    def __iter__(self) -> Iterator[tuple[SpotPool, ...]]:
        free = not any(self._egress_usd) or len(set(self._places)) < 2
        for pools in self._future:
            yield pools if free or self._last is None else tuple(map(self._seen, pools, count()))

    def deciding(self, policy: Policy) -> Policy:
        """``policy`` itself, with an eye on where it goes."""

        def decide(s: Situation, memory: Memory) -> tuple[Action, Memory]:
            action, memory = policy(s, memory)
            if action != s.running:
                self._go(action)
            return action, memory

        return decide

    def _seen(self, pool: SpotPool, i: int) -> SpotPool:
        move_usd = self._egress_usd[i]
        return pool if not move_usd or self._places[i] == self._last else pool._replace(move_usd=move_usd)

    def _go(self, action: Action) -> None:
        if isinstance(action, int):
            place, usd = self._places[action], self._egress_usd[action]
        elif action == ON_DEMAND and self._home is not None:
            pool, usd = self._home
            place = pool.provider, pool.region
        else:
            return
        if self._last not in (None, place):
            self.egress_usd += usd
        self._last = place


def _ups(prospect: Prospect, tick_s: float, seed: int, run: int) -> Iterator[int]:
    """Whether the pool is up, tick by tick. Who runs there as it goes down between two ticks loses the machine."""
    pool = prospect.pool
    level = _levels(seed, run // LEVELS, f"{pool.provider}/{pool.instance_type}")[run % LEVELS]
    up_s, down_s = up_scale_s(rates_of(prospect.belief)[level]), down_scale_s(prospect.return_chance)
    chance = random.Random(f"{seed}/{run}/{pool}")
    up = chance.random() < prospect.chance
    until_s = _spell_s(chance, up_s if up else down_s)
    for tick in count():
        broke = False
        while until_s <= tick * tick_s:
            up = not up
            broke = broke or not up
            until_s += _spell_s(chance, up_s if up else down_s)
        yield up and not broke


def _spell_s(chance: random.Random, scale_s: float) -> float:
    """A spell of the law of `core.hazard`, ``HAZARD / (age + scale_s)`` ends for each second."""
    return scale_s * (float((1 - chance.random()) ** (-1 / HAZARD)) - 1)


@lru_cache(maxsize=4096)
def _levels(seed: int, block: int, kind: str) -> tuple[int, ...]:
    """The order in which so many runs take the quantiles of what is believed of a kind: each once."""
    levels = list(range(LEVELS))
    random.Random(f"{seed}/{block}/{kind}").shuffle(levels)
    return tuple(levels)


@lru_cache(maxsize=256)
def rates_of(belief: Belief) -> tuple[float, ...]:
    """Interruptions an hour at `LEVELS` quantiles of what is believed, each as likely as the others; rising."""
    shape, hours = belief
    return tuple(gamma_quantile((n + 0.5) / LEVELS, shape, hours) for n in range(LEVELS))


@lru_cache(maxsize=4096)
def up_scale_s(rate_per_hour: float) -> float:
    """The scale of spells up where leases of `LEASE_CAP_S` at most see ``rate_per_hour`` interruptions. Falls with it.

    With heavy tails a rate depends on how long one looks; nobody who measures rates looks for longer than that.
    """
    low_s, high_s = LEAST_SCALE_S, 1e12
    for _ in range(60):
        middle_s = math.sqrt(low_s * high_s)
        if _rate_per_hour(middle_s) > rate_per_hour:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


def _rate_per_hour(scale_s: float) -> float:
    """Interruptions for each hour of leases that begin with a spell and last until its end, or `LEASE_CAP_S`."""
    longer = math.log1p(LEASE_CAP_S / scale_s)
    ended = -math.expm1(-HAZARD * longer)
    lasted_s = -scale_s / (HAZARD - 1) * math.expm1(-(HAZARD - 1) * longer)
    return 3600 * ended / lasted_s


def down_scale_s(chance: float) -> float:
    """The scale of spells down, by the chance that a launch is granted while nothing tells against it."""
    usual = USUAL["unknown"]
    odds = (1 - chance) / max(chance, 1e-9) * usual / (1 - usual)
    return YOUNG_S * min(LATEST, max(SOONEST, odds))
