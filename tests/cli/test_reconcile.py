from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace

import pytest

from spotlaunch.core.facts import Pool
from spotlaunch.core.plan import AddAttempt, AddMachine
from spotlaunch.registry import UNTOLD, billing, provider_names
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.fakes.clouds.fleet import Rented
from tests.fakes.clouds.runpod import FakeRunpod
from tests.storage.samples import POOL, a_job, a_machine, an_attempt, an_event

NOW = 1_793_000_000.0
POD = Pool(provider="runpod", region="US-KS-2", zone="", instance_type="1x-H100", market="on-demand")
PRICE, DISK = Decimal("2.99"), Decimal("0.01")


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch, store: SqliteStore) -> Iterator[FakeRunpod]:
    """RunPod with a pod that was up for an hour, and a book that knows it, and a machine elsewhere."""
    monkeypatch.setattr("spotlaunch.cli.cost.time", SimpleNamespace(time=lambda: NOW))
    begin, end = NOW - 9000, NOW - 5400
    store.add_job(a_job(), an_event())
    pod = {"pool": POD, "instance_id": "pod1", "price_usd_hour": PRICE}
    lives = {1: pod, 2: {"pool": POOL, "instance_id": "i-2"}}
    for n, life in lives.items():
        machine = a_machine(attempt=n, state="ended", up_at=begin, ended_at=end, **life)
        store.apply([AddAttempt(attempt=an_attempt(number=n)), AddMachine(machine=machine)])
    fake = FakeRunpod()
    fake.fleet.machines["pod1"] = Rented(
        id="pod1",
        key="k",
        market="on-demand",
        price_usd_hour=PRICE + DISK,
        beside_usd_hour=DISK,
        billed_from=begin,
        ended_at=end,
    )
    with fake.serving() as url:
        for name, value in fake.environment(url).items():
            monkeypatch.setenv(name, value)
        yield fake


def test_what_was_booked_stands_beside_what_was_billed_and_is_kept(cli: Cli, store: SqliteStore) -> None:
    done = cli("cost", "--reconcile")
    (row,) = (line.split() for line in done.out.splitlines() if str(POD) in line)
    assert row[3:8] == ["2.9900", "2.9900", "0.0000", "0.0100", "-"] and row[8] == "yes"
    assert done.code == 0
    assert "aws: 1 machine not compared" in done.err and "spotlaunch-key" in done.err
    (kept,) = store.billed().values()
    assert abs(kept.machine_usd - PRICE) < Decimal("0.000001") and kept.settled and kept.asked_at == NOW
    lines = {line["provider"]: line["billed_usd"] for line in cli("cost", "--json").json["lines"]}
    assert lines["aws"] is None and Decimal(lines["runpod"]) == kept.machine_usd


def test_a_difference_is_told_with_what_it_may_be(cli: Cli, cloud: FakeRunpod) -> None:
    cloud.fleet.machines["pod1"].ended_at = NOW - 1800
    (told,) = cli("cost", "--reconcile", "--json").json["machines"]
    assert not told["agrees"] and "3600 s more than we saw it up" in told["why"]
    assert told["booked_usd"] == "2.990000000"
    assert abs(Decimal(told["difference_usd"]) - PRICE) < Decimal("0.000001")


def test_a_provider_that_does_not_answer_is_told_and_nothing_is_kept(
    cli: Cli, cloud: FakeRunpod, store: SqliteStore
) -> None:
    cloud.fail("forbidden")
    done = cli("cost", "--reconcile", "--json")
    assert done.code == 1 and done.json["machines"] == []
    assert [u["provider"] for u in done.json["unasked"]] == ["runpod", "aws"]
    assert store.billed() == {}


def test_a_machine_of_a_provider_that_is_no_longer_installed_is_told(cli: Cli, store: SqliteStore) -> None:
    gone = Pool(provider="elsewhere", region="r", zone="", instance_type="t", market="spot")
    machine = a_machine(attempt=3, state="ended", up_at=NOW - 10, ended_at=NOW, pool=gone)
    store.apply([AddMachine(machine=machine)])
    assert "elsewhere: 1 machine not compared: it is not installed" in cli("cost", "--reconcile").err


@pytest.mark.parametrize("name", provider_names())
def test_every_provider_says_how_it_tells_its_bills_or_where_to_look(name: str) -> None:
    kind = billing(name)
    assert kind != UNTOLD
    assert kind.lag_s > 0 if not kind.why_not else kind.hint or "rehearsal" in kind.why_not
