from __future__ import annotations

import pytest

from spotlaunch.core.settings import Settings, is_loopback
from spotlaunch.errors import UsageError


def settings(**values: str) -> Settings:
    return Settings(provider="cloud", values=values, origin={k: f"SPOTLAUNCH_CLOUD_{k.upper()}" for k in values})


@pytest.mark.parametrize(
    ("url", "whether"),
    [
        ("http://127.0.0.1:80", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080/x", True),
        ("http://localhost:1", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://10.0.0.1", False),
        ("https://example.org", False),
        ("", False),
    ],
)
def test_only_addresses_of_this_computer_are_loopback(url: str, whether: bool) -> None:
    assert is_loopback(url) is whether


def test_an_address_loses_its_last_slash_and_a_missing_one_is_the_default() -> None:
    assert settings(endpoint="https://example.org/v2/").url("endpoint", "https://d") == "https://example.org/v2"
    assert settings().url("endpoint", "https://d/") == "https://d"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org", "plain http is for this computer only"),
        ("ftp://example.org", "not an address"),
        ("example.org", "not an address"),
        ("https://[::1", "not an address"),
        ("https://me:hush@[example.org", "not an address"),
        ("http://127.0.0.1:99999", "not an address"),
        ("https://me:hush@example.org:https", "not an address"),
        ("https://me:hush@example.org", "holds a password"),
        ("http://user:hush@example.org", "holds a password"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_with_where_it_stood(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        settings(endpoint=url).url("endpoint", "")
    assert "SPOTLAUNCH_CLOUD_ENDPOINT" in caught.value.message
    assert "hush" not in caught.value.message


def test_working_without_credentials_is_for_a_server_on_this_computer_only() -> None:
    assert settings(auth="none", endpoint="http://127.0.0.1:5").anonymous("endpoint")
    assert not settings(endpoint="http://127.0.0.1:5").anonymous("endpoint")
    for wrong in (settings(auth="none"), settings(auth="none", endpoint="https://example.org"), settings(auth="basic")):
        with pytest.raises(UsageError):
            wrong.anonymous("endpoint")


def test_a_list_is_what_stands_between_commas() -> None:
    assert settings(regions="us-east-1, eu-*,").words("regions") == ("us-east-1", "eu-*")
    assert settings().words("regions") == ()


def test_the_fingerprint_changes_with_the_settings_and_holds_no_secret() -> None:
    def of(**secrets: str) -> str:
        return Settings(provider="cloud", values={"a": "b"}, secrets=secrets).fingerprint

    assert settings(a="b").fingerprint != settings(a="c").fingerprint
    assert of(api_key="hush") != of()
    assert of(api_key="hush") == of(api_key="other"), "a guess at the key could be checked against it"
    assert "hush" not in repr(Settings(provider="cloud", secrets={"api_key": "hush"}))
