from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from spotlaunch.core.account import JobAccount
from spotlaunch.core.facts import Pool
from spotlaunch.core.pricehistory import PoolPrices
from spotlaunch.report.costs import costs
from spotlaunch.report.prices import prices
from spotlaunch.report.progress import progress
from spotlaunch.report.scales import Times
from tests.report.samples import AWS, HOUR, NOW, VAST, a_story, some_prices
from tests.report.test_markup import Read

BEGIN = NOW - 40 * HOUR
TIMES = Times(since=BEGIN, until=BEGIN + 40 * HOUR)


def job(name: str = "llama") -> JobAccount:
    (found,) = [j for j in a_story().jobs if j.job.name == name]
    return found


def lines(text: str, look: str) -> list[list[tuple[float, float]]]:
    """The lines of a look: hours since the beginning, and the share of the figure's height."""
    found = [a["points"] or "" for tag, a in Read(text).tags if tag == "polyline" and a["class"] == look]
    pairs = [[tuple(map(float, p.split(","))) for p in points.split()] for points in found]
    return [[(x / 25, 1 - y / 1000) for x, y in line] for line in pairs]


def test_cost_grows_to_the_sums_of_the_account_and_stands_still_between_machines() -> None:
    (spent,) = lines(costs(job(), TIMES).text, "line own")
    (against,) = lines(costs(job(), TIMES).text, "line against")
    assert spent[-1][1] == pytest.approx(float(job().totals.spent_usd) / 1000, abs=2e-4)
    assert against[-1][1] == pytest.approx(float(job().totals.on_demand_usd) / 1000, abs=2e-4)
    assert all(a[1] <= b[1] for a, b in pairwise(spent))
    waited = [y for x, y in spent if 5.25 <= x <= 5.65]
    assert len(waited) >= 2 and max(waited) == min(waited)


def test_progress_is_a_line_for_each_attempt_up_to_the_end() -> None:
    stored = lines(progress(job(), TIMES).text, "line own")
    assert [round(15 * line[0][1], 1) for line in stored] == [0, 2.6, 9.4, 9.9]
    assert [round(15 * line[-1][1], 1) for line in stored] == [2.6, 9.4, 9.9, 15.0]
    assert stored[0][-1][0] == pytest.approx(4.9, abs=0.01)


def test_progress_before_the_period_is_left_out_and_cut_where_it_begins() -> None:
    late = Times(since=BEGIN + 10 * HOUR, until=BEGIN + 40 * HOUR)
    stored = lines(progress(job(), late).text, "line own")
    assert len(stored) == 3
    assert 2.6 < 15 * stored[0][0][1] < 9.4 and stored[0][0][0] == 0


def test_a_program_that_tells_no_steps_is_shown_by_its_hours_of_work() -> None:
    read = Read(progress(job("runs"), Times.over(NOW - 2 * HOUR, NOW)).text)
    assert "The program tells no steps." in read.said and "1.4 hours of work" in read.said


def test_prices_agreed_lie_where_machines_were_and_those_seen_have_gaps() -> None:
    text = prices(job(), TIMES, some_prices()).text
    agreed = lines(text, "line own s0")
    assert [round(line[0][0], 1) for line in agreed] == [0.0, 20.6]
    assert [round(30 * line[0][1], 2) for line in agreed] == [8.15, 9.4]
    seen = lines(text, "line seen s0")
    assert [(round(line[0][0]), round(line[-1][0])) for line in seen] == [(0, 6), (19, 33)]
    assert len(lines(text, "line against")) == len(job().lines)
    assert "(2 of 3 pools)" in text


def test_a_pool_without_a_memory_and_too_many_pools_are_said() -> None:
    assert "No price of these pools is remembered" in prices(job(), TIMES, {}).text
    (line, *_) = job().lines
    pools = [Pool(provider="p", region=f"r{n}", zone="", instance_type="t", market="spot") for n in range(9)]
    many = replace(job(), lines=tuple(replace(line, machine=replace(line.machine, pool=p)) for p in pools))
    assert "The first 6 of 9 pools are shown." in prices(many, TIMES, {}).text


def test_a_price_that_changed_after_the_period_is_not_drawn() -> None:
    known: dict[Pool, PoolPrices] = {VAST: some_prices()[VAST], AWS: replace(some_prices()[AWS], seen_at=BEGIN)}
    early = Times(since=BEGIN, until=BEGIN + 5 * HOUR)
    text = prices(replace(job(), lines=job().lines[:2]), early, known).text
    assert max(x for line in lines(text, "line seen s0") for x, _ in line) == 40  # the right edge
    assert Decimal("8.60") not in {y for line in lines(text, "line seen s1") for _, y in line}
