"""What the answer of a launch makes of the book, for each kind of yes, no and nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from spotlaunch import errors
from spotlaunch.core import results
from spotlaunch.core.decide import decide
from spotlaunch.core.facts import Launched, Refused, Scope
from spotlaunch.core.plan import Launch, World, Write
from spotlaunch.storage.store import SqliteStore
from tests.core.worlds import JOB, NOW, PAID, a_new_job, a_pool, a_refusal, a_store, a_world, an_offer, key_of

FIRST, SECOND = an_offer("1.00"), an_offer("2.00", a_pool(zone="us-1b"), gpu="H100", gpu_count=2)
LATER = NOW + 3


class Launching:
    """A launch that was decided and marked as tried, with the book as it then is."""

    def __init__(self, *, tried: bool = True, refusals: Sequence[object] = ()) -> None:
        self.world: World = a_world(a_new_job(rounds=2), offers=[FIRST, SECOND], refusals=refusals)  # type: ignore[arg-type]
        plan = decide(self.world)
        [call] = plan.calls
        assert isinstance(call, Launch)
        self.call = call
        self.store: SqliteStore = a_store(self.world.book)
        self.store.apply(plan.writes)
        if tried:
            self.store.apply(results.tried(call, NOW))

    def answered(self, answer: Launched | errors.SpotlaunchError) -> Sequence[Write]:
        if isinstance(answer, Launched):
            job = self.store.job(JOB)
            writes = results.launched(self.world, job, self.call, answer, LATER)
        else:
            writes = results.not_launched(self.world, self.call, answer, LATER)
        self.store.apply(writes)
        return writes

    @property
    def told(self) -> list[str]:
        return [e.kind for _, e in self.store.events(JOB)][2:]  # after: submitted, launch


def refused(error: str, scope: Scope | None = None) -> Refused:
    return Refused(scope=scope or Scope.of(FIRST.pool), error=error, reason="no")


def test_from_the_mark_on_nobody_knows_whether_a_machine_exists() -> None:
    machine = Launching().store.machines(JOB)[0]
    assert (machine.state, machine.tried_at, machine.instance_id) == ("launching", NOW, "")


def test_the_mark_cannot_be_set_twice() -> None:
    launch = Launching()
    with pytest.raises(errors.StaleWrite):
        launch.store.apply(results.tried(launch.call, NOW))


def test_a_yes_writes_down_the_machine_and_ends_the_waiting() -> None:
    launch = Launching()
    launch.answered(Launched(instance_id="i-9", offer=FIRST))
    machine, job = launch.store.machines(JOB)[0], launch.store.job(JOB)
    assert (machine.state, machine.instance_id, machine.up_at, machine.alternatives) == ("up", "i-9", LATER, ())
    assert (job.waiting_since, job.rounds, job.attempts_ran) == (None, 0, 1)
    assert launch.told == ["launched"]


def test_a_yes_to_another_alternative_is_billed_with_its_disk_and_traffic() -> None:
    launching = Launching()
    ordered = launching.store.machines(JOB)[0]
    other = replace(SECOND, storage_usd_gb_month=Decimal("0.08"), egress_usd_gb=Decimal("0.09"))
    launching.answered(Launched(instance_id="i-9", offer=other))
    machine = launching.store.machines(JOB)[0]
    assert (machine.storage_usd_gb_month, machine.egress_usd_gb) == (Decimal("0.08"), Decimal("0.09"))
    # What on-demand would have cost was known when it was ordered, whichever was had in the end.
    assert machine.cheapest_usd_hour == ordered.cheapest_usd_hour == Decimal("3.00")


def test_a_yes_to_another_alternative_is_written_down_as_what_it_is() -> None:
    launch = Launching()
    paid = replace(SECOND, pool=PAID)
    launch.answered(Launched(instance_id="i-9", offer=paid, refused=(refused("NoCapacity"),)))
    machine = launch.store.machines(JOB)[0]
    assert (machine.pool, machine.price_usd_hour, machine.gpu, machine.gpu_count) == (PAID, Decimal("2.00"), "H100", 2)
    assert launch.store.attempts(JOB)[0].market == "on-demand"
    assert [r.scope for r in launch.store.refusals()] == [Scope.of(FIRST.pool)]


@pytest.mark.parametrize("kind", [errors.NoCapacity, errors.QuotaExceeded, errors.PriceTooLow, errors.InvalidOrder])
def test_a_no_ends_the_attempt_and_lets_what_was_named_rest(kind: type[errors.ProviderError]) -> None:
    launch = Launching()
    launch.answered(kind("sold out", hint="wait", refused=[refused(kind.__name__)]))
    machine, attempt = launch.store.machines(JOB)[0], launch.store.attempts(JOB)[0]
    assert (machine.state, machine.outcome, machine.ended_at) == ("ended", "refused", LATER)
    assert (attempt.outcome, attempt.reason) == ("refused", f"{kind.__name__}: sold out")
    [refusal] = launch.store.refusals()
    assert (refusal.scope, refusal.error) == (Scope.of(FIRST.pool), kind.__name__)
    assert refusal.job == (JOB if kind is errors.InvalidOrder else "")


def test_a_no_that_names_nothing_is_meant_for_every_alternative() -> None:
    launch = Launching()
    launch.answered(errors.NoCapacity("dry"))
    assert {r.scope for r in launch.store.refusals()} == {Scope.of(FIRST.pool), Scope.of(SECOND.pool)}


@pytest.mark.parametrize("kind", [errors.Throttled, errors.NotAuthorized, errors.OutOfFunds, errors.Transient])
def test_a_no_that_says_nothing_of_pools_lets_the_provider_rest_once(kind: type[errors.ProviderError]) -> None:
    launch = Launching()
    launch.answered(kind("no", retry_after_s=30.0))
    [refusal] = launch.store.refusals()
    assert (refusal.scope, refusal.since, refusal.until) == (Scope(provider="cloud"), LATER, LATER + 30)


def test_repeated_noes_make_a_rest_grow() -> None:
    before = a_refusal(count=2, until=NOW - 1)
    launch = Launching(refusals=[before])
    launch.answered(errors.NoCapacity("dry", refused=[refused("NoCapacity")]))
    assert launch.store.refusals()[0].count == 3


def test_an_answer_that_was_lost_is_neither_yes_nor_no() -> None:
    launch = Launching()
    launch.answered(errors.OutcomeUnknown("timed out", refused=[refused("NoCapacity")]))
    assert (launch.store.machines(JOB)[0].state, launch.store.attempts(JOB)[0].live) == ("launching", True)
    assert launch.told == ["unknown"]
    assert len(launch.store.refusals()) == 1


def test_a_machine_may_take_its_whole_time_to_show_from_when_the_answer_was_lost() -> None:
    """A call that took a minute may have made its machine in its last second."""
    launch = Launching()
    launch.answered(errors.OutcomeUnknown("timed out"))
    assert launch.store.machines(JOB)[0].tried_at == LATER


def test_an_answer_for_a_machine_that_is_no_longer_wanted_is_stale() -> None:
    for answer in (Launched(instance_id="i-9", offer=FIRST), errors.NoCapacity("dry")):
        launch = Launching()
        cancelled = replace(launch.store.job(JOB), wanted="cancel-now")
        book = launch.store.read_book()
        launch.store.apply(decide(replace(launch.world, book=replace(book, jobs=(cancelled,)))).writes)
        with pytest.raises(errors.StaleWrite):
            launch.answered(answer)
        assert launch.store.machines(JOB)[0].state == "ending"


def test_without_a_mailbox_no_call_is_made_and_the_job_rests_a_little() -> None:
    launch = Launching(tried=False)
    launch.store.apply(results.not_begun(launch.call, "store_down", "bucket is gone", "make one", LATER))
    machine, attempt, job = launch.store.machines(JOB)[0], launch.store.attempts(JOB)[0], launch.store.job(JOB)
    assert (machine.state, attempt.outcome, launch.store.refusals()) == ("ended", "refused", [])
    assert (job.next_try_at, job.state) == (LATER + results.NOT_BEGUN_REST_S, "running")
    assert "bucket is gone" in job.note
    assert launch.told == ["store_down"]


def test_a_refused_launch_is_followed_by_one_of_another_number() -> None:
    launch = Launching()
    launch.answered(errors.NoCapacity("dry", refused=[refused("NoCapacity")]))
    world = replace(launch.world, book=launch.store.read_book(), now=LATER)
    [call] = decide(world).calls
    assert isinstance(call, Launch)
    assert (call.order.launch_key, call.order.alternatives) == (key_of(2), (SECOND,))
