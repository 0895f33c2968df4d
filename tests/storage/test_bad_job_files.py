"""Every bad job file gets one readable error that names line and key."""

from pathlib import Path

import pytest

from spotlaunch.errors import BadFile
from spotlaunch.storage.jobfile import load_job
from tests.bad_job_files import table


def test_every_file_of_the_folder_is_in_the_table_and_there_are_more_than_twenty() -> None:
    on_disk = {p.name for p in table.HERE.glob("*.yaml")}
    assert on_disk == set(table.expected()) - set(table.MADE)
    assert len(on_disk) >= 20


@pytest.mark.parametrize("name", sorted(table.expected()))
def test_a_bad_job_file_gets_one_problem_with_line_key_and_reason(name: str, tmp_path: Path) -> None:
    case = table.write(name, tmp_path)
    with pytest.raises(BadFile) as caught:
        load_job(case.path, names=["local"], env={})
    assert caught.value.exit_code == 2
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (case.line, case.key), problem
    assert case.says in f"{problem.message} {problem.hint}"
    assert problem.column >= 1
    text = caught.value.message
    assert text.startswith(f"{case.path}:{case.line}:")
    assert text.isprintable() or {c for c in text if not c.isprintable()} == {"\n"}
    assert len(text) < 2_000


@pytest.mark.parametrize("name", sorted(table.expected()))
def test_a_bad_job_file_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    case = table.write(name, tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with pytest.raises(BadFile):
        load_job(case.path, names=["local"], env={})
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
