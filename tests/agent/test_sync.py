"""When checkpoints are taken, as which step, and what happens when they cannot be."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from spotlaunch.agent.progress import Progress
from spotlaunch.agent.report import Report
from spotlaunch.agent.settle import Look, Settle
from spotlaunch.agent.sync import TELL_AFTER_TRIES, Pace, Sync, step_of
from spotlaunch.errors import BlobsUnavailable, Superseded
from spotlaunch.storage import checkpoints
from spotlaunch.storage.checkpoints import Saver
from spotlaunch.storage.register import Register
from spotlaunch.storage.snapshot import FileState
from tests.fakes.blobs import MemoryBlobs

JOB = "digits"


class Rig:
    """A sync over a store in memory, turned by hand, with clocks that we set."""

    def __init__(self, tmp_path: Path, *, every_s: float = 0.0, keep: int = 3) -> None:
        self.blobs = MemoryBlobs()
        self.folder, self.progress = tmp_path / "ckpt", tmp_path / "progress.json"
        self.folder.mkdir()
        self.time = 1_000_000.0
        self.report = Report(1, now=lambda: self.time)
        saver = Saver(self.blobs, JOB, Register(self.blobs, JOB).claim(1, "me", 0.0), keep=keep)
        self.sync = Sync(
            saver=saver,
            settle=Settle(self.folder, still_s=1.0),
            root=self.folder,
            staging=tmp_path / "staging",
            progress=Progress(self.progress),
            report=self.report,
            every_s=every_s,
            look_s=0.01,
            now=lambda: self.time,
            mono=lambda: self.time,
        )
        self.sync.begin(step=0, saved=True)

    def rename_in(self, name: str, text: str = "x") -> None:
        (self.folder / f"{name}.tmp").write_text(text)
        (self.folder / f"{name}.tmp").rename(self.folder / name)

    def turn(self, after_s: float = 0.1) -> bool:
        self.time += after_s
        return self.sync._turn(self.sync._finishing)

    @property
    def steps(self) -> list[int]:
        return [c.step for c in checkpoints.listing(self.blobs, JOB, deep=True) if c.verified]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


# -- when ------------------------------------------------------------------------------------------


def test_the_first_is_taken_at_once_then_as_often_as_asked() -> None:
    pace = Pace(every_s=600.0)
    assert pace.due(0.0)
    pace.began_at, pace.ended_at = 10.0, 15.0
    assert not pace.due(609.9)
    assert pace.due(610.0)


def test_left_to_itself_it_takes_a_tenth_of_the_time() -> None:
    pace = Pace(every_s=0.0)
    assert pace.due(0.0)
    pace.began_at, pace.ended_at = 10.0, 12.0
    assert not pace.due(29.9)
    assert pace.due(30.0)
    assert pace.took_s == 2.0


def test_a_program_that_saves_as_it_was_told_is_heard_each_time() -> None:
    pace = Pace(every_s=0.0, told_s=60.0, began_at=0.0, ended_at=20.0)
    assert not pace.due(47.0)
    assert pace.due(58.0)  # a little early is in time
    assert Pace(every_s=0.0, told_s=600.0, began_at=0.0, ended_at=2.0).due(20.0)  # as they appear


def test_where_copying_costs_money_it_is_done_no_more_often_than_told() -> None:
    pace = Pace(every_s=0.0, told_s=600.0, least_s=600.0, began_at=0.0, ended_at=2.0)
    assert not pace.due(470.0)
    assert pace.due(500.0)


class Heard:
    """A cadence that only listens."""

    def __init__(self, every_s: float = 60.0, gap_s: float = 0.0) -> None:
        self.every_s, self.gap_s = every_s, gap_s
        self.saves: list[tuple[float | None, int]] = []

    def least_gap_s(self) -> float:
        return self.gap_s

    def saved(self, *, wrote_s: float | None, copied_s: float, sent_bytes: int) -> None:
        self.saves.append((wrote_s, sent_bytes))


def test_it_tells_what_a_checkpoint_took_by_the_programs_word_if_it_gives_one(rig: Rig) -> None:
    rig.sync._cadence = heard = Heard()
    rig.rename_in("step-10", "12345")
    rig.turn()
    rig.progress.write_text(json.dumps({"step": 20, "write_s": 7.5}))
    rig.rename_in("step-20", "123")
    rig.turn()
    assert [sent for _, sent in heard.saves] == [5, 3]
    assert heard.saves[0][0] is not None
    assert heard.saves[0][0] < 1.0
    assert heard.saves[1][0] == 7.5


def test_danger_overrules_the_price_of_copying(rig: Rig) -> None:
    rig.sync._cadence = Heard(gap_s=600.0)
    rig.rename_in("step-10")
    rig.turn()
    rig.rename_in("step-20")
    assert not rig.turn(100.0)
    rig.sync.save_soon()
    assert rig.turn()
    assert rig.steps == [20, 10]


# -- which step ------------------------------------------------------------------------------------


def look(*names: str) -> Look:
    return Look({name: (FileState(name, 1, n * 10**9, n, 0o600),) for n, name in enumerate(names)})


@pytest.mark.parametrize(
    ("names", "said", "committed", "step"),
    [
        (["step-10", "step-20"], None, 10, 20),
        (["step-20", "step-10"], None, 20, 20),  # an older one copied back: never less than committed
        (["step-20", "best"], 33, 20, 33),  # the newest number says nothing new, so the program's word counts
        (["last.pt"], 40, 10, 40),
        (["last.pt"], 5, 10, 10),
        (["last.pt"], None, 10, 11),
        (["model-v2.pt"], None, 2, 2),
        (["model-v2.pt"], 70, 2, 70),
    ],
)
def test_the_step_of_a_checkpoint(names: list[str], said: int | None, committed: int, step: int) -> None:
    assert step_of(look(*names), said, committed) == step


# -- saving ----------------------------------------------------------------------------------------


def test_each_complete_checkpoint_is_saved_and_reported(rig: Rig) -> None:
    rig.rename_in("step-10")
    assert rig.turn()
    rig.rename_in("step-20")
    assert rig.turn()
    assert rig.steps == [20, 10]
    assert (rig.report.status.step, rig.report.status.commits) == (20, 2)
    assert rig.turn()
    assert rig.report.status.commits == 2, "nothing new, nothing saved"


def test_only_what_is_sent_counts_as_uploaded(rig: Rig) -> None:
    rig.rename_in("a.pt", "x" * 100)
    rig.turn()
    assert rig.report.status.uploaded_bytes == 100
    rig.rename_in("b.pt", "y" * 11)
    rig.turn(after_s=60)
    assert rig.report.status.uploaded_bytes == 111  # what the store holds already is not sent again
    again = Report(1)
    again.go_on_from(rig.report.status)
    assert again.status.uploaded_bytes == 111


def test_deleting_an_old_one_is_nothing_new(rig: Rig) -> None:
    rig.rename_in("step-10")
    rig.rename_in("step-20")
    rig.turn()
    (rig.folder / "step-10").unlink()
    assert rig.turn()
    assert rig.report.status.commits == 1


def test_what_is_being_written_stays_as_it_was_in_the_checkpoint_before(rig: Rig, tmp_path: Path) -> None:
    rig.rename_in("optim", "old but whole")
    rig.rename_in("step-10")
    rig.turn()
    (rig.folder / "optim").write_text("half of the n")
    rig.rename_in("step-20")
    rig.turn()
    newest = checkpoints.listing(rig.blobs, JOB)[0]
    checkpoints.download(rig.blobs, JOB, newest, tmp_path / "down")
    assert {f.name: f.read_text() for f in (tmp_path / "down").iterdir()} == {
        "optim": "old but whole",
        "step-10": "x",
        "step-20": "x",
    }


def test_an_empty_folder_is_never_a_checkpoint(rig: Rig) -> None:
    rig.rename_in("step-10")
    rig.turn()
    (rig.folder / "step-10").unlink()
    rig.sync.finish(everything=True, hurry=False)
    assert rig.turn()
    assert rig.steps == [10]


def test_old_ones_are_pruned_also_after_the_last_one_but_not_in_a_hurry(tmp_path: Path) -> None:
    for number, hurry in enumerate([False, True]):
        folder = tmp_path / str(number)
        folder.mkdir()
        rig = Rig(folder, keep=1)
        rig.rename_in("step-10")
        rig.turn()
        rig.rename_in("step-20")
        rig.sync.finish(everything=True, hurry=hurry)
        rig.turn()
        assert rig.steps == ([20, 10] if hurry else [20])


def test_after_an_error_it_tries_again_ever_more_seldom_and_says_so_once(rig: Rig) -> None:
    rig.rename_in("step-10")
    tries: list[float] = []

    def down(op: str, key: str) -> None:
        if op == "put_file":
            tries.append(rig.time)
            raise BlobsUnavailable("not allowed", hint="allow it")

    rig.blobs.fail = down
    for _ in range(600):
        assert not rig.turn()
    waits = [b - a for a, b in itertools.pairwise(tries)]
    assert len(waits) >= TELL_AFTER_TRIES
    assert waits == sorted(waits)
    assert waits[0] < 1.0 < 10.0 < waits[-1]
    (note,) = rig.report.status.notes
    assert "not allowed" in note["text"]
    rig.blobs.fail = None
    assert rig.turn(after_s=31.0)
    assert rig.steps == [10]


def test_a_folder_that_cannot_be_read_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(now: float) -> Look:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(rig.sync._settle, "look", refuse)
    for _ in range(TELL_AFTER_TRIES):
        assert not rig.turn()
    assert "cannot be read: Permission denied" in rig.report.status.notes[0]["text"]


def test_a_ghost_stops(rig: Rig) -> None:
    Register(rig.blobs, JOB).claim(2, "successor", 0.0)
    rig.rename_in("step-10")
    with pytest.raises(Superseded):
        rig.turn()


# -- the end ---------------------------------------------------------------------------------------


def test_after_a_good_end_everything_is_saved(rig: Rig) -> None:
    (rig.folder / "step-10").write_text("written in place a moment ago")
    rig.sync.finish(everything=True, hurry=False)
    rig.sync.work()
    assert rig.steps == [10]


def test_after_a_crash_only_what_was_complete_before_it_is(rig: Rig) -> None:
    rig.rename_in("step-10")
    (rig.folder / "step-20").write_text("half")
    rig.time = (rig.folder / "step-20").stat().st_mtime + 0.5
    rig.sync.finish(everything=False, hurry=False)
    rig.sync.work()
    assert rig.steps == [10]
    newest = checkpoints.listing(rig.blobs, JOB)[0]
    assert newest.files == 1


def test_being_dead_does_not_make_a_file_still(rig: Rig) -> None:
    (rig.folder / "step-20").write_text("half")
    rig.time = (rig.folder / "step-20").stat().st_mtime + 0.5
    rig.sync.stopped_writing()
    assert rig.turn(after_s=100.0)
    assert rig.steps == []


def test_what_was_still_before_the_crash_is_saved(rig: Rig) -> None:
    (rig.folder / "step-20").write_text("whole")
    rig.time = (rig.folder / "step-20").stat().st_mtime + 1.5
    rig.sync.finish(everything=False, hurry=False)
    rig.sync.work()
    assert rig.steps == [20]


def test_the_programs_word_reaches_the_report(rig: Rig) -> None:
    rig.progress.write_text(json.dumps({"step": 7, "total": 60}))
    rig.turn()
    assert rig.report.status.progress == {"step": 7, "total": 60}


def test_what_was_restored_after_falling_back_becomes_the_newest_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.rename_in("step-40")
    rig.sync._saved = {}
    rig.sync.begin(step=40, saved=False)
    assert rig.turn()
    assert rig.steps == [40]


def test_the_report_tells_the_first_word_of_the_program_when_phases_began_and_what_was_guessed(rig: Rig) -> None:
    rig.report.set(phase="running")
    began_at = rig.time
    rig.progress.write_text('{"step": 4}\n{"step": 5}\n')
    (rig.folder / "step-5").write_text("whole, or half?")
    rig.turn()
    said_at = rig.time
    rig.progress.write_text('{"step": 6}\n')
    rig.turn(5.0)
    rig.report.set(phase="running")
    status = rig.report.status
    assert (status.first_progress, status.first_progress_at) == ({"step": 4}, said_at)
    assert status.progress == {"step": 6}
    assert status.phases["running"] == began_at
    assert status.guessed == ["step-5"]
    rig.rename_in("step-5", "whole now")
    rig.turn(60.0)
    assert rig.report.status.guessed == []
