"""The estimate: ranges in order, promises kept, the same for the same seed, and by the very policies of real jobs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.book import Book
from spotlaunch.core.choosing import BOTH
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Offer
from spotlaunch.core.lessons import NOTHING_LEARNED, Learned
from spotlaunch.core.plan import World
from spotlaunch.core.policy import POLICIES, PROMISE_DEADLINES, Memory, Policy
from spotlaunch.core.rank import Terms, rank
from spotlaunch.core.rates import Lived
from spotlaunch.core.situation import Action, Situation
from spotlaunch.core.standing import Standing, stand
from spotlaunch.simulate import estimate as estimating
from spotlaunch.simulate.estimate import MOST_POOLS, Outcome, Question, estimate, question_of
from tests.core.worlds import CLOUD, NOW, PAID_OFFER, a_new_job, a_pool, a_spec, an_offer
from tests.simulate.prospects import FOR_EVER, a_prospect, a_question

H = 3600.0


def outcome(question: Question, policy: str, *, runs: int = 40, seed: int = 1) -> Outcome:
    (found,) = estimate(question, [policy], runs=runs, seed=seed)
    return found


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Jobs that on-demand can end in time, if only just; pools of any price, rate and willingness."""
    numbers = st.floats(0.0, 1.0)
    prospects = [
        a_prospect(
            f"z{i}",
            rate=draw(st.sampled_from([0.0, 0.01, 0.3, 5.0])),
            price=draw(st.sampled_from([0.3, 1.0, 4.0])),
            chance=draw(numbers),
            return_chance=draw(numbers),
        )
        for i in range(draw(st.integers(0, 3)))
    ]
    work_s, start_s = draw(st.floats(60, 6 * H)), draw(st.floats(0, 1200))
    spare_s = draw(st.sampled_from([0.0, 1.0, 900.0, 3 * H]))
    tick_s = draw(st.sampled_from([120.0, 600.0]))
    deadline_s = draw(st.sampled_from([FOR_EVER, work_s + start_s + spare_s]))
    return replace(
        a_question(*prospects, work_s=work_s, start_s=start_s, tick_s=tick_s, deadline_s=deadline_s),
        prospects=tuple(prospects),
    )


@settings(max_examples=40)
@given(questions(), st.integers(0, 5))
def test_ranges_are_in_order_and_promises_are_kept(question: Question, seed: int) -> None:
    for o in estimate(question, list(POLICIES), runs=5, seed=seed):
        assert Decimal(0) <= o.cost_p5_usd <= o.cost_p95_usd
        assert o.cost_p5_usd <= o.cost_mean_usd <= o.cost_p95_usd  # of five runs the least and the most
        span = o.finish_s
        if span.p5 is not None and span.p95 is not None:
            assert question.work_s - 1e-3 <= span.p5 <= span.p95
        assert (o.in_time is None) == (question.deadline_s == FOR_EVER)
        if o.policy in PROMISE_DEADLINES:
            assert o.unfinished == 0
            assert o.in_time in (None, 1.0)


def test_the_same_seed_says_the_same_and_another_something_else() -> None:
    question = a_question(a_prospect(rate=0.5))
    assert outcome(question, "slack") == outcome(question, "slack")
    assert outcome(question, "slack", seed=2) != outcome(question, "slack")


def test_a_policy_is_told_the_same_future_whatever_other_policies_are_asked_about() -> None:
    question = a_question(a_prospect(rate=0.5), a_prospect("b", rate=0.5, price=1.1))
    every = estimate(question, list(POLICIES), runs=20)
    assert [outcome(question, name, runs=20) for name in POLICIES] == list(every)


def test_on_demand_costs_its_price_for_work_and_one_start_whatever_comes() -> None:
    o = outcome(a_question(a_prospect(rate=5.0)), "on-demand")
    usd = Decimal("24.3333")
    assert (o.cost_mean_usd, o.cost_p5_usd, o.cost_p95_usd) == (usd, usd, usd)
    assert o.finish_s.mean == pytest.approx(8 * H + 400)
    assert (o.in_time, o.interruptions, o.paid_share, o.unfinished) == (1.0, 0.0, 1.0, 0.0)


