"""The bundle: what goes in, what stays out, and that nothing gets out of it."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotlaunch.errors import SpotlaunchError, StoreUnavailable, UsageError
from spotlaunch.storage import content, unbundle
from spotlaunch.storage.bundle import pack
from spotlaunch.storage.unbundle import digest_of, unpack


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    """Files by path, with their text."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return [m.name for m in tar]


def bundled(workdir: Path, tmp_path: Path, **more: object) -> list[str]:
    """The files (not the folders) that a bundle of ``workdir`` holds."""
    to = tmp_path / "bundle.tar.gz"
    pack(workdir, to, **more)  # type: ignore[arg-type]
    with tarfile.open(to) as tar:
        return sorted(m.name for m in tar if not m.isdir())


# -- there and back ---------------------------------------------------------------------------------------


def test_what_is_packed_is_unpacked_as_it_was(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"train.py": "print(1)", "pkg/deep/er/data.txt": "ü" * 1000, "run.sh": "#!/bin/sh\n"})
    (workdir / "run.sh").chmod(0o700)
    (workdir / "empty").mkdir()
    (workdir / "blob").write_bytes(bytes(range(256)) * 100)
    (workdir / "latest").symlink_to("pkg/deep")
    bundle = pack(workdir, tmp_path / "b.tar.gz")
    assert bundle.files == 5
    assert bundle.unpacked == 8 + 2000 + 10 + 25600
    assert bundle.size == (tmp_path / "b.tar.gz").stat().st_size
    assert bundle.digest == digest_of(tmp_path / "b.tar.gz")
    unpack(tmp_path / "b.tar.gz", tmp_path / "out")
    out = tmp_path / "out"
    assert (out / "train.py").read_text() == "print(1)"
    assert (out / "pkg/deep/er/data.txt").read_text() == "ü" * 1000
    assert (out / "blob").read_bytes() == bytes(range(256)) * 100
    assert (out / "empty").is_dir()
    assert os.access(out / "run.sh", os.X_OK)
    assert not (out / "train.py").stat().st_mode & stat.S_IXUSR
    assert (out / "latest").readlink() == Path("pkg/deep")
    assert (out / "latest/er/data.txt").exists()


def test_names_of_any_bytes_and_any_length_survive(workdir: Path, tmp_path: Path) -> None:
    odd = [os.fsdecode(b"caf\xe9"), "a b\n'\"$;.txt", "é" * 100, "-rf", "x" * 200 + "/" + "y" * 200, "back\\slash"]
    for name in odd:
        write(workdir, {name: "x"})
    pack(workdir, tmp_path / "b.tar.gz")
    unpack(tmp_path / "b.tar.gz", tmp_path / "out")
    found = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert found == set(odd)


def test_an_empty_folder_makes_a_bundle(workdir: Path, tmp_path: Path) -> None:
    assert pack(workdir, tmp_path / "b.tar.gz").files == 0
    assert unpack(tmp_path / "b.tar.gz", tmp_path / "out") == 0
    assert list((tmp_path / "out").iterdir()) == []


def test_unpacked_files_can_be_zipped_again(workdir: Path, tmp_path: Path) -> None:
    """Zip files know no time before 1980, and experiment trackers zip the source of a program."""
    write(workdir, {"train.py": "x"})
    pack(workdir, tmp_path / "b.tar.gz")
    unpack(tmp_path / "b.tar.gz", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.write(tmp_path / "out/train.py")


# -- the same bytes for the same content ------------------------------------------------------------------


def test_the_same_content_has_the_same_digest_wherever_and_whenever(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"b.py": "b", "a/c.py": "c", "a-b": "d"})
    first = pack(workdir, tmp_path / "1.tar.gz")
    other = tmp_path / "elsewhere"
    for name in ("a-b", "a/c.py", "b.py"):
        write(other, {name: (workdir / name).read_text()})
        os.utime(other / name, (1, 1))
        (other / name).chmod(0o664)
    second = pack(other, tmp_path / "2.tar.gz")
    assert first.digest == second.digest
    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda w: (w / "a.py").write_text("other"),
        lambda w: (w / "a.py").rename(w / "b.py"),
        lambda w: (w / "a.py").chmod(0o755),
        lambda w: (w / "new").mkdir(),
        lambda w: (w / "link").symlink_to("a.py"),
    ],
    ids=["text", "name", "executable", "folder", "link"],
)
def test_other_content_has_another_digest(change: Callable[[Path], object], workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"a.py": "a"})
    before = pack(workdir, tmp_path / "1.tar.gz").digest
    change(workdir)
    assert pack(workdir, tmp_path / "1.tar.gz").digest != before


