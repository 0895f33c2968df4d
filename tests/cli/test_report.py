from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from spotlaunch.core.plan import AddAttempt, AddMachine
from spotlaunch.home import Home
from spotlaunch.storage.market import open_market
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.cli.test_light import HEAVY, imported_by
from tests.core.worlds import an_offer
from tests.report.samples import NOW, a_story
from tests.report.test_markup import Read
from tests.storage.samples import an_event


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("report", "cost"):
        monkeypatch.setattr(f"spotlaunch.cli.{command}.time", SimpleNamespace(time=lambda: NOW))


@pytest.fixture
def story(store: SqliteStore) -> None:
    for told in a_story().jobs:
        store.add_job(told.job, an_event(told.job.name))
        store.apply([AddAttempt(attempt=a) for a in told.attempts])
        store.apply([AddMachine(machine=line.machine) for line in told.lines])


def amounts(page: Path) -> list[str | None]:
    return [a["value"] for tag, a in Read(page.read_text()).tags if tag == "data"]


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("job", [[], ["llama"]], ids=["all", "one"])
def test_the_page_has_the_sums_that_cost_tells(cli: Cli, tmp_path: Path, job: list[str]) -> None:
    page = tmp_path / "r.html"
    done = cli("report", *job, "--html", page)
    total = cli("cost", *job, "--json").json["total"]
    keys = ("spent_usd", "on_demand_usd", "saved_usd", "effective_usd_hour", "lost_usd")
    assert amounts(page)[:5] == [total[k] for k in keys]
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"wrote {page}: {len(job) or 3} job") and "spent" in done.err


@pytest.mark.usefixtures("story")
def test_a_period_counts_what_was_billed_in_it_and_leaves_out_who_was_over(cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    assert cli("report", "--since", "3h", "--html", page).code == 0
    assert amounts(page)[0] == cli("cost", "--since", "3h", "--json").json["total"]["spent_usd"]
    assert "llama" not in page.read_text() and "runs" in page.read_text() and "waits" in page.read_text()
    assert cli("report", "llama", "--since", "3h", "--html", page).code == 0
    assert "No machine was billed in this period." in page.read_text()


@pytest.mark.usefixtures("story")
def test_prices_that_were_seen_are_drawn(cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    cli("report", "llama", "--html", page)
    assert "No price of these pools is remembered" in page.read_text()
    memory = open_market(Home.find())
    pool = a_story().jobs[0].lines[0].machine.pool
    begin = a_story().jobs[0].job.submitted_at
    for at, price in ((begin - 3000, "8"), (begin - 2000, "9")):  # last seen before: it is written down once an hour
        memory.note_prices(
            [an_offer(pool=pool, gpu="H100", gpu_count=8, price_usd_hour=Decimal(price), seen_at=at)], now=at
        )
    memory.close()
    cli("report", "llama", "--html", page)
    assert "(1 of 3 pools)" in page.read_text() and "line seen s0" in page.read_text()


@pytest.mark.usefixtures("story")
def test_a_damaged_memory_of_prices_costs_the_page_only_these(cli: Cli, tmp_path: Path) -> None:
    Home.find().market.write_bytes(b"no database" * 1000)
    assert cli("report", "--html", tmp_path / "r.html").code == 0
    assert "No price history: " in (tmp_path / "r.html").read_text()


@pytest.mark.usefixtures("story")
def test_an_older_page_is_replaced_whole_and_nothing_else_is_left_there(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    for _ in range(2):
        assert cli("report", "--html", folder / "r.html").code == 0
    assert [p.name for p in folder.iterdir()] == ["r.html"]


@pytest.mark.usefixtures("story")
def test_a_page_that_cannot_be_put_in_place_leaves_the_old_one(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "r.html"
    cli("report", "--html", page)
    before = page.read_text()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    done = cli("report", "llama", "--html", page)
    assert done.code == 2 and "cannot be written: No space left on device" in done.err
    assert page.read_text() == before and [p for p in tmp_path.iterdir() if p.suffix == ".new"] == []


def test_it_needs_no_cloud_and_no_drawing_library(store: SqliteStore, tmp_path: Path) -> None:
    assert imported_by("report", "--html", str(tmp_path / "r.html")) & (HEAVY | {"rich"}) == set()


def test_where_no_page_may_be_put_it_is_said(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "job.yaml"
    other.write_text("run: python train.py\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "r.html", "there is no folder"),
        (other, "is no web page"),
        (pipe, "is no ordinary file"),
        (other / "r.html", "cannot be written"),
        (tmp_path / ("x" * 300), "cannot be written"),
    ):
        done = cli("report", "--html", path)
        assert (done.code, done.out) == (2, "") and said in done.err and "hint:" in done.err, done.err
    assert other.read_text() == "run: python train.py\n"


def test_what_cannot_be_meant_is_told(cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    assert "neither a date nor a duration" in cli("report", "--since", "yesterday", "--html", page).err
    assert "--html" in cli("report").err
    assert cli("report", "nobody", "--html", page).code == 1
    assert not page.exists()
    assert cli("report", "--html", page).code == 0 and "There is no job yet." in page.read_text()
