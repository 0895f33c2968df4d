"""The table of the fact sheet (A6), row by row: what a create says, and what is made of it."""

from __future__ import annotations

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Pool, Scope
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.runpod.errors import (
    CREATE,
    OWN,
    SAID,
    STATUS,
    Code,
    judge_create,
    own,
    refusal,
)
from spotlaunch_providers.shared.http import Reply
from spotlaunch_providers.shared.refused import ends_the_call
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.runpod_rules import LAUNCH_FAILURES
from tests.providers.runpod.conftest import Connect
from tests.providers.runpod.ordering import an_offer, an_order

ALL, HERE = "runpod", "runpod:US-KS-2/1x-NVIDIA-L40S/on-demand"

# Each name of the fake's table: the error, and how far it reaches. No error: it may have been made.
MEANT: dict[str, tuple[type[errors.ProviderError], str]] = {
    "401": (errors.NotAuthorized, ALL),
    "402": (errors.OutOfFunds, ALL),
    "403": (errors.NotAuthorized, ALL),  # it is the only answer: see test_launching for the rest
    "1010": (errors.NotAuthorized, ALL),
    "capacity": (errors.NoCapacity, HERE),
    "no-free-gpus": (errors.NoCapacity, HERE),
    "no-free-gpus-v1": (errors.NoCapacity, HERE),
    "400": (errors.InvalidOrder, HERE),
    "registry": (errors.InvalidOrder, ALL),
    "volume": (errors.InvalidOrder, ALL),
    "volume-elsewhere": (errors.InvalidOrder, ALL),
    "404": (errors.InvalidOrder, HERE),
    "410": (errors.NotAuthorized, ALL),
    "413": (errors.InvalidOrder, ALL),
    "422": (errors.InvalidOrder, HERE),
    "spend-limit": (errors.QuotaExceeded, ALL),
    "429": (errors.Throttled, ALL),
    **dict.fromkeys(
        ("409", "500", "500-capacity", "500-spot", "502", "503", "not-json", "no-id"), (errors.OutcomeUnknown, "")
    ),
}


@pytest.fixture
def provider(connect: Connect) -> RunpodProvider:
    return connect()


def test_every_answer_of_the_table_is_meant() -> None:
    assert set(MEANT) == set(LAUNCH_FAILURES)


@pytest.mark.parametrize("failure", MEANT)
def test_each_answer_is_its_error_with_its_reach(provider: RunpodProvider, cloud: FakeRunpod, failure: str) -> None:
    error, scope = MEANT[failure]
    cloud.fail_launch(failure)
    with pytest.raises(error) as caught:
        provider.launch(an_order())
    assert type(caught.value) is error
    assert [(r.error, str(r.scope)) for r in caught.value.refused] == ([(error.__name__, scope)] if scope else [])
    assert caught.value.message and "\n" not in caught.value.message
    if error in (errors.NotAuthorized, errors.OutOfFunds, errors.QuotaExceeded):
        assert caught.value.hint, "a person has to do something"
    assert cloud.fleet.left() == []


@pytest.mark.parametrize("code", [*SAID.values(), *STATUS.values(), *CREATE.values(), *OWN.values()])
def test_each_row_can_be_a_refusal(code: Code) -> None:
    pool = Pool(provider="runpod", region="r", zone="", instance_type="t", market="on-demand")
    no = refusal(code, pool)
    assert no.scope.covers(pool) and no.reason
    assert getattr(errors, no.error) is code.error
    assert ends_the_call(no) == (code.reach == "cloud") == (no.scope == Scope(provider="runpod"))


def test_words_win_over_the_status_but_not_over_a_server_that_broke() -> None:
    dry = {"detail": "There are no longer any instances available with the requested specifications."}
    assert isinstance(judge_create(Reply(status=400, body=dry)), errors.ProviderError)
    assert isinstance(judge_create(Reply(status=500, body=dry)), errors.OutcomeUnknown)
    assert judge_create(Reply(status=201, body={"id": "x"})) is None


@pytest.mark.parametrize("status", [300, 405, 409, 418, 451, 500, 504, 599])
def test_a_status_that_no_table_knows_leaves_the_outcome_unknown(status: int) -> None:
    assert isinstance(judge_create(Reply(status=status, body={"detail": "?"})), errors.OutcomeUnknown)


def test_words_of_our_own_name_the_pool() -> None:
    no = own("over-cap", an_offer().pool, price=2, cap=1)
    assert no.reason == "runpod:US-KS-2/1x-NVIDIA-L40S/on-demand costs $2 an hour, more than the cap of $1"