def test_a_bundle_tells_nothing_of_the_user_and_the_time(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"a.py": "a"})
    pack(workdir, tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_bytes()[3:8] == b"\0" * 5  # no name and no time in the gzip header
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        for m in tar:
            assert (m.uid, m.gid, m.uname, m.gname, m.mtime) == (0, 0, "", "", 0)


def test_a_bundle_is_for_its_owner_only(workdir: Path, tmp_path: Path) -> None:
    pack(workdir, tmp_path / "b.tar.gz")
    assert stat.S_IMODE((tmp_path / "b.tar.gz").stat().st_mode) == 0o600


# -- what stays out ---------------------------------------------------------------------------------------


def test_ignore_files_are_honoured_at_every_level(workdir: Path, tmp_path: Path) -> None:
    write(
        workdir,
        {
            ".gitignore": "*.log\n/data/\n!keep.log\n# a comment\n",
            "a.log": "",
            "keep.log": "",
            "data/x": "",
            "pkg/data/x": "",
            "pkg/.gitignore": "*.tmp\n!b.log\n",
            "pkg/b.log": "",
            "pkg/c.tmp": "",
            "c.tmp": "",
        },
    )
    assert bundled(workdir, tmp_path) == [
        ".gitignore",
        "c.tmp",
        "keep.log",
        "pkg/.gitignore",
        "pkg/b.log",
        "pkg/data/x",
    ]


def test_a_folder_that_is_brought_back_does_not_bring_back_what_else_is_left_out(workdir: Path, tmp_path: Path) -> None:
    write(
        workdir,
        {".gitignore": ".env\nconfig*\n!config\n", "config/.env": "SECRET=1", "config/a.yaml": "", "config2": ""},
    )
    assert bundled(workdir, tmp_path) == [".gitignore", "config/a.yaml"]


def test_spotlaunchignore_outranks_gitignore_in_both_directions(workdir: Path, tmp_path: Path) -> None:
    write(
        workdir,
        {
            ".gitignore": "*.bin\n",
            ".spotlaunchignore": "!small.bin\nnotes/\n",
            "small.bin": "",
            "big.bin": "",
            "notes/n": "",
        },
    )
    assert bundled(workdir, tmp_path) == [".gitignore", ".spotlaunchignore", "small.bin"]


def test_what_git_would_leave_out_from_above_stays_out(tmp_path: Path) -> None:
    """The `.env` of a repository is in the `.gitignore` at its root, not in the folder that one trains in."""
    repo = tmp_path / "repo"
    write(repo, {".gitignore": ".env\n", "train/.env": "SECRET=1", "train/a.py": "", "train/sub/.env": "SECRET=1"})
    (repo / ".git").mkdir()
    assert bundled(repo / "train", tmp_path) == ["a.py"]


def test_a_gitignore_above_counts_only_inside_a_repository(tmp_path: Path) -> None:
    write(tmp_path / "x", {".gitignore": "*.py\n", "train/a.py": ""})
    assert bundled(tmp_path / "x/train", tmp_path) == ["a.py"]


def test_a_folder_that_was_named_is_packed_even_if_git_ignores_it(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    write(repo, {".gitignore": "/build/\n", "build/a.py": "", "build/.gitignore": "*.o\n", "build/b.o": ""})
    (repo / ".git").mkdir()
    assert bundled(repo / "build", tmp_path) == [".gitignore", "a.py"]


def test_git_itself_and_what_the_caller_names_stay_out(workdir: Path, tmp_path: Path) -> None:
    write(
        workdir,
        {
            ".git/config": "",
            "sub/.git": "gitdir: elsewhere",
            "checkpoints/1.pt": "",
            "sub/checkpoints/kept": "",
            "home/book.db": "",
            "a.py": "",
        },
    )
    exclude = ["checkpoints", str(workdir / "home"), "/etc", "./not-there/"]
    assert bundled(workdir, tmp_path, exclude=exclude) == ["a.py", "sub/checkpoints/kept"]


def test_the_bundle_does_not_hold_itself(workdir: Path) -> None:
    write(workdir, {"a.py": ""})
    first = pack(workdir, workdir / "b.tar.gz")
    assert names(workdir / "b.tar.gz") == ["a.py"]
    assert pack(workdir, workdir / "b.tar.gz").digest == first.digest
    assert sorted(p.name for p in workdir.iterdir()) == ["a.py", "b.tar.gz"]


def test_a_pattern_that_makes_no_sense_is_told_with_its_file(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {".spotlaunchignore": "ok\n!\n"})
    with pytest.raises(UsageError) as caught:
        pack(workdir, tmp_path / "b.tar.gz")
    assert ".spotlaunchignore:2: '!' is not a pattern" in caught.value.message


PATTERNS = st.sampled_from(
    [
        "*.log", "!a.log", "a/", "/a", "a/b", "**/b", "a/**", "!a/", "b/*", "!b/a.log", "*", "!*/", "!*.py", "a*",
        "?.py",
        "[ab].py", "\\#x", "#x", "x ", "x\\ ", "/*", "!/a", "a/**/b", "**", "!b", "*/x", "", "!a/b/", "A",
        "a/**/x/b", "!config", "**/", "a//b", "**/a/b", "a/**/", "/a/*/", "b**", "a/**b", "!#x", "!\\!x", "/**/b",
    ]
)  # fmt: skip
FILES = st.lists(
    st.lists(st.sampled_from(["a", "b", "a.log", "b.py", "x", "x ", "#x", "A"]), min_size=1, max_size=3).map("/".join),
    min_size=1,
    max_size=8,
)


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, root=st.lists(PATTERNS, max_size=5), inner=st.lists(PATTERNS, max_size=3))
def test_exactly_what_git_would_add_is_bundled(
    files: list[str], root: list[str], inner: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("git")
    repo = base / "repo"
    repo.mkdir()
    for name in files:
        path = repo / name
        if not any(p.is_file() for p in (path, *path.parents)) and not path.is_dir():
            write(repo, {name: ""})
    write(repo, {".gitignore": "\n".join(root)})
    if (repo / "a").is_dir():
        write(repo, {"a/.gitignore": "\n".join(inner)})
    env = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "HOME": str(base),
    }
    subprocess.run(["git", "init", "-q", str(repo)], env=env, check=True, timeout=20)
    command = ["git", "-C", str(repo), "ls-files", "-z", "--others", "--exclude-standard"]
    listed = subprocess.run(command, env=env, check=True, timeout=20, capture_output=True, text=True).stdout
    assert bundled(repo, base) == sorted(filter(None, listed.split("\0")))


# -- links and other things -------------------------------------------------------------------------------


def test_links_that_point_outside_stay_out_with_a_warning(workdir: Path, tmp_path: Path) -> None:
    write(tmp_path, {"outside/secret": "x"})
    write(workdir, {"a.py": "", "sub/b.py": ""})
    (workdir / "absolute").symlink_to("/etc/passwd")
    (workdir / "upwards").symlink_to("../outside/secret")
    (workdir / "folder").symlink_to(tmp_path / "outside")
    (workdir / "through").symlink_to("folder/secret")
    bundle = pack(workdir, tmp_path / "b.tar.gz")
    assert names(tmp_path / "b.tar.gz") == ["a.py", "sub", "sub/b.py"]
    assert len(bundle.warnings) == 4
    assert "absolute is left out: it is a link to '/etc/passwd', outside" in bundle.warnings


def test_links_that_point_inside_are_kept_whatever_way_they_were_written(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"data/x": "x", "deep/er/y": "y"})
    (workdir / "plain").symlink_to("data/x")
    (workdir / "deep/er/up").symlink_to("../../data/x")
    (workdir / "absolute").symlink_to(workdir / "data")
    (workdir / "roundabout").symlink_to("deep/er/../../data/x")
    (workdir / "dangling").symlink_to("data/not-yet")
    (workdir / "self").symlink_to(".")
    bundle = pack(workdir, tmp_path / "b.tar.gz")
    assert bundle.warnings == ()
    unpack(tmp_path / "b.tar.gz", tmp_path / "out")
    out = tmp_path / "out"
    shutil.rmtree(workdir)  # no link may lean on the folder that it came from
    assert (out / "plain").read_text() == (out / "deep/er/up").read_text() == (out / "roundabout").read_text() == "x"
    assert (out / "absolute/x").read_text() == "x"
    assert (out / "dangling").is_symlink()
    assert (out / "self").resolve() == out.resolve()


