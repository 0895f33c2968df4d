"""The estimate: what a job will cost, when it will be done, and how surely in time, under each policy.

By Monte Carlo: the very policies that run real jobs, replayed over futures drawn from the market as it is now and what
was learned of it (`simulate.futures`). All policies see the same futures. Prices stay as they are now, and on-demand
can always be had. Pure: the same question, runs and seed give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from spotlaunch.core.effective import work_of
from spotlaunch.core.facts import Offer
from spotlaunch.core.lessons import Learned
from spotlaunch.core.policy import POLICIES, PROMISE_DEADLINES, Policy
from spotlaunch.core.situation import IDLE, ON_DEMAND, SpotPool
from spotlaunch.core.spec import Spec
from spotlaunch.core.standing import Standing
from spotlaunch.simulate.compare import mean, percentile
from spotlaunch.simulate.futures import Future, Journey, Prospect
from spotlaunch.simulate.replay import Run, Task, replay

# Of a market's thousands of pools the best are enough: the chance that so many are down at once is small.
MOST_POOLS = 8

# Ticks are of ten minutes: shorter for jobs of hours, which get so many (but not shorter than the watchdog's own), and
# longer for those of weeks.
TICK_S, LONGEST_TICK_S = 600.0, 1800.0
TICKS = 200
WEEKS_S = 14 * 86400.0

# So many decisions of each policy take about a second.
DECISIONS = 80_000
USUAL_RUNS, LEAST_RUNS = 200, 50

# A job that is late, or waits for spot without end, is followed for so many times the time it was to take, and a day.
FOLLOWED = 4
DAY_S = 86400.0

# As bills are shown: jobs of minutes cost cents.
_UNIT_USD = Decimal("0.0001")


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

    Costs are to the hundredth of a cent, and of a run that was not done as far as it was followed. ``finish_s``: from
    now. ``in_time``: share of runs that met the deadline, None without one. ``unfinished``: share of runs that were not
    done when nobody followed them any more. Means of a run: ``interruptions``, and ``paid_share`` (what was on-demand
    of its machine time).
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
    # Of a deadline that is counted from the submission no moment has gone yet, whatever it took to ask the market.
    deadline_s = s.left_s if spec.deadline_s is None else spec.deadline_s
    horizon_s = work_s + s.start_s if math.isinf(deadline_s) else deadline_s
    paid = next(iter(standing.on_demand), None)
    return Question(
        work_s=work_s,
        deadline_s=deadline_s,
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
    question: Question,
    policies: Sequence[str],
    *,
    runs: int | None = None,
    seed: int = 1,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[Outcome, ...]:
    """One outcome for each of ``policies`` (names of `core.policy.POLICIES`), over the same ``runs`` futures.

    ``progress`` hears which share is done.
    """
    runs = question.usual_runs if runs is None else runs
    found: dict[str, list[tuple[Run, float]]] = {name: [] for name in policies}
    for run in range(runs):
        for name, one in zip(policies, _replayed(question, policies, seed, run), strict=True):
            found[name].append(one)
        progress((run + 1) / runs)
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
        done = replay(task, (), 0, journey.deciding(_policy(q, name)), journey)
        yield done, done.cost_usd + journey.egress_usd


def _policy(q: Question, name: str) -> Policy:
    """Who promises a deadline does not wait for spot where none fits: as in `core.steering`."""
    in_vain = not q.prospects and math.isfinite(q.deadline_s) and name in PROMISE_DEADLINES
    return POLICIES["on-demand" if in_vain else name]


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
    most_s = TICK_S if horizon_s <= WEEKS_S else LONGEST_TICK_S
    return max(least_s, min(most_s, float(round(horizon_s / TICKS))))


def _usd(amount: float) -> Decimal:
    return Decimal(amount).quantize(_UNIT_USD)


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
