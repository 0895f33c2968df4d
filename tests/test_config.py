from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from spotlaunch import config, registry
from spotlaunch.config import settings_of, store_settings
from spotlaunch.core.settings import Setting
from spotlaunch.errors import BadFile
from spotlaunch.home import Home


class Cloud:
    SETTINGS: ClassVar = {
        "endpoint": Setting(help="where its API is", env=("CLOUD_ENDPOINT",)),
        "regions": Setting(help="which to ask"),
        "api_key": Setting(help="the key", env=("CLOUD_KEY",), secret=True),
    }


@pytest.fixture(autouse=True)
def one_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {"my-cloud": "a.module", "other": "b.module"})
    monkeypatch.setattr(registry, "import_module", lambda name: Cloud)
    monkeypatch.setattr(registry, "entry_points", lambda group: [])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def write(home: Home, text: str) -> None:
    home.config.write_text(text)


def test_without_a_file_and_variables_nothing_is_set(home: Home) -> None:
    found = settings_of(home, "my-cloud", {})
    assert dict(found.values) == {} and dict(found.secrets) == {}


def test_a_key_of_the_file_is_a_word_or_a_list_and_knows_its_line(home: Home) -> None:
    write(home, "providers:\n  my-cloud:\n    endpoint: https://example.org\n    regions: [a, b]\n")
    found = settings_of(home, "my-cloud", {})
    assert found.get("endpoint") == "https://example.org"
    assert found.words("regions") == ("a", "b")
    assert found.origin["endpoint"] == f"{home.config}:3"
    assert dict(settings_of(home, "other", {}).values) == {}


def test_a_variable_wins_over_the_file_and_ours_over_other_tools(home: Home) -> None:
    write(home, "providers: {my-cloud: {endpoint: https://file}}")
    environ = {"CLOUD_ENDPOINT": "https://theirs"}
    assert settings_of(home, "my-cloud", environ).get("endpoint") == "https://theirs"
    environ["SPOTLAUNCH_MY_CLOUD_ENDPOINT"] = "https://ours"
    found = settings_of(home, "my-cloud", environ)
    assert (found.get("endpoint"), found.origin["endpoint"]) == ("https://ours", "SPOTLAUNCH_MY_CLOUD_ENDPOINT")


@pytest.mark.parametrize("variable", ["CLOUD_KEY", "SPOTLAUNCH_MY_CLOUD_API_KEY"])
def test_a_secret_comes_from_the_environment_and_is_shown_nowhere(home: Home, variable: str) -> None:
    found = settings_of(home, "my-cloud", {variable: "hush"})
    assert found.secret("api_key") == "hush"
    assert found.origin["api_key"] == variable
    assert "hush" not in repr(found)


def problems(home: Home, text: str) -> list[tuple[int, str, str, str]]:
    write(home, text)
    with pytest.raises(BadFile) as caught:
        settings_of(home, "my-cloud", {})
    return [(p.line, p.key, p.message, p.hint) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("provider: {}", 1, "provider", "did you mean providers?"),
        ("providers:\n  my-clod: {}", 2, "providers.my-clod", "did you mean my-cloud?"),
        ("providers:\n  my-cloud:\n    endpont: x", 3, "providers.my-cloud.endpont", "did you mean endpoint?"),
        ("providers:\n  my-cloud:\n    api_key: hush", 3, "providers.my-cloud.api_key", "set the variable CLOUD_KEY"),
        ("providers:\n  my-cloud: word", 2, "providers.my-cloud", "must be keys with values"),
        ("providers:\n  other:\n    endpoint: {a: b}", 3, "providers.other.endpoint", "must be a word or a list"),
        ("- a", 1, "", "must be keys with values"),
        ("providers: {}\nproviders: {}", 2, "providers", "a second time"),
    ],
)
def test_what_is_wrong_with_the_file_is_told_with_line_and_key(
    home: Home, text: str, line: int, key: str, words: str
) -> None:
    found = problems(home, text)[0]
    assert found[:2] == (line, key)
    assert words in found[2] + found[3]
    assert "hush" not in str(found)


def test_all_problems_are_told_at_once(home: Home) -> None:
    assert len(problems(home, "providers:\n  nobody: {}\n  my-cloud: {a: 1, b: 2}")) == 3


def test_a_file_that_cannot_be_read_is_told(home: Home) -> None:
    home.config.write_bytes(b"\xff\xfe")
    with pytest.raises(BadFile, match="not UTF-8"):
        settings_of(home, "my-cloud", {})


def test_an_empty_file_is_no_mistake(home: Home) -> None:
    write(home, "# nothing yet\n")
    assert dict(settings_of(home, "my-cloud", {}).values) == {}


def test_a_provider_that_names_no_settings_takes_any(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        pass

    monkeypatch.setattr(registry, "import_module", lambda name: Silent)
    write(home, "providers: {my-cloud: {colour: red}}")
    found = settings_of(home, "my-cloud", {"SPOTLAUNCH_MY_CLOUD_SIZE": "9"})
    assert dict(found.values) == {"colour": "red", "size": "9"}


def test_the_variables_of_this_process_are_used_when_none_are_given(home: Home, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SPOTLAUNCH_MY_CLOUD_REGIONS", "x")
    assert config.settings_of(home, "my-cloud").get("regions") == "x"


def test_what_is_told_of_the_store_has_a_section_of_its_own(home: Home) -> None:
    write(home, "store:\n  role: arn:aws:iam::1:role/x\n  hierarchical: yes\n")
    found = store_settings(home, {"SPOTLAUNCH_STORE_ROLE": "arn:other", "SPOTLAUNCH_STORE_CLOUDFLARE_TOKEN": "hush"})
    assert (found.get("role"), found.get("hierarchical")) == ("arn:other", "yes")
    assert found.origin["hierarchical"] == f"{home.config}:3"
    assert found.secret("cloudflare_token") == "hush"
    assert "hush" not in repr(found)
    assert dict(store_settings(home, {"SPOTLAUNCH_STORE_URL": "s3://x"}).values)["role"] == "arn:aws:iam::1:role/x"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("store:\n  rolle: x", "store.rolle", "did you mean role?"),
        ("store:\n  cloudflare_token: hush", "store.cloudflare_token", "SPOTLAUNCH_STORE_CLOUDFLARE_TOKEN"),
        ("store: word", "store", "must be keys with values"),
    ],
)
def test_what_is_wrong_with_the_stores_section_is_told_to_everybody(
    home: Home, text: str, key: str, words: str
) -> None:
    found = problems(home, text)[0]
    assert found[1] == key
    assert words in found[2] + found[3]
    assert "hush" not in str(found)
