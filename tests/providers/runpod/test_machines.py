from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.facts import Offer, SeenMachine
from spotlaunch.errors import ProviderError, Transient
from spotlaunch_providers.runpod import pods
from spotlaunch_providers.runpod.adapter import RunpodProvider
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.server import Response
from tests.fakes.waiting import eventually
from tests.providers.runpod.conftest import NOW, Connect
from tests.providers.runpod.ordering import an_offer, an_order, listed, stock

KEY = "sl-o-job-1-0"


@pytest.fixture
def provider(connect: Connect, cloud: FakeRunpod) -> RunpodProvider:
    stock(cloud)
    return connect()


def the_one(provider: RunpodProvider) -> SeenMachine:
    (machine,) = provider.list_machines()
    return machine


def booted(cloud: FakeRunpod) -> None:
    eventually(lambda: len(cloud.fleet.booted()) == len(cloud.fleet.up()))


def up(provider: RunpodProvider, cloud: FakeRunpod, **more: Any) -> str:
    """A pod that runs, and that a listing has shown."""
    pod_id = provider.launch(an_order(**more)).instance_id
    booted(cloud)
    provider.list_machines()
    return pod_id


def balances(cloud: FakeRunpod) -> int:
    return len(cloud.called("/graphql"))


# -- all of them -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page_size", "calls"), [(1000, 2), (100, 11)])
def test_a_thousand_pods_cost_as_many_calls_as_there_are_pages(
    provider: RunpodProvider, cloud: FakeRunpod, page_size: int, calls: int
) -> None:
    cloud.page_size = page_size
    for n in range(1000):
        cloud.add(f"sl-o-job-{n}-0")
    cloud.add("somebody-else")
    assert len(set(listed(provider))) == 1000
    assert len(cloud.calls) == calls


def test_two_pods_of_one_key_are_listed_both(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.add(KEY)
    cloud.add(KEY)
    machines = provider.list_machines()
    assert [m.launch_key for m in machines] == [KEY, KEY]
    assert len({m.instance_id for m in machines}) == 2


def test_only_names_with_our_owner_are_ours(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    for name in ("sl-other-job-1-0", "sl-oo-job-1-0", "o", "my pod", KEY):
        cloud.add(name)
    assert listed(provider) == [KEY]


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"pods": None},
        {"pods": ["x"]},
        {"pods": [{"name": KEY}]},
        {"pods": [], "pagination": {"hasNextPage": True, "nextCursor": None}},
        [],
    ],
)
def test_a_listing_that_may_not_be_whole_is_an_error(
    provider: RunpodProvider, cloud: FakeRunpod, monkeypatch: pytest.MonkeyPatch, page: object
) -> None:
    monkeypatch.setattr(cloud, "_route", lambda r: Response(body=page))
    with pytest.raises(Transient):
        provider.list_machines()


@pytest.mark.parametrize("page", [{"pods": []}, {"pods": [], "pagination": None}])
def test_an_older_listing_without_pages_is_whole(
    provider: RunpodProvider, cloud: FakeRunpod, monkeypatch: pytest.MonkeyPatch, page: object
) -> None:
    monkeypatch.setattr(cloud, "_route", lambda r: Response(body=page))
    assert provider.list_machines() == []


