"""Availability traces: the published format is read, and what is not of it is told with file and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.errors import UsageError
from spotlaunch.simulate import traces
from spotlaunch.simulate.traces import FORM, read_traces


def a_file(folder: Path, content: Any, name: str = "a.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def of(data: Any, gap: Any = 600) -> dict[str, Any]:
    return {"metadata": {"gap_seconds": gap}, "data": data}


def test_one_instance_is_enough_for_a_pool_to_be_up(tmp_path: Path) -> None:
    read = read_traces([a_file(tmp_path, of([0, 1, 2.0, 16, 0], gap=195))])
    assert (read.up, read.tick_s, read.ticks, read.left_out) == ((b"\0\1\1\1\0",), 195.0, 5, 0)


def test_several_end_with_the_shortest(tmp_path: Path) -> None:
    files = [a_file(tmp_path, of([1, 1, 0, 1]), "a.json"), a_file(tmp_path, of([0, 1, 0]), "b.json")]
    read = read_traces(files)
    assert (read.up, read.left_out, read.files) == ((b"\1\1\0", b"\0\1\0"), 1, tuple(files))


def test_the_example_of_the_hint_is_a_trace(tmp_path: Path) -> None:
    example = FORM[FORM.index("{") : FORM.rindex("}") + 1]
    assert read_traces([a_file(tmp_path, example)]).up == (b"\0\1\1",)


def test_traces_with_other_gaps_are_no_pools_of_one_market(tmp_path: Path) -> None:
    files = [a_file(tmp_path, of([1]), "a.json"), a_file(tmp_path, of([1], gap=195), "b.json")]
    with pytest.raises(UsageError, match=r"b\.json: metadata\.gap_seconds is 195, and 600 in .*a\.json"):
        read_traces(files)


WRONG = [
    ("", ":1:1: is not JSON: expecting value"),
    ('{"data":\n [1 2]}', ":2:5: is not JSON: expecting ',' delimiter"),
    ("[0, 1]", ": is a list, not an object"),
    ("7", ": is a number, not an object"),
    ("{}", ": metadata is missing"),
    ({"metadata": 600, "data": [1]}, ": metadata is a number, not an object"),
    ({"metadata": {}, "data": [1]}, ": metadata.gap_seconds is missing"),
    (of([1], gap="600"), ': metadata.gap_seconds is "600", not a number of seconds above 0'),
    (of([1], gap=0), ": metadata.gap_seconds is 0, not a number of seconds above 0"),
    (of([1], gap=True), ": metadata.gap_seconds is true, not"),
    (of([1], gap=float("inf")), ": metadata.gap_seconds is Infinity, not"),
    ({"metadata": {"gap_seconds": 600}}, ": data is missing"),
    (of([]), ": data is empty"),
    (of({"0": 1}), ": data is an object, not a list"),
    (of([1, [0, 1]]), ": data[1] is a list, not a number of instances"),
    (of([1, 0, -1]), ": data[2] is -1, not a number of instances"),
    (of([1, 0.5]), ": data[1] is 0.5, not a number of instances"),
    (of([None]), ": data[0] is null, not"),
    (of([True]), ": data[0] is true, not"),
    (of(["1"]), ': data[0] is "1", not'),
    (of(["x" * 1000]), ": data[0] is text, not"),
    (of([float("nan")]), ": data[0] is NaN, not"),
    (of([10**400]), ": data[0] is a number, not"),
    ("[" * 100_000, ": holds something that no trace has"),
    ('{"data": ' + "9" * 10_000 + "}", ": holds something that no trace has"),
]


@pytest.mark.parametrize(("content", "says"), WRONG, ids=[says for _, says in WRONG])
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, content: Any, says: str) -> None:
    file = a_file(tmp_path, content)
    with pytest.raises(UsageError) as raised:
        read_traces([file])
    assert raised.value.message.startswith(f"{file}{says}")
    assert len(raised.value.message) < len(str(file)) + 120
    assert raised.value.hint == FORM


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for file, why in [(tmp_path / "none.json", "no such file or directory"), (tmp_path, "is a directory")]:
        with pytest.raises(UsageError, match=f"cannot be read: {why}") as raised:
            read_traces([file])
        assert raised.value.hint


def test_a_file_that_is_not_text_or_far_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"\xe9" * 9)
    with pytest.raises(UsageError, match="is not text"):
        read_traces([file])
    monkeypatch.setattr(traces, "MOST_BYTES", 3)
    with pytest.raises(UsageError, match="is larger than"):
        read_traces([file])
