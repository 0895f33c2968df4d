from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from spotlaunch.cli.billing import CSV_HEAD
from spotlaunch.core.facts import Pool
from spotlaunch.core.ledger import Billed
from spotlaunch.core.plan import AddAttempt, AddMachine
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.storage.samples import POOL, a_job, a_machine, an_attempt, an_event

NOW = 1_793_000_000.0
OTHER = Pool(provider="runpod", region="us", zone="", instance_type="1x-H100", market="on-demand")


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotlaunch.cli.cost.time", SimpleNamespace(time=lambda: NOW))


def add(store: SqliteStore, name: str, *lives: tuple[dict[str, Any], dict[str, Any]]) -> None:
    store.add_job(a_job(name), an_event(name))
    for n, (attempt, machine) in enumerate(lives, start=1):
        made = a_machine(name, n, price_usd_hour=Decimal("1"), cheapest_usd_hour=Decimal("3"), instance_id=f"i-{n}")
        store.apply([AddAttempt(attempt=an_attempt(name, n, **attempt)), AddMachine(machine=replace(made, **machine))])


@pytest.fixture
def story(store: SqliteStore) -> None:
    """One that lost a machine a day ago and ended on another one; and one that runs, with a disk of its own."""
    begin = NOW - 90_000
    add(
        store,
        "digits",
        (
            {"running_at": begin + 360, "committed_at": begin + 2700, "commits": 2, "outcome": "preempted"},
            {"state": "ended", "up_at": begin, "ended_at": begin + 3600, "outcome": "preempted"},
        ),
        (
            {"running_at": NOW - 3240, "commits": 4, "committed_at": NOW, "outcome": "finished"},
            {"state": "ended", "up_at": NOW - 3600, "ended_at": NOW, "pool": OTHER, "gpu": "H100"},
        ),
    )
    disk = {"disk_gb": 730.0, "storage_usd_gb_month": Decimal("0.1")}
    add(store, "runs", ({"running_at": NOW - 1800, "commits": 1}, {"state": "up", "up_at": NOW - 3600, **disk}))


@pytest.mark.usefixtures("story")
def test_all_jobs_with_what_was_saved_and_lost_and_a_total(cli: Cli) -> None:
    done = cli("cost")
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line}
    assert rows["digits"][1:4] == ["2", "2h00m", "1h33m"]
    assert rows["digits"][4:9] == ["2.0000", "6.0000", "4.0000", "(67%)", "0.3500"]
    assert rows["total"][1:2] + rows["total"][4:6] == ["3", "3.0000", "9.0000"]
    assert "~0.1000" in rows["runs"]
    assert "1 machine runs: counted until" in done.err
    assert "estimated" in done.err


@pytest.mark.usefixtures("story")
def test_one_job_is_told_machine_by_machine_and_what_its_time_went_into(cli: Cli) -> None:
    out = cli("cost", "digits").out
    assert str(POOL) in out and str(OTHER) in out
    told = {" ".join(line.split()[:3]): line.split() for line in out.splitlines()}
    assert told["work done again"][3:6] == ["15m00s", "0.2500", "12"]
    assert told["boots again 6m00s"][2:5] == ["6m00s", "0.1000", "5"]


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("by", ["job", "provider", "gpu", "day", "pool"])
def test_rows_by_any_key_add_up_to_the_total_to_the_last_digit(cli: Cli, by: str) -> None:
    found = cli("cost", "--by", by, "--json").json
    for key in ("spent_usd", "on_demand_usd", "lost_usd", "machine_s", "work_s", "estimated_storage_usd"):
        amounts = [row[key] for row in found["rows"]]
        assert all(isinstance(a, str) for a in amounts)
        assert sum(map(Decimal, amounts)) == Decimal(found["total"][key])
        assert sum(Decimal(line[key]) for line in found["lines"]) == Decimal(found["total"][key])
    assert len(found["rows"]) > 1 and found["by"] == by


@pytest.mark.usefixtures("story")
def test_what_status_says_a_job_has_spent_is_what_its_account_says(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotlaunch.cli.status.time", SimpleNamespace(time=lambda: NOW))
    by_job = {row["key"]: row for row in cli("cost", "--json").json["rows"]}
    for job in cli("status", "--json").json["jobs"]:
        assert float(by_job[job["name"]]["spent_usd"]) == job["spent_usd"]
        assert float(by_job[job["name"]]["on_demand_usd"]) == job["on_demand_usd"]


@pytest.mark.usefixtures("story")
def test_a_period_counts_only_what_was_billed_in_it(cli: Cli) -> None:
    total = cli("cost", "--since", "30m", "--json").json["total"]
    assert (total["spent_usd"], total["machines"]) == ("1.000000000", 2)
    assert "times and days are those of" in cli("cost", "--since", "30m").err


@pytest.mark.usefixtures("story")
def test_csv_has_the_rows_of_the_json(cli: Cli) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("cost", "--by", "gpu", "--csv").out)))
    assert [r["key"] for r in rows] == ["V100:1", "H100:1"]
    assert tuple(rows[0]) == CSV_HEAD
    assert [r["spent_usd"] for r in rows] == [r["spent_usd"] for r in cli("cost", "--by", "gpu", "--json").json["rows"]]


@pytest.mark.usefixtures("story")
def test_days_are_local_and_the_zone_is_said(cli: Cli) -> None:
    done = cli("cost", "--by", "day")
    assert "2026-10-25" in done.out and "2026-10-26" in done.out
    assert "UTC" in done.err


@pytest.mark.usefixtures("story")
def test_what_a_provider_said_is_kept_and_shown_beside(cli: Cli, store: SqliteStore) -> None:
    key = a_machine("digits", 1).launch_key
    store.note_billed([Billed(launch_key=key, machine_usd=Decimal("0.99"), asked_at=NOW)])
    lines = {line["launch_key"]: line for line in cli("cost", "--json").json["lines"]}
    assert (lines[key]["billed_usd"], lines[key]["spent_usd"]) == ("0.99", "1.000000000")
    assert [line["billed_usd"] for k, line in lines.items() if k != key] == [None, None]


def test_without_any_machine_it_says_so(cli: Cli) -> None:
    done = cli("cost")
    assert (done.code, done.out) == (0, "") and "no machine has been billed yet" in done.err
    assert cli("cost", "--json").json["rows"] == []


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "colour"], "there are: job, attempt, provider"),
        (["--by", "attempt"], "needs a JOB"),
        (["--since", "yesterday"], "neither a date nor a duration"),
        (["--json", "--csv"], "no meaning with --json"),
        (["--reconcile", "--by", "day"], "no meaning with --reconcile"),
        (["digit"], "did you mean digits?"),
    ],
)
def test_what_cannot_be_meant_is_told(cli: Cli, arguments: list[str], said: str) -> None:
    done = cli("cost", *arguments)
    assert done.code in (1, 2) and said in done.err and done.out == ""
