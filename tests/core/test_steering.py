"""Steering: what a policy says is done, and deadlines hold."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.book import Job
from spotlaunch.core.choosing import BOTH, terms_of
from spotlaunch.core.decide import hungry
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Scope
from spotlaunch.core.rank import rank
from spotlaunch.core.rules import LEAVE_HEARD_S, Markets
from spotlaunch.core.spec import CheckpointSpec, Fallback, Limits
from spotlaunch.core.standing import Standing, redo_s, stand, tick_s
from tests.core.worlds import (
    CLOUD,
    NOW,
    PAID,
    PAID_OFFER,
    After,
    a_job,
    a_machine,
    a_pool,
    a_refusal,
    a_spec,
    a_world,
    an_attempt,
    an_offer,
    look,
    says,
)

HOUR_S = 3600.0
OTHER = a_pool(zone="us-1b")

# Of a start here, with the grace and the tick that may be lost: what an on-demand start is given.
TICK_S = tick_s(a_spec(), {"cloud": CLOUD})
START_S = CLOUD.start_s + 25.0 + TICK_S
PAYING = a_machine(pool=PAID, price_usd_hour=Decimal("3.00"))


def due(in_s: float, work_s: float | None = 10 * HOUR_S, *, policy: str = "", new: bool = False, **changes: Any) -> Job:
    """A job with so much time left, and so much work."""
    spec = a_spec(work_s=work_s, policy=policy)
    fresh = {"state": "queued", "last_attempt": 0, "attempts_ran": 0} if new else {}
    return a_job(**{"spec": spec, "deadline_at": NOW + in_s, "submitted_at": NOW, **fresh, **changes})


def waiting(job: Job, *offers: Any, **world: Any) -> After:
    return look(job, offers=offers, **world)


def running(job: Job, *offers: Any, market: str = "spot", machine: Any = None, **attempt: Any) -> After:
    machine = machine or (a_machine() if market == "spot" else PAYING)
    status = says(phase=attempt.get("phase", "running"), commits=attempt.get("commits", 1))
    return look(job, [an_attempt(market=market, **attempt)], [machine], says=[status], offers=offers)


def markets(after: After) -> list[str]:
    return [o.pool.market for call in after.launches for o in call.order.alternatives]


def standing(job: Job, *offers: Any, **world: Any) -> Standing:
    draft = Draft(a_world(job, **world))
    terms = terms_of(draft, job, Markets(allowed=BOTH, why_not=""))
    return stand(draft, job, rank(offers, terms, launch_key="k"), None)


# -- with no machine ------------------------------------------------------------------------------------------


def test_with_time_to_spare_it_begins_on_spot_and_says_so() -> None:
    after = waiting(due(20 * HOUR_S, new=True), an_offer(), PAID_OFFER)
    assert markets(after) == ["spot"]
    assert after.kinds == ["policy", "launch"]
    assert (after.job.decision, after.job.decided_at) == ("spot in cloud:us-1a/big/spot", NOW)
    assert after.told[0].data["slack_s"] == 10 * HOUR_S


def test_without_time_to_spare_it_begins_on_demand() -> None:
    after = waiting(due(10 * HOUR_S + START_S + 1, new=True), an_offer(), PAID_OFFER)
    assert (markets(after), after.job.decision) == (
        ["on-demand"],
        "on-demand: the deadline leaves no time to lose a machine in",
    )


def test_while_spot_is_dry_it_waits_and_asks_again_before_the_guard_may_call() -> None:
    in_s = 10 * HOUR_S + START_S + TICK_S + 100
    after = waiting(due(in_s, new=True, policy="greedy"), an_offer(available="no"), PAID_OFFER)
    assert (after.launches, after.job.decision) == ([], "waiting for spot")
    assert after.job.next_try_at == NOW + 100
    later = waiting(due(in_s - 100.5, policy="greedy"), an_offer(available="no"), PAID_OFFER)
    assert markets(later) == ["on-demand"]


def test_alternatives_are_what_the_policy_would_take_if_its_choice_refused() -> None:
    offers = [an_offer("1.00"), an_offer("1.10", OTHER), an_offer("1.20", a_pool(zone="us-1c")), PAID_OFFER]
    assert markets(waiting(due(40 * HOUR_S, policy="greedy", new=True), *offers)) == ["spot"] * 3


def test_a_pool_that_rests_is_down_and_was_lost() -> None:
    [pool] = standing(due(40 * HOUR_S), an_offer(), refusals=[a_refusal()]).situation.pools
    assert (pool.up, pool.up_for_s) == (False, 0.0)


def test_where_no_on_demand_can_be_had_at_the_last_moment_it_takes_spot() -> None:
    resting = a_refusal(Scope.of(PAID))
    after = waiting(due(10 * HOUR_S, new=True), an_offer(), PAID_OFFER, refusals=[resting])
    assert (markets(after), after.job.decision) == (
        ["spot"],
        "spot in cloud:us-1a/big/spot: no on-demand machine can be had",
    )


def test_while_nobody_knows_how_much_work_there_is_it_pays() -> None:
    after = waiting(due(1000 * HOUR_S, None, new=True), an_offer(), PAID_OFFER)
    assert (markets(after), after.job.decision) == (["on-demand"], "on-demand: how much work is left is not known yet")


def test_a_job_whose_deadline_is_over_is_done_as_soon_as_possible() -> None:
    after = waiting(due(-60.0), an_offer(), PAID_OFFER)
    assert (markets(after), after.job.decision) == (
        ["on-demand"],
        "on-demand: the deadline is over: as soon as possible",
    )


def test_a_policy_without_a_deadline_waits_as_long_as_the_job_has_patience() -> None:
    spec = a_spec(policy="slack", fallback=Fallback(patience_s=600.0))
    dry = (an_offer(available="no"), PAID_OFFER)
    assert waiting(a_job(spec=spec, waiting_since=NOW - 599), *dry).launches == []
    assert markets(waiting(a_job(spec=spec, waiting_since=NOW - 600), *dry)) == ["on-demand"]


def test_limits_hold_for_jobs_with_deadlines_too() -> None:
    spec = a_spec(work_s=HOUR_S, limits=Limits(attempts=1))
    after = waiting(due(40 * HOUR_S, spec=spec), an_offer(), PAID_OFFER)
    assert (after.job.state, after.job.reason) == ("failed", "limits.attempts (1) is reached")


# -- with a machine -------------------------------------------------------------------------------------------


def test_a_spot_machine_that_eats_the_time_for_an_on_demand_start_gets_one_beside_it() -> None:
    after = running(due(10 * HOUR_S + START_S - 1), an_offer(), PAID_OFFER)
    [launch] = after.launches
    assert (markets(after), launch.doc.predecessor, launch.doc.predecessor_wait_s) == (["on-demand"], 1, LEAVE_HEARD_S)
    assert (after.attempts[1].live, after.ended) == (True, [])


def test_one_that_is_heard_is_kept_where_an_on_demand_start_would_be_too_late_anyway() -> None:
    late = due(10 * HOUR_S + 100, policy="greedy")
    assert running(late, an_offer(), PAID_OFFER).launches == []
    silent = look(late, [an_attempt(heard_at=NOW - 500)], [a_machine()], offers=[an_offer(), PAID_OFFER])
    assert markets(silent) == ["on-demand"]


def test_a_start_on_spot_that_takes_too_long_is_given_up() -> None:
    job = due(10 * HOUR_S + START_S + 60)
    machine = a_machine(up_at=NOW - 50)
    after = running(job, an_offer(), PAID_OFFER, machine=machine, phase="starting", commits=0, resumed_step=None)
    assert (markets(after), after.launches[0].doc.predecessor) == (["on-demand"], 0)
    assert (after.attempts[1].outcome, after.ended) == ("replaced", ["i-1"])


def test_from_on_demand_it_goes_back_to_spot_beside_the_running_machine() -> None:
    after = running(due(40 * HOUR_S, policy="slack"), an_offer(), PAID_OFFER, market="on-demand")
    assert (markets(after), after.launches[0].doc.predecessor, after.asks) == (["spot"], 1, set())


def test_what_has_stored_nothing_yet_is_not_moved_for_money() -> None:
    job = due(40 * HOUR_S, policy="slack")
    after = running(job, an_offer(), PAID_OFFER, market="on-demand", commits=0, step=0)
    assert after.launches == []


def test_with_a_notice_the_policy_says_where_to_go() -> None:
    job = due(10 * HOUR_S + START_S)
    attempt = an_attempt(noticed_at=NOW - 1, notice_deadline_at=NOW + 100)
    after = look(job, [attempt], [a_machine()], says=[says()], offers=[an_offer(), PAID_OFFER])
    assert (markets(after), after.launches[0].doc.predecessor) == (["on-demand"], 1)


def test_while_one_takes_over_only_the_deadline_can_change_it() -> None:
    attempts = [an_attempt(1), an_attempt(2, phase="starting", predecessor=1, commits=0)]
    machines = [a_machine(1), a_machine(2, pool=OTHER)]
    offers = [an_offer(), an_offer("0.10", a_pool(zone="us-1c")), PAID_OFFER]
    calm = look(due(40 * HOUR_S, last_attempt=2), attempts, machines, offers=offers)
    assert (calm.launches, calm.ended) == ([], [])
    called = look(due(10 * HOUR_S + START_S - 1, last_attempt=2), attempts, machines, offers=offers)
    assert (markets(called), called.launches[0].doc.predecessor, called.ended) == (["on-demand"], 1, ["i-2"])


def test_beside_an_on_demand_machine_nothing_is_decided() -> None:
    attempts = [an_attempt(1), an_attempt(2, market="on-demand", predecessor=1, phase="starting")]
    assert hungry(a_world(due(HOUR_S), attempts).book, NOW) == {}


def test_a_refusal_is_answered_at_once() -> None:
    job = due(40 * HOUR_S, next_try_at=NOW + 500)
    gone = replace(a_machine(), state="ended", outcome="refused", reason="dry", ended_at=NOW)
    after = look(job, [an_attempt(heard_at=None, phase="")], [gone], offers=None)
    assert (after.attempts[1].outcome, after.job.next_try_at) == ("refused", NOW)


# -- what the policy is told ----------------------------------------------------------------------------------


def test_a_start_counts_with_the_grace_and_with_what_may_be_lost() -> None:
    s = standing(due(40 * HOUR_S), an_offer(), PAID_OFFER).situation
    assert (s.start_s, s.tick_s, s.pools[0].start_s) == (START_S, TICK_S, CLOUD.start_s + TICK_S)
    assert redo_s(a_spec(checkpoint=CheckpointSpec(every_s=10.0)), TICK_S) == 10.0


def test_what_providers_tell_of_a_pool_counts_when_it_is_first_seen() -> None:
    calm, flaky, plain = an_offer(interruptions_per_hour=0.004), an_offer(interruptions_per_hour=0.4), an_offer()
    seen = [standing(due(40 * HOUR_S), o).situation.pools[0].interruptions for o in (calm, plain, flaky)]
    assert seen[0] < 2.0 and seen[1] == 0.0 and seen[2] == 10.0


@settings(max_examples=60, deadline=None)
@given(
    left_h=st.floats(-5, 100),
    done_h=st.floats(0, 50),
    policy=st.sampled_from(["slack", "greedy", "uniform-progress"]),
    up=st.booleans(),
)
def test_whatever_the_moment_it_never_waits_without_time_for_an_on_demand_start(
    left_h: float, done_h: float, policy: str, up: bool
) -> None:
    job = due(left_h * HOUR_S, 40 * HOUR_S, policy=policy, done_s=done_h * HOUR_S)
    after = waiting(job, an_offer(available="yes" if up else "no"), PAID_OFFER)
    s = standing(job, an_offer(), PAID_OFFER).situation
    if not after.launches:
        assert s.left_s - s.tick_s >= s.work_left_s + s.start_s - 1e-3
        assert NOW < after.job.next_try_at <= NOW + CLOUD.rest_s
    assert not math.isnan(after.plan.wake_at)
