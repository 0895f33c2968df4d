from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.ledger import (
    Bill,
    job_bill,
    machine_bill,
    machine_cost_usd,
    machine_seconds,
    on_demand_cost_usd,
)
from tests.storage.samples import a_machine

UP = a_machine(state="up", up_at=1000.0, price_usd_hour=Decimal("0.90"), on_demand_usd_hour=Decimal("3.00"))
ENDED = replace(UP, state="ended", ended_at=2800.0)


def test_a_machine_that_never_came_up_costs_nothing() -> None:
    never = replace(ENDED, up_at=None)
    assert machine_bill(never, 9e9) == Bill(spent_usd=Decimal(0), on_demand_usd=Decimal(0), seconds=0.0)


def test_a_running_machine_bills_until_now() -> None:
    assert machine_seconds(UP, 4600.0) == 3600.0
    assert machine_cost_usd(UP, 4600.0) == Decimal("0.90")


def test_an_ended_machine_bills_until_it_ended_whenever_one_asks() -> None:
    for now in (2800.0, 1e9):
        assert machine_seconds(ENDED, now) == 1800.0
        assert machine_cost_usd(ENDED, now) == Decimal("0.45")


def test_a_machine_that_is_asked_to_end_still_bills() -> None:
    ending = replace(UP, state="ending", ending_at=1500.0, asked_at=1500.0)
    assert machine_seconds(ending, 4600.0) == 3600.0


def test_saved_is_what_the_same_seconds_cost_on_demand_less_what_was_spent() -> None:
    bill = machine_bill(ENDED, 0.0)
    assert (bill.spent_usd, bill.on_demand_usd, bill.saved_usd) == (Decimal("0.45"), Decimal("1.5"), Decimal("1.05"))


def test_nothing_is_saved_where_the_on_demand_price_is_not_known() -> None:
    unknown = replace(ENDED, on_demand_usd_hour=None)
    assert on_demand_cost_usd(unknown, 0.0) == machine_cost_usd(unknown, 0.0)
    assert machine_bill(unknown, 0.0).saved_usd == 0


def test_clocks_that_disagree_never_make_a_negative_bill() -> None:
    assert machine_cost_usd(replace(ENDED, ended_at=999.0), 0.0) == 0
    assert machine_seconds(UP, 10.0) == 0.0


def test_a_third_of_a_cent_is_rounded_to_a_billionth_of_a_dollar() -> None:
    third = replace(UP, price_usd_hour=Decimal("0.01"), ended_at=1000.0 + 1200.0)
    assert machine_cost_usd(third, 0.0) == Decimal("0.003333333")


@given(
    st.lists(
        st.tuples(st.decimals(min_value=0, max_value=500, places=6), st.floats(min_value=0, max_value=1e7)),
        max_size=30,
    ),
    st.randoms(),
)
def test_a_sum_of_bills_does_not_depend_on_the_order(
    prices: list[tuple[Decimal, float]], chance: random.Random
) -> None:
    machines = [
        replace(ENDED, price_usd_hour=price, on_demand_usd_hour=price * 3, ended_at=1000.0 + s) for price, s in prices
    ]
    shuffled = chance.sample(machines, len(machines))
    one, other = job_bill(machines, 0.0), job_bill(shuffled, 0.0)
    assert (one.spent_usd, one.on_demand_usd) == (other.spent_usd, other.on_demand_usd)
    assert one.spent_usd == sum((machine_cost_usd(m, 0.0) for m in machines), Decimal(0))
