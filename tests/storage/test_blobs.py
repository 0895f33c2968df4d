"""What every object store must do, whatever is behind it; and what it says when it cannot."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from spotlaunch.errors import AlreadyExists, BlobsUnavailable, NoSuchObject
from spotlaunch.ports import Blobs
from spotlaunch.storage import blobs as blobs_module
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.trouble import HINTS, explain
from tests.fakes.s3 import CREDENTIALS, client


def keys(blobs: Blobs, prefix: str, after: str = "") -> list[str]:
    return [info.key for info in blobs.list(prefix, after=after)]


# -- the contract, over each kind of store ---------------------------------------------------------


def test_what_was_put_is_what_is_got(blobs: Blobs) -> None:
    blobs.put("a/b.json", b"one")
    blobs.put("a/b.json", b"two")
    assert blobs.get("a/b.json") == b"two"


def test_an_empty_object_is_an_object(blobs: Blobs) -> None:
    blobs.create("a/empty", b"")
    assert blobs.get("a/empty") == b""
    assert [(i.key, i.size) for i in blobs.list("a")] == [("a/empty", 0)]


def test_creating_twice_fails_and_keeps_the_first(blobs: Blobs) -> None:
    blobs.create("a/once", b"first")
    with pytest.raises(AlreadyExists):
        blobs.create("a/once", b"second")
    assert blobs.get("a/once") == b"first"


def test_of_many_who_create_the_same_name_exactly_one_wins(blobs: Blobs) -> None:
    if blobs.url.startswith("s3:"):
        pytest.skip("the server of these tests looks and then writes, so that now and then two of its threads win")
    start, won = threading.Barrier(8), []

    def race(me: int) -> None:
        start.wait()
        try:
            blobs.create("race", str(me).encode())
            won.append(me)
        except AlreadyExists:
            pass

    threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(won) == 1
    assert blobs.get("race") == str(won[0]).encode()


def test_what_is_not_there_is_no_such_object(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(NoSuchObject):
        blobs.get("not/there")
    with pytest.raises(NoSuchObject):
        blobs.get_file("not/there", tmp_path / "x")


def test_a_listing_is_in_order_of_key_and_starts_after_the_one_named(blobs: Blobs) -> None:
    for key in ["f/3", "f/1", "f/10", "f/sub/9", "f/2", "fa/1", "g"]:
        blobs.put(key, key.encode())
    assert keys(blobs, "f") == ["f/1", "f/10", "f/2", "f/3", "f/sub/9"]
    assert keys(blobs, "f/") == keys(blobs, "f")
    assert keys(blobs, "f", after="f/10") == ["f/2", "f/3", "f/sub/9"]
    assert keys(blobs, "f", after="f/zzz") == []
    assert keys(blobs, "nothing") == []
    assert keys(blobs, "") == ["f/1", "f/10", "f/2", "f/3", "f/sub/9", "fa/1", "g"]


def test_a_listing_tells_sizes_and_is_not_cut_short_at_the_end_of_a_page(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "50")  # a thousand, at a real one
    for n in range(105):
        blobs.put(f"many/{n:05d}", b"x" * (n % 7))
    found = list(blobs.list("many"))
    assert [i.key for i in found] == [f"many/{n:05d}" for n in range(105)]
    assert all(i.size == n % 7 for n, i in enumerate(found))


def test_deleting_is_safe_to_repeat_and_takes_only_what_is_named(blobs: Blobs) -> None:
    for key in ["d/1", "d/2", "d/3"]:
        blobs.put(key, b"x")
    blobs.delete(["d/absent", "d/1", "d/3", "d/also-absent"])
    blobs.delete(["d/1"])
    blobs.delete([])
    assert keys(blobs, "d") == ["d/2"]


def test_names_with_strange_letters_come_back_as_they_were(blobs: Blobs) -> None:
    key = "x/with space/ü%41+&=,;~(1)"
    blobs.put(key, b"1")
    assert keys(blobs, "x") == [key]
    assert blobs.get(key) == b"1"


def test_files_of_any_size_go_there_and_come_back(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs_module, "PART_BYTES", 6 * 1024 * 1024)  # S3 wants parts of 5 MiB at least
    for size in [0, 1, 6 * 1024 * 1024, 13 * 1024 * 1024 + 17]:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(os.urandom(size))
        target.write_bytes(b"something longer that was here before" * 10)
        blobs.put_file("file", source)
        blobs.get_file("file", target)
        assert target.read_bytes() == source.read_bytes()
        assert [i.size for i in blobs.list("") if i.key == "file"] == [size]


# -- a local folder --------------------------------------------------------------------------------


def test_a_local_store_is_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        blobs = open_blobs(f"file://{tmp_path}/new/store")
        blobs.put("jobs/a/order.json", b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new/store").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new/store/jobs/a/order.json").stat().st_mode) == 0o600


def test_a_folder_with_spaces_and_percent_signs_in_its_url(tmp_path: Path) -> None:
    open_blobs(f"file://{tmp_path}/my%20store").put("k", b"x")
    assert (tmp_path / "my store" / "k").read_bytes() == b"x"


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BlobsUnavailable) as e:
        open_blobs(f"file://{tmp_path}/file/store")
    assert str(tmp_path) in e.value.message
    assert e.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, to whom the folder is read-only")
def test_a_read_only_folder_says_so(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    program = f"""
import os
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.blobs import open_blobs
blobs = open_blobs("file://{store}")
blobs.put("seen", b"x")
os.chmod("{store}", 0o555)
os.setuid(65534)
try:
    blobs.put("more", b"x")
