"""What the program says of itself is read as people write it, and never trusted further than that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spotlaunch.agent.masks import Masker
from spotlaunch.agent.progress import Progress


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "progress.json"


def test_no_file_is_no_progress(file: Path) -> None:
    progress = Progress(file)
    assert progress.read() == set()
    assert (progress.latest, progress.step) == ({}, None)


def test_one_object_written_anew_each_time(file: Path) -> None:
    progress = Progress(file)
    for step in [1, 2, 30]:
        file.write_text(json.dumps({"step": step, "total": 60, "loss": 0.5}, indent=2))
        progress.read()
        assert progress.latest == {"step": step, "total": 60, "loss": 0.5}
        assert progress.step == step


def test_the_first_that_was_said_is_kept_also_when_more_came_at_once(file: Path) -> None:
    progress = Progress(file)
    file.write_text('{"step": 3}\n{"step": 4}\n')
    progress.read()
    file.write_text('{"step": 5}\n')
    progress.read()
    assert (progress.first, progress.latest) == ({"step": 3}, {"step": 5})


def test_one_object_per_line_the_last_counts(file: Path) -> None:
    progress = Progress(file)
    with file.open("a") as f:
        f.write('{"step": 1}\n{"step": 2}\n{"ste')
    progress.read()
    assert progress.step == 2
    with file.open("a") as f:
        f.write('p": 3}\n')
    progress.read()
    assert progress.step == 3


def test_a_long_file_is_read_from_its_end(file: Path) -> None:
    file.write_text("".join(f'{{"step": {n}}}\n' for n in range(100_000)))
    progress = Progress(file)
    progress.read()
    assert progress.step == 99_999


def test_each_entry_said_to_be_complete_is_told_once(file: Path) -> None:
    progress = Progress(file)
    file.write_text('{"step": 1, "checkpoint": "step-1"}\n')
    assert progress.read() == {"step-1"}
    assert progress.read() == set()
    with file.open("a") as f:
        f.write('{"step": 2}\n{"step": 2, "checkpoint": "/abs/path/ckpt/step-2/"}\n')
    assert progress.read() == {"step-2"}


def test_the_same_name_said_with_another_step_is_told_again(file: Path) -> None:
    progress = Progress(file)
    for step in [1, 2]:
        file.write_text(json.dumps({"step": step, "checkpoint": "last.pt"}))
        assert progress.read() == {"last.pt"}


@pytest.mark.parametrize("text", ["", "not json", "[1, 2]", "3", "null", '"x"', "\0\0", "[" * 60_000])
def test_nonsense_is_no_progress(text: str, file: Path) -> None:
    file.write_text(text)
    progress = Progress(file)
    assert progress.read() == set()
    assert (progress.latest, progress.step) == ({}, None)


def test_only_what_a_report_may_carry_is_kept(file: Path) -> None:
    file.write_text(
        '{"step": true, "loss": NaN, "deep": {"a": 1}, "list": [1], "name": "%s", "ok": null}' % ("x" * 9000)
    )
    progress = Progress(file)
    progress.read()
    assert progress.latest == {"step": True, "name": "x" * 500, "ok": None}
    assert progress.step is None
    file.write_text(json.dumps({str(n): n for n in range(1000)}))
    progress.read()
    assert len(progress.latest) == 50


def test_secrets_are_masked_here_too(file: Path) -> None:
    file.write_text('{"step": 1, "key": "hunter22"}')
    progress = Progress(file, Masker(["hunter22"]))
    progress.read()
    assert progress.latest["key"] == "***"


@pytest.mark.parametrize(("said", "write_s"), [("2.5", 2.5), ("0", 0.0), ("-1", None), ("true", None), ('"2"', None)])
def test_what_saving_takes_by_the_programs_word_is_kept(file: Path, said: str, write_s: float | None) -> None:
    progress = Progress(file)
    file.write_text(f'{{"step": 1, "write_s": {said}}}\n{{"step": 2}}\n')
    progress.read()
    assert progress.write_s == write_s
