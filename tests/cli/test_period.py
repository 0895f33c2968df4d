from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from spotlaunch.cli.period import local_days, read_since, zone
from spotlaunch.errors import UsageError

NOW = 1_793_000_000.0  # 2026-10-26 08:33:20 CET: the day before, summer time ended


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_period_begins_on_a_day_here_or_so_long_ago() -> None:
    assert read_since("", NOW) == 0.0
    assert read_since("2h", NOW) == NOW - 7200
    assert read_since("2026-10-26", NOW) == NOW - (8 * 3600 + 33 * 60 + 20)
    assert read_since("2026-10-26T07:33:20Z", NOW) == NOW
    assert read_since("2026-10-26 08:00", NOW) == NOW - 33 * 60 - 20


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "7", "2027-01-01", "-3d"])
def test_what_is_no_beginning_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        read_since(text, NOW)


def test_days_are_those_of_this_computer_also_where_one_has_25_hours() -> None:
    days = local_days(NOW - 2 * 86400, NOW)
    assert [name for _, name in days] == ["2026-10-24", "2026-10-25", "2026-10-26"]
    lengths = [later[0] - day[0] for day, later in pairwise(days)]
    assert lengths == [86400, 90000]


def test_the_zone_is_said() -> None:
    assert zone(NOW) == "CET (UTC+01:00)"
    assert zone(NOW - 3 * 86400) == "CEST (UTC+02:00)"
