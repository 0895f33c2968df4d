"""Acting: what is marked before a call, what is written after it, and when no call is made at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spotlaunch.core.book import Event
from spotlaunch.core.plan import PutAsk, SetMachine, Terminate
from spotlaunch.core.wire import Ask, order_key
from spotlaunch.errors import BlobsUnavailable, NoCapacity, NotAuthorized, OutcomeUnknown, StoreUnavailable
from tests.core.worlds import CLOUD, JOB, NOW, a_new_job, a_world
from tests.watchdog.ground import SECRETS, Ground


@pytest.fixture
def ground() -> Ground:
    made = Ground()
    made.submit(a_new_job())
    return made


def state(ground: Ground) -> str:
    return ground.store.machines(JOB)[-1].state


def on_launch(ground: Ground, error: BaseException) -> None:
    def fail(name: str) -> None:
        if name == "launch":
            raise error

    ground.cloud.before = fail


def test_the_order_is_in_the_mailbox_and_the_mark_in_the_book_before_the_call(ground: Ground) -> None:
    seen: list[object] = []
    ground.cloud.before = lambda name: seen.extend(
        [name, order_key(JOB, 1) in ground.blobs.objects, state(ground)] if name == "launch" else []
    )
    ground.look()
    assert seen == ["launch", True, "launching"]


def test_secrets_reach_the_provider_and_nothing_else(ground: Ground) -> None:
    ground.look()
    assert dict(ground.cloud.orders[0].secret_env) == SECRETS
    kept = b"".join(data for data, _ in ground.blobs.objects.values()).decode() + repr(ground.store.read_book())
    assert "hush" not in kept + repr(ground.cloud.orders) + repr(ground.told) + repr(ground.complaints)


def test_a_job_whose_secrets_are_gone_is_not_launched_without_them(ground: Ground) -> None:
    job = a_new_job()
    ground.submit(replace(job, name="shy", spec=replace(job.spec, name="shy", secrets=("LOST_KEY",))))
    ground.look()
    assert [o.job for o in ground.cloud.orders] == [JOB]
    assert "LOST_KEY" in ground.store.job("shy").note


def test_a_refused_launch_is_written_down_and_its_pool_rests(ground: Ground) -> None:
    on_launch(ground, NoCapacity("sold out"))
    ground.look()
    assert (state(ground), len(ground.store.refusals())) == ("ended", 1)
    assert ground.cloud.machines == {}


def test_a_launch_whose_answer_is_lost_stays_launching_and_is_adopted_later(ground: Ground) -> None:
    def lost() -> None:
        raise OutcomeUnknown("timed out")

    ground.cloud.after_launch = lost
    ground.look()
    assert state(ground) == "launching"
    ground.look(CLOUD.list_interval_s)
    assert (state(ground), len(ground.cloud.orders), len(ground.cloud.machines)) == ("up", 1, 1)


def test_an_adapters_bug_is_an_unknown_outcome_and_is_told_to_the_log(ground: Ground) -> None:
    on_launch(ground, ZeroDivisionError("oops"))
    ground.look()
    assert (state(ground), ground.watchdog._actor.in_flight()) == ("launching", frozenset())
    assert "ZeroDivisionError: oops" in ground.complaints[-1]


def test_without_a_mailbox_no_machine_is_launched_and_it_is_tried_again(ground: Ground) -> None:
    def full(op: str, key: str) -> None:
        if op == "create":
            raise BlobsUnavailable("no such bucket")

    ground.blobs.fail = full
    ground.look()
    assert (state(ground), ground.cloud.orders) == ("ended", [])
    ground.blobs.fail = None
    ground.look(30)
    assert (state(ground), len(ground.cloud.orders)) == ("up", 1)


def test_a_lease_lost_before_the_mark_means_no_call(ground: Ground) -> None:
    ground.blobs.after = lambda *_: ground.stolen()
    ground.look()
    assert (state(ground), ground.cloud.orders) == ("intended", [])
    assert "a result came too late and was dropped: the lease is not ours any more" in ground.complaints[-1]


def test_a_job_cancelled_before_the_mark_is_not_launched(ground: Ground) -> None:
    def cancel(*_: object) -> None:
        key = ground.store.machines(JOB)[0].launch_key
        ground.store.apply([SetMachine(launch_key=key, frm="intended", changes={"state": "ended", "ended_at": NOW})])

    ground.blobs.after = cancel
    ground.look()
    assert ground.cloud.orders == []


@pytest.mark.parametrize("answer", ["yes", "lost"])
def test_a_slow_launch_of_a_cancelled_job_is_awaited_until_it_must_have_shown(ground: Ground, answer: str) -> None:
    """Cancelled while the call was under way for longer than settle_s; the listing is late by a little."""
    hidden: dict[str, object] = {}

    def slow() -> None:
        ground.clock.advance(CLOUD.settle_s + 5)
        ground.store.want(JOB, "cancel-now", at=NOW, event=Event(job=JOB, at=NOW, kind="cancel", text="c"))
        ground.watchdog.look()  # the loop goes on while a worker waits for the cloud
        assert state(ground) == "ending"
        hidden.update(ground.cloud.machines)
        ground.cloud.machines.clear()
        if answer == "lost":
            raise OutcomeUnknown("timed out")

    ground.cloud.after_launch = slow
    ground.look()
    for _ in range(3):
        ground.look(CLOUD.list_interval_s)
    assert state(ground) == "ending", "it may still show"
    ground.cloud.machines.update(hidden)  # type: ignore[arg-type]
    for _ in range(4):
        ground.look(61)
    assert (ground.cloud.machines, state(ground)) == ({}, "ended")


def test_a_result_that_cannot_be_written_down_is_found_in_the_listing(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        ground.cloud.after_launch = lambda: patch.setattr(ground.store, "apply", full)
        ground.look()
    assert state(ground) == "launching"
    assert "a result could not be written down: the disk is full" in ground.complaints
    ground.cloud.after_launch = lambda: None
    ground.look(CLOUD.list_interval_s)
    assert (state(ground), len(ground.cloud.machines)) == ("up", 1)


def test_an_end_that_fails_is_told_and_does_no_harm(ground: Ground) -> None:
    def fail(name: str) -> None:
        raise NotAuthorized("no login")

    ground.cloud.before = fail
    ground.watchdog._actor.act(a_world(), [Terminate(provider="cloud", instance_ids=("i-1", "i-2"))])
    assert ground.complaints == ["cloud: i-1 did not end yet: no login", "cloud: i-2 did not end yet: no login"]


def test_an_ask_reaches_the_agent_or_is_told(ground: Ground) -> None:
    ask = PutAsk(job=JOB, attempt=1, ask=Ask(kind="leave", reason="because", at=NOW))
    world = a_world(a_new_job())
    ground.watchdog._actor.act(world, [ask])
    assert ground.watchdog._out.mailbox(a_new_job()).ask(1) == ask.ask

    def down(*_: object) -> None:
        raise BlobsUnavailable("no network")

    ground.blobs.fail = down
    ground.watchdog._actor.act(world, [ask])
    assert ground.complaints == ["digits: attempt 1 could not be asked to leave: no network"]
