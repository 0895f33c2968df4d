from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from spotlaunch.cli import follow, render
from spotlaunch.core.plan import AddAttempt, AddMachine
from spotlaunch.core.wire import Status
from spotlaunch.home import Home
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore
from tests.storage.samples import a_job, a_machine, an_attempt, an_event


@pytest.fixture
def over(store: SqliteStore, tmp_path: Path) -> SqliteStore:
    """A job that is over: it printed two lines, and took one machine."""
    url = (tmp_path / "blobs").as_uri()
    store.add_job(a_job(state="finished", store_url=url, last_attempt=1, step=4, total_steps=4), an_event())
    attempt = an_attempt(outcome="finished", resumed_step=0, step=4)
    store.apply([AddAttempt(attempt=attempt), AddMachine(machine=a_machine(state="ended", up_at=0.0, ended_at=60.0))])
    mailbox = Mailbox(open_blobs(url), "digits")
    mailbox.put_log(1, 1, b"epoch 1\nepoch 2\n")
    mailbox.put_status(Status(attempt=1, at=1.0, phase="left", progress={"step": 4}))
    return store


def test_output_goes_to_stdout_and_the_story_with_its_sum_to_stderr(
    over: SqliteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow.run(Home.find(), over, "digits", as_json=False) == 0
    said = capsys.readouterr()
    assert said.out == "epoch 1\nepoch 2\n"
    assert "submitted     submitted" in said.err.splitlines()[0]
    assert "work lost" in said.err
    assert "0 steps" in said.err


def test_where_both_are_read_together_a_bar_tells_the_output(
    over: SqliteStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "one_stream", lambda: True)
    follow.run(Home.find(), over, "digits", as_json=False)
    assert capsys.readouterr().out == "    | epoch 1\n    | epoch 2\n"


def test_a_story_line_begins_with_the_time_of_day_and_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    event = an_event(kind="preempted", text="attempt 1: gone")
    at = render.time_of_day(event.at)
    assert follow.story_line(event) == f"{at}  preempted     attempt 1: gone"
    monkeypatch.setattr(render, "is_fancy", lambda stream: True)
    assert follow.story_line(event) == (
        f"{render.DIM}{at}{render.PLAIN}  {render.YELLOW}preempted    {render.PLAIN} attempt 1: gone"
    )


def test_two_streams_are_one_when_they_end_up_in_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a").open("w") as a, (tmp_path / "a").open("w") as same, (tmp_path / "b").open("w") as b:
        monkeypatch.setattr(sys, "stdout", a)
        monkeypatch.setattr(sys, "stderr", same)
        assert render.one_stream()
        monkeypatch.setattr(sys, "stderr", b)
        assert not render.one_stream()
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        assert not render.one_stream()
