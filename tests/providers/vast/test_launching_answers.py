"""What Vast.ai may answer to a create: the reaction, how far it reaches, and what must not be left behind."""

from __future__ import annotations

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Scope
from spotlaunch_providers.vast.errors import CODES
from tests.fakes.clouds.vast import FakeVast
from tests.fakes.clouds.vast_machines import LAUNCH_FAILURES, MADE_FAILURES, refusal
from tests.providers.vast.conftest import KEY, Connect, ask, created, offered, order, sell

# code -> error, how far it reaches
ANSWERS: dict[str, tuple[type[errors.ProviderError], str]] = {
    "auth_error": (errors.NotAuthorized, "cloud"),
    "key-404": (errors.NotAuthorized, "cloud"),
    "forbidden": (errors.NotAuthorized, "cloud"),
    "is not your own": (errors.NoCapacity, "pool"),
    "no_such_ask": (errors.NoCapacity, "pool"),
    "no_such_ask-404": (errors.NoCapacity, "pool"),
    "no_such_ask-400": (errors.NoCapacity, "pool"),
    "resources_unavailable": (errors.NoCapacity, "machine"),
    "invalid_price": (errors.PriceTooLow, "pool"),
    "invalid_args": (errors.InvalidOrder, "pool"),
    "insufficient_credit": (errors.OutOfFunds, "cloud"),
    "missing_billing": (errors.OutOfFunds, "cloud"),
    "spend_rate_limit": (errors.OutOfFunds, "cloud"),
    "no_ssh_key_for_vm": (errors.InvalidOrder, "cloud"),
    "no_such_instance": (errors.NotFound, "pool"),
    "not_found": (errors.NotFound, "pool"),
    "search_quota_exceeded": (errors.Throttled, "cloud"),
    "too frequent": (errors.Throttled, "cloud"),
    "throttled-detail": (errors.Throttled, "cloud"),
    "500": (errors.OutcomeUnknown, ""),
    "503": (errors.OutcomeUnknown, ""),
    "unknown": (errors.OutcomeUnknown, ""),
    "no-contract": (errors.OutcomeUnknown, ""),
    "malformed": (errors.OutcomeUnknown, ""),
}


@pytest.mark.parametrize("code", LAUNCH_FAILURES)
def test_every_answer_is_told_by_its_reaction_and_how_far_it_reaches(
    connect: Connect, cloud: FakeVast, code: str
) -> None:
    sell(cloud, 2.0, 3.0)
    provider = connect()
    offers = offered(provider)
    error, reach = ANSWERS[code]
    cloud.fail_launch(code, times=9)
    with pytest.raises(error) as caught:
        provider.launch(order(offers))
    assert type(caught.value) is error
    refused, pool = caught.value.refused, offers[0].pool
    if error is errors.OutcomeUnknown:
        assert refused == () and len(created(cloud)) == 1, "a second machine could come of a second try"
        return
    whole = Scope(provider="vast")
    machine = Scope(provider="vast", region=pool.region, zone=pool.zone)
    assert refused[0].scope == {"cloud": whole, "machine": machine, "pool": Scope.of(pool)}[reach]
    assert len(refused) == len(created(cloud)) == (1 if reach == "cloud" else 2)
    if error in (errors.NotAuthorized, errors.OutOfFunds):
        assert refused[0].hint
    if error is errors.Throttled:
        # Sooner than that it would be refused again.
        assert caught.value.retry_after_s is not None and caught.value.retry_after_s >= 12


@pytest.mark.parametrize("code", [c for c, (e, reach) in ANSWERS.items() if reach in ("pool", "machine")])
def test_after_an_offer_that_is_gone_the_next_is_taken(connect: Connect, cloud: FakeVast, code: str) -> None:
    sell(cloud, 2.0, 3.0)
    offers = offered(connect())
    cloud.fail_launch(code)
    launched = connect().launch(order(offers))
    assert launched.offer == offers[1] and len(launched.refused) == 1


def test_other_slices_of_a_machine_without_a_free_gpu_are_not_tried(connect: Connect, cloud: FakeVast) -> None:
    cloud.asks = [
        ask(id=1, machine_id=1, num_gpus=1, min_bid=1.0),
        ask(id=2, machine_id=1, num_gpus=2, min_bid=1.2),
        ask(id=3, machine_id=2, num_gpus=1, min_bid=1.4),
    ]
    offers = offered(connect())
    cloud.fail_launch("resources_unavailable")
    launched = connect().launch(order(offers))
    assert launched.offer == offers[2] and len(launched.refused) == 1 and len(created(cloud)) == 2


