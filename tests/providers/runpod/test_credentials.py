from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from spotlaunch.core.facts import Offer, Order, Pool, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, ProviderError, UsageError
from spotlaunch.registry import BUILT_IN
from spotlaunch_providers import runpod
from spotlaunch_providers.runpod.asking import ENDPOINT, Asking
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.runpod_rules import problem
from tests.providers.runpod.conftest import KEY, Connect, settings

WANT = Want(gpus=(("H100", 1),))


def keep(home: Path, text: str) -> None:
    (home / ".runpod").mkdir()
    (home / ".runpod" / "config.toml").write_text(text)


@pytest.mark.parametrize(
    "text", [f'apikey = "{KEY}"\n', f'apiKey = "{KEY}"\n', f'[default]\napi_key = "{KEY}"\n'], ids=str.strip
)
def test_the_key_of_runpods_own_tools_is_found(own_home: Path, cloud: FakeRunpod, text: str) -> None:
    keep(own_home, text)
    asking = Asking.of(settings(cloud))
    assert (asking.credentials.key, asking.credentials.found) == (KEY, "~/.runpod/config.toml")
    assert runpod.connect(owner="o", folder=own_home, settings=settings(cloud)).offers(WANT)
    assert {c.headers["Authorization"] for c in cloud.calls} == {f"Bearer {KEY}"}


def test_the_variable_wins_over_the_file(own_home: Path, cloud: FakeRunpod) -> None:
    keep(own_home, 'apikey = "another-key"')
    found = Asking.of(settings(cloud, key=KEY)).credentials
    assert (found.key, found.found) == (KEY, "RUNPOD_API_KEY")


@pytest.mark.parametrize("text", ["not toml =", "apikey = 3", "default = 4", 'apikey = ""'])
def test_a_file_without_a_key_is_no_key(own_home: Path, cloud: FakeRunpod, text: str) -> None:
    keep(own_home, text)
    assert Asking.of(settings(cloud)).credentials.key == ""


def test_with_auth_none_the_real_key_is_neither_looked_for_nor_sent(own_home: Path, cloud: FakeRunpod) -> None:
    keep(own_home, f'apikey = "{KEY}"')
    cloud.keys = None
    provider = runpod.connect(owner="o", folder=own_home, settings=settings(cloud, key=KEY, auth="none"))
    assert {o.source for o in provider.offers(WANT)} == {"live"}
    runpod.examine(settings=settings(cloud, key=KEY, auth="none"))
    assert {c.headers["Authorization"] for c in cloud.calls} == {"Bearer none"}


def test_without_a_key_machines_cannot_be_had_and_it_says_how_to_get_one(connect: Connect, cloud: FakeRunpod) -> None:
    provider = connect(key="")
    assert "no credentials: prices only" in provider.traits.prices_only
    offer = Offer(
        pool=Pool(provider="runpod", region="r", zone="", instance_type="t", market="on-demand"),
        price_usd_hour=1,  # type: ignore[arg-type]
        seen_at=0,
    )
    order = Order(launch_key="sl-o-job-1-0", job="job", attempt=1, alternatives=(offer,))
    for call in (partial(provider.launch, order), provider.list_machines, partial(provider.terminate, ["a1"])):
        with pytest.raises(NotAuthorized, match="no credentials: prices only"):
            call()
    assert cloud.calls == []


def test_with_a_key_machines_can_be_had_and_connecting_asks_nobody(connect: Connect, cloud: FakeRunpod) -> None:
    assert connect().traits.prices_only == ""
    assert cloud.calls == []


def test_a_bad_setting_is_told_before_anything_is_asked(own_home: Path) -> None:
    for values in ({"endpoint": "http://api.runpod.io"}, {"endpoint": "ftp"}, {"auth": "none"}, {"cuda": "twelve"}):
        with pytest.raises(UsageError):
            runpod.connect(owner="o", folder=own_home, settings=Settings(provider="runpod", values=values))


def test_runpod_is_asked_where_it_lives_unless_told_otherwise() -> None:
    assert Asking.of(Settings(provider="runpod"))._api.base_url == ENDPOINT == "https://api.runpod.io"


def test_check_tells_what_was_found_and_what_is_permitted(cloud: FakeRunpod) -> None:
    found = {f.name: f for f in runpod.examine(settings=settings(cloud, key=KEY))}
    assert all(f.ok for f in found.values())
    assert found["API key"].detail == "RUNPOD_API_KEY"
    assert found["pods"].detail == "GET /v2/pods: permitted"
    assert found["balance"].detail.startswith("$25.50, spending $0.00/h now; spending is limited to $80/h")
    assert "no spot pods" in found["spot pods"].detail
    assert found["ending pods"].detail == "DELETE /v2/pods/{id}: permitted"
    assert cloud.called("/v2/pods$")[0].query == {"limit": "1"}


def test_check_tells_each_gap_with_a_hint(cloud: FakeRunpod) -> None:
    cloud.balance = 0.0
    cloud.fail("forbidden", path="/v2/pods")
    found = {f.name: f for f in runpod.examine(settings=settings(cloud, key=KEY))}
    assert found["catalog"].ok and not found["pods"].ok and not found["balance"].ok
    assert "access denied" in found["pods"].detail and found["pods"].hint
    assert "add funds" in found["balance"].hint


def test_check_without_a_key_says_where_one_comes_from(cloud: FakeRunpod) -> None:
    found = {f.name: f for f in runpod.examine(settings=settings(cloud))}
    assert not found["API key"].ok and "RUNPOD_API_KEY" in found["API key"].hint
    assert found["public catalog (GraphQL)"].ok


def test_check_with_a_bad_key_has_findings_and_no_error(cloud: FakeRunpod) -> None:
    found = {f.name: f for f in runpod.examine(settings=settings(cloud, key="rpa_notgood"))}
    assert [n for n, f in found.items() if f.ok] == ["API key", "spot pods"]


def test_the_key_shows_nowhere(connect: Connect, cloud: FakeRunpod) -> None:
    provider = connect()
    seen = [repr(provider.offers(WANT)), repr(vars(provider)), repr(provider._asking.credentials)]
    cloud.refusals = {**cloud.refusals, "forbidden": problem(403, f"key {KEY} of me@example.com may not")}  # type: ignore[misc]
    cloud.fail("forbidden")
    with pytest.raises(ProviderError) as caught:
        provider.offers(WANT)
    seen += [repr(caught.value), caught.value.message, caught.value.hint]
    seen += [repr(f) for f in runpod.examine(settings=settings(cloud, key=KEY))]
    assert "may not" in caught.value.message
    assert not [text for text in seen if KEY in text or "me@example.com" in text]


def test_the_module_is_light_and_registered() -> None:
    assert BUILT_IN["runpod"] == "spotlaunch_providers.runpod"
    assert set(runpod.SETTINGS) == {"endpoint", "auth", "api_key", "image", "cuda", "registry"}
