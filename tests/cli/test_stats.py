from __future__ import annotations

import csv
import io
import json
import stat
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.cli import weekplot
from spotlaunch.core.facts import Offer, Scope
from spotlaunch.core.plan import AddAttempt, AddMachine, PutRefusal
from spotlaunch.core.poolstats import PlaceStats
from spotlaunch.core.seasons import WEEK_H
from spotlaunch.home import Home
from spotlaunch.storage.market import open_market
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.storage.samples import POOL, a_machine, a_refusal, an_attempt

HOUR = 3600.0
NEW = replace(POOL, zone="us-west-2c")
PAID = replace(POOL, provider="runpod", region="EU-RO-1", zone="", instance_type="L40S", market="on-demand")
REHEARSED = replace(POOL, provider="local", region="local-1", zone="local-1a", instance_type="v100")


@pytest.fixture
def lived(store: SqliteStore) -> SqliteStore:
    """Two machines on AWS, one taken two days ago; one at RunPod; one of a rehearsal; a pool that refused."""
    now = time.time()
    for number, (pool, gpu, ago_h, hours, outcome) in enumerate(
        [
            (POOL, "V100", 60, 10, "preempted"),
            (POOL, "V100", 20, 5, "finished"),
            (PAID, "L40S", 4, 1, "finished"),
            (REHEARSED, "V100", 1, 0.5, "preempted"),
        ],
        1,
    ):
        up_at = now - ago_h * HOUR
        machine = a_machine(
            job="secret-job",
            attempt=number,
            pool=pool,
            gpu=gpu,
            state="ended",
            intended_at=up_at - 30,
            up_at=up_at,
            ended_at=up_at + hours * HOUR,
            outcome=outcome,
        )
        attempt = an_attempt("secret-job", number, running_at=up_at + 60)
        store.apply([AddMachine(machine=machine), AddAttempt(attempt=attempt)])
    store.apply([PutRefusal(refusal=a_refusal(scope=Scope.of(NEW), since=now - HOUR))])
    return store


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_every_pool_has_its_line_with_what_was_seen_and_what_is_believed(cli: Cli, lived: SqliteStore) -> None:
    done = cli("stats")
    assert done.code == 0
    aws = next(line for line in lines(done.out) if "us-west-2a" in line)
    assert aws[:7] == ["aws", "us-west-2a", "p3.2xlarge", "spot", "V100:1", "15.0", "1"]
    assert aws[9:13] == ["2", "0", *aws[11:12], "1m30s"]
    assert [line[0] for line in lines(done.out)] == ["provider", "aws", "runpod", "local", "aws"]
    assert "90% certainty" in done.err


def test_where_little_is_known_that_is_said(cli: Cli, lived: SqliteStore) -> None:
    new = next(line for line in cli("stats").out.splitlines() if "us-west-2c" in line)
    assert "no hours yet" in new


def test_a_book_that_has_seen_nothing_says_so(cli: Cli) -> None:
    done = cli("stats")
    assert (done.code, done.out) == (0, "")
    assert "nothing was learned" in done.err
    assert "--import" in done.err


@pytest.mark.parametrize(
    ("options", "zones"),
    [
        (["--provider", "aws"], {"us-west-2a", "us-west-2c"}),
        (["--gpu", "L40S"], {""}),
        (["--gpu", "V100:1", "--provider", "aws"], {"us-west-2a", "us-west-2c"}),
        (["--gpu", "H100"], set()),
        (["--since", "10h"], {"", "local-1a", "us-west-2c"}),
    ],
)
def test_what_is_left_out_is_left_out(cli: Cli, lived: SqliteStore, options: list[str], zones: set[str]) -> None:
    found = cli("stats", "--json", *options).json["pools"]
    assert {pool["zone"] for pool in found} == zones


def test_hours_before_since_do_not_count(cli: Cli, lived: SqliteStore) -> None:
    (aws, *_) = cli("stats", "--json", "--since", "55h", "--provider", "aws").json["pools"]
    assert (aws["hours"], aws["interruptions"], aws["granted"]) == (pytest.approx(10, abs=0.01), 1, 1)


def test_json_has_the_weeks_too_and_csv_the_same_pools(cli: Cli, lived: SqliteStore) -> None:
    found = cli("stats", "--json").json
    week = found["weeks"][0]
    assert (week["provider"], week["region"], week["market"]) == ("aws", "us-west-2", "spot")
    assert len(week["hours"]) == WEEK_H
    assert sum(week["interruptions"]) == 1
    assert sum(week["factors"]) / WEEK_H == pytest.approx(1, abs=1e-4)
    rows = list(csv.DictReader(io.StringIO(cli("stats", "--csv").out)))
    assert [list(row) for row in rows] == [list(pool) for pool in found["pools"]]
    assert [float(row["hours"]) for row in rows] == [pytest.approx(p["hours"], abs=0.01) for p in found["pools"]]


