from __future__ import annotations

import time
from decimal import Decimal

import pytest

from spotlaunch.core.facts import Offers, Want
from spotlaunch.errors import NotAuthorized, OutOfFunds, ProviderError, SpotlaunchError, Throttled, Transient
from spotlaunch_providers.gcp.errors import CODES, judge
from spotlaunch_providers.shared.http import Reply
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp, compute_error, disabled, rpc_error
from tests.fakes.clouds.server import FAULTS, Response
from tests.providers.gcp.conftest import NOW, Make, find, gpus

WANT = gpus("B200")
# Nothing that names the account may come out, whatever Google's words are.
MARKERS = (data.PROJECT, data.PROJECT_NUMBER, data.SERVICE_ACCOUNT, "gserviceaccount")

REFUSED = {
    "throttle": (Throttled, "too many calls a minute"),
    "throttle-retry-after": (Throttled, "too many calls a minute"),
    "server-error": (Transient, "something broke at Google"),
    "bad-gateway": (Transient, "HTTP 502"),
    "malformed": (Transient, "not JSON"),
    "truncated": (Transient, "broke off"),
    "drop": (Transient, "broke off"),
    "hang": (Transient, "did not answer"),
    "drip": (Transient, "took longer than|did not answer"),
    "endless-paging": (Transient, "pages do not end"),
    "expired-token": (NotAuthorized, "not good any more"),
    "forbidden": (NotAuthorized, "may not do this: Required 'compute.machineTypes.list' permission"),
}
HARMLESS = {"latency": 0.05, "clock-skew": 86_400.0}
EMPTY = {"empty-pages"}


