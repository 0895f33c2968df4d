from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.account import Account, Line, Period, account, grouped
from spotlaunch.core.book import Attempt, Machine
from spotlaunch.core.facts import Pool
from spotlaunch.core.ledger import Billed, job_bill
from spotlaunch.core.totals import Totals
from tests.storage.samples import a_job, a_machine, an_attempt

NOW = 100_000.0
HOUR = 3600.0

# An hour's life: a tenth to boot, the last checkpoint after three quarters, taken at the end.
UP = a_machine(
    state="ended",
    up_at=0.0,
    ended_at=HOUR,
    price_usd_hour=Decimal("1.00"),
    on_demand_usd_hour=Decimal("3.00"),
    cheapest_usd_hour=Decimal("2.50"),
)
TAKEN = an_attempt(
    running_at=360.0, committed_at=2700.0, commits=5, ended_at=HOUR + 20, outcome="preempted", uploaded_bytes=7 * 10**8
)


def of(*pairs: tuple[Attempt, Machine], period: Period | None = None, **more: Any) -> Account:
    attempts, machines = [a for a, _ in pairs], [m for _, m in pairs]
    return account([a_job()], attempts, machines, period or Period(until_at=NOW), **more)


def kinds(line: Line) -> list[tuple[str, float, float]]:
    return [(s.kind, s.from_at, s.until_at) for s in line.spans]


def test_a_machine_that_was_taken_booted_worked_and_lost_what_was_not_stored() -> None:
    (line,) = of((TAKEN, UP)).lines
    assert kinds(line) == [("boot", 0.0, 360.0), ("work", 360.0, 2700.0), ("redone", 2700.0, HOUR)]
    t = line.totals
    assert (t.spent_usd, t.boot_usd, t.work_usd, t.redone_usd) == tuple(map(Decimal, ("1.0", "0.1", "0.65", "0.25")))
    assert (t.lost_usd, t.lost_us) == (Decimal("0.25"), 900 * 1_000_000)
    assert t.effective_usd_hour == Decimal("1.538462")


def test_on_demand_is_the_cheapest_offer_that_would_have_done_when_it_was_ordered() -> None:
    assert of((TAKEN, UP)).totals.on_demand_usd == Decimal("2.5")
    assert of((TAKEN, UP)).totals.saved_usd == Decimal("1.5")
    shape_only = replace(UP, cheapest_usd_hour=None)
    assert of((TAKEN, shape_only)).totals.on_demand_usd == Decimal("3")


def test_boots_after_the_first_were_lost_to_interruptions() -> None:
    second = replace(UP, launch_key="two", attempt=2, up_at=HOUR, ended_at=2 * HOUR)
    done = an_attempt(number=2, running_at=HOUR + 360, commits=9, ended_at=2 * HOUR - 36, outcome="finished")
    totals = of((TAKEN, UP), (done, second)).totals
    assert (totals.boot_us, totals.restart_us) == (360_000_000, 360_000_000)
    assert totals.lost_usd == Decimal("0.35")
    assert totals.leaving_usd == Decimal("0.01")


def test_nothing_is_done_again_after_a_job_has_ended_well() -> None:
    done = replace(TAKEN, outcome="finished")
    assert of((done, UP)).totals.redone_us == 0


def test_what_a_failed_attempt_did_counts_as_done_again_when_another_followed() -> None:
    failed = replace(TAKEN, outcome="failed", ended_at=HOUR)
    assert of((failed, UP)).totals.redone_us == 0
    after = an_attempt(number=2)
    assert account([a_job()], [failed, after], [UP], Period(until_at=NOW)).totals.redone_us == 900 * 1_000_000


def test_an_attempt_that_never_stored_anything_lost_all_it_did() -> None:
    (line,) = of((replace(TAKEN, commits=0, committed_at=None), UP)).lines
    assert kinds(line) == [("boot", 0.0, 360.0), ("redone", 360.0, HOUR)]


def test_a_machine_whose_program_never_ran_only_booted() -> None:
    (line,) = of((replace(TAKEN, running_at=None, commits=0, committed_at=None), UP)).lines
    assert kinds(line) == [("boot", 0.0, HOUR)]
    assert line.totals.effective_usd_hour is None


def test_a_running_machine_counts_until_now_and_has_lost_nothing_yet() -> None:
    running = replace(UP, state="up", ended_at=None)
    (line,) = of((replace(TAKEN, outcome=None, ended_at=None), running), period=Period(until_at=7200.0)).lines
    assert kinds(line) == [("boot", 0.0, 360.0), ("work", 360.0, 7200.0)]
    assert line.totals.spent_usd == Decimal(2)


def test_books_from_before_these_times_were_written_down_use_what_they_have() -> None:
    old = replace(TAKEN, running_at=None, committed_at=None, progressed_at=1800.0)
    (line,) = of((old, UP)).lines
    assert kinds(line) == [("work", 0.0, 1800.0), ("redone", 1800.0, HOUR)]


def test_a_wrong_clock_moves_no_span_out_of_its_machine() -> None:
    (line,) = of((replace(TAKEN, running_at=-5e9, committed_at=5e9), UP)).lines
    assert kinds(line) == [("work", 0.0, HOUR)]


