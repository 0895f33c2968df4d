"""Units as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core import units
from spotlaunch.core.gpus import parse_gpu
from spotlaunch.core.names import check_env_name, check_job_name, tame_job_name
from spotlaunch.core.units import Unreadable


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20m", 1200),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("48h", 172800),
        ("2d", 172800),
        ("25s", 25),
        ("1.5h", 5400),
        ("0", 0),
        ("0s", 0),
        ("1w2d3h4m5s", 788645),
        ("2 days", 172800),
        ("90 min", 5400),
        ("10M", 600),
        (" 10m ", 600),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert units.read_duration_s(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "20", "1.5", "m", "20x", "30m1h", "1h1h", "-5m", "1:30", "1h30", "１０m", "1e3s", "inf", "11y", "4000d"],
)
def test_what_is_not_surely_a_duration_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        units.read_duration_s(text)


def test_a_duration_without_a_unit_is_told_how_to_get_one() -> None:
    with pytest.raises(Unreadable) as caught:
        units.read_duration_s("90")
    assert "90s, 90m or 90h" in caught.value.hint


@given(st.integers(min_value=0, max_value=3650 * 86400 * 1000))
def test_a_duration_written_is_read_as_the_same(milliseconds: int) -> None:
    assert units.read_duration_s(units.write_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "gb"),
    [
        ("64", 64),
        ("64+", 64),
        ("64GB", 64),
        ("64 GB+", 64),
        ("64GiB", 64),
        ("64G", 64),
        ("1TB", 1000),
        ("1TiB", 1024),
        ("512MB", 0.512),
        ("512MiB", 0.5),
        ("0.5", 0.5),
    ],
)
def test_sizes_are_read_in_gigabytes(text: str, gb: float) -> None:
    assert units.read_size_gb(text) == pytest.approx(gb)


@pytest.mark.parametrize("text", ["", "GB", "64XB", "-1", "64 gigs", "1e3", "++", "64KB", "9999999TB"])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        units.read_size_gb(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_size_written_is_read_as_the_same(megabytes: int) -> None:
    assert units.read_size_gb(units.write_size(megabytes / 1000)) == pytest.approx(megabytes / 1000)


@pytest.mark.parametrize("text", ["30", "$30", "$ 30", "30$", "30 USD", "30.00", "usd 30"])
def test_money_is_exact(text: str) -> None:
    assert units.read_money_usd(text) == Decimal(30)


@pytest.mark.parametrize(
    "text", ["", "$", "30€", "1,50", "1,000", "-3", "1e3", "NaN", "0.0000001", "99999999", "$30/h"]
)
def test_what_is_not_surely_dollars_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        units.read_money_usd(text)


@given(st.decimals(min_value=0, max_value=10**7, places=6))
def test_money_written_is_read_as_the_same(usd: Decimal) -> None:
    assert units.read_money_usd(units.write_money(usd)) == usd


@given(st.text(max_size=40))
def test_no_text_makes_a_reader_raise_anything_but_unreadable(text: str) -> None:
    def whole(t: str) -> int:
        return units.read_whole(t, least=1, most=255)

    readers = (units.read_duration_s, units.read_size_gb, units.read_money_usd, units.read_at_least, whole, parse_gpu)
    for read in (*readers, check_job_name, check_env_name):
        try:
            read(text)
        except Unreadable as e:
            assert e.message.isprintable() or "\n" not in e.message
            assert e.message


def test_eight_and_eight_plus_both_mean_at_least_eight() -> None:
    assert units.read_at_least("8") == units.read_at_least("8+") == units.read_at_least(" 8 + ") == 8


@pytest.mark.parametrize("name", ["a", "9", "digits", "a-b-c", "0" * 32])
def test_these_are_names_of_jobs(name: str) -> None:
    assert check_job_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a.b", "0" * 33, "ä", "a b", "a\n"])
def test_these_are_not_names_of_jobs(name: str) -> None:
    with pytest.raises(Unreadable):
        check_job_name(name)


@given(st.text(max_size=60))
def test_a_tamed_name_is_a_name_or_nothing(text: str) -> None:
    tame = tame_job_name(text)
    assert tame == "" or check_job_name(tame) == tame
