from __future__ import annotations

import time
from decimal import Decimal

import pytest

from spotlaunch.core.facts import Want
from spotlaunch.errors import NotAuthorized, ProviderError, Throttled, Transient
from spotlaunch_providers.aws.feeds import ADVISOR, PRICES, Feeds, spot_prices
from tests.fakes.clouds import aws_data as data
from tests.fakes.clouds.aws import FakeAws
from tests.providers.aws.conftest import Make, find, gpus


@pytest.fixture
def public(make: Make) -> Make:
    """Without credentials: there are none in a test's environment."""

    def made(**values: object):
        return make(auth="", **values)

    return made


def test_without_credentials_the_public_feed_answers_and_says_so(cloud: FakeAws, public: Make) -> None:
    provider = public()
    offers = provider.offers(gpus("H100"))
    assert {o.source for o in offers} == {"public feed: spot.json"}
    assert {(o.pool.market, o.pool.zone) for o in offers} == {("spot", "")}
    # On-demand prices are in no feed that is read, and are not made up.
    assert {o.on_demand_usd_hour for o in offers} == {None}
    assert {o.pool.region for o in offers} >= {"us-east-1", "us-west-2"}  # also where the feed has an old name for it
    assert not cloud.called("ec2|pricing|sts")
    assert provider.traits.prices_only == "no credentials: prices only"


def test_the_feed_is_a_price_for_linux_and_the_shape_is_known(public: Make) -> None:
    offer = find(public().offers(gpus("H100")), "p5.4xlarge", "us-west-2")
    now = time.time()
    told = next(r for r in data.price_feed(now)["config"]["regions"] if r["region"] == "us-west-2")
    (size,) = [s for kind in told["instanceTypes"] for s in kind["sizes"] if s["size"] == "p5.4xlarge"]
    assert offer.price_usd_hour == Decimal(size["valueColumns"][0]["prices"]["USD"])
    assert (offer.gpu, offer.gpu_count, offer.vcpus, offer.memory_gb) == ("H100-SXM", 1, 16, 256)
    assert offer.interruptions_per_hour


def test_slices_are_slices_in_the_feed_too(public: Make) -> None:
    assert {o.gpu for o in public().offers(gpus("L4"))} == {"L4"}
    assert {o.gpu for o in public().offers(gpus("L4-1of8"))} == {"L4-1of8"}
    assert not public().offers(gpus("GB200"))


def test_a_feed_that_stands_still_is_as_old_as_it_says(cloud: FakeAws, public: Make) -> None:
    cloud.feed_age_s = 86400.0
    now = time.time()
    assert {round(now - o.seen_at) for o in public(now=lambda: now).offers(gpus("H100"))} <= {86399, 86400, 86401}


def test_regions_narrow_the_feed(public: Make) -> None:
    assert {o.pool.region for o in public(regions="us-east-1").offers(gpus("H100"))} == {"us-east-1"}


def test_on_demand_alone_is_not_answered_without_credentials(public: Make) -> None:
    with pytest.raises(NotAuthorized, match="on-demand") as caught:
        public().offers(Want(markets=("on-demand",)))
    assert "AWS_PROFILE" in caught.value.hint


def test_a_stand_in_without_feeds_never_makes_us_ask_the_real_ones(cloud: FakeAws, make: Make) -> None:
    offers = make(advisor_endpoint="").offers(gpus("H100"))
    assert offers and {o.interruptions_per_hour for o in offers} == {None}
    with pytest.raises(NotAuthorized, match="no credentials"):
        make(advisor_endpoint="", auth="").offers(gpus("H100"))


def test_the_address_may_be_that_of_a_feed_itself(cloud: FakeAws, public: Make) -> None:
    assert public(advisor_endpoint=f"{cloud.url}/spot-advisor-data.json").offers(gpus("H100"))


def test_feeds_are_read_where_aws_has_them(tmp_path) -> None:
    feeds = Feeds("", tmp_path)
    assert feeds._prices.base_url == PRICES == "https://website.spot.ec2.aws.a2z.com"
    assert feeds._advisor.base_url == ADVISOR == "https://spot-bid-advisor.s3.amazonaws.com"


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("throttle", Transient, "HTTP 503"),
        ("throttle-retry-after", Transient, "HTTP 503"),
        ("server-error", Transient, "HTTP 500"),
        ("bad-gateway", Transient, "HTTP 502"),
        ("malformed", Transient, "not JSON"),
        ("truncated", Transient, "broke off"),
        ("drop", Transient, "broke off"),
        ("hang", Transient, "did not answer"),
        ("drip", Transient, "took longer|did not answer"),
        ("forbidden", NotAuthorized, "HTTP 403"),
        ("expired-token", NotAuthorized, "HTTP 403"),
    ],
)
def test_a_feed_that_fails_is_an_error_in_one_line(
    cloud: FakeAws, public: Make, kind: str, error: type[ProviderError], words: str
) -> None:
    cloud.fail(kind, seconds=0.3)
    ask_s = 1.0 if kind in ("hang", "drip") else 8.0
    began = time.monotonic()
    with pytest.raises(error, match=words) as caught:
        public(ask_s=ask_s).offers(gpus("H100"))
    assert time.monotonic() - began < ask_s + 5 and caught.value.hint and not isinstance(caught.value, Throttled)


def test_a_feed_that_is_refused_is_asked_once(cloud: FakeAws, public: Make) -> None:
    cloud.fail("forbidden", path="json")
    with pytest.raises(NotAuthorized):
        public().offers(gpus("H100"))
    assert len(cloud.called("spot.json")) == len(cloud.called("advisor")) == 1


def test_gaps_and_other_systems_are_no_prices() -> None:
    def feed(*columns: dict) -> dict:
        size = {"size": "g6.xlarge", "valueColumns": list(columns)}
        return {"config": {"regions": [{"region": "us-east", "instanceTypes": [{"type": "x", "sizes": [size]}]}]}}

    def column(name: str, usd: str) -> dict:
        return {"name": name, "prices": {"USD": usd}}

    assert spot_prices(feed(column("mswin", "0.1"))) == {}
    assert spot_prices(feed(column("linux", "N/A*"), column("mswin", "0.1"))) == {}
    assert spot_prices(feed(column("linux", "0.2"))) == {("us-east-1", "", "g6.xlarge"): Decimal("0.2")}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"{}", b'{"config": {"regions": [1]}}', b'{"config": {"regions": 3}}'])
def test_another_shape_is_told_and_no_crash(cloud: FakeAws, public: Make, body: bytes) -> None:
    from tests.fakes.clouds.server import Response

    cloud.answer = lambda request: (Response(body=body), [])  # type: ignore[method-assign]
    with pytest.raises(Transient, match="another shape"):
        public().offers(gpus("H100"))
