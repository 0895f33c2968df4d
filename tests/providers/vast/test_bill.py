from __future__ import annotations

from decimal import Decimal

import pytest

from spotlaunch.errors import NotAuthorized
from spotlaunch_providers.vast import charges
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.bill import charges as of_asking
from tests.fakes.clouds.fleet import Rented
from tests.fakes.clouds.vast import FakeVast
from tests.providers.vast.conftest import KEY, settings

DAY = 86400.0
MIDNIGHT = 20_000 * DAY


def rented(cloud: FakeVast, contract: str) -> None:
    cloud.fleet.machines[contract] = Rented(
        id=contract,
        key=f"sl-{contract}",
        market="spot",
        price_usd_hour=Decimal("2.40"),
        billed_from=MIDNIGHT - 7200,
        ended_at=MIDNIGHT + 3600,
    )


def test_the_days_of_a_contract_add_up_over_all_pages_and_traffic_stands_apart(cloud: FakeVast) -> None:
    for contract in ("7", "8", "9"):
        rented(cloud, contract)
    cloud.traffic_usd, cloud.charges_page = Decimal("0.30"), 2
    asking = Asking.of(settings(cloud, key=KEY), margin=0.0)
    found = of_asking(asking, {"8", "9", "10"}, since_at=MIDNIGHT - 7200, until_at=MIDNIGHT + 3600)
    assert [(c.instance_id, c.machine_usd, c.traffic_usd) for c in found] == [
        ("8", Decimal("7.2"), Decimal("0.3")),
        ("9", Decimal("7.2"), Decimal("0.3")),
    ]
    assert len(cloud.called("/api/v0/charges/")) == 3


def test_without_a_key_nothing_is_asked(cloud: FakeVast) -> None:
    with pytest.raises(NotAuthorized, match="no credentials"):
        charges(settings=settings(cloud), instance_ids={"7"}, since_at=0.0, until_at=1.0)
    assert not cloud.called("/api/v0/charges/")
