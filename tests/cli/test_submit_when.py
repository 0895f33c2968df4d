"""`submit --when`: what is said before, what is written down, and what `status` then shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli

NEVER = "price_usd_hour < 0.0001"
ALWAYS = "price_usd_hour < 1000 and effective_usd_hour < 100000"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("spotlaunch.cli.submit.ensure_awake", lambda home, store: None)
    path = tmp_path / "job.yaml"
    path.write_text("name: digits\nrun: 'true'\n")
    return path


def test_a_dry_run_says_that_the_job_would_be_held_and_how_far_the_market_is(cli: Cli, file: Path) -> None:
    done = cli("submit", file, "--dry-run", "--when", NEVER)
    assert done.code == 0
    assert "the job is held until price_usd_hour < 0.0001; cheapest now $" in done.err
    assert "expected:" not in done.err


def test_a_dry_run_of_a_job_that_would_start_now_says_nothing_of_holding(cli: Cli, file: Path) -> None:
    done = cli("submit", file, "--dry-run", "--when", ALWAYS)
    assert done.code == 0
    assert "held" not in done.err
    assert "expected:" in done.err


def test_the_plan_of_a_held_job_names_no_offer_that_it_may_not_take(cli: Cli, file: Path) -> None:
    plan = cli("submit", file, "--dry-run", "--json", "--when", NEVER).json["plan"]
    assert (plan["first"], plan["offers"]) == (None, [])
    assert plan["held"].startswith("until price_usd_hour < 0.0001; cheapest now $")
    assert "when" in {t["filter"] for t in plan["turned_down"]}
    assert cli("submit", file, "--dry-run", "--json", "--when", ALWAYS).json["plan"]["held"] is None


def test_the_condition_is_written_down_and_shown(cli: Cli, file: Path, store: SqliteStore) -> None:
    assert cli("submit", file, "--when", "Price_USD_hour<=  $0.00010").code == 0
    assert store.job("digits").start_when == "price_usd_hour <= 0.0001"
    assert cli("status", "digits", "--json").json["job"]["when"] == "price_usd_hour <= 0.0001"


def test_a_job_without_a_condition_has_none(cli: Cli, file: Path, store: SqliteStore) -> None:
    assert cli("submit", file).code == 0
    assert cli("status", "digits", "--json").json["job"]["when"] is None


def test_a_condition_that_cannot_be_read_is_wrong_use_and_submits_nothing(
    cli: Cli, file: Path, store: SqliteStore
) -> None:
    done = cli("submit", file, "--when", "price_usd_huor < 2")
    assert done.code == 2
    assert "--when: 'price_usd_huor' is nothing that can be compared" in done.err
    assert "did you mean price_usd_hour?" in done.err
    assert store.jobs() == []


def test_an_empty_condition_is_not_taken_for_none(cli: Cli, file: Path, store: SqliteStore) -> None:
    done = cli("submit", file, "--when", "")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: --when: '' is not a comparison")
    assert store.jobs() == []
