from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from spotlaunch.core.extras import disk_gb, egress_usd_gb, extras
from spotlaunch.core.spec import Resources
from tests.core.worlds import CLOUD, a_job, a_pool, a_spec, an_offer

HOME = replace(CLOUD, home_store="s3", disk_gb=100)
OFFER = an_offer(egress_usd_gb=Decimal("0.09"), storage_usd_gb_month=Decimal("0.08"), pool=a_pool(region="us-1"))


@pytest.mark.parametrize(
    ("store", "usd_gb"),
    [
        ({"store_url": "s3://bucket", "store_region": "us-1"}, "0"),
        ({"store_url": "s3://bucket"}, "0"),
        ({"store_url": "s3://bucket", "store_region": "us-2"}, "0.09"),
        ({"store_url": "s3://bucket", "store_endpoint": "https://s3.elsewhere.example"}, "0.09"),
        ({"store_url": "gs://bucket"}, "0.09"),
        ({"store_url": "file:///here"}, "0"),
    ],
)
def test_traffic_costs_nothing_to_a_store_of_the_same_cloud_and_region(store: dict[str, str], usd_gb: str) -> None:
    assert egress_usd_gb(OFFER, a_job(**store), HOME) == Decimal(usd_gb)


def test_a_cloud_without_stores_of_its_own_pays_for_all_that_leaves_it() -> None:
    assert egress_usd_gb(OFFER, a_job(store_url="s3://bucket"), CLOUD) == Decimal("0.09")


def test_the_disk_is_what_the_job_names_or_what_comes_with_a_machine() -> None:
    assert disk_gb(a_job(), HOME) == 100
    assert disk_gb(a_job(spec=a_spec(resources=Resources(disk_gb=40))), HOME) == 40


def test_extras_are_written_down_with_each_alternative() -> None:
    found = extras(OFFER, a_job(store_url="gs://bucket"), HOME)
    assert found == {"storage_usd_gb_month": Decimal("0.08"), "egress_usd_gb": Decimal("0.09")}