def test_after_four_that_are_gone_the_others_are_left_for_another_time(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0, 4.0, 5.0, 6.0)
    offers = offered(connect())
    cloud.run_dry()
    with pytest.raises(errors.NoCapacity) as caught:
        connect().launch(order(offers))
    assert [r.scope for r in caught.value.refused] == [Scope.of(o.pool) for o in offers[:4]]
    assert len(created(cloud)) == 4


def test_what_was_refused_before_a_lost_answer_is_told(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0, 4.0)
    cloud.fail_launch("no_such_ask")
    cloud.fail_launch("503")
    with pytest.raises(errors.OutcomeUnknown) as caught:
        connect().launch(order(offered(connect())))
    assert [r.error for r in caught.value.refused] == ["NoCapacity"] and len(created(cloud)) == 2


@pytest.mark.parametrize("way", ["before", "after"])
def test_a_lost_answer_is_unknown_and_nothing_else_is_tried(connect: Connect, cloud: FakeVast, way: str) -> None:
    sell(cloud, 2.0, 3.0)
    cloud.lose_answers(**{way: 1})
    with pytest.raises(errors.OutcomeUnknown):
        connect().launch(order(offered(connect())))
    assert len(created(cloud)) == 1
    assert len(connect().list_machines()) == (way == "after")


@pytest.mark.parametrize("code", ["503_after_commit", "malformed_after_commit"])
def test_a_create_that_broke_and_made_a_machine_is_found_by_its_label(
    connect: Connect, cloud: FakeVast, code: str
) -> None:
    sell(cloud, 2.0, 3.0)
    cloud.fail_launch(code)
    with pytest.raises(errors.OutcomeUnknown):
        connect().launch(order(offered(connect())))
    assert [m.launch_key for m in connect().list_machines()] == ["sl-o-job-1-0"]


@pytest.mark.parametrize("code", [c for c in MADE_FAILURES if "new_contract" in c])
def test_a_contract_in_a_refusal_is_ended_at_once(connect: Connect, cloud: FakeVast, code: str) -> None:
    sell(cloud, 2.0, 3.0)
    cloud.fail_launch(code)
    offers = offered(connect())
    launched = connect().launch(order(offers))
    assert launched.offer == offers[1] and [r.error for r in launched.refused] == ["NoCapacity"]
    assert list(cloud.contracts) == [int(launched.instance_id)]
    assert len(cloud.fleet.held) == 1


def test_a_contract_in_a_refusal_that_cannot_be_ended_is_told_and_listed(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0)
    cloud.fail_launch("stopped_with_new_contract")
    cloud.fail("server-error", path="/instances/[0-9]+/$")
    with pytest.raises(errors.OutcomeUnknown, match="could not be ended"):
        connect().launch(order(offered(connect())))
    assert len(created(cloud)) == 1
    cloud.heal()
    (seen,) = connect().list_machines()
    assert (seen.launch_key, seen.phase) == ("sl-o-job-1-0", "stopped")


def test_a_network_that_is_down_means_that_nothing_was_made(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0)
    offers = offered(connect())
    away = connect(endpoint="http://127.0.0.1:9")
    with pytest.raises(errors.Transient) as caught:
        away.launch(order(offers))
    assert [r.scope for r in caught.value.refused] == [Scope(provider="vast")]


def test_a_key_in_an_answer_is_masked(connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch) -> None:
    sell(cloud, 2.0)
    offers = offered(connect())
    for status, code in ((400, "invalid_args"), (400, "a_new_code")):
        monkeypatch.setattr(cloud, "create", lambda *_, s=status, c=code: refusal(s, c, f"key {KEY} may not"))
        with pytest.raises(errors.ProviderError, match="may not") as caught:
            connect().launch(order(offers))
        assert KEY not in f"{caught.value!r} {caught.value.message} {caught.value.refused}"


def test_every_code_of_the_table_can_be_an_answer() -> None:
    assert {c for c in CODES if c not in LAUNCH_FAILURES} == set(), "the fake plays each of them"
    assert set(ANSWERS) == set(LAUNCH_FAILURES)