def test_spot_that_never_goes_costs_its_price_and_one_start_in_its_own_time() -> None:
    o = outcome(a_question(a_prospect(rate=0.0, chance=1.0)), "spot")
    assert o.cost_p95_usd == Decimal("8.0833")
    assert o.finish_s.p95 == pytest.approx(8 * H + 300)


@pytest.mark.parametrize("name", ["spot", "slack"])
@pytest.mark.parametrize("deadline_s", [12 * H, 9 * H])
def test_more_interruptions_are_never_cheaper_on_average(name: str, deadline_s: float) -> None:
    costs = [
        outcome(a_question(a_prospect(rate=rate), deadline_s=deadline_s), name, runs=150).cost_mean_usd
        for rate in (0.0, 0.02, 0.1, 0.5)
    ]
    for less, more in pairwise(costs):
        assert more >= less * Decimal("0.99")
    assert costs[-1] > costs[0]


def test_more_slack_and_more_pools_make_it_cheaper() -> None:
    flaky = [a_prospect(zone, rate=0.5) for zone in "abcd"]
    tight = outcome(a_question(flaky[0], deadline_s=8.5 * H), "slack", runs=100)
    loose = outcome(a_question(flaky[0], deadline_s=16 * H), "slack", runs=100)
    many = outcome(a_question(*flaky, deadline_s=8.5 * H), "slack", runs=100)
    assert loose.cost_mean_usd < tight.cost_mean_usd
    assert many.cost_mean_usd < tight.cost_mean_usd


def test_spot_alone_may_be_late_and_its_chance_says_so() -> None:
    late = outcome(a_question(a_prospect(rate=0.5, return_chance=0.3), deadline_s=8.5 * H), "spot", runs=100)
    assert late.in_time is not None
    assert 0.05 < late.in_time < 0.95


def test_spot_where_there_is_none_is_never_done() -> None:
    o = outcome(replace(a_question(deadline_s=FOR_EVER), prospects=()), "spot", runs=2)
    assert (o.unfinished, o.cost_mean_usd, o.finish_s.mean, o.finish_s.p5) == (1.0, Decimal(0), None, None)


def test_without_a_deadline_all_policies_that_use_both_markets_are_one_rule() -> None:
    question = a_question(a_prospect(rate=0.5, return_chance=0.1), deadline_s=FOR_EVER)
    greedy, uniform, slack = estimate(question, ["greedy", "uniform-progress", "slack"], runs=30)
    assert replace(greedy, policy="") == replace(uniform, policy="") == replace(slack, policy="")
    assert slack.in_time is None
    assert slack.paid_share > 0


def test_patience_decides_how_soon_on_demand_is_bought() -> None:
    down = a_prospect(chance=0.0, return_chance=0.05)
    impatient, patient = (
        outcome(a_question(down, deadline_s=FOR_EVER, patience_s=patience_s), "slack") for patience_s in (0.0, 4 * H)
    )
    assert impatient.finish_s.mean is not None
    assert patient.finish_s.mean is not None
    assert impatient.finish_s.mean < patient.finish_s.mean
    assert impatient.cost_mean_usd > patient.cost_mean_usd


def test_it_asks_the_very_policies_that_run_real_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert vars(estimating)["POLICIES"] is POLICIES
    asked: list[Situation] = []
    slack: Policy = POLICIES["slack"]

    def listening(s: Situation, memory: Memory) -> tuple[Action, Memory]:
        asked.append(s)
        return slack(s, memory)

    monkeypatch.setattr(estimating, "POLICIES", MappingProxyType({**POLICIES, "slack": listening}))
    question = a_question(a_prospect(rate=0.3))
    heard = outcome(question, "slack", runs=3)
    monkeypatch.undo()
    assert heard == outcome(question, "slack", runs=3)
    assert asked[0].left_s == question.deadline_s
    assert asked[0].patience_s == question.patience_s
    assert asked[0].pools[0].start_s == 300.0


def test_jobs_of_weeks_are_estimated_in_fewer_and_longer_steps() -> None:
    assert a_question().usual_runs == 200
    assert a_question(deadline_s=2000 * H, tick_s=1800.0).usual_runs == 50


