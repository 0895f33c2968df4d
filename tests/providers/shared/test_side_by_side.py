from __future__ import annotations

import threading
import time

import pytest

from spotlaunch.errors import NoCapacity, Transient
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side


def test_results_and_refusals_come_back_in_order() -> None:
    refusal = NoCapacity("dry")

    def no() -> int:
        raise refusal

    assert side_by_side([lambda: 1, no, lambda: 3], deadline=Deadline()) == [1, refusal, 3]


def test_calls_run_at_the_same_time() -> None:
    together = threading.Barrier(4, timeout=5)
    assert len(side_by_side([together.wait] * 4, deadline=Deadline())) == 4


def test_one_that_hangs_costs_the_others_nothing() -> None:
    never = threading.Event()
    began = time.monotonic()
    first, second = side_by_side([never.wait, lambda: True], deadline=Deadline(0.2))
    assert isinstance(first, Transient) and second is True
    assert time.monotonic() - began < 2
    never.set()


def test_how_long_was_waited_is_told_without_a_tail_of_digits() -> None:
    (late,) = side_by_side([threading.Event().wait], deadline=Deadline(0.123456))
    assert isinstance(late, Transient) and late.message == "did not answer within 0.123 s"


def test_a_mistake_of_ours_travels() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side([lambda: 1 // 0], deadline=Deadline())


def test_nothing_to_ask_is_nothing() -> None:
    assert side_by_side([], deadline=Deadline()) == []
