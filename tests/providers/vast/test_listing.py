"""What a listing says of machines: which phase, and why one ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch import errors
from spotlaunch.core.facts import SeenMachine
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.adapter import VastProvider
from spotlaunch_providers.vast.contracts import read, state_of
from tests.fakes.clouds.vast import FakeVast
from tests.fakes.waiting import eventually
from tests.providers.vast.conftest import KEY, NOW, Connect, offered, order, sell


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(connect: Connect, cloud: FakeVast, clock: Clock) -> VastProvider:
    sell(cloud, 2.0, 3.0, 4.0)
    return connect(now=clock)


def launch(provider: VastProvider, market: str = "spot", key: str = "sl-o-job-1-0") -> str:
    return provider.launch(order(offered(provider, market), key=key)).instance_id


def only(provider: VastProvider) -> SeenMachine:
    (seen,) = provider.list_machines()
    return seen


def up(provider: VastProvider) -> SeenMachine:
    return eventually(lambda: next((m for m in provider.list_machines() if m.phase == "running"), None))


def account_calls(cloud: FakeVast) -> int:
    return len(cloud.called("/users/current/"))


# -- life --------------------------------------------------------------------------------------------------


def test_a_machine_starts_and_runs_where_it_was_taken(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.fleet.boot_s = 0.3
    launched = provider.launch(order(offered(provider)))
    first = only(provider)
    assert (first.phase, first.pool, first.launch_key) == ("starting", launched.offer.pool, "sl-o-job-1-0")
    seen = up(provider)
    assert seen.instance_id == launched.instance_id and seen.ending_reason == seen.detail == seen.ssh == ""
    assert seen.started_at == cloud.fleet.machines[seen.instance_id].billed_from


def test_the_pool_is_the_one_it_was_taken_from_also_where_the_listing_tells_no_place(
    provider: VastProvider, cloud: FakeVast
) -> None:
    launched = provider.launch(order(offered(provider)))
    cloud.contracts[int(launched.instance_id)].ask["geolocation"] = None
    assert only(provider).pool == launched.offer.pool


def test_a_machine_that_loads_for_ever_stays_at_its_start(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.never_boot()
    launch(provider)
    assert [only(provider).phase for _ in range(5)] == ["starting"] * 5


def test_an_outbid_machine_is_stopped_and_preempted_and_tells_the_prices(
    provider: VastProvider, cloud: FakeVast
) -> None:
    machine = launch(provider)
    up(provider)
    cloud.preempt(machine)
    for _ in range(3):  # at first its container still reads `running`
        seen = only(provider)
        assert (seen.phase, seen.ending_reason) == ("stopped", "preempted")
        assert seen.detail == "outbid: the floor is $1.32 an hour now, the bid was $1.1"


def test_an_outbid_machine_that_is_woken_again_runs_again_until_it_is_ended(
    provider: VastProvider, cloud: FakeVast
) -> None:
    machine = launch(provider)
    up(provider)
    cloud.preempt(machine)
    assert only(provider).phase == "stopped"
    cloud.priority_returns(machine)
    assert up(provider).instance_id == machine
    assert provider.terminate([machine]) == {}
    assert provider.list_machines() == [] and cloud.fleet.left() == []


def test_hiring_goes_before_bids(provider: VastProvider, cloud: FakeVast) -> None:
    hire = offered(provider, "on-demand")
    outbid = launch(provider)
    provider.launch(order(hire, key="sl-o-job-2-0"))
    assert {m.instance_id: m.ending_reason for m in provider.list_machines()}[outbid] == "preempted"


def test_when_the_credit_is_gone_it_was_not_preempted(provider: VastProvider, cloud: FakeVast) -> None:
    machine = launch(provider)
    up(provider)
    assert account_calls(cloud) == 0
    cloud.preempt(machine)
    cloud.credit = 0.0
    seen = only(provider)
    assert (seen.phase, seen.ending_reason) == ("stopped", "out-of-funds")
    assert account_calls(cloud) == 1


def test_the_account_is_asked_once_however_many_have_stopped(provider: VastProvider, cloud: FakeVast) -> None:
    for n in range(1, 4):
        cloud.preempt(launch(provider, key=f"sl-o-job-{n}-0"))
        cloud.asks = cloud.asks[1:]
    provider.list_machines()
    assert account_calls(cloud) == 1


def test_an_account_that_does_not_answer_leaves_the_guess(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.preempt(launch(provider))
    cloud.fail("forbidden", path="/users/current/")
    assert only(provider).ending_reason == "preempted"


def test_what_was_hired_and_stopped_was_stopped_by_hand(provider: VastProvider, cloud: FakeVast) -> None:
    machine = launch(provider, market="on-demand")
    cloud.stop_by_hand(machine)
    seen = only(provider)
    assert (seen.phase, seen.ending_reason) == ("stopped", "by-hand")


def test_a_contract_that_came_to_its_end_says_so(provider: VastProvider, cloud: FakeVast, clock: Clock) -> None:
    machine = launch(provider)
    cloud.preempt(machine)
    cloud.contracts[int(machine)].end_date = clock.now - 1
    assert only(provider).ending_reason == "ttl"


def test_a_container_that_cannot_be_started_has_failed(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.oci_error(launch(provider))
    seen = only(provider)
    assert (seen.phase, seen.ending_reason) == ("stopped", "failed")
    assert "OCI runtime create failed" in seen.detail


@pytest.mark.parametrize("word", ["offline", "unknown"])
def test_a_silent_host_is_lost_when_two_listings_say_so(provider: VastProvider, cloud: FakeVast, word: str) -> None:
    machine = launch(provider)
    up(provider)
    cloud.host_goes_silent(machine, word)
    assert only(provider).phase == "running"
    seen = only(provider)
    assert (seen.phase, seen.ending_reason, seen.detail) == ("stopped", "host-lost", f"its host is {word}")


def test_a_host_that_is_heard_of_again_is_not_lost(provider: VastProvider, cloud: FakeVast) -> None:
    machine = launch(provider)
    up(provider)
    for word in ("offline", "", "offline"):
        cloud.host_goes_silent(machine, word)
        assert only(provider).phase == "running"


def test_a_program_that_has_ended_has_a_while_since_a_start_reads_the_same(
    provider: VastProvider, cloud: FakeVast, clock: Clock
) -> None:
    machine = launch(provider)
    up(provider)
    cloud.host_goes_silent(machine, "exited")
    assert only(provider).phase == "running"
    clock.now += figures.EXITED_GRACE_S - 1
    assert only(provider).phase == "running"
    clock.now += 2
    seen = only(provider)
    assert (seen.phase, seen.ending_reason) == ("stopped", "itself")


def test_a_program_that_is_started_again_gets_its_while_anew(
    provider: VastProvider, cloud: FakeVast, clock: Clock
) -> None:
    machine = launch(provider)
    for word in ("exited", "running", "exited"):
        cloud.host_goes_silent(machine, word)
        assert only(provider).phase == "running"
        clock.now += figures.EXITED_GRACE_S - 1


def test_a_machine_that_vanished_is_not_listed(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.vanish(launch(provider))
    assert provider.list_machines() == []


def test_a_launch_may_be_missing_for_a_while_and_no_longer_than_it_settles(
    provider: VastProvider, cloud: FakeVast
) -> None:
    cloud.list_lag_s = 0.3
    launch(provider)
    assert provider.list_machines() == []
    eventually(provider.list_machines, within_s=2)


def test_what_we_asked_to_end_and_is_still_listed_is_ending(provider: VastProvider, cloud: FakeVast) -> None:
    machine = launch(provider)
    up(provider)
    cloud.contracts[int(machine)].stopped = True
    assert provider.terminate([machine]) == {}
    # A listing that lags behind shows it once more.
    rows = [{"id": int(machine), "label": "sl-o-job-1-0", "intended_status": "stopped", "is_bid": True}]
    (seen,) = provider._watch.machines(rows, owner="o", now=NOW, credit=lambda: 1.0)
    assert (seen.phase, seen.ending_reason) == ("ending", "asked")


# -- words -------------------------------------------------------------------------------------------------

WORDS = st.none() | st.text(max_size=12) | st.integers() | st.sampled_from(["running", "exited", "offline", "created"])


@given(row=st.dictionaries(st.sampled_from(
    ["actual_status", "intended_status", "cur_state", "next_state", "status_msg", "is_bid", "end_date", "start_date",
     "min_bid", "dph_base", "ssh_host", "ssh_port", "extra_env", "machine_id", "num_gpus", "gpu_name", "geolocation"]
), WORDS))  # fmt: skip
def test_no_word_is_an_error(row: dict[str, Any]) -> None:
    state = state_of(row, now=NOW)
    seen = read(row | {"id": 1, "label": "sl-o-job-1-0"}, state)
    assert seen.phase in ("starting", "running", "stopped") and seen.pool.instance_type


@given(word=st.text(min_size=1, max_size=12))
def test_a_word_that_nobody_knows_is_never_an_end(word: str) -> None:
    known = {"exited", "stopped", "unknown", "offline"}
    state = state_of({"actual_status": word, "intended_status": "running"}, now=NOW)
    assert word.strip().lower() in known or state.phase in ("starting", "running")


# -- whose, and whole --------------------------------------------------------------------------------------


def test_only_machines_of_the_owner_are_listed(connect: Connect, provider: VastProvider, cloud: FakeVast) -> None:
    launch(provider)
    for label in ("sl-oo-job-1-0", "my training", "", "sl-o"):
        cloud.create(2, {"image": "x", "label": label})
        cloud.asks[1]["gpu_frac"] = 0.1
    assert [m.launch_key for m in provider.list_machines()] == ["sl-o-job-1-0"]
    assert [m.launch_key for m in connect(owner="oo").list_machines()] == ["sl-oo-job-1-0"]


def test_a_thousand_machines_take_forty_pages(provider: VastProvider, cloud: FakeVast) -> None:
    cloud.asks[0].update(gpu_frac=0.0005)
    for n in range(1000):
        assert "new_contract" in cloud.create(1, {"image": "x", "label": f"sl-o-job-{n}-0"}).body
    cloud.calls.clear()
    assert len({m.launch_key for m in provider.list_machines()}) == 1000
    assert len(cloud.calls) == 40


def test_pages_that_come_too_soon_are_asked_for_again(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    cloud.asks[0].update(gpu_frac=0.001)
    for n in range(60):
        cloud.create(1, {"image": "x", "label": f"sl-o-job-{n}-0"})
    cloud.fail("throttle", path="/api/v1/instances/", times=2)
    assert len(connect().list_machines()) == 60


@pytest.mark.parametrize(
    "kind", ["forbidden", "expired-token", "server-error", "malformed", "truncated", "endless-paging", "bad-gateway"]
)
def test_a_listing_with_a_page_missing_is_an_error(connect: Connect, cloud: FakeVast, kind: str) -> None:
    sell(cloud, 2.0)
    cloud.asks[0].update(gpu_frac=0.001)
    for n in range(60):
        cloud.create(1, {"image": "x", "label": f"sl-o-job-{n}-0"})
    provider = connect()
    route, seen = cloud._route, []

    def second_page_on(request: Any) -> Any:
        seen.append(request)
        if len(seen) == 1:
            cloud.fail(kind)
        return route(request)

    cloud._route = second_page_on  # type: ignore[method-assign]
    with pytest.raises(errors.ProviderError):
        provider.list_machines()


@pytest.mark.parametrize("answer", [[], {}, {"instances": None}, {"instances": [1]}, {"instances": {"a": 1}}])
def test_a_listing_of_another_shape_is_an_error(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    from tests.fakes.clouds.server import Response

    monkeypatch.setattr(cloud, "_route", lambda r: Response(body=answer))
    with pytest.raises(errors.Transient):
        connect().list_machines()


def test_a_row_of_ours_without_a_number_is_an_error(connect: Connect) -> None:
    with pytest.raises(errors.Transient):
        connect()._watch.machines([{"label": "sl-o-job-1-0"}], owner="o", now=NOW, credit=lambda: 1.0)


def test_what_a_host_says_is_masked(provider: VastProvider, cloud: FakeVast) -> None:
    machine = launch(provider)
    cloud.oci_error(machine)
    cloud.contracts[int(machine)].status_msg = f"OCI runtime create failed: Bearer {KEY} " + "x" * 900
    detail = only(provider).detail
    assert KEY not in detail and len(detail) <= 300


def test_memory_of_what_is_gone_is_dropped(provider: VastProvider, cloud: FakeVast) -> None:
    machine = launch(provider)
    cloud.host_goes_silent(machine, "exited")
    only(provider)
    assert provider._watch.over
    provider.terminate([machine])
    provider.list_machines()
    watch = provider._watch
    assert not watch.over and not watch.silent and not watch.asked
