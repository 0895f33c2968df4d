from __future__ import annotations

import math

import pytest

from spotlaunch_providers.aws.advisor import bands, rate_of
from tests.fakes.clouds import aws_data as data
from tests.fakes.clouds.aws import FakeAws
from tests.providers.aws.conftest import Make, find, gpus


@pytest.mark.parametrize(
    ("label", "middle"), [("<5%", 0.025), ("5-10%", 0.075), ("10-15%", 0.125), ("15-20%", 0.175), (">20%", 0.30)]
)
def test_a_band_per_month_becomes_a_rate_per_hour(label: str, middle: float) -> None:
    rate = rate_of(label)
    assert rate is not None
    assert 1 - math.exp(-730 * rate) == pytest.approx(middle)


@pytest.mark.parametrize("label", ["", "often", "1-2-3%", "100%", ">100%", "5-250%"])
def test_a_band_that_cannot_be_read_is_no_rate(label: str) -> None:
    assert rate_of(label) is None


def test_the_band_of_linux_machines_of_the_same_region_is_taken(make: Make) -> None:
    offers = make().offers(gpus("H100", "A10G"))
    for offer in offers:
        if offer.pool.market != "spot":
            continue
        row = data.advisor()["spot_advisor"][offer.pool.region]["Linux"].get(offer.pool.instance_type)
        label = data.advisor()["ranges"][row["r"]]["label"] if row else None
        assert offer.extra.get("interruptions_month") == label
        assert offer.interruptions_per_hour == (rate_of(label) if label else None)
    assert find(offers, "g5.16xlarge", "us-east-1a").interruptions_per_hour is None


def test_the_bands_are_read_once_a_day(cloud: FakeAws, make: Make) -> None:
    at = 1_800_000_000.0
    first = make(now=lambda: at, regions="us-east-1").offers(gpus("H100"))
    again = make(now=lambda: at + 3600, regions="us-east-1").offers(gpus("H100"))
    assert len(cloud.called("advisor")) == 1
    assert [o.interruptions_per_hour for o in again] == [o.interruptions_per_hour for o in first] != [None] * len(first)
    make(now=lambda: at + 25 * 3600, regions="us-east-1").offers(gpus("H100"))
    assert len(cloud.called("advisor")) == 2


def test_a_damaged_copy_is_read_anew_and_nobody_else_may_read_it(cloud: FakeAws, make: Make, tmp_path) -> None:
    make(regions="us-east-1").offers(gpus("H100"))
    (kept,) = (tmp_path / "aws").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    for damage in (b"", b"[]", b'{"at": "x"}', b"\xff\xfe", b'{"at": 9e99, "labels": {}, "bands": []}'):
        kept.write_bytes(damage)
        assert [o for o in make(regions="us-east-1").offers(gpus("H100")) if o.interruptions_per_hour]
    assert len(cloud.called("advisor")) == 6


@pytest.mark.parametrize("feed", [{}, [], {"ranges": []}, {"ranges": [{}], "spot_advisor": {}}, {"ranges": 1}])
def test_another_shape_is_said_to_be_one(feed: object) -> None:
    with pytest.raises(ValueError, match="another shape"):
        bands(feed)  # type: ignore[arg-type]
