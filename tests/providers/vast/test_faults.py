from __future__ import annotations

import time

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Offers, Want
from spotlaunch.errors import NotAuthorized, ProviderError, Throttled, Transient
from spotlaunch_providers.shared.http import Reply
from spotlaunch_providers.vast.errors import CODES, judge
from tests.fakes.clouds.server import Response
from tests.fakes.clouds.vast import FakeVast
from tests.providers.vast.conftest import Connect

WANT = Want(gpus=(("H100", 1),))

FAILING = [
    ("throttle", Throttled, "too many calls (API requests too frequent: endpoint threshold=2.0)"),
    ("throttle-retry-after", Throttled, "too many calls"),
    ("server-error", Transient, "answered with HTTP 500 (Something went wrong)"),
    ("bad-gateway", Transient, "answered with HTTP 502"),
    ("malformed", Transient, "answered with something that is not JSON"),
    ("truncated", Transient, "the connection broke off"),
    ("drop", Transient, "the connection broke off"),
    ("hang", Transient, "did not answer"),
    ("drip", Transient, ""),
    ("expired-token", NotAuthorized, "the API key is not accepted (Invalid user key)"),
    ("forbidden", NotAuthorized, "the API key may not do this (Your key lacks the permission for this)"),
]
SLOW = ("hang", "drip")  # what ends with the deadline only


@pytest.mark.parametrize(("kind", "error", "words"), FAILING, ids=[f[0] for f in FAILING])
def test_each_fault_is_told_in_one_line_within_the_deadline(
    connect: Connect, cloud: FakeVast, kind: str, error: type[ProviderError], words: str
) -> None:
    cloud.fail(kind, seconds=30 if kind == "throttle-retry-after" else 0.01)
    ask_s = 1.0 if kind in SLOW else 10.0
    began = time.monotonic()
    with pytest.raises(error) as caught:
        connect(ask_s=ask_s).offers(WANT)
    assert time.monotonic() - began < ask_s + 5
    assert words in caught.value.message and "\n" not in caught.value.message
    assert caught.value.hint or error is Throttled
    if error is Throttled:
        # Twice the threshold that it names, unless it says how long.
        assert caught.value.retry_after_s == (30 if "after" in kind else 4.0)


@pytest.mark.parametrize(("kind", "seconds"), [("latency", 0.2), ("clock-skew", 86400)])
def test_what_is_only_odd_is_answered_all_the_same(
    connect: Connect, cloud: FakeVast, kind: str, seconds: float
) -> None:
    cloud.fail(kind, seconds=seconds)
    assert connect().offers(WANT)


def test_empty_pages_have_no_offers(connect: Connect, cloud: FakeVast) -> None:
    cloud.fail("empty-pages")
    assert not connect().offers(WANT)


def test_one_search_that_fails_does_not_fail_the_other(connect: Connect, cloud: FakeVast) -> None:
    cloud.fail("forbidden", times=1)
    offers = connect().offers(WANT)
    assert len({o.pool.market for o in offers}) == 1
    assert isinstance(offers, Offers) and len(offers.missing) == 1 and " searches: " in offers.missing[0]


def test_a_fault_that_passes_is_not_seen(connect: Connect, cloud: FakeVast) -> None:
    cloud.fail("server-error", times=2)
    assert {o.pool.market for o in connect().offers(WANT)} == {"spot", "on-demand"}


def test_a_quota_that_is_used_up_is_not_asked_again_before_it_begins_anew(connect: Connect, cloud: FakeVast) -> None:
    cloud.quota_left, cloud.quota_resets_at = 0, time.time() + 5000
    with pytest.raises(Throttled, match="the searches of today are used up") as caught:
        connect().offers(WANT)
    assert caught.value.retry_after_s == pytest.approx(5000, abs=5)
    assert "midnight UTC" in caught.value.hint
    assert len(cloud.calls) == 2


def test_the_clouds_clock_counts_and_without_a_time_the_quota_ends_at_midnight() -> None:
    headers = {"Date": "Sat, 21 Nov 2026 23:00:00 GMT"}
    error = judge(Reply(status=429, body={"error": "search_quota_exceeded"}, headers=headers))
    assert error is not None and error.retry_after_s == 3600


def test_a_shortest_time_between_calls_is_kept_when_it_is_told(connect: Connect, cloud: FakeVast) -> None:
    provider, pauses = connect(), []

    def time_passes(seconds: float) -> None:
        pauses.append(seconds)
        cloud.min_interval_s.clear()

    provider._asking._api._sleep = time_passes
    cloud.min_interval_s["/api/v0/bundles/"] = 4.5
    assert {o.pool.market for o in provider.offers(WANT)} == {"spot", "on-demand"}
    assert pauses == [9.0]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"success": False, "error": "resources_unavailable", "msg": "queued"}, errors.NoCapacity),
        (404, {"error": "invalid_args", "msg": "error 404/3603: no_such_ask Instance type"}, errors.NoCapacity),
        (410, {"error": "no_such_ask"}, errors.NoCapacity),
        (400, {"msg": "error 400/3467: no_such_ask"}, errors.NoCapacity),
        (400, {"error": "invalid_price"}, errors.PriceTooLow),
        (400, {"error": "missing_billing"}, errors.OutOfFunds),
        (404, {"success": False, "msg": "Invalid user key"}, NotAuthorized),
        (404, {"success": False, "error": "not_found", "msg": "Invalid user key"}, NotAuthorized),
        (404, {}, NotAuthorized),
        (429, {"detail": "API requests too frequent"}, Throttled),
        (418, "teapot", Transient),
    ],
    ids=str,
)
def test_the_code_counts_before_the_status(status: int, body: object, error: type[ProviderError]) -> None:
    assert type(judge(Reply(status=status, body=body))) is error


def test_every_code_of_the_table_is_known_by_its_code_and_by_its_words() -> None:
    for code, known in CODES.items():
        for body in ({"success": False, "error": code}, {"success": False, "msg": f"error 400/1: {code} here"}):
            assert type(judge(Reply(status=200, body=body))) is known.error


@pytest.mark.parametrize("answer", [[], {"offers": {}}, {"data": 1}, 3])
def test_an_answer_of_another_shape_is_told(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr(cloud, "_route", lambda r: Response(body=answer))
    with pytest.raises(Transient, match="answered without offers"):
        connect(ask_s=10.0).offers(WANT)
