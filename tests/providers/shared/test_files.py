from __future__ import annotations

import errno
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from spotlaunch_providers.shared import files
from spotlaunch_providers.shared.files import read_json, write_json


def test_what_was_written_is_read_back_from_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "m.json"
    assert read_json(path) is None
    for value in ({"a": [1, None, "é"]}, [], "x"):
        write_json(path, value)
        assert read_json(path) == value


def test_only_its_owner_may_read_it_also_where_others_could_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "m.json"
    write_json(path, 1)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    write_json(path, 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"\xff", b"[" * 100_000, b"NaN1"])
def test_a_damaged_file_is_as_if_it_were_not_there(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(content)
    assert read_json(path) is None
    write_json(path, 1)
    assert read_json(path) == 1


def test_a_folder_in_place_of_the_file_is_no_memory_and_no_error(tmp_path: Path) -> None:
    write_json(tmp_path, 1)
    assert read_json(tmp_path) is None


def test_a_folder_that_cannot_be_made_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    write_json(tmp_path / "file" / "m.json", 1)
    assert read_json(tmp_path / "file" / "m.json") is None


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own" / "m.json"
    write_json(path, "old")
    real = files.os.fdopen

    def full(handle: int, mode: str) -> Any:
        file = real(handle, mode)

        def write(text: str) -> int:
            type(file).write(file, text[: len(text) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        return _Wrapped(file, write)

    monkeypatch.setattr(files.os, "fdopen", full)
    write_json(path, "new and longer")
    assert read_json(path) == "old"
    assert [f.name for f in path.parent.iterdir()] == ["m.json"]


def test_what_cannot_be_json_is_a_mistake_of_ours_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "own" / "m.json"
    write_json(path, "old")
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == "old"
    assert [f.name for f in path.parent.iterdir()] == ["m.json"]


def test_a_reader_sees_one_whole_file_whoever_writes_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "own" / "m.json"
    values = [[n] * 2000 for n in range(8)]
    write_json(path, values[0])
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write_json, path, v) for v in values * 5]
        while not all(w.done() for w in writing):
            assert read_json(path) in values
    assert [f.name for f in path.parent.iterdir()] == ["m.json"]


class _Wrapped:
    def __init__(self, file: Any, write: Any) -> None:
        self._file = file
        self.write = write

    def __enter__(self) -> _Wrapped:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
