from __future__ import annotations

from decimal import Decimal

import pytest

from spotlaunch.errors import NotAuthorized, Transient
from spotlaunch_providers.runpod import BILLING, charges
from spotlaunch_providers.runpod.asking import Asking
from spotlaunch_providers.runpod.bill import charges as of_asking
from spotlaunch_providers.shared.deadline import Deadline
from tests.fakes.clouds.fleet import Rented
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.server import Response
from tests.providers.runpod.conftest import KEY, settings

DAY = 86400.0
MIDNIGHT = 20_000 * DAY


def rented(cloud: FakeRunpod, pod: str, *, since: float, until: float | None, usd: str = "2.40") -> None:
    disk = Decimal("0.40")
    cloud.fleet.machines[pod] = Rented(
        id=pod,
        key=f"sl-{pod}",
        market="on-demand",
        price_usd_hour=Decimal(usd) + disk,
        beside_usd_hour=disk,
        billed_from=since,
        ended_at=until,
    )


def test_the_days_of_a_pod_add_up_and_its_disk_stands_apart(cloud: FakeRunpod) -> None:
    rented(cloud, "mine", since=MIDNIGHT - 7200, until=MIDNIGHT + 3600)
    rented(cloud, "other", since=MIDNIGHT - 7200, until=MIDNIGHT + 3600)
    (found,) = charges(
        settings=settings(cloud, key=KEY), instance_ids={"mine"}, since_at=MIDNIGHT - 7200, until_at=MIDNIGHT + 3600
    )
    assert found.instance_id == "mine"
    assert float(found.machine_usd) == pytest.approx(7.2, abs=1e-9)
    assert float(found.storage_usd) == pytest.approx(1.2, abs=1e-9)
    (call,) = cloud.called("/v2/billing/pods")
    assert call.query["startTime"] < call.query["endTime"]


def test_the_fake_tells_records_with_the_fields_of_runpods_documentation(cloud: FakeRunpod) -> None:
    rented(cloud, "mine", since=MIDNIGHT, until=MIDNIGHT + 3600)
    (row,) = Asking.of(settings(cloud, key=KEY)).bill(
        "2024-10-04T00:00:00Z", "2024-10-05T00:00:00Z", deadline=Deadline()
    )
    assert set(row) == {
        "podId", "startTime", "endTime", "totalAmount", "gpuAmount", "cpuAmount", "diskAmount"
    }  # fmt: skip


def test_a_pod_that_is_not_billed_yet_is_missing(cloud: FakeRunpod) -> None:
    now = cloud.fleet.now()
    rented(cloud, "mine", since=now - 100, until=None)
    cloud.bill_lag_s = BILLING.lag_s
    asked = {"instance_ids": {"mine"}, "since_at": now - 100, "until_at": now}
    assert charges(settings=settings(cloud, key=KEY), **asked) == []  # type: ignore[arg-type]


def test_without_a_key_nothing_is_asked(cloud: FakeRunpod) -> None:
    with pytest.raises(NotAuthorized, match="no credentials"):
        charges(settings=settings(cloud), instance_ids={"mine"}, since_at=0.0, until_at=1.0)
    assert not cloud.called("/v2/billing/pods")


def test_a_bill_that_cannot_be_read_is_no_bill(cloud: FakeRunpod, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"records": [{"podId": "mine", "gpuAmount": "much", "cpuAmount": 0, "diskAmount": 0}]}
    asking = Asking.of(settings(cloud, key=KEY))
    asking._api._sleep = lambda _: None
    monkeypatch.setattr(cloud, "_route", lambda request: Response(body=body))
    with pytest.raises(Transient, match="cannot be read"):
        of_asking(asking, {"mine"}, since_at=0.0, until_at=1.0)
