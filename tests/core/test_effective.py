from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.effective import MOST_OVERHEAD, Work, effective_usd_hour, overhead, work_of
from spotlaunch.core.intervals import best_interval_s
from spotlaunch.core.spec import CheckpointSpec
from tests.core.worlds import a_spec, an_offer

MINUTES = 60.0
# Worked out independently: rate per hour, seconds to write, minutes between checkpoints, overhead in percent
# with a restart of 12 minutes.
INTERVALS = [
    (0.01, 10, 44.6, 1.0),
    (0.01, 60, 108.9, 2.1),
    (0.01, 300, 241.6, 4.4),
    (0.10, 10, 14.0, 4.5),
    (0.10, 60, 34.0, 8.1),
    (0.10, 300, 74.2, 16.4),
    (0.40, 10, 7.0, 13.6),
    (0.40, 60, 16.7, 21.9),
    (0.40, 300, 35.5, 41.9),
    (1.50, 10, 3.5, 48.1),
    (1.50, 60, 8.3, 70.3),
    (1.50, 300, 16.8, 132.9),
]
# Price, rate per hour, restart in minutes, $ per GB moved, $ per useful hour: 60 s to write, 100 GB.
COSTS = [
    ("0.90", 0.70, 12, "0", "1.21"),
    ("1.00", 0.10, 12, "0", "1.08"),
    ("0.80", 0.25, 15, "0.02", "1.23"),
    ("0.80", 0.25, 21, "0.09", "2.31"),
    ("1.30", 0.02, 9, "0", "1.34"),
    ("0.85", 0.25, 33, "0", "1.07"),
    ("3.00", 0.0005, 6, "0", "3.01"),
]
RATES = st.one_of(st.floats(0, 10), st.floats(0, 1e300), st.sampled_from([0.0, 5e-324, 1e-300, 24.0, 120.0, math.inf]))
SECONDS = st.one_of(st.floats(0, 7200), st.sampled_from([0.0, 1e-9, 60.0, 1e9]))
EVERY = st.one_of(st.none(), SECONDS)


@pytest.mark.parametrize(("rate", "write_s", "minutes", "percent"), INTERVALS)
def test_interval_and_overhead_agree_with_what_was_worked_out(
    rate: float, write_s: float, minutes: float, percent: float
) -> None:
    assert round(best_interval_s(rate, write_s) / MINUTES, 1) == minutes
    billed = overhead(rate, restart_s=12 * MINUTES, work=Work(write_s=write_s))
    assert round(100 * (billed - 1), 1) == percent


@pytest.mark.parametrize(("price", "rate", "restart", "egress", "useful"), COSTS)
def test_effective_cost_agrees_with_what_was_worked_out(
    price: str, rate: float, restart: float, egress: str, useful: str
) -> None:
    cost = effective_usd_hour(
        an_offer(price, egress_usd_gb=Decimal(egress)),
        rate_per_hour=rate,
        restart_s=restart * MINUTES,
        work=Work(write_s=60.0, checkpoint_gb=100.0),
        disk_gb=0,
    )
    assert f"{cost:.2f}" == useful


def test_where_writing_takes_ages_the_interval_is_the_time_between_interruptions() -> None:
    assert best_interval_s(1.0, 7200.0) == 3600.0
    assert best_interval_s(1.0, 7199.0) < 3600.0


def test_nothing_taken_away_needs_no_checkpoint_and_costs_its_price() -> None:
    assert best_interval_s(0.0, 60.0) == math.inf
    cost = effective_usd_hour(
        an_offer("1.23", egress_usd_gb=Decimal("9")), rate_per_hour=0.0, restart_s=300.0, work=Work(), disk_gb=50
    )
    assert cost == Decimal("1.23")


def test_a_disk_is_paid_by_the_hour_also_of_the_hours_that_were_lost() -> None:
    bare, with_disk = an_offer("1.00"), an_offer("1.00", storage_usd_gb_month=Decimal("0.10"))
    costs = [
        effective_usd_hour(o, rate_per_hour=0.5, restart_s=300.0, work=Work(), disk_gb=730) for o in (bare, with_disk)
    ]
    assert float(costs[1]) == pytest.approx(float(costs[0]) * 1.1)


def test_an_interval_that_the_job_insists_on_is_paid_for() -> None:
    assert overhead(0.0, restart_s=0.0, work=Work(write_s=60.0, every_s=600.0)) == pytest.approx(1.1)
    best = overhead(0.1, restart_s=300.0, work=Work())
    assert all(overhead(0.1, restart_s=300.0, work=Work(every_s=s)) > best for s in (60.0, 300.0, 7200.0, 36000.0))


def test_what_a_job_file_says_of_checkpoints_is_what_ranking_reckons_with() -> None:
    assert work_of(a_spec()).every_s is None
    assert work_of(a_spec(), 2.5) == Work(write_s=2.5)
    assert work_of(a_spec(checkpoint=CheckpointSpec(every_s=600.0)), 2.5) == Work(write_s=2.5, every_s=600.0)
    assert work_of(a_spec(checkpoint=CheckpointSpec(every_s=3600.0))) == Work(every_s=3600.0)


def test_a_job_that_wants_a_checkpoint_every_few_seconds_writes_them_quickly() -> None:
    often = work_of(a_spec(checkpoint=CheckpointSpec(every_s=5.0)))
    assert often.every_s == 5.0
    assert overhead(0.0, restart_s=0.0, work=often) == pytest.approx(1.05)


@settings(deadline=None, max_examples=500)
@given(RATES, SECONDS, SECONDS, EVERY)
def test_no_rate_is_too_absurd_for_an_answer(rate: float, restart_s: float, write_s: float, every_s: float) -> None:
    work = Work(write_s=write_s, every_s=every_s)
    assert 1.0 <= overhead(rate, restart_s=restart_s, work=work) <= max(MOST_OVERHEAD, 1 + write_s)
    offer = an_offer("100", egress_usd_gb=Decimal("1"), storage_usd_gb_month=Decimal("1"))
    cost = effective_usd_hour(offer, rate_per_hour=rate, restart_s=restart_s, work=work, disk_gb=1e5)
    assert cost.is_finite()
    assert cost >= 100


@settings(deadline=None, max_examples=500)
@given(RATES, RATES, SECONDS, SECONDS, EVERY)
def test_a_worse_rate_never_costs_less(
    rate: float, other: float, restart_s: float, write_s: float, every_s: float | None
) -> None:
    work = Work(write_s=write_s, every_s=every_s)
    better, worse = (
        effective_usd_hour(
            an_offer(egress_usd_gb=Decimal("0.1")), rate_per_hour=r, restart_s=restart_s, work=work, disk_gb=0
        )
        for r in sorted((rate, other))
    )
    assert better <= worse


@pytest.mark.parametrize("write_s", [30.0, 60.0, 300.0])
def test_no_rate_is_cheaper_than_a_better_one_where_the_formula_changes_over(write_s: float) -> None:
    at = 7200.0 / write_s
    costs = [
        overhead(at * share, restart_s=0.0, work=Work(write_s=write_s)) for share in (0.4, 0.9, 0.9999, 1.0, 1.0001)
    ]
    assert costs == sorted(costs)


def test_rates_that_differ_in_their_last_digit_alone_cost_the_same() -> None:
    """A float's own noise must not make the worse of two rates the cheaper one."""
    for n in range(1, 400):
        rate = worse = n / 97
        for _ in range(5):
            worse = math.nextafter(worse, math.inf)
        costs = [overhead(r, restart_s=300.0, work=Work()) for r in (rate, worse)]
        assert costs[0] <= costs[1]
