from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spotlaunch_providers.local.counters import KEEP_MARKETS, locked


def test_time_does_not_start_over_when_the_watchdog_does(tmp_path: Path) -> None:
    with locked(tmp_path) as counters:
        assert counters.zero_at("m", 100.0) == 100.0
    with locked(tmp_path) as counters:
        assert counters.zero_at("m", 200.0) == 100.0
        assert counters.zero_at("another market", 200.0) == 200.0


def test_luck_does_not_start_over_either(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        with locked(tmp_path) as counters:
            assert counters.next("m", "a machines", 0.0) == expected
            assert counters.serial() == expected


def test_what_was_counted_before_a_refusal_stays_counted(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path) as counters:
        counters.next("m", "calls", 0.0)
        raise KeyError
    with locked(tmp_path) as counters:
        assert counters.next("m", "calls", 0.0) == 2


def test_many_at_a_time_count_each_number_once(tmp_path: Path) -> None:
    def count(_: int) -> int:
        with locked(tmp_path) as counters:
            return counters.serial()

    with ThreadPoolExecutor(8) as workers:
        assert sorted(workers.map(count, range(100))) == list(range(1, 101))


def test_old_markets_are_forgotten_so_that_the_file_stays_small(tmp_path: Path) -> None:
    with locked(tmp_path) as counters:
        for n in range(3 * KEEP_MARKETS):
            counters.zero_at(f"m{n}", float(n))
        assert len(counters.raw["markets"]) == KEEP_MARKETS


def test_a_spoilt_file_costs_no_more_than_its_memory(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text("{")
    with locked(tmp_path) as counters:
        assert counters.serial() == 1


def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    with locked(tmp_path / "cloud") as counters:
        counters.serial()
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "cloud").iterdir()}
    assert modes == {"clock.json": 0o600, "lock": 0o600}
