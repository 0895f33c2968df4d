"""Where the agent's one library comes from, on machines that have it, could have it, or cannot."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from spotlaunch.agent import library
from spotlaunch.agent.library import NoLibrary, find_library


class Machine:
    """Which commands work here. ``fits``: folders from which obstore can be imported; "": as it is installed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fits: Sequence[str] = (), pip: str = "") -> None:
        self.fits, self.pip = set(fits), pip
        self.ran: list[str] = []
        self.time = 0.0
        monkeypatch.setattr(library, "works", lambda folder: folder in self.fits)
        monkeypatch.setattr(library, "_ran", self._run)
        monkeypatch.setattr(library.shutil, "which", lambda name: f"/bin/{name}" if name == "dnf" else None)
        monkeypatch.setattr(library.time, "sleep", lambda s: setattr(self, "time", self.time + s))
        monkeypatch.setattr(library.time, "monotonic", lambda: self.time)

    def _run(self, command: Sequence[str], timeout_s: float, *, quiet: bool = False) -> bool:
        self.ran.append(" ".join(command))
        if "--target" in command:
            if self.pip and any(self.pip in ran for ran in self.ran):
                self.fits.add(command[command.index("--target") + 1])
                return True
            return False
        return True


def test_what_came_along_is_used_where_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = tmp_path / "lib"
    bundled.mkdir()
    machine = Machine(monkeypatch, fits=[str(bundled), ""])
    assert find_library(bundled, tmp_path) == str(bundled)
    machine.fits.remove(str(bundled))
    assert find_library(bundled, tmp_path) == "", "else the one that is installed"
    assert machine.ran == []


@pytest.mark.parametrize("way", ["-m pip", "venv", "dnf install -y python3-pip"])
def test_else_one_is_installed_in_whatever_way_there_is(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, pip=way)
    assert find_library(tmp_path / "lib", tmp_path) == str(tmp_path / "library")
    assert library.WANTED in machine.ran[-1]
    assert "--target" in machine.ran[-1], "nothing of the machine's own is changed"


def test_what_was_installed_before_a_restart_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library").mkdir()
    machine = Machine(monkeypatch, fits=[str(tmp_path / "library")])
    assert find_library(tmp_path / "lib", tmp_path) == str(tmp_path / "library")
    assert machine.ran == []


def test_a_machine_that_cannot_have_it_gives_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    with pytest.raises(NoLibrary) as caught:
        find_library(tmp_path / "lib", tmp_path)
    assert caught.value.hint
    assert machine.time >= library.PATIENCE_S


def test_whether_it_works_is_tried_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library.works(""), "it is installed where these tests run"
    (tmp_path / "obstore").mkdir()
    (tmp_path / "obstore" / "__init__.py").write_text("raise ImportError('of another machine')")
    assert not library.works(str(tmp_path)), "the one in the folder counts, not the one behind it"
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert not library.works("")
