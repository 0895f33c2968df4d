"""Eviction rates and placement scores: worth something, never worth an offer."""

from __future__ import annotations

import time

import pytest

from spotlaunch.core.facts import Want
from spotlaunch_providers.azure.eviction import rates
from spotlaunch_providers.azure.placement import Score, chosen
from spotlaunch_providers.azure.prices import Price
from tests.fakes.clouds import azure_catalog
from tests.fakes.clouds.azure import FakeAzure
from tests.providers.azure.conftest import Connect

H100 = Want(gpus=(("H100", 0),))


@pytest.mark.parametrize(
    ("bucket", "an_hour"),
    [("0-5", 0.025), ("5-10", 0.075), ("10-15", 0.125), ("15-20", 0.175), ("20+", 0.25), ("5-10%", 0.075)],
)
def test_a_bucket_of_per_cent_an_hour_becomes_its_middle(bucket: str, an_hour: float) -> None:
    told = rates([{"sku": "Standard_X", "location": "WestUS3", "rate": bucket}])
    assert told == {("standard_x", "westus3"): an_hour}


def test_a_bucket_that_is_new_to_us_is_no_rate() -> None:
    assert rates([{"sku": "s", "location": "l", "rate": "often"}, {"sku": "s", "location": "l"}, None]) == {}


def test_spot_offers_have_the_rate_of_their_size_and_region_where_there_is_one(connect: Connect) -> None:
    offers = connect().offers(H100)
    told = rates(azure_catalog.evictions([o.pool.instance_type for o in offers]))
    spot = [o for o in offers if o.pool.market == "spot"]
    assert {o.pool: o.interruptions_per_hour for o in spot} == {
        o.pool: told.get((o.pool.instance_type.lower(), o.pool.region)) for o in spot
    }
    assert {o.interruptions_per_hour for o in spot} > {None, 0.025}
    assert {o.interruptions_per_hour for o in offers if o.pool.market == "on-demand"} == {None}


def test_rates_are_read_over_all_pages(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = connect().offers(H100)
    made = FakeAzure._graph_page
    monkeypatch.setattr(FakeAzure, "_graph_page", lambda self, found, top, token: made(self, found, 9, token))
    assert connect().offers(H100) == whole


def test_placement_is_asked_once_for_the_cheapest_and_kept_for_an_hour(
    cloud: FakeAzure, connect: Connect, clock
) -> None:
    provider = connect()
    scored = [o for o in provider.offers(H100) if o.obtainability is not None]
    (call,) = cloud.called("placementScores")
    assert len(call.json["desiredLocations"]) == 8 and 0 < len(call.json["desiredSizes"]) <= 5
    assert scored and {o.pool.market for o in scored} == {"spot"}
    assert {o.available for o in scored if o.obtainability == 0.9} == {"yes"}
    connect().offers(H100)
    assert len(cloud.called("placementScores")) == 1
    clock.time += 3601
    provider.offers(H100)
    assert len(cloud.called("placementScores")) == 2


def test_placement_is_not_asked_for_all_gpus_nor_for_on_demand(cloud: FakeAzure, connect: Connect) -> None:
    connect().offers(Want())
    connect().offers(Want(gpus=H100.gpus, markets=("on-demand",)))
    assert cloud.called("placementScores") == []


def test_who_may_not_have_scores_is_not_refused_again_within_the_hour(cloud: FakeAzure, connect: Connect) -> None:
    cloud.may_score = False
    for _ in range(3):
        offers = connect().offers(H100)
    assert len(offers) > 100 and {o.obtainability for o in offers} == {None}
    assert len(cloud.called("placementScores")) == 1


def test_scores_that_are_throttled_cost_nothing_else(cloud: FakeAzure, connect: Connect) -> None:
    cloud.scores_given = 10**6
    assert len(connect().offers(H100)) > 100
    connect().offers(H100)
    assert len(cloud.called("placementScores")) == 1


@pytest.mark.parametrize(
    "kind", ["hang", "malformed", "drop", "forbidden", "server-error", "endless-paging", "truncated"]
)
def test_hints_that_fail_cost_nothing_else(cloud: FakeAzure, connect: Connect, kind: str) -> None:
    whole = {o.pool for o in connect().offers(H100)}
    cloud.fail(kind, path="ResourceGraph|placementScores")
    began = time.monotonic()
    offers = connect(ask_s=3.0, subscription_id="another").offers(H100)
    assert time.monotonic() - began < 2.5, "a hint may take a part of the time only"
    assert {o.pool for o in offers} == whole
    assert {o.source for o in offers} == {"live"}
    assert {o.interruptions_per_hour for o in offers} == {None}


def test_a_score_tells_what_is_restricted_and_what_the_quota_leaves(
    cloud: FakeAzure, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(sizes: list[str], regions: list[str]) -> list[dict[str, object]]:
        words = ["RestrictedSkuNotAvailable", "Low", "DataNotFoundOrStale", "Medium", "High"]
        return [
            {"sku": s, "region": r, "score": words[n % 5], "isQuotaAvailable": n != 1}
            for s in sizes
            for n, r in enumerate(regions)
        ]

    monkeypatch.setattr(azure_catalog, "scores", scores)
    offers = connect().offers(Want(gpus=(("A100-80GB-PCIe", 1),), markets=("spot",)))
    by_region = {o.pool.region: o for o in offers}
    told = [by_region[r] for r in cloud.called("placementScores")[0].json["desiredLocations"]]
    assert [(o.available, o.obtainability, o.why) for o in told[:5]] == [
        ("no", None, "not open to this subscription as spot in this region"),
        ("no", None, "the spot quota of this region is used up"),
        ("unknown", None, ""),
        ("unknown", 0.5, ""),
        ("yes", 0.9, ""),
    ]


def test_a_word_that_is_no_score_is_no_chance() -> None:
    words = ("High", "Medium", "Low", "DataNotFoundOrStale", "")
    assert [Score(word=w).obtainability for w in words] == [0.9, 0.5, 0.15, None, None]


def test_the_cheapest_are_chosen_within_the_limits_of_a_call() -> None:
    prices = [
        Price(size=f"S{s}", region=f"r{r:02}", spot_usd_hour=s * 100 + r + 1) for s in range(9) for r in range(20)
    ]
    sizes, regions = chosen(prices)
    assert regions == [f"r{r:02}" for r in range(8)] and sizes == [f"S{s}" for s in range(5)]
