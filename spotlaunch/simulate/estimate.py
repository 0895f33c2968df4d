"""The estimate: what a job will cost, when it will be done, and how surely in time, under each policy.

By Monte Carlo: the very policies that run real jobs, replayed over futures drawn from the market as it is now and what
was learned of it (`simulate.futures`). All policies see the same futures. Prices stay as they are now, and on-demand
can always be had. Pure: the same question, runs and seed give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from spotlaunch.core.effective import work_of
from spotlaunch.core.facts import Offer
from spotlaunch.core.lessons import Learned
from spotlaunch.core.policy import POLICIES
from spotlaunch.core.situation import IDLE, ON_DEMAND, SpotPool
from spotlaunch.core.spec import Spec
from spotlaunch.core.standing import Standing
from spotlaunch.simulate.compare import mean, percentile
from spotlaunch.simulate.futures import Future, Journey, Prospect
from spotlaunch.simulate.replay import Run, Task, replay

# Of a market's thousands of pools the best are enough: the chance that so many are down at once is small.
MOST_POOLS = 8

# Ticks: of about ten minutes, shorter for short jobs (but not than the watchdog's own), longer for those of weeks.
TICK_S, LONGEST_TICK_S = 600.0, 1800.0
TICKS = 400

# So many decisions of each policy take about a second.
DECISIONS = 80_000
USUAL_RUNS, LEAST_RUNS = 200, 50

# A job that is late, or waits for spot without end, is followed for so many times the time it was to take, and a day.
FOLLOWED = 4
DAY_S = 86400.0

_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A job as it is now, times in seconds: ``deadline_s`` from now on (infinite: none), ``start_s`` of on-demand.

    ``prospects``: the spot pools that count, of ``pools`` that there are. ``on_demand``: what on-demand is bought of,
    None where no such machine can be had now: then ``on_demand_usd_hour`` is what it is likely to cost.
    """

    work_s: float
    deadline_s: float
    start_s: float
    tick_s: float
    patience_s: float
    on_demand_usd_hour: float
    on_demand: Offer | None
    on_demand_egress_usd: float
    prospects: tuple[Prospect, ...]
    pools: int

    @property
    def usual_runs(self) -> int:
        """As many as take about a second for each policy: fewer for jobs of weeks."""
        horizon_s = self.work_s if math.isinf(self.deadline_s) else self.deadline_s
        return max(LEAST_RUNS, min(USUAL_RUNS, int(DECISIONS * self.tick_s / horizon_s)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The mean over all runs, and what 5% and 95% of them do not exceed. None: later than anybody followed them."""

    mean: float | None
    p5: float | None
    p95: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What becomes of a job under one policy.

    Costs are to the cent, and of a run that was not done as far as it was followed. ``finish_s``: from now.
    ``in_time``: share of runs that met the deadline, None without one. ``unfinished``: share of runs that were not done
    when nobody followed them any more. Means of a run: ``interruptions``, ``paid_share`` (of its machine time, what was
    on-demand).
    """

    policy: str
    cost_mean_usd: Decimal
    cost_p5_usd: Decimal
    cost_p95_usd: Decimal
    finish_s: Span
    in_time: float | None
    unfinished: float
    interruptions: float
    paid_share: float


def question_of(spec: Spec, work_s: float, standing: Standing, learned: Learned, *, now: float) -> Question:
    """The job of ``spec``, submitted at ``now``, with ``work_s`` to compute. ``standing``: with nothing running."""
    s = standing.situation
    gb = Decimal(work_of(spec).checkpoint_gb)
    known = [(o, v) for o, v in zip(standing.offers, s.pools, strict=True) if o is not None]
    horizon_s = work_s + s.start_s if math.isinf(s.left_s) else s.left_s
    paid = next(iter(standing.on_demand), None)
    return Question(
        work_s=work_s,
        deadline_s=s.left_s,
        start_s=s.start_s,
        tick_s=_tick_s(horizon_s, s.tick_s),
        patience_s=s.patience_s,
        on_demand_usd_hour=s.on_demand_usd_hour,
        on_demand=paid,
        on_demand_egress_usd=0.0 if paid is None else float(paid.egress_usd_gb * gb),
        prospects=tuple(_prospect(o, v, learned, now, gb) for o, v in known[:MOST_POOLS]),
        pools=len(known),
    )


def estimate(
    question: Question, policies: Sequence[str], *, runs: int | None = None, seed: int = 1
) -> tuple[Outcome, ...]:
    """One outcome for each of ``policies`` (names of `core.policy.POLICIES`), over the same ``runs`` futures."""
    runs = question.usual_runs if runs is None else runs
    found: dict[str, list[tuple[Run, float]]] = {name: [] for name in policies}
    for run in range(runs):
        for name, one in zip(policies, _replayed(question, policies, seed, run), strict=True):
            found[name].append(one)
    return tuple(_outcome(question, name, found[name]) for name in policies)


def _replayed(q: Question, policies: Sequence[str], seed: int, run: int) -> Iterator[tuple[Run, float]]:
    """One future under each policy, with what it cost in dollars."""
    followed_s = FOLLOWED * (q.work_s + q.start_s + q.patience_s if math.isinf(q.deadline_s) else q.deadline_s) + DAY_S
    task = Task(
        work_s=q.work_s,
        deadline_s=q.deadline_s,
        overhead_s=q.start_s,
        tick_s=q.tick_s,
        on_demand_usd_hour=q.on_demand_usd_hour,
        spot_usd_hour=tuple(p.view.price_usd_hour for p in q.prospects),
        patience_s=q.patience_s,
    )
    future = Future(q.prospects, tick_s=q.tick_s, ticks=math.ceil(followed_s / q.tick_s), seed=seed, run=run)
    home = None if q.on_demand is None else (q.on_demand.pool, q.on_demand_egress_usd)
    for name in policies:
        journey = Journey(future, q.prospects, home)
        done = replay(task, (), 0, journey.deciding(POLICIES[name]), journey)
        yield done, done.cost_usd + journey.egress_usd


def _outcome(q: Question, name: str, runs: Sequence[tuple[Run, float]]) -> Outcome:
    costs = [usd for _, usd in runs]
    finished = [r.finished_s if r.done else math.inf for r, _ in runs]
    return Outcome(
        policy=name,
        cost_mean_usd=_usd(mean(costs)),
        cost_p5_usd=_usd(percentile(costs, 5)),
        cost_p95_usd=_usd(percentile(costs, 95)),
        finish_s=Span(
            mean=_finite(mean(finished)), p5=_finite(percentile(finished, 5)), p95=_finite(percentile(finished, 95))
        ),
        in_time=None if math.isinf(q.deadline_s) else mean([float(not r.late) for r, _ in runs]),
        unfinished=mean([float(not r.done) for r, _ in runs]),
        interruptions=mean([float(r.preemptions) for r, _ in runs]),
        paid_share=mean([_paid_share(r) for r, _ in runs]),
    )


def _paid_share(run: Run) -> float:
    busy = len(run.decisions) - run.decisions.count(IDLE)
    return run.decisions.count(ON_DEMAND) / busy if busy else 0.0


def _prospect(offer: Offer, view: SpotPool, learned: Learned, now: float, gb: Decimal) -> Prospect:
    """A pool that is down is not said to stay so: how soon it returns is by what is known of it otherwise."""
    hopeful = replace(offer, available="unknown") if offer.available == "no" else offer
    chance = learned.availability.of(hopeful, now)
    return Prospect(
        pool=offer.pool,
        view=view._replace(move_usd=0.0),
        belief=learned.rates.belief(offer),
        chance=chance if view.up else 0.0,
        return_chance=chance,
        egress_usd=float(offer.egress_usd_gb * gb),
    )


def _tick_s(horizon_s: float, least_s: float) -> float:
    """Some `TICKS` for a job: not below the watchdog's own tick, and beyond ten minutes only for jobs of weeks."""
    most_s = TICK_S if horizon_s <= 5 * TICKS * TICK_S else LONGEST_TICK_S
    return max(least_s, min(most_s, horizon_s / TICKS))


def _usd(amount: float) -> Decimal:
    return Decimal(amount).quantize(_CENT)


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
