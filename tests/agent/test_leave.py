"""Why an agent leaves, and how much time it gives to what."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from spotlaunch.agent.leave import PATIENCE_S, Reasons, grace_left_s, wrote_to_the_end
from spotlaunch.agent.notice import Notice, Notices
from spotlaunch.core.wire import LEFT_WHY, Ask, OrderDoc


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def reasons(tmp_path: Path, clock: Clock, **limits: float) -> Reasons:
    found = Reasons(Notices(tmp_path / "notice", now=clock, mono=clock), mono=clock)
    found.obey(OrderDoc(job="j", attempt=1, run="x", **limits))  # type: ignore[arg-type]
    return found


def why(found: Reasons) -> str | None:
    leave = found.look()
    return leave.why if leave is not None else None


def test_every_reason_has_its_patience() -> None:
    assert set(PATIENCE_S) == set(LEFT_WHY)


def test_there_is_no_reason_at_first(tmp_path: Path) -> None:
    assert why(reasons(tmp_path, Clock())) is None


def test_the_weightiest_reason_counts(tmp_path: Path) -> None:
    clock = Clock()
    found = reasons(tmp_path, clock, runtime_left_s=10.0)
    clock.time += 10
    assert why(found) == "runtime"
    found.ask = Ask(kind="leave", reason="", at=0.0)
    assert why(found) == "asked"
    (tmp_path / "notice").write_text("{}")
    assert why(found) == "notice"
    found.superseded.set()
    assert why(found) == "superseded"


def test_to_proceed_is_no_reason_to_leave(tmp_path: Path) -> None:
    found = reasons(tmp_path, Clock())
    found.ask = Ask(kind="proceed", reason="", at=0.0)
    assert why(found) is None


@pytest.mark.parametrize(
    ("limits", "first"), [((10.0, 20.0), "runtime"), ((20.0, 10.0), "budget"), ((0.0, 10.0), "budget")]
)
def test_the_limit_that_is_reached_first_counts(limits: tuple[float, float], first: str, tmp_path: Path) -> None:
    clock = Clock()
    found = reasons(tmp_path, clock, runtime_left_s=limits[0], budget_left_s=limits[1])
    assert found.next_limit_s() == 10.0
    clock.time += 9.9
    assert why(found) is None
    clock.time += 0.1
    assert why(found) == first
    clock.time += 100
    assert found.next_limit_s() == float("inf")


# -- notices ---------------------------------------------------------------------------------------


def test_a_notice_file_tells_the_deadline(tmp_path: Path) -> None:
    clock = Clock()
    notices = Notices(tmp_path / "notice", now=clock, mono=lambda: clock() - 90)
    assert notices.look() is None
    (tmp_path / "notice").write_text(json.dumps({"deadline_at": 130.0}))
    assert notices.look() == Notice(at=100.0, deadline_at=130.0, deadline=40.0)
    clock.time = 120.0
    assert notices.look() == Notice(at=100.0, deadline_at=130.0, deadline=40.0)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"deadline_at": null}', '{"deadline_at": "soon"}'])
def test_a_notice_that_cannot_be_read_is_a_notice(text: str, tmp_path: Path) -> None:
    (tmp_path / "notice").write_text(text)
    notices = Notices(tmp_path / "notice", now=Clock(), mono=Clock())
    assert notices.look() == Notice(at=100.0, deadline_at=None, deadline=None)
    (tmp_path / "notice").write_text('{"deadline_at": 130.0}')
    found = notices.look()
    assert found is not None
    assert found.deadline_at == 130.0, "a deadline that comes late is taken"


def test_a_signal_is_a_notice_without_a_deadline() -> None:
    notices = Notices(None, now=Clock(), mono=Clock())
    notices._mark(signal.SIGTERM, None)
    assert notices.look() == Notice(at=100.0, deadline_at=None, deadline=None)


# -- time ------------------------------------------------------------------------------------------


def notice(in_s: float, began_at: float) -> Notice:
    return Notice(at=0.0, deadline_at=None, deadline=began_at + in_s)


@pytest.mark.parametrize(
    ("grace_s", "deadline_s", "sync_s", "left_s"),
    [
        (25.0, None, 0.0, 25.0),
        (25.0, 120.0, 0.0, 25.0),
        (25.0, 10.0, 0.0, 9.0),  # a second at least is kept
        (25.0, 20.0, 4.0, 14.0),  # one and a half times the last sync
        (25.0, 4.0, 60.0, 2.0),  # but half is the program's
        (25.0, 1.0, 0.0, 0.5),
        (25.0, -5.0, 0.0, -5.0),
    ],
)
def test_grace_under_a_deadline_keeps_time_for_a_last_sync(
    grace_s: float, deadline_s: float | None, sync_s: float, left_s: float
) -> None:
    now = time.monotonic()
    told = notice(deadline_s, now) if deadline_s is not None else None
    assert grace_left_s(grace_s, now, told, sync_s) == pytest.approx(left_s, abs=0.2)


@pytest.mark.parametrize(
    ("code", "asked", "whole"),
    [
        (0, False, True),
        (0, True, True),
        (1, False, False),  # an error nobody caught
        (1, True, True),
        (3, False, True),
        (75, False, True),
        (137, False, False),
        (139, True, False),
        (143, True, False),  # died of the signal itself: anywhere, also in the middle of writing
    ],
)
def test_whether_a_program_surely_wrote_to_the_end(code: int, asked: bool, whole: bool) -> None:
    assert wrote_to_the_end(code, asked=asked) == whole
