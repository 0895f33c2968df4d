from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, UsageError
from spotlaunch_providers.shared.apikey import ApiKey, api_key
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Reply
from tests.fakes.clouds.plain import PlainCloud

LOCAL = {"auth": "none", "endpoint": "http://127.0.0.1:9"}


def look(tmp_path: Path, **settings: object) -> ApiKey:
    files = (str(tmp_path / "first"), str(tmp_path / "second"))

    def read(path: Path) -> str:
        return path.read_text() if path.is_file() else ""

    return api_key(Settings(provider="x", **settings), files=files, read=read)  # type: ignore[arg-type]


def test_the_setting_goes_before_the_files_and_they_go_in_order(tmp_path: Path) -> None:
    assert look(tmp_path) == ApiKey()
    (tmp_path / "second").write_text("key-2")
    assert look(tmp_path) == ApiKey(key="key-2", found=str(tmp_path / "second"))
    (tmp_path / "first").write_text("key-1")
    assert look(tmp_path) == ApiKey(key="key-1", found=str(tmp_path / "first"))
    said = {"secrets": {"api_key": "key-0"}}
    assert look(tmp_path, **said) == ApiKey(key="key-0", found="the environment")
    assert look(tmp_path, **said, origin={"api_key": "X_KEY"}).found == "X_KEY"


def test_a_file_at_home_is_told_as_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("key-1")
    found = api_key(Settings(provider="x"), files=("~/key",), read=lambda path: path.read_text())
    assert found == ApiKey(key="key-1", found="~/key")


def test_without_credentials_by_will_no_key_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("key-1")
    found = look(tmp_path, values=LOCAL, secrets={"api_key": "key-0"})
    assert found.anonymous and "key-" not in found.key
    with pytest.raises(UsageError):
        look(tmp_path, values=LOCAL | {"endpoint": "https://example.com"})


def test_the_key_goes_with_the_calls_and_is_in_no_error_and_no_repr() -> None:
    def judge(reply: Reply) -> NotAuthorized | None:
        return NotAuthorized("no to key-abcdef")

    fake = PlainCloud()
    with fake.serving() as url:
        for found, header in ((ApiKey(key="key-abcdef"), "Bearer key-abcdef"), (ApiKey(), None)):
            with pytest.raises(NotAuthorized) as caught:
                found.api(url, judge=judge).get("/thing", deadline=Deadline(5))
            assert fake.calls[-1].headers.get("Authorization") == header
            assert ("key-abcdef" in caught.value.message) == (not found.key)
            assert "key-abcdef" not in repr(found)
