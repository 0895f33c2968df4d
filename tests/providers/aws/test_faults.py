from __future__ import annotations

import time

import pytest

from spotlaunch.core.facts import Offers
from spotlaunch.errors import NotAuthorized, ProviderError, Throttled, Transient
from spotlaunch_providers.aws.errors import CODES, code_of, of_code
from spotlaunch_providers.shared.redact import Redactor
from tests.fakes.clouds.aws import ACCOUNT, USER, FakeAws
from tests.fakes.clouds.server import FAULTS
from tests.providers.aws.conftest import Make, gpus

WANT = gpus("H100")
FEW = "us-east-1,eu-west-2"
# Nothing that names the account may come out, whatever AWS's words are.
MARKERS = (ACCOUNT, USER, "marker", "anonymous")

REFUSED = {
    "throttle": (Throttled, "too many calls"),
    "throttle-retry-after": (Throttled, "too many calls"),
    "server-error": (Transient, "something broke at AWS"),
    "bad-gateway": (Transient, "HTTP 502"),
    "malformed": (Transient, "not XML"),
    "truncated": (Transient, "not XML|broke off"),
    "drop": (Transient, "broke off"),
    "hang": (Transient, "did not answer"),
    "drip": (Transient, "did not answer|took longer"),
    "endless-paging": (Transient, "pages do not end|did not answer|took longer"),
    "expired-token": (NotAuthorized, "run out"),
    "forbidden": (NotAuthorized, "may not call ec2:Describe"),
    "clock-skew": (NotAuthorized, "the clock is wrong"),
}
HARMLESS = {"latency": 0.05}
EMPTY = {"empty-pages"}


@pytest.fixture(scope="module", autouse=True)
def boto3_is_loaded() -> None:
    """So that a short deadline is not spent on importing it."""
    import boto3

    boto3.Session(aws_access_key_id="a", aws_secret_access_key="b").client("ec2", region_name="us-east-1")


def test_every_fault_has_its_test() -> None:
    assert {*REFUSED, *HARMLESS, *EMPTY} == set(FAULTS)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_fault_is_told_in_one_line_within_the_deadline(cloud: FakeAws, make: Make, kind: str) -> None:
    error, words = REFUSED[kind]
    cloud.fail(kind, seconds=86_400.0 if kind == "clock-skew" else 0.5)
    ask_s = 1.2 if kind in ("hang", "drip", "endless-paging") else 8.0
    began = time.monotonic()
    with pytest.raises(error, match=words) as caught:
        make(ask_s=ask_s).offers(WANT)
    assert time.monotonic() - began < ask_s + 5
    shown = f"{caught.value!r} {caught.value.message} {caught.value.hint}"
    assert not [m for m in MARKERS if m in shown] and "\n" not in shown
    assert caught.value.hint


def test_a_slow_answer_is_an_answer(cloud: FakeAws, make: Make) -> None:
    cloud.fail("latency", seconds=0.05)
    assert make(regions=FEW).offers(WANT)


def test_a_clock_that_is_off_by_a_minute_does_no_harm(cloud: FakeAws, make: Make) -> None:
    cloud.fail("clock-skew", seconds=60.0)
    assert make(regions=FEW).offers(WANT)


def test_pages_with_nothing_on_them_are_no_machines(cloud: FakeAws, make: Make) -> None:
    cloud.fail("empty-pages")
    assert make(regions=FEW).offers(WANT) == ()


def test_pages_of_prices_that_do_not_end_cost_only_those_prices(cloud: FakeAws, make: Make) -> None:
    provider = make(ask_s=4.0, regions=FEW)
    provider.offers(WANT)  # boto3 is loaded, clients are made
    cloud.fail("endless-paging", path="/pricing/")
    offers = provider.offers(WANT)
    assert {o.pool.market for o in offers} >= {"spot"}
    assert isinstance(offers, Offers) and any(what.startswith("on-demand prices: ") for what in offers.missing)


def test_a_region_that_fails_is_missing_and_told(cloud: FakeAws, make: Make) -> None:
    first = FEW.split(",")[0]
    cloud.fail("forbidden", path=f"/ec2/{first}/DescribeSpotPriceHistory")
    offers = make(regions=FEW).offers(WANT)
    assert isinstance(offers, Offers)
    assert [what.partition(":")[0] for what in offers.missing] == [f"spot prices of {first}"]
    assert {o.pool.region for o in offers if o.pool.market == "spot"} == set(FEW.split(",")) - {first}


@pytest.mark.parametrize("kind", ["throttle", "server-error", "drop"])
def test_a_call_that_fails_once_is_made_again(cloud: FakeAws, make: Make, kind: str) -> None:
    cloud.fail(kind, times=1, path="DescribeRegions")
    assert make(tries=2).offers(WANT)
    assert len(cloud.called("DescribeRegions")) == 2


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("throttle", Throttled, "too many calls"),
        ("server-error", Transient, "something broke at AWS"),
        ("malformed", Transient, "something else than was asked"),
        ("forbidden", NotAuthorized, "may not call pricing:GetProducts"),
        ("expired-token", NotAuthorized, "run out"),
        ("clock-skew", NotAuthorized, "signature"),
    ],
)
def test_the_json_services_say_no_in_their_own_words(
    cloud: FakeAws, make: Make, kind: str, error: type[ProviderError], words: str
) -> None:
    cloud.fail(kind, path="/pricing/", seconds=86_400.0)
    with pytest.raises(error, match=words) as caught:
        make(regions=FEW).offers(type(WANT)(gpus=WANT.gpus, markets=("on-demand",)))
    assert not [m for m in MARKERS if m in f"{caught.value!r} {caught.value.hint}"]


# -- the table ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_each_code_gives_its_error_with_words_for_people(code: str) -> None:
    error = of_code(code, "said", call="ec2:DescribeRegions", redact=Redactor())
    assert type(error) is CODES[code].error and code_of(error) == code
    assert error.message and error.hint and "{" not in error.message + error.hint
    assert ("said" in error.message) == CODES[code].quotes


def test_an_unknown_code_is_told_in_the_clouds_words_without_what_is_secret() -> None:
    said = f"no {USER} with AKIAIOSFODNN7EXAMPLE and hush-1234"
    error = of_code("Odd", said, call="ec2:DescribeRegions", redact=Redactor(["hush-1234"]))
    assert type(error) is Transient
    assert error.message.startswith("ec2:DescribeRegions failed: Odd: no ***")
    assert not [m for m in (ACCOUNT, "AKIA", "hush", "marker") if m in error.message]
