from __future__ import annotations

from decimal import Decimal

import pytest

from spotlaunch.report.words import count, duration, moment, money, share, usd, when


@pytest.mark.parametrize(
    ("amount", "told"),
    [("0", "$0"), ("1234.5", "$1,234.50"), ("9.99996", "$10.0000"), ("0.04496", "$0.0450"), ("-12.5", "−$12.50")],
)
def test_amounts_have_cents_and_below_ten_dollars_hundredths_of_them(amount: str, told: str) -> None:
    assert usd(Decimal(amount)) == told


def test_money_holds_every_digit_beside_what_is_shown() -> None:
    assert money(Decimal("555.990000001")).text == '<data value="555.990000001">$555.99</data>'
    assert money(Decimal("1E-9")).text == '<data value="0.000000001">$0.0000</data>'
    assert money(None).text == "<span>–</span>"


def test_shares_times_and_counts() -> None:
    assert (share(Decimal(1), Decimal(3)), share(0, 5), share(1, 0)) == ("33%", "0%", "")
    assert [duration(s) for s in (59, 192, 7500, 356400)] == ["59 s", "3 min 12 s", "2 h 05 min", "4 d 03 h"]
    assert (count(1, "pool"), count(0, "pool")) == ("1 pool", "0 pools")


def test_moments_say_their_zone_to_programs() -> None:
    assert moment(1_793_000_000.0).startswith("2026-10-2")
    assert "T" in when(1_793_000_000.0).text and moment(1_793_000_000.0) in when(1_793_000_000.0).text
    assert when(None).text == "<span>–</span>"