def test_a_working_directory_behind_a_link_is_packed(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"a.py": "", "checkpoints/x": ""})
    (workdir / "b.py").symlink_to("a.py")
    (tmp_path / "link").symlink_to(workdir)
    found = bundled(tmp_path / "link", tmp_path, exclude=[str(tmp_path / "link/checkpoints")])
    assert found == ["a.py", "b.py"]


def test_pipes_and_sockets_stay_out_with_a_warning(
    workdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workdir, {"a.py": ""})
    os.mkfifo(workdir / "pipe")
    monkeypatch.chdir(workdir)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        bundle = pack(workdir, tmp_path / "b.tar.gz")
    assert names(tmp_path / "b.tar.gz") == ["a.py"]
    assert [w.split()[0] for w in bundle.warnings] == ["pipe", "socket"]


# -- limits and troubles ----------------------------------------------------------------------------------


def test_too_large_a_folder_is_refused_with_its_five_largest_things(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"data/raw/images.tar": "x" * 50_000, "data/readme": "x", "train.py": "x" * 10})
    write(workdir, {f"venv/lib/{i}.py": "x" * 1000 for i in range(30)})
    write(workdir, {f"{c}.bin": "x" * n for c, n in zip("abc", (20_000, 10_000, 5_000), strict=True)})
    with pytest.raises(UsageError) as caught:
        pack(workdir, tmp_path / "b.tar.gz", max_bytes=100_000)
    assert caught.value.message.endswith(
        "data/raw/images.tar (0.1MB), venv/lib/ (0.0MB), a.bin (0.0MB), b.bin (0.0MB), c.bin (0.0MB)"
    )
    assert ".spotlaunchignore" in caught.value.hint
    assert not (tmp_path / "b.tar.gz").exists()
    write(workdir, {".spotlaunchignore": "data\n"})
    pack(workdir, tmp_path / "b.tar.gz", max_bytes=100_000)


