"""Servers that speak AWS's language and know less of it: what is newer there must not make offers vanish here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from spotlaunch.core.facts import Offer, Want
from spotlaunch_providers.aws.shapes import shape_of
from tests.fakes.clouds import aws, aws_data, aws_rules
from tests.fakes.clouds.aws import FakeAws
from tests.providers.aws.conftest import Make, an_offer, an_order, gpus

REGIONS = "us-east-1,eu-west-2,us-west-2"


NOW = 1_795_000_000.0  # fixed, as spot prices move with time


@pytest.fixture(autouse=True)
def still(cloud: FakeAws) -> None:
    """Between two questions no price moves at the cloud either."""
    cloud.now = lambda: NOW


def told(offers: Collection[Offer]) -> set[tuple[Any, ...]]:
    assert offers
    return {(o.pool, o.price_usd_hour, o.on_demand_usd_hour) for o in offers}


def test_one_that_passes_over_the_parameter_for_all_regions_is_asked_region_by_region(
    cloud: FakeAws, make: Make
) -> None:
    # The first of the regions speaks for itself only, and does not have the type.
    assert "g7e.2xlarge" in aws_data.zones_of("eu-west-2") and "g7e.2xlarge" not in aws_data.zones_of("eu-west-1")
    regions = "eu-west-1,eu-west-2"
    expected = told(make(now=lambda: NOW, regions=regions).offers(gpus("RTXPRO6000")))
    cloud.ignored = {"IncludeUnsupportedInRegion"}
    assert told(make(now=lambda: NOW, regions=regions).offers(gpus("RTXPRO6000"))) == expected


def test_one_that_takes_the_stars_of_a_filter_for_letters_is_asked_for_all_types(
    cloud: FakeAws, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = told(make(now=lambda: NOW, regions=REGIONS).offers(gpus("H100", "L4")))
    monkeypatch.setattr(aws_rules, "fnmatchcase", lambda word, pattern: pattern in ("*", word))
    cloud.calls.clear()
    assert told(make(now=lambda: NOW, regions=REGIONS).offers(gpus("H100", "L4"))) == expected
    assert len(cloud.called("DescribeInstanceTypes")) > 2


def test_one_that_refuses_a_filter_of_several_values_is_asked_for_the_price_of_each_type(
    cloud: FakeAws, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = told(make(now=lambda: NOW, regions=REGIONS).offers(gpus("H100")))

    def old(filter_: dict[str, str]) -> Any:
        if filter_["Type"] != "TERM_MATCH":
            raise aws_rules.Refused(400, "InvalidParameterException", f"no filter type {filter_['Type']}")
        return aws_rules.price_test(filter_)

    monkeypatch.setattr(aws, "price_test", old)
    assert told(make(now=lambda: NOW, regions=REGIONS).offers(gpus("H100"))) == expected


@pytest.mark.parametrize("regions", [REGIONS, "us-east-1"])
def test_one_that_compares_texts_only_is_asked_for_the_price_of_each_type(
    make: Make, monkeypatch: pytest.MonkeyPatch, regions: str
) -> None:
    expected = told(make(now=lambda: NOW, regions=regions).offers(gpus("H100")))
    monkeypatch.setattr(aws, "price_test", lambda told: aws_rules.price_test({**told, "Type": "TERM_MATCH"}))
    assert told(make(now=lambda: NOW, regions=regions).offers(gpus("H100"))) == expected


def test_a_price_list_that_may_not_be_read_is_not_asked_again_type_by_type(cloud: FakeAws, make: Make) -> None:
    cloud.fail("forbidden", path="/pricing/")
    make(now=lambda: NOW, regions="us-east-1").offers(gpus("H100"))
    assert len(cloud.called("GetProducts")) == 1


def test_a_type_of_which_no_market_is_told_may_be_sold_in_both() -> None:
    told = {"InstanceType": "g6.xlarge", "GpuInfo": {"Gpus": [{"Name": "L4", "Count": 1}]}}
    shape = shape_of(told)
    assert shape is not None and shape.markets == {"spot", "on-demand"}
    assert shape_of({**told, "SupportedUsageClasses": ["capacity-block"]}) is None


def test_nothing_is_offered_in_a_region_that_is_not_enabled(cloud: FakeAws, make: Make) -> None:
    cloud.disabled = {"eu-west-2"}
    offers = make(now=lambda: NOW, regions=REGIONS).offers(Want(gpus=(("H100", 0),)))
    assert {o.pool.region for o in offers} == {"us-east-1", "us-west-2"}


def test_a_region_that_is_listed_as_not_enabled_is_not_asked(cloud: FakeAws, make: Make) -> None:
    cloud.lists_all = True
    make().offers(gpus("H100"))
    assert len(cloud.called("DescribeSpotPriceHistory")) == len(aws_data.REGIONS)


# -- machines: what such a server leaves out is not said, and not another machine -----------------------------


@pytest.mark.parametrize("market", ["spot", "on-demand"])
@pytest.mark.parametrize(
    "left_out", [("InstanceType",), ("Placement",), ("InstanceType", "Placement", "State", "Tags")]
)
def test_what_an_answer_leaves_out_of_a_machine_is_not_held_against_it(
    cloud: FakeAws, make: Make, monkeypatch: pytest.MonkeyPatch, market: Any, left_out: tuple[str, ...]
) -> None:
    told = FakeAws.told
    monkeypatch.setattr(FakeAws, "told", lambda s, i: {k: v for k, v in told(s, i).items() if k not in left_out})
    launched = make(regions="us-east-1").launch(an_order(an_offer(market=market)))
    assert launched.offer == an_offer(market=market) and {m.id for m in cloud.fleet.up()} == {launched.instance_id}


@pytest.mark.parametrize("zone", ["us-east-1a", ""])
def test_a_machine_is_had_where_only_the_calls_of_machines_are_known(cloud: FakeAws, make: Make, zone: str) -> None:
    calls = ("DescribeImages", "DescribeSecurityGroups", "DescribeInstanceTypeOfferings", "DescribeVolumes")
    cloud.unknown = set(calls)
    provider = make(regions="us-east-1")
    launched = provider.launch(an_order(an_offer(zone=zone, market="spot" if zone else "on-demand")))
    assert [m.instance_id for m in provider.list_machines()] == [launched.instance_id]


def test_a_subnet_whose_network_is_not_told_is_used(cloud: FakeAws, make: Make) -> None:
    cloud.hidden = {"VpcId"}
    assert make(regions="us-east-1").launch(an_order(an_offer())).refused == ()


@pytest.mark.parametrize("form", ["i-{:d}", "i-{:016x}", "i-fake-{:04d}"])
def test_a_machine_is_ended_whatever_form_its_id_has(cloud: FakeAws, make: Make, form: str) -> None:
    cloud.id_form = form
    launched = make(regions="us-east-1").launch(an_order(an_offer()))
    assert make(regions="us-east-1").terminate([launched.instance_id]) == {}
    assert not cloud.fleet.left()
