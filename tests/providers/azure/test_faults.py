"""Each fault of the script: what comes out, in which words, and not after the deadline."""

from __future__ import annotations

import time

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Offers, Want
from tests.fakes.clouds.azure import FakeAzure
from tests.fakes.clouds.server import FAULTS
from tests.providers.azure.conftest import NOW, SUBSCRIPTION, Connect

H100 = Want(gpus=(("H100", 0),))

# fault -> error, a part of its words. None: it costs nothing.
EVERYWHERE = {
    "latency": None,
    "hang": (errors.Transient, "did not answer"),
    "drip": (errors.Transient, ""),
    "throttle": (errors.Throttled, "too many calls"),
    "throttle-retry-after": (errors.Throttled, "too many calls"),
    "server-error": (errors.Transient, "InternalServerError"),
    "bad-gateway": (errors.Transient, "HTTP 502"),
    "malformed": (errors.Transient, "not JSON"),
    "truncated": (errors.Transient, ""),
    "drop": (errors.Transient, ""),
    "endless-paging": (errors.Transient, "pages do not end"),
    "expired-token": (errors.NotAuthorized, "token has expired"),
    "forbidden": (errors.NotAuthorized, "may not do this"),
    "empty-pages": None,
    "clock-skew": None,
}


def patience(kind: str) -> float:
    """How long a question may take: short only where that is what ends it, since this computer may be busy."""
    return 1.0 if kind in ("hang", "drip") else 6.0


def test_every_fault_is_tried() -> None:
    assert set(EVERYWHERE) == set(FAULTS)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_all_of_azure_has_its_error_within_the_deadline(
    cloud: FakeAzure, connect: Connect, kind: str
) -> None:
    cloud.fail(kind, seconds=0.05 if kind in ("latency", "drip") else 60.0)
    ask_s = patience(kind)
    began = time.monotonic()
    if (expected := EVERYWHERE[kind]) is None:
        offers = connect(ask_s=ask_s).offers(H100)
        assert all(o.seen_at == NOW for o in offers)
    else:
        with pytest.raises(expected[0]) as caught:
            connect(ask_s=ask_s).offers(H100)
        assert expected[1] in caught.value.message
        assert caught.value.hint or isinstance(caught.value, errors.Throttled)
        said = f"{caught.value!r} {caught.value.hint}"
        assert SUBSCRIPTION not in said and "deadbeef" not in said and "example.com" not in said
    assert time.monotonic() - began < ask_s + 5


# The catalog alone fails: prices hold all the same, and each offer says what could not be checked.
UNCHECKED = {
    "hang": "did not answer",
    "throttle": "too many calls",
    "server-error": "InternalServerError",
    "bad-gateway": "HTTP 502",
    "malformed": "not JSON",
    "endless-paging": "pages do not end",
}


@pytest.mark.parametrize("kind", UNCHECKED)
def test_a_catalog_that_fails_costs_only_its_certainty(cloud: FakeAzure, connect: Connect, kind: str) -> None:
    cloud.may_score = False
    cloud.fail(kind, path="/skus$")
    began = time.monotonic()
    asked = connect(ask_s=patience(kind)).offers(H100)
    assert time.monotonic() - began < patience(kind) + 5
    # Of confidential machines it is known without the catalog that nothing starts on them.
    offers = [o for o in asked if "confidential" not in o.extra]
    assert len(offers) >= 100
    assert {o.available for o in offers} == {"unknown"}
    assert all(o.why.startswith("could not be checked: ") and UNCHECKED[kind] in o.why for o in offers)


def test_one_region_whose_catalog_fails_leaves_the_others_checked(cloud: FakeAzure, connect: Connect) -> None:
    cloud._catalogs["uksouth"] = b"{"
    offers = connect(ask_s=6.0).offers(H100)
    assert {o.pool.region for o in offers if o.why.startswith("could not be checked")} == {"uksouth"}
    connect(ask_s=6.0).offers(H100)
    asked = [c.query["$filter"] for c in cloud.called("/skus$")]
    assert asked.count("location eq 'eastus'") == 1 and asked.count("location eq 'uksouth'") > 1


@pytest.mark.parametrize("kind", ["expired-token", "forbidden"])
def test_a_login_that_azure_refuses_is_told_and_not_passed_over(cloud: FakeAzure, connect: Connect, kind: str) -> None:
    cloud.fail(kind, path="/skus$")
    with pytest.raises(errors.NotAuthorized) as caught:
        connect().offers(H100)
    assert caught.value.hint


def test_a_subscription_that_is_not_there_is_told_without_its_id(cloud: FakeAzure, connect: Connect) -> None:
    cloud.subscriptions = set()
    with pytest.raises(errors.NotAuthorized, match="no such subscription") as caught:
        connect().offers(H100)
    assert SUBSCRIPTION not in f"{caught.value!r}" and "subscription_id" in caught.value.hint


def test_a_question_that_fails_leaves_the_offers_of_the_others(cloud: FakeAzure, connect: Connect) -> None:
    cloud.fail("forbidden", path="/prices$", times=1)
    offers = connect(endpoint="", auth="", subscription_id="").offers(Want())
    assert len({o.gpu for o in offers}) > 5
    assert isinstance(offers, Offers) and "questions for prices: " in offers.missing[0]


def test_a_short_trouble_is_tried_again_and_not_seen(cloud: FakeAzure, connect: Connect) -> None:
    whole = connect(subscription_id="first").offers(H100)
    cloud.fail("server-error", times=2)
    assert connect(subscription_id="second").offers(H100) == whole


def test_a_login_that_does_not_come_about_costs_only_the_certainty(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(self: object) -> str:
        raise errors.Transient("no token: Failed to resolve a name")

    monkeypatch.setattr("spotlaunch_providers.azure.credentials.Placeholder.header", unreachable)
    offers = connect().offers(H100)
    assert len(offers) > 100 and {o.source for o in offers} == {"public feed: retail prices"}
    assert {o.why for o in offers} == {"could not be checked: no token: Failed to resolve a name"}


@pytest.mark.usefixtures("refused_login")
def test_a_login_that_is_refused_is_told_even_when_the_prices_fail_too(cloud: FakeAzure, connect: Connect) -> None:
    with pytest.raises(errors.NotAuthorized, match="AADSTS7000215"):
        connect().offers(H100)
    cloud.fail("drop")
    with pytest.raises(errors.NotAuthorized, match="AADSTS7000215"):
        connect(ask_s=6.0).offers(H100)