def test_too_many_files_are_refused_before_all_are_walked(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {f"many/{i}": "" for i in range(50)})
    with pytest.raises(UsageError, match="more than 20 files: many/"):
        pack(workdir, tmp_path / "b.tar.gz", max_files=20)


def test_folders_without_end_are_refused(workdir: Path, tmp_path: Path) -> None:
    (workdir / "/".join("d" * 250)).mkdir(parents=True)
    with pytest.raises(UsageError, match="nested more than 200"):
        pack(workdir, tmp_path / "b.tar.gz")


def test_files_that_cannot_be_read_are_all_named(
    workdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workdir, {"a.py": "", "b/key.pem": "", "c.pem": ""})
    # Root reads everything, so that permissions alone cannot make this test.
    monkeypatch.setattr(content, "_readable", lambda path: path.suffix != ".pem")
    with pytest.raises(UsageError) as caught:
        pack(workdir, tmp_path / "b.tar.gz")
    assert caught.value.message.endswith("cannot be read: b/key.pem, c.pem")
    assert "spotlaunchignore" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_permissions_are_felt(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"a.py": "", "shut/b": ""})
    (workdir / "a.py").chmod(0)
    (workdir / "shut").chmod(0)
    try:
        with pytest.raises(UsageError, match=r"a\.py, shut/"):
            pack(workdir, tmp_path / "b.tar.gz")
    finally:
        (workdir / "shut").chmod(0o700)


def test_a_missing_working_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        pack(tmp_path / "nowhere", tmp_path / "b.tar.gz")


def test_a_bundle_that_cannot_be_written_leaves_nothing(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"a.py": ""})
    (tmp_path / "to").mkdir()
    (tmp_path / "to/b.tar.gz").mkdir()  # a folder is in the way
    with pytest.raises(StoreUnavailable) as caught:
        pack(workdir, tmp_path / "to/b.tar.gz")
    assert caught.value.hint
    assert [p.name for p in (tmp_path / "to").iterdir()] == ["b.tar.gz"]
    with pytest.raises(StoreUnavailable):
        pack(workdir, tmp_path / "nowhere/b.tar.gz")


def test_a_full_disk_is_told_and_leaves_nothing(workdir: Path, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    code = (
        "import resource, signal, sys; from pathlib import Path; from spotlaunch.storage.bundle import pack\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try: pack(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except Exception as e: print(type(e).__name__, e)\n"
    )
    (workdir / "noise").write_bytes(os.urandom(100_000))
    (tmp_path / "to").mkdir()
    command = [sys.executable, "-c", code, str(workdir), str(tmp_path / "to/b.tar.gz")]
    root = Path(__file__).parents[2]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=root)
    assert run.stdout.startswith("StoreUnavailable cannot write the bundle"), run.stdout + run.stderr
    assert list((tmp_path / "to").iterdir()) == []