except BlobsUnavailable as e:
    print(e.message, "|", e.hint)
"""
    for folder in [tmp_path, *tmp_path.parents][:4]:
        folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert "cannot write more" in done.stdout, done.stderr
    assert "writable" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists() or os.geteuid() != 0, reason="needs a small disk of its own")
def test_a_full_disk_says_so(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True, check=False)
    if mount.returncode != 0:
        pytest.skip("may not mount here")
    try:
        blobs = open_blobs(f"file://{disk}/store")
        with pytest.raises(BlobsUnavailable, match="disk is full") as e:
            blobs.put("big", b"x" * 1_000_000)
        assert "free some space" in e.value.hint
        with pytest.raises(BlobsUnavailable, match="disk is full"):
            blobs.create("big", b"x" * 1_000_000)
    finally:
        subprocess.run(["umount", disk], check=True)


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "/just/a/path", "ftp://host/x", "s3://", "file://relative/path", "https://x.y/z"])
def test_a_url_of_no_known_kind_is_told_what_kinds_there_are(url: str) -> None:
    with pytest.raises(BlobsUnavailable) as e:
        open_blobs(url)
    assert "s3://bucket/prefix" in e.value.hint


def test_a_store_that_nobody_answers_for_is_known_within_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    blobs = open_blobs("s3://bucket/p", endpoint="http://127.0.0.1:9")
    began = time.monotonic()
    (tmp_path / "f").write_bytes(b"x")
    for call in [
        lambda: blobs.put("k", b""),
        lambda: blobs.get("k"),
        lambda: list(blobs.list("k")),
        lambda: blobs.delete(["k"]),
        lambda: blobs.create("k", b""),
        lambda: blobs.put_file("k", tmp_path / "f"),
        lambda: blobs.get_file("k", tmp_path / "g"),
    ]:
        with pytest.raises(BlobsUnavailable) as e:
            call()
        assert "s3://bucket/p" in e.value.message
        assert e.value.hint
    assert time.monotonic() - began < 10


def test_a_bucket_that_is_not_there_is_not_a_missing_object(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    blobs = open_blobs("s3://no-such-bucket/p", endpoint=s3_endpoint)
    for call in [lambda: blobs.put("k", b""), lambda: blobs.get("k"), lambda: list(blobs.list("k"))]:
        with pytest.raises(BlobsUnavailable, match="no such bucket") as e:
            call()
        assert "create the bucket" in e.value.hint


def test_no_credentials_is_told_when_the_store_is_opened() -> None:
    with pytest.raises(BlobsUnavailable, match="no AWS credentials") as e:
        open_blobs("s3://bucket/p")
    assert "AWS_ACCESS_KEY_ID" in e.value.hint


def test_the_endpoint_may_come_from_the_environment(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3_endpoint}.items():
        monkeypatch.setenv(name, value)
    client(s3_endpoint).create_bucket(Bucket="from-env")
    open_blobs("s3://from-env").put("k", b"x")
    assert client(s3_endpoint).get_object(Bucket="from-env", Key="k")["Body"].read() == b"x"


def test_a_profile_is_used_when_there_are_no_keys_in_the_environment(s3_endpoint: str, own_home: Path) -> None:
    (own_home / ".aws").mkdir()
    (own_home / ".aws/credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    client(s3_endpoint).create_bucket(Bucket="by-profile")
    blobs = open_blobs("s3://by-profile/x", endpoint=s3_endpoint)
    blobs.put("k", b"x")
    assert blobs.get("k") == b"x"


def test_google_and_azure_open_without_asking_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    assert open_blobs("gs://bucket/prefix").url == "gs://bucket/prefix"
    with pytest.raises(BlobsUnavailable, match="storage account"):
        open_blobs("az://container/prefix")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    assert open_blobs("az://container/prefix").url == "az://container/prefix"


@pytest.mark.parametrize(("sign", "what", "hint"), HINTS)
def test_each_known_trouble_says_what_happened_and_what_to_do(sign: str, what: str, hint: str) -> None:
    told = explain(OSError(f"Generic error: {sign} and more\n\nDebug source: ..."), "s3://b", "write", "k")
    assert "cannot write k in s3://b" in told.message
    assert "\n" not in told.message
    assert told.hint


def test_an_unknown_trouble_is_told_in_its_first_line() -> None:
    told = explain(ValueError("strange\n\nDebug source: long"), "gs://b", "read", "k")
    assert told.message == "cannot read k in gs://b: strange"
    assert told.hint