def test_pages_may_be_empty_and_not_the_last(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.fail("empty-pages")
    assert provider.list_machines() == []
    assert len(cloud.calls) == 4
    cloud.heal()
    cloud.fail("endless-paging")
    with pytest.raises(Transient, match="do not end"):
        provider.list_machines()


# -- what they are in --------------------------------------------------------------------------------------


def test_a_pod_starts_until_its_container_runs_whatever_its_status_says(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    cloud.fleet.boot_s = 3600
    pod = cloud.add(KEY)
    for status in ("PROVISIONING", "STARTING", "RUNNING"):
        pod.status = status
        assert the_one(provider).phase == "starting"


def test_a_pod_that_runs_is_told_with_its_pool_and_since_when_it_bills(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    pod_id = up(provider, cloud)
    seen = the_one(provider)
    assert (seen.phase, seen.instance_id, seen.pool) == ("running", pod_id, an_offer().pool)
    assert (seen.ending_reason, seen.detail, seen.ssh) == ("", "", "")
    assert seen.started_at == cloud.fleet.machines[pod_id].billed_from


def test_a_container_that_crashes_again_and_again_is_left_to_its_agents_silence(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    cloud.pods[up(provider, cloud)].crashes = True
    assert the_one(provider).phase == "running"


def test_a_pod_in_error_is_stopped_and_has_failed(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.pods[up(provider, cloud)].status = "ERROR"
    seen = the_one(provider)
    assert (seen.phase, seen.ending_reason) == ("stopped", "failed")
    assert balances(cloud) == 0


@pytest.mark.parametrize("gpu", [None, {"id": "NVIDIA L40S", "count": 0}, {"id": None, "count": None}, {}])
def test_a_pod_that_runs_without_its_gpus_is_stopped_since_it_bills(
    provider: RunpodProvider, cloud: FakeRunpod, gpu: Any
) -> None:
    cloud.pods[up(provider, cloud)].given = {"gpu": gpu}
    seen = the_one(provider)
    assert (seen.phase, seen.ending_reason) == ("stopped", "failed")
    assert "without its GPUs" in seen.detail and seen.pool.instance_type == "no-gpu"


def test_a_pod_that_was_terminated_is_gone(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.pods[up(provider, cloud)].status = "TERMINATED"
    assert the_one(provider).phase == "gone"


@pytest.mark.parametrize("status", ["MIGRATING", "", None, 3])
def test_a_status_that_nobody_has_heard_of_is_of_a_living_machine(
    provider: RunpodProvider, cloud: FakeRunpod, status: Any
) -> None:
    cloud.pods[up(provider, cloud)].given = {"status": status}
    assert the_one(provider).phase == "running"


ROWS = st.fixed_dictionaries(
    {"id": st.text(min_size=1), "name": st.text()},
    optional={
        key: st.one_of(
            st.none(),
            st.text(),
            st.integers(),
            st.booleans(),
            st.lists(st.none() | st.dictionaries(st.sampled_from(["private", "public", "ip"]), st.integers())),
            st.dictionaries(
                st.sampled_from(["id", "count", "direct", "ports", "PUBLIC_KEY", "host", "port"]),
                st.none() | st.integers() | st.text(),
            ),
        )
        for key in ("status", "gpu", "cloud", "dataCenterId", "runtime", "env", "ssh", "createdAt", "cost")
    },
)


@given(ROWS)
def test_no_row_whatever_is_in_it_breaks_the_listing_or_is_gone(row: dict[str, Any]) -> None:
    seen = pods.machine(row, asked=False)
    assert seen.phase != "gone" or str(row["status"]).upper() == "TERMINATED"
    assert pods.machine(row, asked=True).ending_reason == "asked"


def test_an_address_for_a_shell_is_told_where_the_pod_lets_us_in(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.fleet.boot_s = 0.1
    provider.launch(an_order(ssh_key="ssh-ed25519 AAAAC3 job"))
    assert the_one(provider).ssh == ""
    booted(cloud)
    assert the_one(provider).ssh == "root@127.0.0.1:34446"
    (pod,) = cloud.pods.values()
    pod.given = {"ssh": {"proxy": {"host": "ssh.runpod.io"}, "direct": None}}
    assert the_one(provider).ssh == "root@127.0.0.1:34446", "the port's own row tells it too"
    pod.given = {"env": {}}
    assert the_one(provider).ssh == "", "it lets the account's keys in, but not the job's"
    pod.given = {"ssh": None, "runtime": {"uptime": 3, "ports": None}}
    assert the_one(provider).ssh == ""


# -- why they ended ----------------------------------------------------------------------------------------


def test_a_pod_that_somebody_stopped_is_told_so_once_it_is_clear_that_there_is_money(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    cloud.exit(up(provider, cloud))
    for _ in range(3):
        seen = the_one(provider)
        assert (seen.phase, seen.ending_reason, seen.detail) == ("stopped", "by-hand", "EXITED, and not by us")
    assert balances(cloud) == 1, "the reason is remembered"


def test_a_pod_that_stopped_for_want_of_money_is_out_of_funds(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    up(provider, cloud)
    cloud.broke(delete=False)
    seen = the_one(provider)
    assert (seen.phase, seen.ending_reason, seen.detail) == ("stopped", "out-of-funds", "the account holds $0.00")


def test_pods_that_were_deleted_for_want_of_money_are_told_once_as_gone(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    up(provider, cloud)
    up(provider, cloud, launch_key="sl-o-job-2-0")
    cloud.broke()
    found = provider.list_machines()
    assert [(m.phase, m.ending_reason, m.ended_at) for m in found] == [("gone", "out-of-funds", NOW)] * 2
    assert provider.list_machines() == []
    assert balances(cloud) == 1


def test_a_pod_that_vanished_while_there_is_money_is_not_listed_and_the_balance_is_asked_once(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    cloud.vanish(up(provider, cloud))
    assert provider.list_machines() == [] == provider.list_machines()
    assert balances(cloud) == 1


def test_while_a_pod_runs_there_is_money_whatever_the_balance_of_one_who_pays_later(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    first, second = up(provider, cloud), up(provider, cloud, launch_key="sl-o-job-2-0")
    up(provider, cloud, launch_key="sl-o-job-3-0")
    cloud.balance = -500.0
    cloud.exit(first)
    cloud.vanish(second)
    assert [(m.phase, m.ending_reason) for m in provider.list_machines()] == [("running", ""), ("stopped", "by-hand")]
    assert balances(cloud) == 0


def test_without_a_balance_nobody_tells_why_and_the_listing_is_whole_all_the_same(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    cloud.fail("forbidden", path="/graphql")
    cloud.exit(up(provider, cloud))
    seen = the_one(provider)
    assert (seen.phase, seen.ending_reason, seen.detail) == ("stopped", "", "EXITED, and not by us")


def test_nothing_is_asked_about_pods_that_run_or_that_we_have_ended(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    pod_id = up(provider, cloud)
    provider.list_machines()
    provider.terminate([pod_id])
    assert provider.list_machines() == []
    assert balances(cloud) == 0


def test_a_pod_that_we_have_ended_is_ending_for_as_long_as_a_late_listing_shows_it(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    pod_id = up(provider, cloud)
    cloud.list_lag_s = 3600
    cloud.pods[pod_id].created_at -= 3600
    provider.terminate([pod_id])
    seen = the_one(provider)
    assert (seen.phase, seen.ending_reason) == ("ending", "asked")
    cloud.pods[pod_id].status = "EXITED"
    assert (the_one(provider).phase, the_one(provider).ending_reason) == ("stopped", "asked")


@pytest.mark.parametrize("aftermath", ["gone", "exited"])
def test_a_pod_that_is_taken_has_no_notice(provider: RunpodProvider, cloud: FakeRunpod, aftermath: str) -> None:
    assert provider.traits.notice_s == 0 and provider.traits.notice_source == ""
    cloud.preempt(up(provider, cloud), aftermath=aftermath)
    eventually(lambda: [m.phase for m in provider.list_machines()] == ["stopped"] * (aftermath == "exited"))


# -- their ends --------------------------------------------------------------------------------------------


def test_what_is_no_id_of_a_pod_is_done_without_a_call(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    ids = ["us-central1-a/sl-o-job-1-0", "../gpus", "a b", "", "?", "/subscriptions/x"]
    assert provider.terminate(ids) == {} and cloud.calls == []


def test_one_that_cannot_be_ended_does_not_spoil_the_others(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    ids = [cloud.add(f"sl-o-job-{n}-0").id for n in range(3)]
    cloud.fail("forbidden", path=ids[1])
    assert provider.terminate([*ids, ids[0], "0000k0m0n0p0"]) == {ids[1]: "the API key may not do this (access denied)"}
    assert [m.id for m in cloud.fleet.up()] == [ids[1]]
    assert len(cloud.called("/v2/pods/")) == 4, "each is asked for once"


@pytest.mark.parametrize("kind", ["server-error", "throttle", "drop", "bad-gateway"])
def test_an_end_that_fails_is_told_and_not_repeated(provider: RunpodProvider, cloud: FakeRunpod, kind: str) -> None:
    pod_id = cloud.add(KEY).id
    cloud.fail(kind)
    failures = provider.terminate([pod_id])
    assert set(failures) == {pod_id} and failures[pod_id]
    assert len(cloud.calls) == 1
    cloud.heal()
    assert provider.terminate([pod_id]) == {} == provider.terminate([pod_id])


def test_a_stopped_pod_is_deleted_with_all_that_it_has(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    pod_id = up(provider, cloud)
    cloud.exit(pod_id)
    assert cloud.fleet.left() == [f"pod:{pod_id}"]
    provider.terminate([pod_id])
    assert cloud.fleet.left() == []


def test_a_listing_that_fails_says_why(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    for kind in ("throttle", "server-error", "expired-token", "forbidden", "drop", "truncated", "malformed"):
        cloud.fail(kind)
        with pytest.raises(ProviderError) as caught:
            provider.list_machines()
        assert caught.value.message
        cloud.heal()


@pytest.mark.parametrize("offer", [an_offer(), an_offer(region="community"), an_offer(count=8), an_offer(count=3)])
def test_an_offers_pool_is_the_pool_of_its_machine(provider: RunpodProvider, offer: Offer) -> None:
    launched = provider.launch(an_order(offer))
    assert the_one(provider).pool == launched.offer.pool == offer.pool
