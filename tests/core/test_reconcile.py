from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch.core.account import Line, Period, account
from spotlaunch.core.facts import Billing, Charge
from spotlaunch.core.ledger import Billed
from spotlaunch.core.reconcile import billed_of, compare
from tests.storage.samples import a_job, a_machine

HOUR = 3600.0
NOW = 10 * HOUR
LATE = Billing(lag_s=600.0)


def a_line(now: float = NOW, **changes: Any) -> Line:
    machine = a_machine(state="ended", up_at=0.0, ended_at=HOUR, price_usd_hour=Decimal("3.60"), instance_id="i-1")
    machine = replace(machine, **changes)
    (line,) = account([a_job()], [], [machine], Period(until_at=now)).lines
    return line


def a_figure(usd: str, now: float = NOW) -> Billed:
    return Billed(launch_key=a_machine().launch_key, machine_usd=Decimal(usd), asked_at=now)


@pytest.mark.parametrize("usd", ["3.60", "3.598", "3.602"])
def test_two_seconds_of_rounding_are_no_difference(usd: str) -> None:
    assert compare(a_line(), a_figure(usd), LATE, NOW).agrees


def test_a_provider_that_rounds_each_day_may_differ_by_as_much() -> None:
    cents = Billing(step_usd=Decimal("0.01"))
    assert compare(a_line(), a_figure("3.621"), cents, NOW).agrees
    assert not compare(a_line(), a_figure("3.63"), cents, NOW).agrees


def test_a_difference_is_told_in_seconds_at_the_price_agreed() -> None:
    more, less = (compare(a_line(), a_figure(usd), LATE, NOW) for usd in ("3.96", "3.00"))
    assert not more.agrees and more.difference_usd == Decimal("0.36")
    assert "billed for 360 s more than we saw it up" in more.why
    assert "600 s less" in less.why


def test_a_bill_that_may_still_grow_is_not_called_wrong() -> None:
    just = compare(a_line(), a_figure("3.00"), LATE, HOUR + 60)
    assert not just.agrees and "it has just ended, and bills are up to 10 min late" in just.why
    up = compare(a_line(ended_at=None, state="up", now=HOUR), a_figure("1.00"), LATE, HOUR)
    assert "still up" in up.why


def test_a_machine_that_its_provider_says_nothing_of_is_told() -> None:
    late, never = compare(a_line(), None, LATE, HOUR + 60), compare(a_line(), None, LATE, NOW)
    assert "just ended" in late.why and late.difference_usd is None
    assert not never.agrees and "says nothing of it" in never.why


def test_charges_find_their_machines_by_instance_and_know_when_no_more_is_to_come() -> None:
    charge = Charge(
        instance_id="i-1", machine_usd=Decimal("3.6"), storage_usd=Decimal("0.1"), traffic_usd=Decimal("0.2")
    )
    found = {"i-1": charge, "i-2": replace(charge, instance_id="i-2")}
    (billed,) = billed_of([a_line()], found, LATE, NOW)
    assert (billed.machine_usd, billed.storage_usd, billed.traffic_usd) == (
        Decimal("3.6"),
        Decimal("0.1"),
        Decimal("0.2"),
    )
    assert billed.launch_key == a_machine().launch_key and billed.settled
    assert not billed_of([a_line()], found, LATE, HOUR + 1)[0].settled
