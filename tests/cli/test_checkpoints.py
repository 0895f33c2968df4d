from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from spotlaunch.core import wire
from spotlaunch.core.plan import AddAttempt
from spotlaunch.core.wire import Entry, Manifest, ManifestFile
from spotlaunch.ports import Blobs
from spotlaunch.storage import manifests
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.register import Register
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.storage.samples import a_job, an_attempt, an_event


@pytest.fixture
def blobs(store: SqliteStore, tmp_path: Path) -> Blobs:
    url = (tmp_path / "blobs").as_uri()
    store.add_job(a_job(store_url=url), an_event())
    return open_blobs(url)


def save(blobs: Blobs, head: Entry, step: int, *, age_s: float = 60.0) -> Entry:
    """Commit a checkpoint of one file, whose content is its step."""
    at, data = time.time() - age_s, f"step {step}".encode()
    folder = wire.checkpoint_key("digits", head.epoch, step, head.number + 1)
    key = manifests.payload_key(folder, "model.bin")
    blobs.put(key, data)
    file = ManifestFile("model.bin", len(data), hashlib.sha256(data).hexdigest(), key)
    manifest = f"{folder}/{manifests.NAME}"
    blobs.put(manifest, wire.encode(Manifest(epoch=head.epoch, step=step, at=at, files=[file])))
    return Register(blobs, "digits").commit(head, step, manifest, at)


@pytest.fixture
def two(blobs: Blobs) -> list[Entry]:
    """Two checkpoints of attempt 1: of step 10 and of step 20."""
    first = save(blobs, Register(blobs, "digits").claim(1, "me", 0.0), 10, age_s=7500)
    return [first, save(blobs, first, 20)]


def test_they_are_listed_newest_first(cli: Cli, two: list[Entry]) -> None:
    done = cli("checkpoints", "digits")
    assert (done.code, done.err) == (0, "")
    head, *rows = (line.split() for line in done.out.splitlines())
    assert head == ["step", "epoch", "size", "files", "age", "verified", "key"]
    assert [row[:6] + row[6:7] for row in rows] == [
        ["20", "1", "7", "B", "1", "1m00s", "yes"],
        ["10", "1", "7", "B", "1", "2h05m", "yes"],
    ]
    assert [row[7] for row in rows] == [entry.manifest.rpartition("/")[0] for entry in reversed(two)]


def test_they_are_in_the_json(cli: Cli, two: list[Entry], tmp_path: Path) -> None:
    found = cli("checkpoints", "digits", "--json").json
    assert found["job"] == "digits"
    assert found["store_url"] == (tmp_path / "blobs").as_uri()
    assert found["checkpoints"][1] == {
        "step": 10,
        "epoch": 1,
        "number": two[0].number,
        "size_bytes": 7,
        "files": 1,
        "at": two[0].at,
        "verified": True,
        "problem": "",
        "key": two[0].manifest.rpartition("/")[0],
    }


def test_none_yet_is_told(cli: Cli, blobs: Blobs, tmp_path: Path) -> None:
    done = cli("checkpoints", "digits")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"digits has no checkpoint yet in {(tmp_path / 'blobs').as_uri()}\n"
    assert cli("checkpoints", "digits", "--json").json["checkpoints"] == []


def test_what_is_wrong_with_one_is_told(cli: Cli, blobs: Blobs, two: list[Entry]) -> None:
    blobs.put(f"{two[1].manifest.rpartition('/')[0]}/files/model.bin", b"short")
    assert "no: model.bin has 5 bytes, should have 7" in cli("checkpoints", "digits").out
    newest = cli("checkpoints", "digits", "--json").json["checkpoints"][0]
    assert (newest["verified"], newest["problem"]) == (False, "model.bin has 5 bytes, should have 7")


@pytest.mark.usefixtures("two")
def test_the_newest_is_copied_into_a_new_folder(cli: Cli, tmp_path: Path) -> None:
    done = cli("checkpoints", "digits", "--download", tmp_path / "here")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"copied the checkpoint of step 20 into {tmp_path / 'here'}\n"
    assert (tmp_path / "here" / "model.bin").read_text() == "step 20"


@pytest.mark.usefixtures("two")
def test_where_it_was_copied_to_is_in_the_json(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    found = cli("checkpoints", "digits", "--download", tmp_path / "here", "--json").json
    assert found["downloaded"]["step"] == 20
    assert found["downloaded"]["to"] == str(tmp_path / "here")
    assert found["downloaded"]["key"] == found["checkpoints"][0]["key"]


def test_a_damaged_one_is_told_and_the_one_before_it_is_copied(
    cli: Cli, blobs: Blobs, two: list[Entry], tmp_path: Path
) -> None:
    blobs.put(f"{two[1].manifest.rpartition('/')[0]}/files/model.bin", b"stEp 20")
    done = cli("checkpoints", "digits", "--download", tmp_path / "here")
    assert done.code == 0
    assert "warning: the checkpoint of step 20 is damaged" in done.err
    assert (tmp_path / "here" / "model.bin").read_text() == "step 10"


@pytest.mark.usefixtures("two")
def test_nothing_of_the_users_is_overwritten(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine").write_text("precious")
    for target in (tmp_path / "here", tmp_path / "here" / "mine"):
        done = cli("checkpoints", "digits", "--download", target)
        assert done.code == 2
        assert "hint: name a new or an empty folder" in done.err
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["mine"]


@pytest.mark.usefixtures("blobs")
def test_with_nothing_to_copy_it_fails(cli: Cli, tmp_path: Path) -> None:
    done = cli("checkpoints", "digits", "--download", tmp_path / "here")
    assert done.code == 1
    assert "has no checkpoint yet" in done.err


def test_how_often_the_program_is_to_save_is_told_beside(cli: Cli, store: SqliteStore, two: list[Entry]) -> None:
    assert cli("checkpoints", "digits", "--json").json["every_s"] is None
    live = an_attempt(number=1, every_s=840.0, every_why="0.1 interruptions an hour\x1b[2J")
    store.apply([AddAttempt(attempt=live)])
    done = cli("checkpoints", "digits")
    assert len(done.out.splitlines()) == 1 + len(two)
    assert done.err == "attempt 1 is to save every 14m00s: 0.1 interruptions an hour [2J\n"
    assert cli("checkpoints", "digits", "--json").json["every_s"] == 840.0