# -- from the market ------------------------------------------------------------------------------------


def standing_of(*offers: Offer, learned: Learned = NOTHING_LEARNED, **spec: object) -> tuple[Standing, Question]:
    job = a_new_job(spec=a_spec(**spec), submitted_at=NOW, deadline_at=NOW + 12 * H)
    terms = Terms(
        spec=job.spec, job=job.name, now=NOW, markets=BOTH, market_why="", refusals=(), traits={"cloud": CLOUD},
        file_store=False, max_age_s=300.0, rates=learned.rates,
    )  # fmt: skip
    ranking = rank(offers, terms, launch_key="k")
    world = World(now=NOW, owner="o", book=Book(jobs=(job,)), traits=terms.traits, learned=learned)
    standing = stand(Draft(world), job, ranking, None)
    return standing, question_of(job.spec, 8 * H, standing, learned, now=NOW)


def test_a_question_is_what_the_watchdog_would_tell_the_policy() -> None:
    standing, question = standing_of(PAID_OFFER, an_offer("1.00"), an_offer("1.20", a_pool(zone="us-1b")))
    s = standing.situation
    assert (question.deadline_s, question.start_s, question.patience_s) == (s.left_s, s.start_s, s.patience_s)
    assert (question.on_demand, question.on_demand_usd_hour) == (PAID_OFFER, 3.0)
    assert tuple(p.view for p in question.prospects) == s.pools
    assert tuple(p.pool for p in question.prospects) == standing.pools
    assert question.tick_s >= s.tick_s


def test_a_pool_that_is_down_now_may_return() -> None:
    _, question = standing_of(PAID_OFFER, an_offer(available="no"))
    (down,) = question.prospects
    assert (down.view.up, down.chance, down.return_chance) == (False, 0.0, 0.7)


def test_the_best_pools_count_and_how_many_there_are_is_told() -> None:
    offers = [an_offer(f"{1 + n / 10:.2f}", a_pool(zone=f"z{n:02d}")) for n in range(20)]
    standing, question = standing_of(PAID_OFFER, *reversed(offers))
    assert (len(question.prospects), question.pools) == (MOST_POOLS, 20)
    assert [p.pool for p in question.prospects] == list(standing.pools[:MOST_POOLS])
    assert max(p.view.price_usd_hour for p in question.prospects) < 2


def test_what_this_installation_has_lived_through_counts() -> None:
    offers = [PAID_OFFER, an_offer()]
    bad = Learned({a_pool(): Lived(interruptions=60, hours=60.0)})
    (fresh, known) = (standing_of(*offers, learned=learned)[1] for learned in (NOTHING_LEARNED, bad))
    assert known.prospects[0].belief == bad.rates.belief(an_offer())
    assert known.prospects[0].belief.hours == 72.0
    assert outcome(known, "spot").interruptions > 3 * outcome(fresh, "spot").interruptions


def test_traffic_is_told_in_dollars_for_a_checkpoint() -> None:
    _, question = standing_of(PAID_OFFER, an_offer(egress_usd_gb=Decimal("0.09")))
    assert question.prospects[0].egress_usd == pytest.approx(0.9)


def test_egress_is_part_of_the_cost() -> None:
    """Spot on one side of the ocean for an hour or two, on-demand on the other: what is left then moves there."""
    short = [a_prospect(rate=5.0, hours=1e4, return_chance=0.05, egress_usd=usd) for usd in (0.0, 50.0)]
    paid = an_offer("3.00", replace(PAID_OFFER.pool, region="eu-1"))
    free, dear = (
        outcome(a_question(p, on_demand=paid, on_demand_egress_usd=p.egress_usd, deadline_s=9 * H), "greedy")
        for p in short
    )
    assert dear.cost_mean_usd > free.cost_mean_usd + 20


def test_where_no_on_demand_can_be_had_its_price_is_reckoned() -> None:
    _, question = standing_of(an_offer("1.00", on_demand_usd_hour=Decimal("2.50")))
    assert (question.on_demand, question.on_demand_usd_hour) == (None, 2.5)
