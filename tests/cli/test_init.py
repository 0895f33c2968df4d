from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch.core.template import JOB_TEMPLATE
from tests.cli.conftest import Cli


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_it_writes_the_template(cli: Cli) -> None:
    done = cli("init")
    assert (done.code, done.out) == (0, "")
    assert done.err == "wrote job.yaml\nnext: spotlaunch submit job.yaml\n"
    assert Path("job.yaml").read_text() == JOB_TEMPLATE


def test_it_writes_where_it_is_told(cli: Cli) -> None:
    done = cli("init", "other.yaml", "--json")
    assert done.json == {"file": "other.yaml"}
    assert done.err == ""
    assert Path("other.yaml").read_text() == JOB_TEMPLATE


def test_it_does_not_overwrite_unless_forced(cli: Cli) -> None:
    Path("job.yaml").write_text("mine")
    done = cli("init")
    assert done.code == 2
    assert done.err == "error: job.yaml is there already\nhint: --force overwrites it\n"
    assert Path("job.yaml").read_text() == "mine"
    assert cli("init", "--force").code == 0
    assert Path("job.yaml").read_text() == JOB_TEMPLATE


def test_a_folder_that_is_not_there_is_told(cli: Cli) -> None:
    done = cli("init", "nowhere/job.yaml")
    assert done.code == 1
    assert "cannot write nowhere/job.yaml: No such file" in done.err