def test_a_file_that_shrinks_while_it_is_packed_is_told(
    workdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workdir, {"log.txt": "x" * 1000})
    real = os.fstat

    def shrink(fd: int) -> os.stat_result:
        seen = real(fd)
        if stat.S_ISREG(seen.st_mode) and seen.st_size == 1000:
            os.truncate(workdir / "log.txt", 10)
        return seen

    monkeypatch.setattr(os, "fstat", shrink)
    with pytest.raises(UsageError, match="became shorter"):
        pack(workdir, tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


# -- unpacking what others may have made ------------------------------------------------------------------


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def file(name: str, data: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), data


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info, b""


def device(name: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = tarfile.FIFOTYPE
    return info, b""


EVIL = {
    "absolute": [file("/tmp/evil")],
    "upwards": [file("../evil")],
    "hidden upwards": [file("a/../../evil")],
    "link upwards": [link("l", "..")],
    "link to absolute": [link("l", "/etc/passwd")],
    "link in a folder upwards": [folder("d"), link("d/l", "../../evil")],
    "through a link": [folder("d"), link("l", "d"), file("l/evil")],
    "links that add up": [folder("x"), folder("x/y"), link("x/y/l", "../.."), link("m", "x/y/l/..")],
    "links behind links": [folder("x"), link("l", "x"), link("l/m", "..")],
    "hard link": [file("a"), link("h", "a", tarfile.LNKTYPE)],
    "pipe": [device("p")],
}


@pytest.mark.parametrize("old_python", [False, True], ids=["with-filter", "without-filter"])
@pytest.mark.parametrize("members", EVIL.values(), ids=EVIL.keys())
def test_nothing_gets_out_of_the_folder(
    members: list[tuple[tarfile.TarInfo, bytes]], old_python: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_python:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    evil = archive(tmp_path / "b.tar.gz", *members)
    with pytest.raises(SpotlaunchError, match="the bundle holds"):
        unpack(evil, tmp_path / "deep/out")
    assert not list(tmp_path.rglob("evil"))
    assert not [
        p for p in tmp_path.rglob("*") if p.is_symlink() and not p.resolve().is_relative_to(tmp_path / "deep/out")
    ]


def test_a_good_bundle_unpacks_on_a_python_without_filters(
    workdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    write(workdir, {"a/b.py": "b"})
    (workdir / "l").symlink_to("a")
    pack(workdir, tmp_path / "b.tar.gz")
    unpack(tmp_path / "b.tar.gz", tmp_path / "out")
    assert (tmp_path / "out/l/b.py").read_text() == "b"
    assert (tmp_path / "out/a/b.py").stat().st_mtime == unbundle.UNPACKED_AT


@pytest.mark.parametrize("keep", [0, 5, 40, -1, -20])
def test_a_damaged_bundle_is_told(keep: int, workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"a.py": "a" * 1000})
    pack(workdir, tmp_path / "b.tar.gz")
    whole = (tmp_path / "b.tar.gz").read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(whole[:keep])
    with pytest.raises(SpotlaunchError, match="damaged"):
        unpack(tmp_path / "b.tar.gz", tmp_path / "out")


def test_a_flipped_bit_is_told(workdir: Path, tmp_path: Path) -> None:
    write(workdir, {"a.py": "a" * 1000})
    pack(workdir, tmp_path / "b.tar.gz")
    raw = bytearray(gzip.decompress((tmp_path / "b.tar.gz").read_bytes()))
    raw[3] ^= 1  # in the header of the first file
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(SpotlaunchError, match="damaged"):
        unpack(tmp_path / "b.tar.gz", tmp_path / "out")


def test_a_bundle_without_a_place_to_go_is_told(workdir: Path, tmp_path: Path) -> None:
    pack(workdir, tmp_path / "b.tar.gz")
    (tmp_path / "out").write_text("a file in the way")
    with pytest.raises(SpotlaunchError, match="cannot unpack"):
        unpack(tmp_path / "b.tar.gz", tmp_path / "out")
    with pytest.raises(SpotlaunchError, match="cannot unpack"):
        unpack(tmp_path / "not-there.tar.gz", tmp_path / "out2")
