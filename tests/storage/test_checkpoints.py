"""Checkpoints go to the store whole or not at all, and come back as they were or not at all."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spotlaunch.core import wire
from spotlaunch.core.wire import Entry, Manifest
from spotlaunch.errors import BlobsUnavailable, SpotlaunchError, Superseded
from spotlaunch.ports import Blobs
from spotlaunch.storage import checkpoints, manifests
from spotlaunch.storage.checkpoints import Saver
from spotlaunch.storage.register import Register
from spotlaunch.storage.restore import ARRIVING
from spotlaunch.storage.snapshot import Changed, Snapshot, hold, scan
from tests.fakes.blobs import MemoryBlobs

JOB = "digits"


class Agent:
    """An agent that has claimed, its checkpoint folder, and the folder it holds snapshots in."""

    def __init__(self, blobs: Blobs, folder: Path, *, epoch: int = 1, keep: int = 3, restored: bool = False) -> None:
        self.blobs, self.folder, self.staging = blobs, folder / f"ckpt-{epoch}", folder / f"staging-{epoch}"
        self.folder.mkdir(parents=True, exist_ok=True)
        head = Register(blobs, JOB).claim(epoch, f"agent {epoch}", 0.0)
        found = checkpoints.restore(blobs, JOB, self.folder) if restored else checkpoints.Restored()
        self.restored = found
        base = found.manifest if found.newest else None
        self.saver = Saver(blobs, JOB, head, keep=keep, base=base, bad=found.bad)
        self.times = itertools.count(1)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def hold(self) -> Snapshot:
        return hold(self.folder, scan(self.folder).values(), self.staging)

    def save(self, step: int) -> Entry:
        with self.hold() as snapshot:
            return self.saver.save(snapshot, step, lambda: float(next(self.times)))

    def tree(self) -> dict[str, str]:
        return {p: (self.folder / p).read_text() for p, s in scan(self.folder).items() if not s.link}


def steps(blobs: Blobs, *, deep: bool = False) -> list[tuple[int, bool]]:
    return [(c.step, c.verified) for c in checkpoints.listing(blobs, JOB, deep=deep)]


def objects(blobs: Blobs) -> list[str]:
    return [info.key for info in blobs.list(manifests.checkpoints_key(JOB))]


def load(blobs: Blobs, entry: Entry) -> Manifest:
    manifest = manifests.load(blobs, JOB, entry.manifest)
    assert manifest is not None
    return manifest


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def object_of(blobs: Blobs, entry: Entry, path: str) -> str:
    return next(f.object for f in load(blobs, entry).files if f.path == path)


# -- there and back --------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_as_it_was(blobs: Blobs, tmp_path: Path) -> None:
    a = Agent(blobs, tmp_path / "a")
    a.write(**{"step-40__model.pt": "weights", "step-40__optim__state": "moments", "meta.json": "{}", "empty": ""})
    (a.folder / "step-40/model.pt").chmod(0o640)
    os.utime(a.folder / "step-40/model.pt", (1_600_000_000.25, 1_600_000_000.25))
    entry = a.save(40)
    assert (entry.step, entry.number, entry.epoch) == (40, 2, 1)

    b = Agent(blobs, tmp_path / "b", epoch=2, restored=True)
    assert (b.restored.step, b.restored.newest, b.restored.problems) == (40, True, ())
    assert b.tree() == a.tree()
    info = (b.folder / "step-40/model.pt").stat()
    assert (info.st_mode & 0o777, round(info.st_mtime, 3)) == (0o640, 1_600_000_000.25)
    assert not (b.folder / ARRIVING).exists()
    assert steps(blobs, deep=True) == [(40, True)]


def test_nothing_saved_restores_nothing_and_leaves_the_folder_as_it_is(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "ckpt-1").mkdir()
    (tmp_path / "ckpt-1/from-the-bundle").write_text("x")
    a = Agent(blobs, tmp_path, restored=True)
    assert (a.restored.manifest, a.restored.problems) == (None, ())
    assert a.tree() == {"from-the-bundle": "x"}
    assert steps(blobs) == []


def test_restoring_replaces_what_was_in_the_folder(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="new")
    a.save(1)
    (tmp_path / "b/ckpt-2/old-folder").mkdir(parents=True)
    (tmp_path / "b/ckpt-2/model").write_text("old")
    b = Agent(blobs, tmp_path / "b", epoch=2, restored=True)
    assert b.tree() == {"model": "new"}
    assert names(b.folder) == ["model"]


@pytest.mark.parametrize(
    "name",
    ["with space", "ünïcode", "percent%41", "hash#1", "a" * 250, "ü" * 100, "question?*", "back\\slash", "new\nline"],
)
def test_any_file_name_survives(name: str, file_blobs: Blobs, s3_blobs: Blobs, tmp_path: Path) -> None:
    for number, blobs in enumerate([file_blobs, s3_blobs]):
        a = Agent(blobs, tmp_path / f"a{number}")
        (a.folder / name).write_text(name)
        (a.folder / f"x{name[1:]}").write_text("another")
        a.save(1)
        b = Agent(blobs, tmp_path / f"b{number}", epoch=2, restored=True)
        assert b.tree() == {name: name, f"x{name[1:]}": "another"}


def test_a_name_that_is_no_text_survives(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    (a.folder / os.fsdecode(b"bytes-\xff")).write_text("x")
    a.save(1)
    assert Agent(blobs, tmp_path / "b", epoch=2, restored=True).tree() == {os.fsdecode(b"bytes-\xff"): "x"}


def test_links_inside_stay_links_and_others_become_what_they_lead_to(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(**{"step-1__m": "x"})
    (tmp_path / "outside.txt").write_text("from outside")
    (a.folder / "latest").symlink_to("step-1")
    (a.folder / "absolute").symlink_to(a.folder / "step-1")
    (a.folder / "out").symlink_to(tmp_path / "outside.txt")
    (a.folder / "broken").symlink_to(tmp_path / "nothing")
    (a.folder / "outdir").symlink_to(tmp_path)
    a.save(1)
    b = Agent(blobs, tmp_path / "b", epoch=2, restored=True)
    assert names(b.folder) == ["absolute", "latest", "out", "step-1"]
    assert (b.folder / "latest").readlink() == Path("step-1")
    assert (b.folder / "absolute").readlink() == Path("step-1")
    assert not (b.folder / "out").is_symlink()
    assert (b.folder / "out").read_text() == "from outside"
    assert (b.folder / "latest/m").read_text() == "x"


def test_what_has_not_changed_is_not_sent_again(blobs: Blobs, tmp_path: Path) -> None:
    a = Agent(blobs, tmp_path)
    a.write(big="the same all the time", small="1")
    first = a.save(1)
    a.write(small="2")
    (a.folder / "big").rename(a.folder / "big-by-another-name")
    second = a.save(2)
    assert object_of(blobs, second, "big-by-another-name") == object_of(blobs, first, "big")
    assert len([k for k in objects(blobs) if "/files/" in k]) == 3
    assert steps(blobs, deep=True) == [(2, True), (1, True)]


def test_the_next_attempt_builds_on_what_it_restored(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a", keep=1)
    a.write(frozen="never changes", head="1")
    frozen = object_of(blobs, a.save(1), "frozen")
    b = Agent(blobs, tmp_path / "b", epoch=2, keep=1, restored=True)
    b.write(head="2")
    second = b.save(2)
    b.saver.prune()
    assert object_of(blobs, second, "frozen") == frozen
    assert steps(blobs, deep=True) == [(2, True)]
    assert Agent(blobs, tmp_path / "c", epoch=3, restored=True).tree() == {"frozen": "never changes", "head": "2"}


def test_a_file_rewritten_within_the_grain_of_the_clock_is_seen(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="one")
    before = (a.folder / "model").stat()
    a.save(1)
    a.write(model="two")  # the same size, the same inode, and (below) the same time
    os.utime(a.folder / "model", ns=(before.st_atime_ns, before.st_mtime_ns))
    a.save(2)
    assert Agent(blobs, tmp_path / "b", epoch=2, restored=True).tree() == {"model": "two"}


# -- the program goes on while we upload -----------------------------------------------------------


def test_a_file_deleted_while_it_is_uploaded_is_saved_all_the_same(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="weights", other="x")
    with a.hold() as snapshot:
        (a.folder / "model").unlink()
        (a.folder / "other").rename(a.folder / "another")
        a.saver.save(snapshot, 1, lambda: 1.0)
    assert Agent(blobs, tmp_path / "b", epoch=2, restored=True).tree() == {"model": "weights", "other": "x"}
    assert not a.staging.exists()


def test_a_file_written_into_while_it_is_uploaded_is_never_committed(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path)
    a.write(model="weights", other="x")

    def scribble(op: str, key: str) -> None:
        if op == "put_file":
            with (a.folder / "model").open("a") as f:
                f.write("half of the next")

    blobs.after = scribble
    with pytest.raises(Changed):
        a.save(1)
    blobs.after = None
    assert Register(blobs, JOB).history()[0].manifest == ""
    a.save(1)
    assert steps(blobs, deep=True) == [(1, True)]


def test_a_file_changed_between_the_look_and_the_hold_is_noticed(tmp_path: Path) -> None:
    a = Agent(MemoryBlobs(), tmp_path)
    a.write(model="weights")
    states = list(scan(a.folder).values())
    a.write(model="longer weights")
    with pytest.raises(Changed, match="model changed"):
        hold(a.folder, states, a.staging)
    (a.folder / "model").unlink()
    with pytest.raises(Changed, match="vanished"):
        hold(a.folder, states, a.staging)


def no_links(*_: object) -> None:
    raise OSError(18, "Invalid cross-device link")


def test_where_linking_is_impossible_files_are_read_where_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="weights", other="x")
    a.save(1)
    assert Agent(blobs, tmp_path / "b", epoch=2, restored=True).tree() == {"model": "weights", "other": "x"}


def test_where_linking_is_impossible_a_file_that_vanishes_ends_the_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    a = Agent(MemoryBlobs(), tmp_path)
    a.write(model="weights")
    with a.hold() as snapshot, pytest.raises(Changed, match="cannot be read"):
        (a.folder / "model").unlink()
        a.saver.save(snapshot, 2, lambda: 1.0)


# -- answers that are lost, stores that are down ---------------------------------------------------


def storm(blobs: MemoryBlobs, op: str, part: str, *, after: bool = False) -> None:
    """One call fails: before the deed, or after it (the answer is lost)."""

    def strike(found: str, key: str) -> None:
        if found == op and part in key:
            blobs.fail = blobs.after = None
            raise BlobsUnavailable("storm")

    if after:
        blobs.after = strike
    else:
        blobs.fail = strike


CUTS = [("put_file", "/files/"), ("put", manifests.NAME), ("create", "register"), ("list", "ckpt")]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("op", "part"), [("put_file", "/files/"), ("put", manifests.NAME), ("create", "register"), ("list", "ckpt")]
)
def test_a_save_that_is_cut_off_anywhere_can_be_repeated(op: str, part: str, after: bool, tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="one", other="x")
    a.save(1)
    a.write(model="two")
    storm(blobs, op, part, after=after)
    try:
        a.save(2)
    except BlobsUnavailable:
        a.write(model="three")
        a.save(2)
    a.saver.prune()
    assert all(verified for _, verified in steps(blobs, deep=True))
    newest = Agent(blobs, tmp_path / "b", epoch=2, restored=True)
    assert newest.tree() == a.tree()


def test_a_commit_whose_answer_was_lost_is_not_overwritten_by_the_next_try(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="one")
    storm(blobs, "create", "register", after=True)
    with pytest.raises(BlobsUnavailable):
        a.save(1)
    a.write(model="another for the same step")
    a.save(1)
    assert steps(blobs, deep=True) == [(1, True), (1, True)]


def test_a_ghost_commits_nothing_and_uploads_nothing(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    ghost = Agent(blobs, tmp_path / "a")
    ghost.write(model="ghost")
    Agent(blobs, tmp_path / "b", epoch=2)
    before = set(blobs.objects)
    with pytest.raises(Superseded):
        ghost.save(99)
    assert set(blobs.objects) == before


def test_a_ghost_that_is_overtaken_while_it_uploads_commits_nothing(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    ghost = Agent(blobs, tmp_path / "a")
    ghost.write(model="ghost")

    def overtake(op: str, key: str) -> None:
        if op == "put_file":
            blobs.fail = None
            Register(blobs, JOB).claim(2, "successor", 0)

    blobs.fail = overtake
    with pytest.raises(Superseded):
        ghost.save(99)
    assert steps(blobs) == []


# -- pruning ---------------------------------------------------------------------------------------


def test_only_the_newest_are_kept_and_what_they_need(blobs: Blobs, tmp_path: Path) -> None:
    a = Agent(blobs, tmp_path / "a", keep=2)
    a.write(frozen="x" * 100)
    for step in range(1, 6):
        a.write(**{f"step-{step}": str(step)})
        if step > 1:
            (a.folder / f"step-{step - 1}").unlink()
        a.save(step)
        a.saver.prune()
    assert steps(blobs, deep=True) == [(5, True), (4, True)]
    assert len(objects(blobs)) == 2 * 2 + 1
    assert len(Register(blobs, JOB).history()) == 6


def test_leftovers_of_saves_that_failed_are_deleted(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="one")
    storm(blobs, "put", manifests.NAME)
    with pytest.raises(BlobsUnavailable):
        a.save(1)
    a.save(1)
    a.saver.prune()
    assert len(objects(blobs)) == 2
    assert steps(blobs, deep=True) == [(1, True)]


def test_a_ghost_that_prunes_late_touches_nothing_of_its_successor(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    ghost = Agent(blobs, tmp_path / "a", keep=1)
    ghost.write(frozen="x", head="1")
    ghost.save(1)
    ghost.write(head="2")
    ghost.save(2)
    successor = Agent(blobs, tmp_path / "b", epoch=2, keep=1, restored=True)
    successor.write(head="3")
    successor.save(3)
    ghost.saver.prune()
    assert steps(blobs, deep=True)[0] == (3, True)
    assert Agent(blobs, tmp_path / "c", epoch=3, restored=True).tree() == {"frozen": "x", "head": "3"}


def test_a_ghost_that_prunes_late_cannot_hurt_a_successor_that_fell_back(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    ghost = Agent(blobs, tmp_path / "a", keep=1)
    ghost.write(frozen="x", head="1")
    ghost.save(1)
    ghost.write(head="2")
    second = ghost.save(2)
    blobs.put(object_of(blobs, second, "head"), b"?")
    successor = Agent(blobs, tmp_path / "b", epoch=2, keep=1, restored=True)
    assert successor.restored.step == 1
    successor.save(3)
    ghost.saver.prune()
    assert steps(blobs, deep=True)[0] == (3, True)


def test_a_damaged_checkpoint_does_not_count_among_those_kept(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a", keep=2)
    for step in [1, 2]:
        a.write(model=str(step))
        entry = a.save(step)
    blobs.put(object_of(blobs, entry, "model"), b"?")
    b = Agent(blobs, tmp_path / "b", epoch=2, keep=2, restored=True)
    b.write(model="3")
    b.save(3)
    b.saver.prune()
    assert steps(blobs, deep=True) == [(3, True), (1, True)]


# -- damage ----------------------------------------------------------------------------------------


def damage_manifest(blobs: Blobs, entry: Entry) -> None:
    blobs.put(entry.manifest, b'{"files": [')


def lose_manifest(blobs: Blobs, entry: Entry) -> None:
    blobs.delete([entry.manifest])


def bend_bytes(blobs: Blobs, entry: Entry) -> None:
    key = object_of(blobs, entry, "model")
    blobs.put(key, b"?" + blobs.get(key)[1:])


def cut_short(blobs: Blobs, entry: Entry) -> None:
    key = object_of(blobs, entry, "model")
    blobs.put(key, blobs.get(key)[:-1])


def lose_object(blobs: Blobs, entry: Entry) -> None:
    blobs.delete([object_of(blobs, entry, "model")])


DAMAGES: list[Callable[[Blobs, Entry], None]] = [damage_manifest, lose_manifest, bend_bytes, cut_short, lose_object]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_falls_back_to_the_one_before_and_says_so(
    damage: Callable[[Blobs, Entry], None], blobs: Blobs, tmp_path: Path
) -> None:
    a = Agent(blobs, tmp_path / "a")
    for step in [10, 20]:
        a.write(model=f"weights of {step}")
        entry = a.save(step)
    damage(blobs, entry)
    b = Agent(blobs, tmp_path / "b", epoch=2, restored=True)
    assert b.tree() == {"model": "weights of 10"}
    assert b.restored.step == 10
    assert not b.restored.newest
    assert len(b.restored.problems) == 1
    assert "step 20 is damaged" in b.restored.problems[0]
    assert steps(blobs, deep=True) == [(20, False), (10, True)]


@pytest.mark.parametrize("damage", [lose_manifest, lose_object, cut_short])
def test_the_listing_sees_without_reading_what_is_missing(
    damage: Callable[[Blobs, Entry], None], tmp_path: Path
) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path)
    a.write(model="weights")
    damage(blobs, a.save(10))
    (found,) = checkpoints.listing(blobs, JOB)
    assert not found.verified
    assert found.problem


def test_when_none_is_whole_it_starts_from_nothing_and_says_so_of_each(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    for step in [10, 20]:
        a.write(model=f"weights of {step}")
        bend_bytes(blobs, a.save(step))
    b = Agent(blobs, tmp_path / "b", epoch=2, restored=True)
    assert b.restored.manifest is None
    assert ["step 20" in b.restored.problems[0], "step 10" in b.restored.problems[1]] == [True, True]
    assert b.tree() == {}


def test_pruned_checkpoints_are_not_reported_as_damaged(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a", keep=1)
    for step in range(1, 31):
        a.write(model=str(step))
        entry = a.save(step)
        a.saver.prune()
    bend_bytes(blobs, entry)
    b = Agent(blobs, tmp_path / "b", epoch=2, restored=True)
    assert len(b.restored.problems) == 1


def test_bytes_bent_on_their_way_are_fetched_again(tmp_path: Path) -> None:
    class Bending(MemoryBlobs):
        bends = 1

        def get_file(self, key: str, path: Path) -> None:
            super().get_file(key, path)
            if self.bends:
                self.bends -= 1
                path.write_bytes(b"?" * path.stat().st_size)

    blobs = Bending()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="weights")
    a.save(1)
    assert Agent(blobs, tmp_path / "b", epoch=2, restored=True).restored.newest


def test_an_unreachable_store_says_nothing_of_the_checkpoint(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="weights")
    a.save(1)
    target = tmp_path / "b"
    target.mkdir()
    (target / "mine").write_text("x")
    storm(blobs, "get_file", "")
    with pytest.raises(BlobsUnavailable):
        checkpoints.restore(blobs, JOB, target)
    assert names(target) == ["mine"]
    assert checkpoints.restore(blobs, JOB, target).step == 1


def test_a_restore_that_is_told_to_stop_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="weights", other="x")
    a.save(1)
    target = tmp_path / "b"
    with pytest.raises(BlobsUnavailable, match="told to stop"):
        checkpoints.restore(blobs, JOB, target, stopped=lambda: True)
    assert names(target) == []


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../../escape"},
        {"path": "/etc/cron.d/x"},
        {"path": "a/../../b"},
        {"path": ""},
        {"path": "a//b"},
        {"path": "x\0y"},
        {"object": "jobs/another/ckpt/000001-x/files/secret"},
        {"object": f"jobs/{JOB}/ckpt/../order/000001.json"},
        {"object": f"jobs/{JOB}/bundle/x"},
        {"link": "../outside"},
        {"link": "/etc/passwd"},
        {"link": "a/../../outside"},
    ],
)
def test_a_manifest_that_reaches_outside_is_refused(change: dict[str, str], tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="weights")
    entry = a.save(1)
    manifest = load(blobs, entry)
    evil = wire.ManifestFile(**{**vars(manifest.files[0]), **change})
    blobs.put(entry.manifest, wire.encode(wire.Manifest(epoch=1, step=1, at=1.0, files=[evil])))
    with pytest.raises(SpotlaunchError, match="unreadable"):
        checkpoints.download(blobs, JOB, entry, tmp_path / "to")
    assert not (tmp_path / "escape").exists()
    assert not checkpoints.listing(blobs, JOB)[0].verified


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="weights")
    entry = a.save(1)
    (file,) = load(blobs, entry).files
    link = wire.ManifestFile(path="x", size=0, sha256="", object="", link="y")
    through = wire.ManifestFile(**{**vars(file), "path": "x/model"})
    blobs.put(entry.manifest, wire.encode(wire.Manifest(epoch=1, step=1, at=1.0, files=[link, through])))
    assert manifests.load(blobs, JOB, entry.manifest) is None


# -- what a person asks for ------------------------------------------------------------------------


def test_a_listing_tells_all_about_each_and_any_can_be_downloaded(blobs: Blobs, tmp_path: Path) -> None:
    a = Agent(blobs, tmp_path / "a")
    for step in [10, 20]:
        a.write(model=f"weights of {step}")
        a.save(step)
    Register(blobs, JOB).claim(2, "b", 99.0)
    newest, older = checkpoints.listing(blobs, JOB)
    assert (newest.step, newest.epoch, newest.number, newest.size, newest.files) == (20, 1, 3, 13, 1)
    assert newest.at == 4.0, "when it was committed, not when a claim carried it over"
    assert newest.key == wire.checkpoint_key(JOB, 1, 20, 3)
    manifest = checkpoints.download(blobs, JOB, older, tmp_path / "down")
    assert manifest.step == 10
    assert (tmp_path / "down/model").read_text() == "weights of 10"
    assert names(tmp_path / "down") == ["model"]


def test_downloading_into_a_place_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    a = Agent(blobs, tmp_path / "a")
    a.write(model="x")
    entry = a.save(1)
    (tmp_path / "file").write_text("")
    with pytest.raises(BlobsUnavailable, match="cannot write the checkpoint") as e:
        checkpoints.download(blobs, JOB, entry, tmp_path / "file/folder")
    assert e.value.hint


@pytest.mark.parametrize(
    ("name", "number"),
    [("ckpt-000040.pt", 40), ("step40", 40), ("model", None), ("run2-step7", 7), ("9" * 30, 999_999_999), ("", None)],
)
def test_the_last_number_in_a_name_is_the_step(name: str, number: int | None) -> None:
    assert manifests.number_in(name) == number
