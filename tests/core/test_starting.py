"""Starting: when a job gets a machine, which one, and what it does when there is none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch.core.book import Machine
from spotlaunch.core.decide import hungry
from spotlaunch.core.draft import IDLE_S
from spotlaunch.core.facts import Offer, Scope
from spotlaunch.core.hopeless import INVALID_HINT
from spotlaunch.core.rates import Lived
from spotlaunch.core.rules import ALTERNATIVES, MACHINE_TTL_S, OFFER_MAX_AGE_S
from spotlaunch.core.spec import CheckpointSpec, Fallback, Limits, Resources, Where
from tests.core.worlds import (
    CLOUD,
    NOW,
    PAID,
    PAID_OFFER,
    After,
    a_job,
    a_machine,
    a_new_job,
    a_pool,
    a_refusal,
    a_spec,
    a_world,
    an_attempt,
    an_offer,
    key_of,
    look,
    says,
)

OTHER = replace(CLOUD, list_interval_s=3.0)


def started(*offers: Any, job: Any = None, **changes: Any) -> After:
    return look(job or a_new_job(), offers=offers, **changes)


def test_a_new_job_gets_the_cheapest_offer_and_writes_it_down_before_the_call() -> None:
    after = started(an_offer("2.00", a_pool(zone="us-1b")), an_offer("1.00"))
    [launch] = after.launches
    assert (launch.provider, launch.order.launch_key, launch.order.attempt) == ("cloud", key_of(1), 1)
    assert (after.machine().state, after.machine().pool, after.machine().price_usd_hour) == (
        "intended",
        a_pool(),
        Decimal("1.00"),
    )
    assert (after.job.state, after.job.last_attempt, after.attempts[1].market) == ("running", 1, "spot")
    assert after.kinds == ["launch"]


def test_an_order_holds_the_best_alternatives_of_one_provider_only() -> None:
    here = [an_offer(str(Decimal("1.00") + n), a_pool(zone=f"z{n}")) for n in range(ALTERNATIVES + 3)]
    there = an_offer("1.50", a_pool(provider="other"))
    after = started(*here, there, traits={"cloud": CLOUD, "other": OTHER})
    assert after.launches[0].order.alternatives == tuple(here[:ALTERNATIVES])
    assert [a.pool for a in after.machine().alternatives] == [o.pool for o in here[1:ALTERNATIVES]]


def test_an_agent_is_told_all_it_needs_and_nothing_secret() -> None:
    spec = a_spec(
        setup="make",
        env={"A": "1"},
        secrets=("TOKEN",),
        image="torch",
        checkpoint=CheckpointSpec(dir="out", every_s=60.0, keep=2, grace_s=9.0),
    )
    launch = started(an_offer(), job=a_new_job(spec=spec, bundle="beef")).launches[0]
    doc = launch.doc
    assert (doc.job, doc.attempt, doc.run, doc.setup, doc.bundle) == ("digits", 1, "python train.py", "make", "beef")
    assert (doc.env, doc.secrets, doc.checkpoint_dir, doc.keep, doc.grace_s) == ({"A": "1"}, ["TOKEN"], "out", 2, 9.0)
    assert (doc.checkpoint_every_s, doc.predecessor, doc.runtime_left_s, doc.budget_left_s) == (60.0, 0, 0.0, 0.0)
    assert (launch.order.image, launch.order.secret_env) == ("torch", {})


def test_limits_become_the_agents_own_so_that_they_hold_with_nobody_watching() -> None:
    spec = a_spec(limits=Limits(cost_usd=Decimal("1.00"), runtime_s=7200.0, price_usd_hour=Decimal("5")))
    launch = started(an_offer("1.00"), job=a_new_job(spec=spec), spent_usd="0.50", ran_s=1200.0).launches[0]
    assert launch.doc.runtime_left_s == 6000.0
    assert launch.doc.budget_left_s == 1800.0 - CLOUD.start_s
    assert (launch.order.ttl_s, launch.order.price_cap_usd_hour) == (1800.0, Decimal("5"))


def test_with_the_market_not_yet_asked_the_next_look_is_at_once() -> None:
    after = look(a_new_job())
    assert (after.launches, after.plan.wake_at, after.job.waiting_since) == ([], NOW, NOW)


def test_only_jobs_that_lack_a_machine_now_are_hungry() -> None:
    jobs = {
        "new": a_new_job(name="new"),
        "backing-off": a_new_job(name="backing-off", next_try_at=NOW + 1),
        "cancelled": a_new_job(name="cancelled", wanted="cancel"),
        "over": a_job(name="over", state="failed"),
        "running": a_job(name="running"),
        "noticed": a_job(name="noticed"),
        "leaving": a_job(name="leaving"),
        "paying": a_job(name="paying"),
    }
    attempts = [
        an_attempt(job="running"),
        an_attempt(job="noticed", noticed_at=NOW - 1),
        an_attempt(job="leaving", noticed_at=NOW - 1, leave_asked_at=NOW - 1),
        an_attempt(job="paying", market="on-demand"),
    ]
    assert set(hungry(a_world(list(jobs.values()), attempts).book, NOW)) == {"new", "noticed", "paying"}


def test_the_market_is_asked_for_what_the_job_file_says() -> None:
    spec = a_spec(resources=Resources(gpus=(("H100", 8),), cpus=4, memory_gb=9, disk_gb=7), market="spot", image="i")
    want = hungry(a_world(a_new_job(spec=spec)).book, NOW)["digits"]
    assert (want.gpus, want.cpus, want.memory_gb, want.disk_gb) == ((("H100", 8),), 4, 9, 7)
    assert (want.markets, want.image) == (("spot",), "i")


# -- patience and fallback ------------------------------------------------------------------------------

DRY = an_offer(available="no")


def test_on_demand_has_to_wait_for_patience_to_end() -> None:
    job = a_new_job(spec=a_spec(fallback=Fallback(patience_s=600)), waiting_since=NOW - 599)
    after = started(DRY, PAID_OFFER, job=job)
    assert (after.launches, after.job.rounds, after.job.next_try_at) == ([], 1, NOW + 1)
    assert after.job.note == "1 not available, 1 on-demand, while there is patience for spot"


def test_after_patience_the_job_pays_and_says_so() -> None:
    job = a_new_job(spec=a_spec(fallback=Fallback(patience_s=600)), waiting_since=NOW - 600)
    after = started(DRY, PAID_OFFER, job=job)
    assert (after.launches[0].order.alternatives, after.attempts[1].market) == ((PAID_OFFER,), "on-demand")
    assert after.kinds == ["fallback", "launch"]
    assert after.told[0].text == "no spot machine for 600 s: paying on-demand"


def test_after_patience_spot_is_still_taken_when_it_is_the_cheaper() -> None:
    job = a_new_job(waiting_since=NOW - 90_000)
    after = started(an_offer(), PAID_OFFER, job=job)
    assert after.attempts[1].market == "spot"
    assert after.kinds == ["launch"]


@pytest.mark.parametrize("spot", [[], [an_offer(gpu_count=9)]])
def test_where_no_spot_could_ever_fit_on_demand_is_taken_at_once(spot: list[Any]) -> None:
    spec = a_spec(resources=Resources(gpus=(("V100", 1),)))
    after = started(*spot, PAID_OFFER, job=a_new_job(spec=spec))
    assert (after.attempts[1].market, after.kinds) == ("on-demand", ["launch"])


def test_a_job_that_wants_spot_alone_never_pays() -> None:
    job = a_new_job(spec=a_spec(market="spot"), waiting_since=0.0)
    assert started(DRY, PAID_OFFER, job=job).launches == []


# -- waiting --------------------------------------------------------------------------------------------


def test_a_fruitless_round_backs_off_and_says_why() -> None:
    refused = a_refusal(Scope.of(a_pool(zone="us-1b")))
    after = started(DRY, an_offer(pool=a_pool(zone="us-1b")), refusals=[refused], failures={"aws": "no login"})
    assert (after.job.state, after.job.rounds, after.job.waiting_since) == ("queued", 1, NOW)
    assert NOW + CLOUD.rest_s / 4 <= after.job.next_try_at <= NOW + CLOUD.rest_s * 8
    assert after.job.note == "1 not available, 1 resting after a refusal or a loss, aws: no login"
    assert after.plan.wake_at == min(NOW + IDLE_S, after.job.next_try_at)


def test_the_same_reason_is_told_once() -> None:
    first = started(DRY)
    assert first.kinds == ["waiting"]
    again = started(DRY, job=replace(first.job, next_try_at=NOW))
    assert (again.kinds, again.job.rounds) == ([], 2)


def test_a_job_that_backs_off_is_left_alone_until_its_time() -> None:
    job = a_new_job(next_try_at=NOW + 5, waiting_since=NOW - 5)
    after = started(an_offer(), job=job)
    assert (after.launches, after.job, after.plan.wake_at) == ([], job, NOW + 5)


def test_an_old_price_is_not_bought_on() -> None:
    after = started(an_offer(seen_at=NOW - OFFER_MAX_AGE_S - 1))
    assert (after.launches, after.job.note) == ([], "1 price too old")


def test_what_can_never_fit_is_said_in_other_words_than_what_is_dry() -> None:
    far = a_new_job(spec=a_spec(where=Where(regions=("eu-*",))))
    assert started(an_offer(), PAID_OFFER, job=far).job.note == "none of 2 offers fits the job file"
    assert started(job=far).job.note == "no provider sells what the job file asks for"


def test_machines_that_cannot_see_a_folder_of_this_computer_are_of_no_use_to_its_jobs() -> None:
    job = a_new_job(store_url="file:///home/me/blobs")
    assert started(an_offer(), job=job).launches == []
    shared = started(an_offer(), job=job, traits={"cloud": replace(CLOUD, shares_disk=True)})
    assert len(shared.launches) == 1


# -- invalid orders -------------------------------------------------------------------------------------


def invalid(**changes: Any) -> Any:
    return a_refusal(**{"job": "digits", "error": "InvalidOrder", "reason": "no such image", **changes})


def test_a_job_whose_every_offer_is_called_invalid_fails_with_the_reason() -> None:
    after = started(an_offer(), refusals=[invalid()])
    assert after.job.state == "failed"
    assert (
        after.job.reason
        == f"no provider can give it a machine: cloud:us-1a/big/spot: no such image (hint: {INVALID_HINT})"
    )


def test_a_reason_given_in_many_places_is_told_once_with_its_hint() -> None:
    pools = [a_pool(zone=f"us-1{zone}") for zone in "abcde"]
    told = {"reason": "no such image", "hint": "name another"}
    refusals = [invalid(scope=Scope.of(p), **told) for p in pools]
    after = started(*(an_offer(pool=p) for p in pools), refusals=refusals)
    where = "cloud:us-1a/big/spot, cloud:us-1b/big/spot, cloud:us-1c/big/spot and 2 more"
    assert after.job.reason == f"no provider can give it a machine: {where}: no such image (hint: name another)"


def test_on_demand_is_not_waited_for_where_every_spot_order_is_invalid() -> None:
    after = started(an_offer(), PAID_OFFER, refusals=[invalid()])
    assert [launch.order.alternatives[0] for launch in after.launches] == [PAID_OFFER]
    waiting = started(
        an_offer(), PAID_OFFER, an_offer("1.10", a_pool(zone="us-1b"), available="no"), refusals=[invalid()]
    )
    assert waiting.launches == [], "there may be spot machines later"


def test_an_invalid_order_of_another_job_says_nothing_of_spot_for_this_one() -> None:
    after = started(an_offer(available="no"), PAID_OFFER, refusals=[invalid(job="other")])
    assert after.launches == []


def test_a_job_with_an_offer_that_nobody_called_invalid_waits_for_it() -> None:
    dry = an_offer(pool=a_pool(zone="us-1b"), available="no")
    assert started(an_offer(), dry, refusals=[invalid()]).job.state == "queued"


def test_what_is_invalid_for_one_job_is_not_for_another() -> None:
    assert len(started(an_offer(), refusals=[invalid(job="another")]).launches) == 1


# -- what only a person can mend ------------------------------------------------------------------------


def test_a_new_job_fails_at_once_where_every_login_is_refused_and_says_what_to_do() -> None:
    why = {"cloud": "the key is not accepted (hint: get a new one)"}
    after = started(failures=why, shut=["cloud"])
    assert after.job.state == "failed"
    assert after.job.reason == f"no provider can give it a machine: cloud: {why['cloud']}"


def test_a_new_job_fails_at_once_where_its_launch_found_the_account_empty() -> None:
    empty = a_refusal(scope=Scope(provider="cloud"), error="OutOfFunds", reason="no money", hint="add some", since=NOW)
    after = started(an_offer(), refusals=[empty])
    assert after.job.state == "failed"
    assert after.job.reason == "no provider can give it a machine: cloud: no money (hint: add some)"


def test_one_provider_that_may_yet_answer_keeps_a_new_job_waiting() -> None:
    after = started(failures={"cloud": "the key is not accepted", "other": "did not answer"}, shut=["cloud"])
    assert after.job.state == "queued"


def test_a_job_that_has_run_waits_for_its_login_to_be_renewed() -> None:
    job = a_new_job(attempts_ran=2, last_attempt=2)
    after = look(job, offers=[], failures={"cloud": "the credentials have run out"}, shut=["cloud"])
    assert after.job.state == "queued"
    assert after.job.note == "cloud: the credentials have run out"


def test_a_login_refused_before_the_job_was_submitted_does_not_count_against_it() -> None:
    job = a_new_job(submitted_at=NOW - 10)
    refused = a_refusal(scope=Scope(provider="cloud"), error="NotAuthorized", reason="bad key", since=NOW - 60)
    assert len(look(job, offers=[an_offer()], refusals=[refused]).launches) == 1
    again = replace(refused, since=NOW - 5)
    assert look(job, offers=[an_offer()], refusals=[again]).job.state == "failed"


# -- what a notice must not do --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        {"refusals": [invalid()]},
        {"spent_usd": "9.999"},
    ],
)
def test_a_job_without_a_next_machine_still_lets_the_noticed_one_save_its_work(trouble: dict[str, Any]) -> None:
    """It may end well within its notice, and its last checkpoint is worth keeping in any case."""
    job = a_job(spec=a_spec(limits=Limits(cost_usd=Decimal("20"))))
    noticed, machine = an_attempt(noticed_at=NOW - 1), a_machine(up_at=NOW - 36_000)
    after = look(job, [noticed], [machine], says=[says(phase="leaving")], offers=[an_offer()], **trouble)
    assert (after.job.state, after.attempts[1].live, after.ended, after.launches) == ("running", True, [], [])


def test_a_pool_that_has_taken_machines_all_day_is_not_the_first_choice_any_more() -> None:
    burnt, fresh = an_offer("1.00", a_pool(zone="b")), an_offer("1.10", a_pool(zone="f"))
    history = {burnt.pool: Lived(interruptions=40, hours=10.0), fresh.pool: Lived(interruptions=0, hours=10.0)}
    firsts = [
        look(a_new_job(), offers=[burnt, fresh], history=lived).launches[0].order.alternatives[0]
        for lived in ({}, history)
    ]
    assert firsts == [burnt, fresh]


# -- what a machine is told -----------------------------------------------------------------------------


def test_no_machine_lives_for_ever_and_its_agent_knows_in_time() -> None:
    [launch] = started(an_offer()).launches
    assert launch.order.ttl_s == MACHINE_TTL_S
    assert launch.doc.ttl_left_s == MACHINE_TTL_S - CLOUD.start_s
    limited = a_new_job(spec=a_spec(limits=Limits(runtime_s=600)))
    [launch] = started(an_offer(), job=limited).launches
    assert 600 < launch.order.ttl_s < 600 + 2 * CLOUD.start_s


def test_checkpoints_are_more_frequent_where_machines_are_taken_without_a_notice() -> None:
    def every_s(notice_s: float, market: str = "spot", asked_s: float | None = 900.0) -> float:
        spec = a_spec(checkpoint=CheckpointSpec(every_s=asked_s))
        traits = {"cloud": replace(CLOUD, notice_s=notice_s)}
        after = started(an_offer(pool=a_pool(market=market)), job=a_new_job(spec=spec), traits=traits)
        return after.launches[0].doc.checkpoint_every_s

    assert every_s(120.0) == 900.0
    assert every_s(0.0) == 300.0
    assert every_s(0.0, asked_s=90.0) == 60.0
    assert every_s(0.0, asked_s=30.0) == 30.0
    assert every_s(0.0, asked_s=None) == 0.0
    assert every_s(0.0, market="on-demand") == 900.0


def test_an_order_names_the_images_and_the_key_that_the_job_file_asks_for() -> None:
    spec = a_spec(image="pytorch/pytorch", vm_images={"cloud": "image-7", "other": "image-8"}, ssh_key="ssh-ed25519 A")
    [launch] = started(an_offer(), job=a_new_job(spec=spec)).launches
    assert (launch.order.image, launch.order.vm_image, launch.order.ssh_key) == (
        "pytorch/pytorch",
        "image-7",
        "ssh-ed25519 A",
    )


# -- what the bill will be held against --------------------------------------------------------------------------


def begun(*offers: Offer, **spec: Any) -> Machine:
    """The machine that is intended when these are offered."""
    return look(a_new_job(spec=a_spec(**spec)), offers=offers).machine(1)


def test_the_cheapest_on_demand_offer_is_written_down_with_a_spot_machine() -> None:
    dear, cheap = an_offer("3.00", PAID), an_offer("2.40", a_pool(market="on-demand", zone="us-1b"))
    machine = begun(an_offer("1.00"), dear, cheap)
    assert machine.pool.market == "spot"
    assert (machine.cheapest_usd_hour, machine.cheapest_pool) == (Decimal("2.40"), "cloud:us-1b/big/on-demand")


def test_offers_that_would_not_have_done_are_no_measure_of_the_bill() -> None:
    gone = an_offer("0.10", a_pool(market="on-demand", zone="us-1b"), available="no")
    small = an_offer("0.20", a_pool(market="on-demand", zone="us-1c"), gpu_count=0, gpu="", vcpus=1)
    machine = begun(an_offer("1.00"), gone, small, PAID_OFFER, resources=Resources(gpus=(("V100", 1),)))
    assert machine.cheapest_usd_hour == PAID_OFFER.price_usd_hour


def test_a_limit_on_the_price_does_not_make_on_demand_any_cheaper() -> None:
    paid = an_offer("2.80", PAID)
    machine = begun(an_offer("1.00"), paid, limits=Limits(price_usd_hour=Decimal("1.50")))
    assert machine.cheapest_usd_hour == Decimal("2.80")


def test_where_only_spot_was_asked_for_its_shapes_tell_what_they_cost_on_demand() -> None:
    other = an_offer("1.20", a_pool(zone="us-1b"), on_demand_usd_hour=Decimal("2.20"))
    machine = begun(an_offer("1.00"), other, market="spot")
    assert (machine.cheapest_usd_hour, machine.cheapest_pool) == (Decimal("2.20"), "cloud:us-1b/big/on-demand")


def test_where_nobody_tells_what_on_demand_costs_it_is_not_known() -> None:
    machine = begun(an_offer("1.00", on_demand_usd_hour=None))
    assert (machine.cheapest_usd_hour, machine.cheapest_pool) == (None, "")


def test_disk_and_traffic_are_written_down_with_a_machine_and_its_alternatives() -> None:
    offer = an_offer("1.00", egress_usd_gb=Decimal("0.09"), storage_usd_gb_month=Decimal("0.08"))
    other = replace(offer, pool=a_pool(zone="us-1b"), price_usd_hour=Decimal("1.05"), egress_usd_gb=Decimal("0.02"))
    machine = begun(offer, other, resources=Resources(disk_gb=50))
    extras = {(m.egress_usd_gb, m.storage_usd_gb_month) for m in (machine, *machine.alternatives)}
    assert extras == {(Decimal("0.09"), Decimal("0.08")), (Decimal("0.02"), Decimal("0.08"))}
    assert machine.disk_gb == 50
