"""A half-written checkpoint is never called complete; a complete one is, as soon as that can be known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spotlaunch.agent.renames import Renames
from spotlaunch.agent.settle import Settle, is_temporary

T0 = 1_000_000.0


class Folder:
    """A checkpoint folder whose files bear the times we say, and the one who looks at it."""

    def __init__(self, root: Path, *, renames_told: bool = True) -> None:
        self.root = root
        root.mkdir()
        self.settle = Settle(root, still_s=1.0)
        if not renames_told:
            self.settle._renames.close()
        self.settle.baseline(T0)

    def write(self, name: str, text: str = "x", *, at: float) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (at, at))

    def complete(self, at: float) -> list[str]:
        return sorted(self.settle.look(at).complete)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "ckpt")


def test_what_was_there_before_the_program_is_complete(tmp_path: Path) -> None:
    (tmp_path / "restored").write_text("x")
    assert sorted(Settle(tmp_path, still_s=1.0).baseline(T0).complete) == ["restored"]


def test_a_file_being_written_is_not_complete_until_the_folder_is_still(folder: Folder) -> None:
    folder.write("step-1", "half", at=T0 + 10)
    assert folder.complete(T0 + 10.1) == []
    folder.write("step-1", "half and half", at=T0 + 10.9)
    assert folder.complete(T0 + 11.5) == []
    assert folder.complete(T0 + 12.0) == ["step-1"]


def test_stillness_counts_from_the_files_own_time_also_after_a_long_absence(folder: Folder) -> None:
    folder.write("step-1", at=T0 + 10)
    assert folder.complete(T0 + 60) == ["step-1"]


def test_old_times_that_a_copying_tool_set_do_not_make_a_file_look_still(folder: Folder) -> None:
    folder.complete(T0 + 9)
    folder.write("step-1", at=T0 - 5000)
    assert folder.complete(T0 + 10) == []
    assert folder.complete(T0 + 11) == ["step-1"]


def test_what_is_complete_only_because_nobody_touches_it_is_called_a_guess(folder: Folder) -> None:
    (folder.root / "tmp-2").write_text("x")
    (folder.root / "tmp-2").rename(folder.root / "step-2")
    folder.write("step-1", "half", at=T0 + 10)
    assert folder.settle.look(T0 + 10.1).guessed == frozenset()
    assert folder.settle.look(T0 + 12).guessed == {"step-1"}
    assert folder.settle.all(T0 + 13).guessed == frozenset()


def test_one_entry_being_written_keeps_the_others_from_being_called_still(folder: Folder) -> None:
    folder.write("model-1", at=T0 + 10)
    folder.write("optim-1", "h", at=T0 + 11)
    assert folder.complete(T0 + 11.5) == []
    assert folder.complete(T0 + 12.1) == ["model-1", "optim-1"]


def test_a_file_deep_in_a_folder_counts_too(folder: Folder) -> None:
    folder.write("step-1/a/b/c", at=T0 + 10)
    folder.write("step-1/a/b/d", at=T0 + 10.8)
    assert folder.complete(T0 + 11.2) == []
    assert folder.complete(T0 + 11.9) == ["step-1"]


def test_a_deletion_is_a_touch(folder: Folder) -> None:
    folder.write("old", at=T0 + 1)
    folder.write("new", at=T0 + 1)
    folder.complete(T0 + 1.5)
    (folder.root / "old").unlink()
    assert folder.complete(T0 + 2.1) == []
    assert folder.complete(T0 + 3.2) == ["new"]


def test_what_is_renamed_into_place_is_complete_at_once(folder: Folder) -> None:
    if not folder.settle._renames.told:
        pytest.skip("this kernel does not tell of renames")
    folder.write("step-1.tmp", at=T0 + 10)
    (folder.root / "step-1.tmp").rename(folder.root / "step-1")
    folder.write("other", "half", at=T0 + 10)
    assert folder.complete(T0 + 10.1) == ["step-1"]


def test_a_folder_renamed_into_place_is_complete_at_once(folder: Folder) -> None:
    folder.write(".new/model", at=T0 + 10)
    folder.write(".new/optim", at=T0 + 10)
    folder.complete(T0 + 10.1)
    (folder.root / ".new").rename(folder.root / "step-1")
    assert folder.complete(T0 + 10.2) == ["step-1"]


def test_a_rename_is_seen_by_looking_where_the_kernel_does_not_tell(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "ckpt", renames_told=False)
    folder.write("step-1.tmp", at=T0 + 10)
    folder.complete(T0 + 10.1)
    (folder.root / "step-1.tmp").rename(folder.root / "step-1")
    assert folder.complete(T0 + 10.2) == ["step-1"]


def test_a_renamed_file_that_is_written_into_afterwards_is_not_complete(folder: Folder) -> None:
    folder.write("step-1.tmp", at=T0 + 10)
    folder.complete(T0 + 10.1)
    (folder.root / "step-1.tmp").rename(folder.root / "step-1")
    assert folder.complete(T0 + 10.2) == ["step-1"]
    folder.write("step-1", "something else", at=T0 + 10.3)
    assert folder.complete(T0 + 10.4) == []


def test_what_the_program_says_is_complete_is_when_two_looks_agree(folder: Folder) -> None:
    folder.write("step-1", at=T0 + 10)
    folder.write("step-2", "half", at=T0 + 10)
    folder.settle.tell(["step-1"])
    assert folder.complete(T0 + 10.1) == []
    folder.write("step-2", "half and", at=T0 + 10.2)
    assert folder.complete(T0 + 10.3) == ["step-1"]


def test_what_the_program_says_does_not_hold_for_what_it_writes_afterwards(folder: Folder) -> None:
    folder.write("last", "one", at=T0 + 10)
    folder.settle.tell(["last"])
    folder.complete(T0 + 10.1)
    assert folder.complete(T0 + 10.2) == ["last"]
    folder.write("last", "two, half", at=T0 + 10.3)
    assert folder.complete(T0 + 10.4) == []
    assert folder.complete(T0 + 10.5) == []


def test_what_was_complete_and_is_written_again_is_in_flux(folder: Folder) -> None:
    folder.write("last", at=T0 + 1)
    assert folder.complete(T0 + 5) == ["last"]
    folder.write("last", "more", at=T0 + 5.5)
    look = folder.settle.look(T0 + 6)
    assert (dict(look.complete), look.in_flux) == ({}, {"last"})


def test_when_the_program_has_ended_well_all_is_complete_but_what_is_temporary(folder: Folder) -> None:
    folder.write("step-1", at=T0 + 10)
    folder.write("step-2.tmp", at=T0 + 10)
    assert sorted(folder.settle.all(T0 + 10).complete) == ["step-1"]


def test_temporary_names_do_not_disturb_the_stillness_of_the_others(folder: Folder) -> None:
    folder.write("step-1", at=T0 + 10)
    folder.write("step-2.tmp", "h", at=T0 + 11)
    assert folder.complete(T0 + 11.2) == ["step-1"]


def test_a_folder_that_is_made_anew_is_watched_again(folder: Folder) -> None:
    folder.root.rmdir()
    assert folder.complete(T0 + 1) == []
    folder.root.mkdir()
    folder.complete(T0 + 2)
    folder.write("x.tmp", at=T0 + 3)
    (folder.root / "x.tmp").rename(folder.root / "x")
    folder.write("other", at=T0 + 3)
    assert folder.complete(T0 + 3.1) == ["x"]


def test_the_newest_entry_that_has_a_number_gives_the_step(folder: Folder) -> None:
    folder.write("step-000040", at=T0 + 1)
    folder.write("step-000050", at=T0 + 2)
    folder.write("best", at=T0 + 3)
    assert folder.settle.look(T0 + 10).newest_number() == 50
    assert Settle(folder.root, still_s=1.0).look(T0).newest_number() is None


TEMPORARY = """.hidden x.tmp x.pt.tmp x.part x.partial x.incomplete x~ x.tmp.12345 tmp-checkpoint-500 tmp_model x.TMP
    100.orbax-checkpoint-tmp-1234 .spotlaunch-arriving x.temp tmp"""
LASTING = "step-40 model.pt .metadata template.pt tmpl particles a.b-c_d temp-0.7 model-part-1 part-00000.bin"


@pytest.mark.parametrize("name", TEMPORARY.split())
def test_temporary_by_name(name: str) -> None:
    assert is_temporary(name)


@pytest.mark.parametrize("name", LASTING.split())
def test_not_temporary_by_name(name: str) -> None:
    assert not is_temporary(name)


def test_the_kernel_tells_of_names_of_any_kind(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    renames = Renames(folder)
    if not renames.told:
        pytest.skip("this kernel does not tell of renames")
    names = {"a", "with space", "ü" * 80, os.fsdecode(b"\xff\xfe")}
    for number, name in enumerate(names):
        (tmp_path / str(number)).write_text("")
        (tmp_path / str(number)).rename(folder / name)
    (folder / "just-created").write_text("")
    assert renames.take() == names
    assert renames.take() == set()
    renames.close()


def test_a_folder_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    renames = Renames(tmp_path / "absent")
    assert not renames.told
    assert renames.take() == set()


# -- how long it took to write ----------------------------------------------------------------------


def test_writing_took_from_when_it_was_first_seen_to_when_it_was_last_touched(folder: Folder) -> None:
    folder.settle.look(T0 + 10.0)
    folder.write("step-1.tmp", "half", at=T0 + 10.1)
    folder.settle.look(T0 + 10.2)
    folder.write("step-1.tmp", "half and half", at=T0 + 14.1)
    (folder.root / "step-1.tmp").rename(folder.root / "step-1")
    assert folder.complete(T0 + 14.2) == ["step-1"]
    assert folder.settle.take_wrote_s() == pytest.approx(4.0, abs=0.1)
    assert folder.settle.take_wrote_s() is None


def test_what_is_called_complete_because_nobody_touches_it_took_until_then(folder: Folder) -> None:
    folder.settle.look(T0 + 9.9)
    folder.write("step-1", "half", at=T0 + 10.0)
    folder.settle.look(T0 + 10.1)
    folder.write("step-1", "half and half", at=T0 + 10.9)
    folder.settle.look(T0 + 11.0)
    assert folder.complete(T0 + 60.0) == ["step-1"]
    assert folder.settle.take_wrote_s() == pytest.approx(0.9, abs=0.1)


def test_what_nobody_saw_being_written_took_no_longer_than_a_look(folder: Folder) -> None:
    folder.settle.look(T0 + 10.0)
    folder.write("step-1.tmp", at=T0 + 10.2)
    (folder.root / "step-1.tmp").rename(folder.root / "step-1")
    folder.settle.look(T0 + 10.25)
    wrote_s = folder.settle.take_wrote_s()
    assert wrote_s is not None
    assert 0 <= wrote_s <= 0.25


def test_what_was_there_before_the_program_tells_nothing_of_writing(folder: Folder) -> None:
    assert folder.settle.take_wrote_s() is None
    folder.settle.look(T0 + 100)
    assert folder.settle.take_wrote_s() is None


def test_a_copy_with_old_times_does_not_count_as_written_long_ago(folder: Folder) -> None:
    folder.settle.look(T0 + 10.0)
    folder.write("old", at=T0 - 86400)
    folder.settle.look(T0 + 10.2)
    folder.settle.look(T0 + 12.0)
    wrote_s = folder.settle.take_wrote_s()
    assert wrote_s is not None
    assert 0 <= wrote_s <= 2.0