def test_the_markets_memory_tells_the_providers_word_and_how_long_a_pool_was_on_sale(
    cli: Cli, lived: SqliteStore
) -> None:
    now = time.time()
    offer = Offer(
        pool=POOL, gpu="V100", gpu_count=1, price_usd_hour=Decimal(1), available="yes", seen_at=now - 10 * HOUR
    )
    memory = open_market(Home.find().prepare())
    for hours_ago, word in [(10, "yes"), (5, "no"), (0, "no")]:
        at = now - hours_ago * HOUR
        memory.note_prices([replace(offer, seen_at=at, available=word)], now=at)  # type: ignore[arg-type]
    memory.close()
    (aws, *_) = cli("stats", "--json", "--provider", "aws").json["pools"]
    assert (aws["on_sale_percent"], aws["went_off_sale"]) == (50.0, 1)
    assert "on sale 50% of 30 days, gone 1 times" in cli("stats").out


def test_the_plot_shows_hours_and_days_as_blocks(cli: Cli, lived: SqliteStore) -> None:
    out = cli("stats", "--plot").out
    head = next(line for line in out.splitlines() if "taken, hour 0-23" in line)
    assert "Mo-Su" in head
    aws = out.splitlines()[out.splitlines().index(head) + 1]
    assert any(letter in aws for letter in "▄▅")


def a_place(**changes: Any) -> PlaceStats:
    flat = (1.0,) * WEEK_H
    place = PlaceStats(
        place=("aws", "us-west-2", "spot"), hours=flat, interruptions=flat, factors=flat, granted=flat, refused=flat
    )
    return replace(place, **changes)


def test_blocks_are_to_scale_and_blank_where_nothing_is_known() -> None:
    assert weekplot.blocks([0.0, 1.0, 2.0, 9.0, None], "01234567", most=2.0) == "0477 "


def test_a_picture_is_drawn_where_the_library_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("plotext")
    assert "aws us-west-2 spot" in weekplot.draw([a_place()])
    monkeypatch.setattr(weekplot, "import_module", lambda name: (_ for _ in ()).throw(ImportError))
    assert weekplot.draw([a_place()]) == ""


def test_an_export_is_private_and_names_no_job_and_no_rehearsal(cli: Cli, lived: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "learned.json"
    done = cli("stats", "--export", path)
    assert (done.code, done.out) == (0, "")
    assert "3 pools" in done.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "us-west-2a" in text
    assert not any(word in text for word in ("secret-job", "local", lived.owner, "sl-"))


def test_ones_own_export_is_nothing_new(cli: Cli, lived: SqliteStore, tmp_path: Path) -> None:
    before = cli("stats", "--json").json["pools"]
    cli("stats", "--export", tmp_path / "learned.json")
    assert "nothing new" in cli("stats", "--import", tmp_path / "learned.json").err
    after = cli("stats", "--json").json["pools"]
    assert [p["interruptions_per_hour"] for p in after] == [p["interruptions_per_hour"] for p in before]


def test_what_others_learned_is_taken_once(
    cli: Cli, lived: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "learned.json"
    cli("stats", "--export", path)
    monkeypatch.setenv("SPOTLAUNCH_HOME", str(tmp_path / "another"))
    assert "learned from 1 source about 3 pools" in cli("stats", "--import", path).err
    first = cli("stats", "--json").json["pools"]
    assert "nothing new" in cli("stats", "--import", path).err
    assert cli("stats", "--json").json["pools"] == first
    aws = next(p for p in first if p["zone"] == "us-west-2a")
    assert (aws["hours"], aws["imported_hours"], aws["imported_interruptions"]) == (0, pytest.approx(15, abs=0.01), 1)
    assert aws["interruptions_per_hour"] > aws["prior_per_hour"]
    assert "others: 15.0 h, 1 taken" in cli("stats").out
    since = cli("stats", "--json", "--since", "1d")
    assert since.json["pools"] == []
    assert "left out" in since.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--json", "--csv"], "--csv has no meaning with --json"),
        (["--json", "--plot"], "--plot has no meaning with --json"),
        (["--export", "x", "--import", "y"], "--import has no meaning with --export"),
        (["--import", "x", "--gpu", "H100"], "--gpu has no meaning with --import"),
        (["--since", "soon"], "--since: "),
        (["--provider", "azur"], "did you mean azure?"),
        (["--import", "nowhere.json"], "nowhere.json cannot be read"),
        (["--export", "nowhere/x.json"], "cannot be written"),
    ],
)
def test_what_cannot_be_meant_is_told(cli: Cli, options: list[str], says: str) -> None:
    done = cli("stats", *options)
    assert done.code == 2
    assert says in done.err


def test_a_file_that_is_no_export_is_neither_read_nor_overwritten(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"mine": 1}))
    assert "no export" in cli("stats", "--import", path).err
    assert "is no export" in cli("stats", "--export", path).err
    assert json.loads(path.read_text()) == {"mine": 1}
