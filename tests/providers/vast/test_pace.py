from __future__ import annotations

import pytest

from spotlaunch.errors import Throttled
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.pace import Pace


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def paced(clock: Clock, interval_s: float = 4.5) -> Pace:
    return Pace(interval_s, mono=clock, sleep=clock.sleep)


def test_the_first_turn_is_at_once_and_each_after_it_an_interval_later(clock: Clock) -> None:
    pace, turns = paced(clock), []
    for _ in range(4):
        pace.wait(Deadline(60, mono=clock))
        turns.append(clock.now - 1000)
    assert turns == [0, 4.5, 9, 13.5]


def test_time_that_passed_by_itself_is_not_waited_for(clock: Clock) -> None:
    pace = paced(clock)
    pace.wait(Deadline(60, mono=clock))
    clock.now += 100
    pace.wait(Deadline(60, mono=clock))
    assert clock.now == 1100


def test_a_turn_past_the_deadline_is_refused_at_once_and_not_taken(clock: Clock) -> None:
    pace = paced(clock)
    pace.wait(Deadline(60, mono=clock))
    for _ in range(2):
        with pytest.raises(Throttled) as caught:
            pace.wait(Deadline(2, mono=clock))
        assert caught.value.retry_after_s == 4.5 and clock.now == 1000
    pace.wait(Deadline(60, mono=clock))
    assert clock.now == 1004.5


def test_a_rest_moves_the_next_turn_and_a_shorter_one_does_not_move_it_back(clock: Clock) -> None:
    pace = paced(clock)
    pace.rest(12)
    pace.rest(1)
    pace.wait(Deadline(60, mono=clock))
    assert clock.now == 1012


def test_the_intervals_are_a_little_longer_than_vast_wants_them() -> None:
    assert figures.INTERVALS_S == {"create": 4.5, "destroy": 3.0, "show": 2.0, "list": 1.0, "charges": 1.0}
    assert figures.INTERVAL_MARGIN > 1
    assert (figures.MOST_CREATES - 1) * 4.5 * figures.INTERVAL_MARGIN < figures.LAUNCH_S / 2
    assert 40 * 1.0 * figures.INTERVAL_MARGIN < figures.LIST_S / 2
