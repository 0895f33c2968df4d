"""Two attempts at once: a return to spot, a replacement after a notice, and who waits for whom."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch.core.rates import Lived
from spotlaunch.core.rules import LEAVE_HEARD_S
from spotlaunch.core.spec import CheckpointSpec, Fallback, Limits
from tests.core.worlds import (
    CLOUD,
    NOW,
    PAID,
    PAID_OFFER,
    After,
    a_job,
    a_machine,
    a_spec,
    an_attempt,
    an_offer,
    launching,
    leaves,
    look,
    says,
)

PAYING = a_machine(pool=PAID, price_usd_hour=Decimal("3.00"))


def paying(
    *offers: Any, job: Any = None, attempt: Any = None, status: Any = None, machine: Any = PAYING, **world: Any
) -> After:
    """A job on an on-demand machine, and what the market has."""
    attempt = attempt or an_attempt(market="on-demand", resumed_step=0)
    return look(job or a_job(), [attempt], [machine], says=[status or says()], offers=offers, **world)


def test_when_spot_comes_back_and_pays_a_second_attempt_begins_beside_the_first() -> None:
    after = paying(an_offer(), PAID_OFFER)
    [launch] = after.launches
    assert (launch.order.attempt, launch.doc.predecessor, launch.doc.predecessor_wait_s) == (2, 1, LEAVE_HEARD_S)
    assert {o.pool.market for o in launch.order.alternatives} == {"spot"}
    assert (after.attempts[1].live, after.asks, after.ended) == (True, set(), [])
    assert after.kinds == ["return", "launch"]


@pytest.mark.parametrize(
    "offer",
    [an_offer("2.99"), an_offer(available="unknown"), an_offer(available="no"), an_offer(interruptions_per_hour=6.0)],
)
def test_spot_that_does_not_pay_or_may_not_be_there_is_not_moved_to(offer: Any) -> None:
    after = paying(offer)
    assert after.launches == []
    assert (after.job.next_try_at, after.plan.wake_at) == (NOW + CLOUD.rest_s, NOW + 60)


def test_a_pool_that_took_our_machines_all_day_is_not_moved_to_whatever_its_provider_says() -> None:
    steady = an_offer("2.00", interruptions_per_hour=0.01)
    assert paying(steady).launches
    assert paying(steady, history={steady.pool: Lived(interruptions=60, hours=10.0)}).launches == []


def test_what_a_running_machine_costs_includes_the_checkpoints_that_its_job_insists_on() -> None:
    job = a_job(spec=a_spec(checkpoint=CheckpointSpec(every_s=60.0)))  # a twentieth of the time goes into them
    assert paying(an_offer("2.90", interruptions_per_hour=0.001), PAID_OFFER, job=job).launches


def test_from_a_provider_that_cannot_be_used_now_no_job_moves_away() -> None:
    elsewhere = replace(PAYING, pool=replace(PAID, provider="gone"))
    assert paying(an_offer(), machine=elsewhere).launches == []


def test_a_job_that_is_nearly_done_stays_where_it_is() -> None:
    nearly = a_job(total_steps=1000, step=995)
    attempt = an_attempt(market="on-demand", resumed_step=0, step=995)
    assert paying(an_offer(), job=nearly, attempt=attempt, status=says(step=995)).launches == []


@pytest.mark.parametrize(
    "changes",
    [
        {"job": a_job(spec=a_spec(fallback=Fallback(return_to_spot=False)))},
        {"job": a_job(spec=a_spec(market="on-demand"))},
        {"job": a_job(next_try_at=NOW + 5)},
        {"job": a_job(spec=a_spec(limits=Limits(attempts=1)))},
        {"attempt": an_attempt()},  # it is on spot
        {"attempt": an_attempt(market="on-demand", commits=0), "status": says(commits=0)},  # nothing to resume from
        {"status": says(phase="restoring")},
        {"status": says(phase="setup")},
        {"machine": replace(launching(tried_s_ago=5), pool=PAID)},
    ],
)
def test_a_return_to_spot_waits_for_its_time_and_its_reasons(changes: dict[str, Any]) -> None:
    assert paying(an_offer(), **changes).launches == []


def both(old: Any, new: Any, *said: Any, **changes: Any) -> After:
    machines = [replace(PAYING), a_machine(2, up_at=NOW - 100, tried_at=NOW - 100)]
    return look(a_job(last_attempt=2, attempts_ran=2), [old, new], machines, says=said, **changes)


OLD = an_attempt(1, market="on-demand")
NEW = an_attempt(2, predecessor=1, phase="waiting", commits=0, step=0, progressed_at=None)


def test_the_old_attempt_is_asked_to_leave_only_when_the_new_one_is_ready() -> None:
    for phase in ("starting", "restoring"):
        assert both(OLD, replace(NEW, phase=phase), says(1), says(2, phase)).asks == set()
    after = both(OLD, NEW, says(1), says(2, "waiting"))
    assert after.asks == {(1, "leave")}
    assert after.attempts[1].leave_reason == "attempt 2 takes over on a spot machine"


def test_when_the_old_attempt_has_left_the_new_one_is_told_to_proceed() -> None:
    asked = replace(OLD, leave_asked_at=NOW - 9, leave_reason="attempt 2 takes over on a spot machine")
    after = both(asked, NEW, leaves(1, "asked"), says(2, "waiting"))
    assert (after.attempts[1].outcome, after.attempts[2].live, after.job.state) == ("replaced", True, "running")
    assert (after.asks, after.ended) == ({(2, "proceed")}, ["i-1"])


def test_an_orphan_is_told_to_proceed_until_it_has_claimed() -> None:
    machine = a_machine(2, up_at=NOW - 100)
    waiting = look(a_job(last_attempt=2), [NEW], [machine], says=[says(2, "waiting")])
    assert waiting.asks == {(2, "proceed")}
    claimed = look(a_job(last_attempt=2), [NEW], [machine], says=[says(2, "restoring")])
    assert claimed.asks == set()


def test_a_predecessor_that_is_taken_away_is_not_also_asked_to_leave() -> None:
    after = both(replace(OLD, noticed_at=NOW - 30), NEW, says(1, "leaving"), says(2, "waiting"))
    assert after.asks == set()


def test_a_predecessor_that_finishes_meanwhile_finishes_the_job() -> None:
    after = both(OLD, NEW, leaves(1, code=0), says(2, "waiting"))
    assert (after.job.state, after.ended) == ("finished", ["i-1", "i-2"])


def test_a_successor_that_is_lost_leaves_the_old_attempt_running() -> None:
    after = both(OLD, NEW, says(1), leaves(2, "notice"))
    assert (after.attempts[1].live, after.attempts[2].outcome, after.ended) == (True, "preempted", ["i-2"])


def test_no_third_machine_is_started_while_two_are_live() -> None:
    noticed = replace(OLD, noticed_at=NOW - 30)
    after = both(noticed, replace(NEW, noticed_at=NOW - 5), says(1, "leaving"), says(2, "waiting"), offers=[an_offer()])
    assert after.launches == []


def test_the_successor_of_a_noticed_attempt_waits_past_its_deadline_and_no_longer() -> None:
    noticed = an_attempt(1, noticed_at=NOW - 20, notice_deadline_at=NOW - 10)
    after = look(a_job(), [noticed], [a_machine()], says=[says(1, "leaving")], offers=[an_offer()])
    assert after.launches[0].doc.predecessor_wait_s == 5.0
