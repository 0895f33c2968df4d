from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from spotlaunch.core.facts import Order, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, ProviderError, UsageError
from spotlaunch.registry import BUILT_IN
from spotlaunch_providers import vast
from spotlaunch_providers.vast.asking import ENDPOINT, Asking
from tests.fakes.clouds.vast import FakeVast, refusal
from tests.providers.vast.conftest import KEY, Connect, settings

WANT = Want(gpus=(("H200", 1),))
FILES = (".config/vastai/vast_api_key", ".vast_api_key")


def keep(home: Path, name: str, text: str) -> None:
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text)


@pytest.mark.parametrize("name", FILES)
def test_the_key_of_vasts_own_command_is_found(own_home: Path, cloud: FakeVast, name: str) -> None:
    keep(own_home, name, KEY + "\n")
    credentials = Asking.of(settings(cloud)).credentials
    assert credentials.key == KEY and credentials.found.endswith(name)
    assert vast.connect(owner="o", folder=own_home, settings=settings(cloud)).offers(WANT)
    assert {c.headers["Authorization"] for c in cloud.calls} == {f"Bearer {KEY}"}


def test_the_variable_wins_over_the_file(own_home: Path, cloud: FakeVast) -> None:
    keep(own_home, FILES[0], "another-key")
    found = Asking.of(settings(cloud, key=KEY)).credentials
    assert (found.key, found.found) == (KEY, "VAST_API_KEY")


@pytest.mark.parametrize("text", ["", "\n", "a poem about GPUs", "k" * 5000, "schlüssel"])
def test_a_file_without_a_key_is_no_key(own_home: Path, cloud: FakeVast, text: str) -> None:
    keep(own_home, FILES[0], text)
    assert Asking.of(settings(cloud)).credentials.key == ""


def test_with_auth_none_the_real_key_is_neither_looked_for_nor_sent(own_home: Path, cloud: FakeVast) -> None:
    keep(own_home, FILES[0], KEY)
    cloud.keys = None
    told = settings(cloud, key=KEY, auth="none")
    assert vast.connect(owner="o", folder=own_home, settings=told).offers(WANT)
    vast.examine(settings=told)
    assert {c.headers["Authorization"] for c in cloud.calls} == {"Bearer none"}


def test_without_a_key_prices_are_live_and_none_is_sent(connect: Connect, cloud: FakeVast) -> None:
    found = connect(key="").offers(WANT)
    assert found and {o.source for o in found} == {"live"}
    assert all("Authorization" not in c.headers for c in cloud.calls)


def test_without_a_key_machines_cannot_be_had_and_it_says_how_to_get_one(connect: Connect) -> None:
    provider, words = connect(key=""), "no credentials: prices only"
    assert words in provider.traits.prices_only and "VAST_API_KEY" in provider.traits.prices_only
    order = Order(launch_key="sl-o-job-1-0", job="job", attempt=1, alternatives=())
    for call in (partial(provider.launch, order), provider.list_machines, partial(provider.terminate, [])):
        with pytest.raises(NotAuthorized, match=words):
            call()
    assert connect().traits.prices_only == ""


@pytest.mark.parametrize(
    "values",
    [
        {"endpoint": "http://console.vast.ai"},
        {"auth": "none"},
        {"verified": "maybe"},
        {"min_reliability": "very"},
        {"min_reliability": "95"},
        {"min_reliability": "nan"},
        {"min_cuda": "twelve"},
    ],
    ids=str,
)
def test_a_bad_setting_is_told_before_anything_is_asked(own_home: Path, values: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        vast.connect(owner="o", folder=own_home, settings=Settings(provider="vast", values=values))
    assert caught.value.hint


def test_vast_is_asked_where_it_lives_unless_told_otherwise() -> None:
    assert Asking.of(Settings(provider="vast"))._api.base_url == ENDPOINT == "https://console.vast.ai"


def test_check_tells_what_was_found_and_what_is_permitted(cloud: FakeVast) -> None:
    found = {f.name: f for f in vast.examine(settings=settings(cloud, key=KEY))}
    assert all(f.ok for f in found.values())
    assert (found["API key"].detail, found["credit"].detail) == ("VAST_API_KEY", "$12.50")


@pytest.mark.parametrize("as_404", [True, False])
def test_check_tells_a_bad_key_however_it_is_refused(cloud: FakeVast, as_404: bool) -> None:
    cloud.key_404 = as_404
    found = {f.name: f for f in vast.examine(settings=settings(cloud, key="notthekey"))}
    assert not found["account"].ok and "the API key is not accepted" in found["account"].detail
    assert "VAST_API_KEY" in found["account"].hint


def test_check_tells_an_empty_account(cloud: FakeVast) -> None:
    cloud.credit = 0.0
    found = {f.name: f for f in vast.examine(settings=settings(cloud, key=KEY))}
    assert not found["credit"].ok and "add credit" in found["credit"].hint


def test_check_without_a_key_says_where_one_comes_from(cloud: FakeVast) -> None:
    found = {f.name: f for f in vast.examine(settings=settings(cloud))}
    assert set(found) == {"API key", "search"}
    assert "VAST_API_KEY" in found["API key"].hint and found["search"].ok


def test_the_key_and_the_account_show_nowhere(connect: Connect, cloud: FakeVast) -> None:
    provider = connect()
    seen = [repr(provider.offers(WANT)), repr(vars(provider)), repr(provider._asking.credentials)]
    seen += [repr(f) for f in vast.examine(settings=settings(cloud, key=KEY))]
    cloud.refusals = {**cloud.refusals, "forbidden": refusal(403, "forbidden", f"{KEY} of marker@example.com may not")}  # type: ignore[misc]
    cloud.fail("forbidden")
    with pytest.raises(ProviderError) as caught:
        provider.offers(WANT)
    assert "may not" in caught.value.message
    seen += [repr(caught.value), caught.value.message, caught.value.hint]
    seen += [repr(f) for f in vast.examine(settings=settings(cloud, key=KEY))]
    assert not [text for text in seen for secret in (KEY, "marker", "4711001") if secret in text]


def test_the_module_is_light_and_registered() -> None:
    assert BUILT_IN["vast"] == "spotlaunch_providers.vast"
    assert set(vast.SETTINGS) == {"endpoint", "auth", "api_key", "verified", "min_reliability", "min_cuda"}
