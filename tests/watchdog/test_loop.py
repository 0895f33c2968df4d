"""The loop with everything around it in memory: who may write, what is called, when it looks again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from spotlaunch.core.book import Event
from spotlaunch.core.facts import Pool, SeenMachine
from spotlaunch.core.plan import SetJob, Write
from spotlaunch.core.rates import Lived
from spotlaunch.core.wire import Ask, Status
from spotlaunch.errors import BlobsUnavailable, LeaseHeld, StaleWrite, StoreUnavailable, Transient
from spotlaunch.watchdog.loop import AT_HAND_EVERY_S, BROKEN_STORE_S, LEASE_S, MAIL_BUCKET_S, MAIL_FILE_S, STALE_S
from tests.core.worlds import CLOUD, JOB, NOW, a_new_job, a_pool
from tests.watchdog.ground import Cloud, Ground


@pytest.fixture
def ground() -> Ground:
    return Ground()


def states(ground: Ground) -> list[str]:
    return [m.state for m in ground.store.machines()]


def test_a_look_at_a_new_job_launches_its_machine(ground: Ground) -> None:
    ground.submit(a_new_job())
    ground.look()
    assert (states(ground), ground.cloud.calls) == (["up"], ["list", "offers", "launch"])
    assert [e.kind for e in ground.told] == ["launch", "launched"]


def test_prices_that_a_look_sees_are_noted(ground: Ground) -> None:
    ground.submit(a_new_job())
    ground.look()
    assert [o.pool.provider for o in ground.noted] == [ground.cloud.name]


def test_a_finished_job_ends_its_machine_and_forgets_its_secrets(ground: Ground) -> None:
    ground.submit(a_new_job())
    ground.look()
    box = ground.watchdog._out.mailbox(ground.store.job(JOB))
    box.put_status(Status(attempt=1, at=NOW, phase="left", left_why="exited", exit_code=0))
    ground.look(1)
    assert (ground.store.job(JOB).state, ground.cloud.machines, ground.forgotten) == ("finished", {}, [JOB])
    _, idle = ground.look(100)
    assert (states(ground), idle) == (["ended"], False)
    assert ground.look(1)[1] is True


def test_looking_again_changes_nothing_where_nothing_is_new(ground: Ground) -> None:
    ground.submit(a_new_job())
    ground.look()
    before = (ground.store.read_book(), list(ground.told))
    ground.look(0.5)
    assert (ground.store.read_book(), ground.told) == before


@pytest.mark.parametrize(("url", "every_s"), [("file:///b", MAIL_FILE_S), ("s3://b", MAIL_BUCKET_S)])
def test_mail_is_looked_for_often_while_an_attempt_is_live(url: str, every_s: float) -> None:
    ground = Ground(Cloud(traits=replace(CLOUD, shares_disk=True)))
    ground.submit(a_new_job(store_url=url))
    ground.look()
    wake_at, _ = ground.look()
    assert wake_at == NOW + every_s


def test_an_agent_is_told_once_in_a_while_what_has_changed_in_its_danger(ground: Ground) -> None:
    ground.submit(a_new_job())
    ground.look()
    box = ground.watchdog._out.mailbox(ground.store.job(JOB))
    order = box.order(1)
    assert order is not None
    assert order.every_auto

    def says(rate: float, after_s: float) -> Ask | None:
        status = Status(attempt=1, at=ground.clock.now(), phase="running", rate_per_hour=rate)
        box.put_status(status)
        ground.look(after_s)
        return box.ask(1)

    assert says(order.rate_per_hour, 1.0) is None
    assert says(order.rate_per_hour / 10, 1.0) is None  # not at each look
    ask = says(order.rate_per_hour / 10, AT_HAND_EVERY_S)
    assert ask is not None
    assert (ask.kind, ask.rate_per_hour) == ("risk", pytest.approx(order.rate_per_hour, rel=0.01))


def test_each_look_renews_the_lease(ground: Ground) -> None:
    ground.look(30)
    lease = ground.store.lease()
    assert lease is not None
    assert lease.until == NOW + 30 + LEASE_S


def test_a_watchdog_that_lost_its_lease_stops_before_it_looks(ground: Ground) -> None:
    ground.submit(a_new_job())
    ground.stolen()
    with pytest.raises(LeaseHeld, match="another watchdog is awake"):
        ground.look()
    assert ground.cloud.calls == []


@pytest.mark.parametrize("jobs", [1, 0])
def test_with_a_lease_lost_during_the_look_nothing_is_written_and_nothing_is_called(ground: Ground, jobs: int) -> None:
    """Also when the plan has nothing to write: here, a stray to end."""
    if jobs:
        ground.submit(a_new_job())
    else:
        key = f"sl-{ground.owner}-{JOB}-1-0"
        ground.cloud.machines["i-1"] = SeenMachine(launch_key=key, instance_id="i-1", pool=a_pool(), phase="running")
    ground.cloud.before = lambda name: ground.stolen() if name == "list" else None
    with pytest.raises(LeaseHeld):
        ground.look()
    assert not {"launch", "terminate"} & set(ground.cloud.calls)
    assert ground.store.machines() == []


def test_one_job_whose_state_is_in_dispute_does_not_hold_up_the_others(ground: Ground) -> None:
    ground.submit(a_new_job(name="one"), a_new_job(name="two"), a_new_job(name="three"))

    def cancelled_meanwhile(name: str) -> None:
        if name == "offers":
            ground.store.apply([SetJob(name="two", frm="queued", changes={"state": "cancelled", "over_at": NOW})])

    ground.cloud.before = cancelled_meanwhile
    wake_at, _ = ground.look()
    assert sorted(o.job for o in ground.cloud.orders) == ["one", "three"]
    assert {m.job: m.state for m in ground.store.machines()} == {"one": "up", "three": "up"}
    assert wake_at == NOW + STALE_S
    assert [c for c in ground.complaints if "the book moved during the look" in c]


def test_a_failed_listing_and_a_mailbox_that_is_down_end_nothing(ground: Ground) -> None:
    ground.submit(a_new_job())
    ground.look()

    def no_cloud(_: str) -> None:
        raise Transient("no network")

    def no_bucket(_: str, __: str) -> None:
        raise BlobsUnavailable("no network")

    ground.cloud.before, ground.blobs.fail = no_cloud, no_bucket
    for _ in range(5):
        ground.look(400)
    assert states(ground) == ["up"]
    assert "terminate" not in ground.cloud.calls


def test_a_stray_on_a_provider_where_nothing_should_be_is_found_and_ended(ground: Ground) -> None:
    ground.submit(a_new_job())
    ground.look()
    stray = next(iter(ground.cloud.machines.values()))
    quiet = Ground()
    quiet.cloud.machines = {"i-1": stray}
    assert quiet.owner == ground.owner
    quiet.look()
    assert quiet.cloud.machines == {}


def test_a_broken_disk_is_told_and_waited_out(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def broken(*_: object, **__: object) -> None:
        looks.append(ground.clock.now())
        if len(looks) == 3:
            ground.watchdog.stop()
        raise StoreUnavailable("the disk is full", hint="make room")

    monkeypatch.setattr(ground.store, "renew_lease", broken)
    ground.watchdog.run()
    assert looks == [NOW, NOW + BROKEN_STORE_S, NOW + 2 * BROKEN_STORE_S]
    assert ground.complaints[0] == "the book cannot be used: the disk is full (hint: make room)"


def test_with_nothing_to_watch_it_goes_home_after_a_while(ground: Ground) -> None:
    ground.watchdog.run(idle_exit_s=5.0)
    assert NOW + 5 <= ground.clock.now() < NOW + 10


def test_a_write_under_a_lost_lease_is_stale_also_with_nothing_to_write(ground: Ground) -> None:
    ground.stolen()
    nothing: Sequence[Write] = ()
    with pytest.raises(StaleWrite, match="the lease is not ours any more"):
        ground.watchdog.write(nothing)


def test_a_cancel_during_a_launch_leaves_no_machine_behind(ground: Ground) -> None:
    ground.submit(a_new_job())

    def cancel() -> None:
        event = Event(job=JOB, at=NOW, kind="cancel", text="cancel")
        ground.store.want(JOB, "cancel-now", at=NOW, event=event)

    ground.cloud.after_launch = cancel
    for _ in range(4):
        ground.look(100)
    assert (ground.store.job(JOB).state, ground.cloud.machines, states(ground)) == ("cancelled", {}, ["ended"])


def test_a_held_job_asks_the_market_once_a_while_and_launches_when_its_price_comes(ground: Ground) -> None:
    ground.submit(a_new_job(start_when="price_usd_hour < 1.00"))
    ground.look()
    assert (ground.store.job(JOB).state, states(ground)) == ("queued", [])
    ground.look(1)
    assert ground.cloud.calls.count("offers") == 1
    ground.cloud.price = "0.90"
    ground.look(CLOUD.rest_s)
    assert (ground.cloud.calls.count("offers"), states(ground)) == (2, ["up"])
    assert [e.kind for e in ground.told] == ["held", "released", "launch", "launched"]


def test_what_pools_lived_is_read_only_when_a_job_needs_a_machine(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[float] = []
    history = ground.store.pool_history

    def counted(*, now: float) -> Mapping[Pool, Lived]:
        read.append(now)
        return history(now=now)

    monkeypatch.setattr(ground.store, "pool_history", counted)
    ground.look()
    assert read == []
    ground.submit(a_new_job())
    ground.look()
    ground.look(1)
    assert read == [NOW]
