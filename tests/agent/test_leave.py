"""Why an agent leaves, and how much time it gives to what."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from spotlaunch.agent import leave
from spotlaunch.agent.leave import PATIENCE_S, Reasons, grace_left_s, lived_s, wrote_to_the_end
from spotlaunch.agent.notice import Notice, Notices
from spotlaunch.core import limits as core_limits
from spotlaunch.core.wire import LEFT_WHY, Ask, OrderDoc, Status


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
    reason = found.look()
    return reason.why if reason is not None else None


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
    assert found.next_limit_s() == 7.5, "a quarter of so short a limit is for leaving"
    clock.time += 7.4
    assert why(found) is None
    clock.time += 0.1
    assert why(found) == first
    assert found.spent() == "", "it has still time to leave in"
    clock.time += 2.5
    assert found.spent() == first
    clock.time += 100
    assert found.next_limit_s() == float("inf")


def test_an_agent_leaves_as_long_before_a_limit_as_the_watchdog_would_ask_it_to(tmp_path: Path) -> None:
    clock = Clock()
    found = reasons(tmp_path, clock, budget_left_s=3600.0, grace_s=20.0)
    assert found.next_limit_s() == 3600.0 - 20.0 - core_limits.LEAVE_AHEAD_S
    assert leave.AHEAD_MOST == core_limits.RUNTIME_AHEAD_MOST


def test_no_patience_reaches_past_a_limit(tmp_path: Path) -> None:
    clock = Clock()
    found = reasons(tmp_path, clock, runtime_left_s=2000.0, budget_left_s=1000.0)
    began_at = clock.time
    clock.time += 900
    assert found.end_by(clock.time + 50.0) == clock.time + 50.0
    assert found.end_by(clock.time + PATIENCE_S["exited"]) == began_at + 1000.0
    assert reasons(tmp_path, clock).end_by(clock.time + 3600.0) == clock.time + 3600.0, "without a limit"


def test_a_limit_is_a_deadline_as_a_notice_is(tmp_path: Path) -> None:
    clock = Clock()
    assert reasons(tmp_path, clock).deadline() is None
    found = reasons(tmp_path, clock, budget_left_s=1000.0)
    assert found.deadline() == 1100.0
    (tmp_path / "notice").write_text(json.dumps({"deadline_at": 130.0}))
    assert found.deadline() == 130.0
    (tmp_path / "notice").write_text(json.dumps({"deadline_at": 9000.0}))
    assert reasons(tmp_path, clock, budget_left_s=1000.0).deadline() == 1100.0


def test_limits_count_from_the_life_before(tmp_path: Path) -> None:
    clock = Clock()
    found = Reasons(Notices(None, now=clock, mono=clock), mono=clock)
    found.obey(OrderDoc(job="j", attempt=1, run="x", budget_left_s=1000.0), lived_s=400.0)
    assert found.end_by(1e9) == clock.time + 600.0


def test_the_life_of_the_machine_is_a_limit_too_and_counts_from_its_birth(tmp_path: Path) -> None:
    clock = Clock()
    found = Reasons(Notices(None, now=clock, mono=clock), machine_lived_s=100.0, mono=clock)
    found.obey(OrderDoc(job="j", attempt=1, run="x", grace_s=20.0, ttl_left_s=1000.0, budget_left_s=950.0))
    assert found.next_limit_s() == 900.0 - 20.0 - leave.LEAVE_AHEAD_S, "the budget counts from our own start"
    clock.time += 900.0
    assert why(found) == "ttl"


def test_what_the_letter_says_of_limits_holds_until_there_is_an_order(tmp_path: Path) -> None:
    clock = Clock()
    known = {"runtime": 0.0, "budget": 100.0, "ttl": 500.0}
    found = Reasons(Notices(None, now=clock, mono=clock), limits=known, mono=clock)
    clock.time += 75.0
    assert why(found) == "budget"
    found.obey(OrderDoc(job="j", attempt=1, run="x", budget_left_s=200.0))
    assert why(found) is None, "the order knows better"
    assert found.end_by(1e9) == 100.0 + 200.0
    found.obey(OrderDoc(job="j", attempt=1, run="x"))
    assert found.end_by(1e9) == 100.0 + 500.0, "but the guard ends the machine when the letter says"


@pytest.mark.parametrize(
    ("started_at", "now", "up_s", "lived"),
    [
        (1000.0, 1060.0, 5000.0, 60.0),
        (1000.0, 900.0, 5000.0, 0.0),  # the clock was set back
        (7.0, 1.7e9, 120.0, 120.0),  # the clock was set right after the start
        (0.0, 1.7e9, 120.0, 0.0),  # it never said
    ],
)
def test_how_long_an_attempt_has_lived_before(started_at: float, now: float, up_s: float, lived: float) -> None:
    before = Status(attempt=1, at=0.0, phase="running", started_at=started_at)
    assert lived_s(before, now=now, up_s=up_s) == lived
    assert lived_s(None, now=now, up_s=up_s) == 0.0


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


def test_what_a_watcher_tells_is_a_notice_and_a_deadline_that_comes_late_is_taken() -> None:
    clock = Clock()
    notices = Notices(None, now=clock, mono=clock)
    notices.tell(None)
    assert notices.look() == Notice(at=100.0, deadline_at=None, deadline=None)
    clock.time = 110.0
    notices.tell(130.0)
    assert notices.look() == Notice(at=100.0, deadline_at=130.0, deadline=130.0)
    notices.tell(None)
    notices.tell(500.0)
    assert notices.look() == Notice(at=100.0, deadline_at=130.0, deadline=130.0)


# -- time ------------------------------------------------------------------------------------------


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
    deadline = now + deadline_s if deadline_s is not None else None
    assert grace_left_s(grace_s, now, deadline, sync_s) == pytest.approx(left_s, abs=0.2)


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
