"""Every bad job file through the command line: one readable answer with line and key, exit code 2, nothing left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.bad_job_files import table
from tests.cli.conftest import Cli

NAMES = sorted(table.expected())
AS_PROCESSES = ("anchor-bomb.yaml", "empty.yaml", "five-megabytes.yaml", "secret-not-set.yaml", "tab.yaml")


def files_under(*folders: Path) -> set[str]:
    """Every file and folder there."""
    return {str(path) for folder in folders for path in folder.rglob("*")}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this test's own for temporary files, so that it can be looked into."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def says_what_is_wrong(case: table.Case, *, out: str, err: str) -> None:
    place = f"{case.path}:{case.line}:"
    told = [line for line in err.splitlines() if line.startswith(place)]
    assert told, err
    assert any(f" {case.key}: " in line for line in told) or not case.key, err
    assert case.says in err
    assert err.rstrip().splitlines()[-1].startswith("error: "), err
    assert "problem" in err.rstrip().splitlines()[-1]
    assert "Traceback" not in out + err
    assert out == ""
    assert max(map(len, err.splitlines())) < 400, "a line that nobody reads"


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_job_file_is_explained_and_nothing_is_left_behind(
    name: str, cli: Cli, tmp_path: Path, own_home: Path, temporary: Path
) -> None:
    case = table.write(name, tmp_path)
    before = files_under(tmp_path, own_home)
    children = psutil.Process().children(recursive=True)
    done = cli("submit", case.path, "-y")
    assert done.code == 2, done.err
    says_what_is_wrong(case, out=done.out, err=done.err)
    assert files_under(tmp_path, own_home) == before
    assert psutil.Process().children(recursive=True) == children


@pytest.mark.parametrize("name", AS_PROCESSES)
def test_so_it_is_for_the_command_itself(name: str, tmp_path: Path, own_home: Path, temporary: Path) -> None:
    case = table.write(name, tmp_path)
    before = files_under(tmp_path, own_home)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "spotlaunch", "submit", str(case.path), "-y"],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        env=dict(os.environ),
    )
    assert done.returncode == 2, done.stderr
    says_what_is_wrong(case, out=done.stdout, err=done.stderr)
    assert files_under(tmp_path, own_home) == before


def test_json_does_not_change_what_is_said_of_a_bad_file(cli: Cli, tmp_path: Path) -> None:
    case = table.write("unknown-key.yaml", tmp_path)
    done = cli("submit", case.path, "-y", "--json")
    assert done.code == 2
    says_what_is_wrong(case, out=done.out, err=done.err)