def test_the_project_is_masked_wherever_google_says_it(
    cloud: FakeGcp, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"Consumer {data.PROJECT} ({data.PROJECT_NUMBER}) was turned down"
    monkeypatch.setattr(cloud, "refusals", {"forbidden": compute_error(403, "forbidden", said)})
    cloud.fail("forbidden")
    with pytest.raises(NotAuthorized, match=r"Consumer \*\*\* \(\*\*\*\) was turned down"):
        make().offers(WANT)


def test_every_fault_has_its_test() -> None:
    assert {*REFUSED, *HARMLESS, *EMPTY} == set(FAULTS)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_fault_is_told_in_one_line_within_the_deadline(cloud: FakeGcp, make: Make, kind: str) -> None:
    error, words = REFUSED[kind]
    cloud.fail(kind, seconds=1.0 if kind == "throttle-retry-after" else 0.05)
    began = time.monotonic()
    with pytest.raises(error, match=words) as caught:
        make(ask_s=1.2).offers(WANT)
    assert time.monotonic() - began < 6
    shown = f"{caught.value!r} {caught.value.hint}"
    assert not [m for m in MARKERS if m in shown] and "\n" not in shown
    assert caught.value.hint


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_slow_or_wrongly_dated_answer_is_an_answer(cloud: FakeGcp, make: Make, kind: str) -> None:
    expected = make().offers(WANT)
    cloud.fail(kind, seconds=HARMLESS[kind])
    assert list(make().offers(WANT)) == list(expected)


def test_pages_with_nothing_on_them_are_no_machines(cloud: FakeGcp, make: Make) -> None:
    cloud.fail("empty-pages")
    assert not make().offers(WANT)


def test_a_call_that_fails_once_is_made_again(cloud: FakeGcp, make: Make) -> None:
    cloud.fail("server-error", times=1)
    assert make().offers(WANT)


@pytest.mark.parametrize("kind", ["forbidden", "throttle", "hang", "server-error", "malformed"])
def test_without_advice_there_are_still_prices(cloud: FakeGcp, make: Make, kind: str) -> None:
    cloud.fail(kind, path="advice")
    began = time.monotonic()
    offers = list(make(ask_s=3.0).offers(WANT))
    assert time.monotonic() - began < 8
    assert find(offers, "a4-highgpu-8g", "us-central1-b", "spot").price_usd_hour == Decimal("39.6")
    assert not [o for o in offers if o.obtainability is not None or o.interruptions_per_hour is not None]


def test_what_is_forbidden_is_not_asked_again_and_again(cloud: FakeGcp, make: Make) -> None:
    cloud.fail("forbidden", path="advice")
    make().offers(gpus("H100", "L4", "A100"))
    for what in ("capacityHistory", "capacity$"):
        assert len(cloud.called(what)) <= 40  # those that were under way at a time, of some 180
    assert cloud.called("capacityHistory")


def test_a_permission_that_is_missing_costs_only_what_it_permits(cloud: FakeGcp, make: Make) -> None:
    make().offers(gpus("H200"))  # the price list is there now
    cloud.fail("forbidden", path="capacityHistory")
    found = make(now=lambda: NOW + 7200).offers(gpus("H200"))
    assert isinstance(found, Offers) and found.missing[0].startswith("spot prices of some machines: ")
    offers = [o for o in found if o.pool.market == "spot"]
    assert offers and all(o.obtainability is not None and o.interruptions_per_hour is None for o in offers)


def test_one_list_that_fails_does_not_fail_the_others(cloud: FakeGcp, make: Make) -> None:
    cloud.fail("forbidden", path="acceleratorTypes")
    offers = make().offers(gpus("T4", "H200"))
    assert {o.gpu for o in offers} == {"H200-SXM"}
    assert isinstance(offers, Offers) and "attached" in offers.missing[0] and "may not do this" in offers.missing[0]
    with pytest.raises(NotAuthorized):
        make().offers(gpus("T4"))


@pytest.mark.parametrize("kind", ["forbidden", "throttle", "hang", "endless-paging", "truncated"])
def test_without_the_price_list_there_is_still_spot(cloud: FakeGcp, make: Make, kind: str) -> None:
    cloud.fail(kind, path="/v1/services")
    offers = make(ask_s=3.0).offers(Want(gpus=(("H100", 8),)))
    assert isinstance(offers, Offers) and [m[:18] for m in offers.missing] == ["on-demand prices: "]
    assert offers and {o.pool.market for o in offers if o.gpu_count == 8} >= {"spot"}
    if kind != "endless-paging":  # of that a page was read
        assert all(o.on_demand_usd_hour is None for o in offers)


def test_without_any_price_the_reason_is_told(cloud: FakeGcp, make: Make) -> None:
    cloud.fail("forbidden", path="advice|services")
    with pytest.raises(NotAuthorized, match="may not do this"):
        make().offers(WANT)


def test_a_form_that_nobody_documented_is_told_and_no_crash(cloud: FakeGcp, make: Make) -> None:
    for body in (b"[]", b'"x"', b'{"items": []}', b'{"items": {"zones/a-b": {"machineTypes": [{"guestCpus": "x"}]}}}'):
        odd = Response(body=body)
        answer, cloud.answer = cloud.answer, lambda request, odd=odd: (odd, [])  # type: ignore[method-assign]
        try:
            offers = make(ask_s=4.0).offers(WANT)
        except SpotlaunchError as e:
            assert isinstance(e, Transient) and "form" in e.message
        else:
            assert not offers
        cloud.answer = answer  # type: ignore[method-assign]


# -- the table ---------------------------------------------------------------------------------------------


def judged(response: Response) -> ProviderError:
    error = judge(Reply(status=response.status, body=response.body), service="compute.googleapis.com")
    assert error is not None
    return error


@pytest.mark.parametrize("reason", CODES)
def test_each_reason_gives_its_error_whatever_the_status(reason: str) -> None:
    code = CODES[reason]
    for response in (compute_error(403, reason, "said"), rpc_error(400, "OTHER", "said", reason)):
        error = judged(response)
        assert type(error) is code.error
        assert error.message and "{" not in error.message + error.hint
        assert ("said" in error.message) == code.quotes


def test_the_status_403_means_three_things() -> None:
    kinds = [type(judged(compute_error(403, r, ""))) for r in ("rateLimitExceeded", "forbidden", "quotaExceeded")]
    assert [k.__name__ for k in kinds] == ["Throttled", "NotAuthorized", "QuotaExceeded"]


def test_a_disabled_api_says_how_to_enable_it() -> None:
    for response in (disabled("x"), rpc_error(403, "PERMISSION_DENIED", "", "SERVICE_DISABLED")):
        error = judged(response)
        assert isinstance(error, NotAuthorized)
        assert "gcloud services enable compute.googleapis.com" in error.hint
        assert "https://console.cloud.google.com/apis/library/compute.googleapis.com" in error.hint


def test_the_most_telling_reason_wins() -> None:
    assert isinstance(judged(rpc_error(403, "PERMISSION_DENIED", "", "BILLING_DISABLED")), OutOfFunds)
    assert isinstance(judged(rpc_error(429, "RESOURCE_EXHAUSTED", "", "RATE_LIMIT_EXCEEDED")), Throttled)


def test_what_the_table_does_not_know_is_told_in_googles_words() -> None:
    error = judged(compute_error(418, "teapot", "short and stout"))
    assert isinstance(error, Transient) and "teapot: short and stout" in error.message
    assert judge(Reply(status=502, body="<html>"), service="x") is None
    assert judge(Reply(status=200, body={"error": {}}), service="x") is None
