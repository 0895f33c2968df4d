from __future__ import annotations

import time

import pytest

from spotlaunch.core.facts import Offers, Want
from spotlaunch.errors import NotAuthorized, OutOfFunds, ProviderError, Throttled, Transient
from spotlaunch_providers.runpod.errors import SAID, STATUS, judge
from spotlaunch_providers.shared.http import Reply
from tests.fakes.clouds.runpod import FakeRunpod
from tests.providers.runpod.conftest import KEY, Connect

WANT = Want(gpus=(("H100", 1),))

FAILING = [
    ("throttle", Throttled, "too many calls (rate limit exceeded for the minute window)"),
    ("throttle-retry-after", Throttled, "too many calls (rate limit exceeded for the minute window)"),
    ("server-error", Transient, "answered with HTTP 500 (internal error)"),
    ("bad-gateway", Transient, "answered with HTTP 502"),
    ("malformed", Transient, "answered with something that is not JSON"),
    ("truncated", Transient, "the connection broke off"),
    ("drop", Transient, "the connection broke off"),
    ("hang", Transient, "did not answer"),
    ("drip", Transient, ""),
    ("expired-token", NotAuthorized, "the API key is not accepted (invalid bearer token)"),
    ("forbidden", NotAuthorized, "the API key may not do this (access denied)"),
]

SLOW = ("hang", "drip")  # what ends with the deadline only


@pytest.mark.parametrize("key", [KEY, ""], ids=["key", "no key"])
@pytest.mark.parametrize(("kind", "error", "words"), FAILING, ids=[f[0] for f in FAILING])
def test_each_fault_is_told_in_one_line_within_the_deadline(
    connect: Connect, cloud: FakeRunpod, kind: str, error: type[ProviderError], words: str, key: str
) -> None:
    cloud.fail(kind, seconds=30 if kind == "throttle-retry-after" else 0.01)
    ask_s = 1.0 if kind in SLOW else 10.0
    began = time.monotonic()
    with pytest.raises(error) as caught:
        connect(key=key, ask_s=ask_s).offers(WANT)
    assert time.monotonic() - began < ask_s + 5
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint or error is Throttled
    if kind == "throttle-retry-after":
        assert caught.value.retry_after_s == 30


@pytest.mark.parametrize(("kind", "seconds"), [("latency", 0.2), ("clock-skew", 86400), ("endless-paging", 0)])
def test_what_is_only_odd_is_answered_all_the_same(
    connect: Connect, cloud: FakeRunpod, kind: str, seconds: float
) -> None:
    cloud.fail(kind, seconds=seconds)
    assert connect().offers(WANT)


def test_an_empty_catalog_has_no_offers(connect: Connect, cloud: FakeRunpod) -> None:
    cloud.fail("empty-pages")
    assert list(connect().offers(WANT)) == []
    assert list(connect(key="").offers(WANT)) == []


def test_one_question_that_fails_does_not_fail_the_rest(connect: Connect, cloud: FakeRunpod) -> None:
    # What is forbidden is not asked again, so that two of the eight questions fail for good.
    cloud.fail("forbidden", times=2)
    offers = connect().offers(Want(gpus=(("H100", 0),)))
    assert isinstance(offers, Offers) and len(offers.missing) == 2
    assert all(" GPUs, " in what for what in offers.missing)
    assert len(offers) > 0
    assert len(cloud.calls) == 8


def test_a_fault_that_passes_is_not_seen(connect: Connect, cloud: FakeRunpod) -> None:
    cloud.fail("server-error", times=2)
    assert {o.gpu_count for o in connect().offers(Want(gpus=(("H100", 0),)))} == {1, 2, 4, 8}


def test_cloudflare_refusing_a_user_agent_is_told_as_that(connect: Connect, cloud: FakeRunpod) -> None:
    page = Reply(status=403, body="<html><title>Access denied</title>Error 1010 Ray ID: 1</html>")
    error = judge(page)
    assert isinstance(error, NotAuthorized) and "user agent" in error.message
    assert all(c.headers["User-Agent"].startswith("spotlaunch/") for c in cloud.calls)
    assert connect().offers(WANT)


def test_a_retired_api_asks_for_a_newer_spotlaunch(connect: Connect, cloud: FakeRunpod) -> None:
    cloud.retired = True
    with pytest.raises(NotAuthorized, match="this API is retired: a newer spotlaunch is needed"):
        connect(key="").offers(WANT)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (402, {"detail": "Payment required"}),
        (500, {"error": "Your account balance is too low to rent a pod. Please add funds to your account."}),
        (200, {"errors": [{"message": "no", "extensions": {"code": "INSUFFICIENT_BALANCE"}}], "data": None}),
    ],
)
def test_an_empty_account_is_known_in_all_the_ways_it_is_told(status: int, body: object) -> None:
    assert isinstance(judge(Reply(status=status, body=body)), OutOfFunds)


def test_words_come_before_the_status() -> None:
    dry = "There are no longer any instances available with the requested specifications. Please refresh and try again."
    assert type(judge(Reply(status=400, body={"detail": dry}))) is SAID["no longer any instances available"].error
    assert type(judge(Reply(status=400, body={"detail": "mounts exclude each other"}))) is STATUS[400].error


def test_a_window_that_is_used_up_says_when_it_begins_anew() -> None:
    headers = {"RateLimit": '"minute";r=0;t=12, "hour";r=0;t=40, "day";r=7;t=9999'}
    error = judge(Reply(status=429, body={"detail": "rate limit exceeded"}, headers=headers))
    assert error is not None and error.retry_after_s == 40


@pytest.mark.parametrize("body", [None, [], "", "teapot", {}, {"errors": "x"}, {"detail": 3}])
def test_a_reply_of_any_shape_has_an_error(body: object) -> None:
    assert isinstance(judge(Reply(status=418, body=body)), ProviderError)


@pytest.mark.parametrize("answer", [[], {"gpus": {}}, {"data": []}, 3])
def test_an_answer_of_another_shape_is_told(
    connect: Connect, cloud: FakeRunpod, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    from tests.fakes.clouds.server import Response

    monkeypatch.setattr(cloud, "_route", lambda r: Response(body=answer))
    for key in (KEY, ""):
        with pytest.raises(Transient, match="answered with"):
            connect(key=key, ask_s=10.0).offers(WANT)