def test_disk_and_traffic_are_estimated_and_in_no_sum_of_dollars_spent() -> None:
    moved = replace(TAKEN, restored_bytes=3 * 10**8)
    disk = replace(UP, disk_gb=730, storage_usd_gb_month=Decimal("0.10"), egress_usd_gb=Decimal("0.09"))
    plain, more = of((TAKEN, UP)).totals, of((moved, disk)).totals
    assert (more.storage_usd, more.egress_usd, more.estimated_usd) == tuple(map(Decimal, ("0.1", "0.09", "0.19")))
    assert (more.spent_usd, more.on_demand_usd) == (plain.spent_usd, plain.on_demand_usd)


def test_what_lies_before_the_period_is_left_out() -> None:
    totals = of((TAKEN, UP), period=Period(since_at=1800.0, until_at=NOW)).totals
    assert (totals.spent_usd, totals.boot_us) == (Decimal("0.5"), 0)
    assert of((TAKEN, UP), period=Period(since_at=HOUR, until_at=NOW)).lines == []


def test_what_a_provider_says_stands_beside_the_machine() -> None:
    told = Billed(launch_key=UP.launch_key, machine_usd=Decimal("0.99"), asked_at=NOW)
    (line,) = of((TAKEN, UP), billed={UP.launch_key: told}).lines
    assert line.billed == told


# -- sums -------------------------------------------------------------------------------------------------------

DAY = 20_000.0
DAYS = [(n * DAY, f"day-{n}") for n in range(-1, 6)]
MONEY = st.decimals(min_value=0, max_value=400, places=6)
WHEN = st.floats(min_value=0, max_value=NOW)
OUTCOMES: list[Any] = [None, "finished", "failed", "preempted", "lost", "refused", "cancelled", "replaced"]


@st.composite
def pairs(draw: st.DrawFn, number: int) -> tuple[Attempt, Machine]:
    begin = draw(WHEN)
    lasted = draw(st.one_of(st.none(), st.floats(min_value=-10, max_value=NOW)))
    job = draw(st.sampled_from(["one", "two"]))
    attempt = an_attempt(
        job,
        number,
        outcome=draw(st.sampled_from(OUTCOMES)),
        ended_at=draw(st.one_of(st.none(), WHEN)),
        running_at=draw(st.one_of(st.none(), WHEN)),
        committed_at=draw(st.one_of(st.none(), WHEN)),
        commits=draw(st.integers(0, 3)),
        uploaded_bytes=draw(st.integers(0, 10**12)),
    )
    machine = a_machine(
        job,
        number,
        pool=Pool(provider=draw(st.sampled_from("xyz")), region="r", zone="", instance_type="t", market="spot"),
        up_at=draw(st.one_of(st.none(), st.just(begin))),
        ended_at=None if lasted is None else begin + lasted,
        price_usd_hour=draw(MONEY),
        cheapest_usd_hour=draw(st.one_of(st.none(), MONEY)),
        disk_gb=draw(st.floats(min_value=0, max_value=1e4)),
        storage_usd_gb_month=draw(MONEY),
        egress_usd_gb=draw(MONEY),
    )
    return attempt, machine


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Attempt, Machine]]:
    return [draw(pairs(n)) for n in range(1, draw(st.integers(0, 6)) + 1)]


def _of_two(history: list[tuple[Attempt, Machine]], period: Period) -> Account:
    jobs = [a_job("one"), a_job("two")]
    return account(jobs, [a for a, _ in history], [m for _, m in history], period)


BY: dict[str, Callable[[Line], str]] = {
    "provider": lambda line: line.machine.pool.provider,
    "day": lambda line: line.day,
    "job": lambda line: line.machine.job,
    "machine": lambda line: line.machine.launch_key,
}


@pytest.mark.parametrize("key", BY)
@given(history=histories(), since=st.one_of(st.just(0.0), WHEN))
def test_sums_by_any_key_add_up_to_the_total_to_the_last_digit(
    key: str, history: list[tuple[Attempt, Machine]], since: float
) -> None:
    whole = _of_two(history, Period(since_at=since, until_at=NOW))
    days = _of_two(history, Period(since_at=since, until_at=NOW, days=DAYS))
    assert days.totals == whole.totals
    assert sum(grouped(days.lines, BY[key]).values(), Totals()) == whole.totals


@given(history=histories())
def test_the_account_spends_what_the_ledger_spends(history: list[tuple[Attempt, Machine]]) -> None:
    made, bill = _of_two(history, Period(until_at=NOW)), job_bill([m for _, m in history], NOW)
    assert (made.totals.spent_usd, made.totals.on_demand_usd) == (bill.spent_usd, bill.on_demand_usd)
    assert made.totals.seconds == pytest.approx(bill.seconds)


@given(history=histories(), cut=WHEN)
def test_what_was_before_a_moment_and_what_came_after_are_all_there_is(
    history: list[tuple[Attempt, Machine]], cut: float
) -> None:
    days = [(-1.0, "before"), (cut, "after")]
    parts = grouped(_of_two(history, Period(until_at=NOW, days=days)).lines, lambda line: line.day)
    later = _of_two(history, Period(since_at=cut, until_at=NOW)).totals
    assert parts.get("after", Totals()) == later


@given(history=histories())
def test_every_part_of_time_and_money_is_at_least_nothing(history: list[tuple[Attempt, Machine]]) -> None:
    for line in _of_two(history, Period(until_at=NOW)).lines:
        t = line.totals
        assert min(t.work_us, t.boot_us, t.restart_us, t.redone_us, t.leaving_us) >= 0
        assert min(t.work_usd, t.boot_usd, t.restart_usd, t.redone_usd, t.leaving_usd, t.estimated_usd) >= 0
