"""`prices --history`: what a GPU has cost, from memory alone, as a table, a plot or JSON."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from spotlaunch.cli import history, plot, render
from spotlaunch.core.facts import Pool
from spotlaunch.core.pricecurve import Curve, Low, Span
from spotlaunch.home import Home
from spotlaunch.storage.market import open_market
from tests.cli.conftest import Cli
from tests.cli.selling import CHEAP, Clouds, installed
from tests.storage.offers import POOL, an_offer

HOUR = 3600.0
NOW = 100 * 86400.0  # a round time: steps begin with it
SPAN = Span(since=0.0, step_s=HOUR, steps=4)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("spotlaunch.cli.history.time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


Note = Callable[..., None]


@pytest.fixture
def note(own_home: Any) -> Note:
    """Has a price been seen: so many hours ago, of eight H100 unless said otherwise."""

    def noted(hours_ago: float, price: str, **changes: Any) -> None:
        memory = open_market(Home.find())
        at = NOW - hours_ago * HOUR
        memory.note_prices([an_offer(price_usd_hour=Decimal(price), seen_at=at, **changes)], now=at)
        memory.close()

    return noted


@pytest.fixture
def story(note: Note) -> None:
    """One provider whose price fell by half two days ago, another which nobody has seen since."""
    note(100, "32")
    note(48, "16")
    note(0, "16")
    note(72, "24", provider="two")


def test_the_table_has_now_lowest_highest_and_a_line_over_time(cli: Cli, story: None) -> None:
    done = cli("prices", "--history", "--gpu", "H100")
    assert done.code == 0
    about, head, one, two = done.out.splitlines()
    assert about == "lowest $/GPU-h of H100 in each 1h00m, 1970-04-04 00:00 to 1970-04-11 01:00"
    assert head.split("  ")[0] == "provider"
    assert one.split()[:5] == ["one", "2.0000", "2.0000", "4.0000", "one:r1a/h100x8/spot"]
    assert two.split()[:5] == ["two", "-", "3.0000", "3.0000", "two:r1a/h100x8/spot"]
    assert one.endswith("█▁▁▁▁▁▁▁▁▁▁▁▁▁▁")
    assert "`spotlaunch prices` asks for those of now" in done.err


def test_nobody_is_asked(cli: Cli, story: None, monkeypatch: pytest.MonkeyPatch) -> None:
    clouds: Clouds = installed(monkeypatch)
    clouds.sell("one", CHEAP)
    cli("prices", "--history", "--gpu", "H100")
    assert clouds.asked == []


def test_the_json_has_the_points_that_are_known(cli: Cli, story: None) -> None:
    found = cli("prices", "--history", "--gpu", "H100", "--json").json
    assert (found["gpus"], found["step_s"], found["until"]) == (["H100"], HOUR, NOW + HOUR)
    one, two = found["providers"]
    assert one["points"][0] == {
        "at": NOW - 100 * HOUR,
        "price_usd_gpu_hour": 4.0,
        "region": "r1",
        "zone": "r1a",
        "instance_type": "h100x8",
        "market": "spot",
    }
    assert [p["price_usd_gpu_hour"] for p in one["points"]] == [4.0] * 52 + [2.0] * 49
    assert [p["at"] for p in two["points"]] == [NOW - 72 * HOUR]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--provider", "two"], ["two"]),
        (["--region", "r1*"], ["one", "two"]),
        (["--region", "eu-*"], []),
        (["--on-demand"], []),
        (["--spot"], ["one", "two"]),
        (["--days", "2.5"], ["one"]),
    ],
)
def test_options_narrow_it(
    cli: Cli, story: None, options: list[str], left: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds: Clouds = installed(monkeypatch)
    clouds.sell("two")
    found = cli("prices", "--history", "--gpu", "H100", "--json", *options).json
    assert [p["provider"] for p in found["providers"]] == left


def test_a_count_is_of_whole_machines(cli: Cli, story: None) -> None:
    assert cli("prices", "--history", "--gpu", "H100:1", "--json").json["providers"] == []
    assert len(cli("prices", "--history", "--gpu", "H100:8", "--json").json["providers"]) == 2


def test_with_nothing_remembered_it_says_how_prices_come_to_be_remembered(cli: Cli) -> None:
    done = cli("prices", "--history", "--gpu", "H100")
    assert (done.code, done.out) == (0, "")
    assert "no price of H100 is remembered of the last 7d" in done.err
    assert "prices are remembered whenever they are asked for" in done.err


def test_without_a_gpu_it_says_which_there_are(cli: Cli, story: None) -> None:
    done = cli("prices", "--history")
    assert done.code == 2
    assert "hint: add --gpu with one of: H100-SXM" in done.err


@pytest.mark.parametrize(
    "options", [["--watch"], ["--max-price", "2"], ["--csv"], ["--limit", "3"], ["--sort", "price"]]
)
def test_options_that_have_no_meaning_are_refused(cli: Cli, options: list[str]) -> None:
    done = cli("prices", "--history", "--gpu", "H100", *options)
    assert done.code == 2
    assert f"{options[0]} has no meaning with --history" in done.err


def test_days_without_history_are_refused(cli: Cli) -> None:
    assert cli("prices", "--days", "3").code == 2


def test_days_that_are_no_number_are_refused(cli: Cli) -> None:
    done = cli("prices", "--history", "--gpu", "H100", "--days", "nan")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: --days: nan is not a number")


# -- plots ------------------------------------------------------------------------------------------------


def curve(*prices: str | None, provider: str = "one") -> Curve:
    pool = Pool(provider=provider, region="r", zone="z", instance_type="t", market="spot")
    lows = [None if p is None else Low(price_usd_gpu_hour=Decimal(p), pool=pool) for p in prices]
    return Curve(provider=provider, lows=tuple(lows))


def test_sparklines_have_one_scale_and_blanks_where_nothing_is_known() -> None:
    lines = plot.sparklines([curve("1", None, "2", "8"), curve("8", "8", "8", "8")], plot.BLOCKS)
    assert lines == ["▁ ▂█", "████"]


def test_a_price_that_never_moved_is_a_low_line() -> None:
    assert plot.sparklines([curve("3", "3", "3")], plot.BLOCKS) == ["▁▁▁"]
    assert plot.sparklines([], plot.BLOCKS) == []


def test_a_long_story_is_squeezed_without_losing_a_dip() -> None:
    prices = ["8"] * 200
    prices[101] = "1"
    [line] = plot.sparklines([curve(*prices)], plot.BLOCKS)
    assert len(line) == plot.SPARK_WIDTH
    assert line.count("▁") == 1


@pytest.mark.parametrize(
    ("encoding", "letters"), [("utf-8", plot.BLOCKS), ("ascii", plot.PLAIN_BLOCKS), (None, "_.-=+*#%")]
)
def test_a_terminal_without_blocks_gets_other_letters(encoding: str | None, letters: str) -> None:
    assert plot.blocks(encoding) == letters


def test_the_plot_shows_each_provider_and_breaks_where_nothing_is_known() -> None:
    pytest.importorskip("plotext", minversion="6")
    drawn = plot.draw([curve("1", None, "2", "8"), curve("4", "4", "4", "4", provider="two")], SPAN, "day {}".format)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", drawn)
    assert "one" in plain
    assert "two" in plain
    assert "day 7200.0" in plain
    assert [xs for xs, _ in plot._pieces(curve("1", None, "2", "8"), SPAN)] == [
        [0.0, HOUR],
        [2 * HOUR, 3 * HOUR, 3 * HOUR, 4 * HOUR],
    ]


@pytest.mark.parametrize("there", [None, SimpleNamespace()], ids=["not installed", "an old version"])
def test_without_plotext_there_is_no_plot(there: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotext", there)
    assert plot.draw([curve("1", "2", "3", "4")], SPAN, str) == ""


def test_a_person_at_a_terminal_gets_the_plot_and_a_pipe_the_line(
    cli: Cli, story: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("plotext", minversion="6")
    monkeypatch.setenv("COLUMNS", "100")
    assert "┌" not in cli("prices", "--history", "--gpu", "H100").out
    monkeypatch.setattr(render, "is_fancy", lambda stream=None: True)
    drawn = cli("prices", "--history", "--gpu", "H100").out
    assert "┌" in drawn
    assert "over time" not in drawn
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in drawn.splitlines()) <= int(os.environ["COLUMNS"])


def test_a_gpus_name_cannot_steer_the_terminal(cli: Cli, note: Note) -> None:
    note(1, "8", gpu="Frob\x1b[2J")
    done = cli("prices", "--history")
    assert "\x1b" not in done.out + done.err


def test_prices_of_one_place_count_once_also_under_two_wishes(cli: Cli, story: None) -> None:
    both = cli("prices", "--history", "--gpu", "H100", "--gpu", "H100-SXM", "--json").json
    assert both["providers"] == cli("prices", "--history", "--gpu", "H100", "--json").json["providers"]


def test_history_names_the_pool_by_its_place() -> None:
    low = Low(price_usd_gpu_hour=Decimal("1.23456789"), pool=POOL)
    assert history.point_json(5.0, low)["price_usd_gpu_hour"] == Decimal("1.234568")
