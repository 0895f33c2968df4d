"""The pass on the machine: taken when a newer one is sealed for us, and used at once by what is under way."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.agent import passes as agent_passes
from spotlaunch.agent.passes import HURRY_S, LOOK_S, Passes, passes_of
from spotlaunch.core.wire import Pass, encode, pass_key
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.places import Place, clients
from spotlaunch.storage.seal import seal
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.s3 import client, make_bucket, s3_server

KEY = b"k" * 32
NAME = pass_key("a", 1)


class Desk:
    def __init__(self, tmp_path: Path, expires_at: float = 3600.0) -> None:
        self.at = 0.0
        self.file = tmp_path / "pass"
        self.blobs = MemoryBlobs()
        self.first = Pass(env={"WORD": "first"}, expires_at=expires_at)

    def agent(self) -> Passes:
        return Passes(self.first, key=KEY, job="a", attempt=1, file=self.file, now=lambda: self.at)

    def write(self, found: Pass, *, key: bytes = KEY, about: str = NAME) -> None:
        self.blobs.put(NAME, seal(key, encode(found), about=about))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


NEWER = Pass(env={"WORD": "second"}, expires_at=7200.0)


def test_a_newer_pass_is_taken_and_outlives_a_restart(desk: Desk) -> None:
    passes = desk.agent()
    assert (passes.look(desk.blobs), passes()) == (False, desk.first)
    desk.write(NEWER)
    assert (passes.look(desk.blobs), passes()) == (True, NEWER)
    assert not passes.look(desk.blobs)
    assert desk.agent()() == NEWER
    assert desk.file.stat().st_mode & 0o777 == 0o600
    assert b"second" not in desk.file.read_bytes()


@pytest.mark.parametrize(
    "wrong",
    [
        {"found": Pass(env={"WORD": "old"}, expires_at=3000.0)},
        {"found": Pass(env={}, expires_at=9000.0)},
        {"found": Pass(env={"WORD": 7}, expires_at=9000.0)},  # type: ignore[dict-item]
        {"found": NEWER, "key": b"x" * 32},
        {"found": NEWER, "about": pass_key("a", 2)},
    ],
    ids=["older", "empty", "not text", "another's key", "sealed for another"],
)
def test_what_is_no_newer_pass_for_us_is_left_alone(desk: Desk, wrong: dict[str, Any]) -> None:
    passes = desk.agent()
    desk.write(**wrong)
    assert (passes.look(desk.blobs), passes()) == (False, desk.first)


@pytest.mark.parametrize("rubbish", [b"", b"sl1", b"{}", b"sl1" + bytes(60)])
def test_rubbish_in_its_place_harms_nobody(desk: Desk, rubbish: bytes) -> None:
    passes = desk.agent()
    desk.blobs.put(NAME, rubbish)
    assert (passes.look(desk.blobs), passes()) == (False, desk.first)
    desk.file.write_bytes(rubbish)
    assert desk.agent()() == desk.first


def test_it_looks_every_minute_and_hurries_when_little_is_left_or_the_store_says_no(desk: Desk) -> None:
    passes = desk.agent()
    assert passes.wait_s == LOOK_S
    desk.at = 2399.0
    assert passes.wait_s == LOOK_S
    desk.at = 2401.0
    assert passes.wait_s == HURRY_S
    desk.write(NEWER)
    passes.look(desk.blobs)
    assert passes.wait_s == LOOK_S

    def down(*_: str) -> None:
        raise BlobsUnavailable("403 Forbidden")

    desk.blobs.fail = down
    assert not passes.look(desk.blobs)
    assert passes.wait_s == HURRY_S


def test_a_key_that_never_ends_may_be_replaced_all_the_same(desk: Desk) -> None:
    desk.first = Pass(env={"WORD": "first"})
    passes = desk.agent()
    assert passes.wait_s == LOOK_S
    desk.write(Pass(env={"WORD": "second"}))
    assert passes.look(desk.blobs)


def test_the_environment_of_the_start_says_all(tmp_path: Path) -> None:
    env = {
        "SPOTLAUNCH_PASS_NAMES": "AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY",
        "SPOTLAUNCH_PASS_KEY": base64.b64encode(KEY).decode(),
        "SPOTLAUNCH_PASS_EXPIRES_AT": "3600",
        "SPOTLAUNCH_PASS_FILE": str(tmp_path / "pass"),
        "SPOTLAUNCH_JOB": "a",
        "SPOTLAUNCH_ATTEMPT": "1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "AWS_SESSION_TOKEN": "of-somebody-else",
    }
    found = passes_of(env)
    assert found is not None
    assert found() == Pass(env={"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush"}, expires_at=3600.0)
    assert passes_of({"SPOTLAUNCH_JOB": "a"}) is None


def test_it_looks_again_and_again_by_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_passes, "LOOK_S", 0.001)
    passes, seen = desk.agent(), threading.Event()
    desk.blobs.fail = lambda op, key: seen.set() if desk.blobs.calls.get("get", 0) > 2 else None
    passes.keep_fresh(desk.blobs)
    assert seen.wait(10)


# -- with a real client ----------------------------------------------------------------------------------------


def test_an_upload_under_way_goes_on_with_the_renewed_pass(tmp_path: Path) -> None:
    """Its requests are sent with whatever pass there is then (obstore asks ten times a second at most)."""
    with s3_server() as endpoint:
        make_bucket(endpoint, "renewing")
        used: list[str] = []
        words = iter(range(1000))

        def credentials() -> Pass:
            used.append(f"KEY{next(words)}")
            env = {"AWS_ACCESS_KEY_ID": used[-1], "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "y"}
            return Pass(env=env, expires_at=9e9)

        blobs = open_blobs("s3://renewing/p", endpoint=endpoint, region="us-east-1", credentials=credentials)
        big = tmp_path / "big"
        big.write_bytes(b"0123456789abcdef" * (3 * 1024 * 1024 // 2))  # three parts
        blobs.put_file("jobs/a/big", big)
        assert len(used) >= 2, "it was begun with one pass and finished with another"
        assert client(endpoint).head_object(Bucket="renewing", Key="p/jobs/a/big")["ContentLength"] == 24 * 1024 * 1024


@pytest.mark.parametrize(
    ("scheme", "env"),
    [
        ("s3", {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}),
        ("gs", {"GOOGLE_BEARER_TOKEN": "T"}),
        ("az", {"AZURE_STORAGE_ACCOUNT_NAME": "acct", "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=x"}),
    ],
)
def test_every_kind_of_store_opens_with_a_pass_alone(scheme: str, env: dict[str, str]) -> None:
    place = Place(url=f"{scheme}://bucket/p", scheme=scheme, bucket="bucket", prefix="p")
    made = clients(place, endpoint="", region="", credentials=lambda: Pass(env=env, expires_at=9e9))
    assert made.quick.credential_provider is not None
