from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.azure import SETTINGS, connect
from spotlaunch_providers.azure.account import NO_SUBSCRIPTION
from tests.fakes.clouds.azure import FakeAzure
from tests.providers.azure.conftest import SUBSCRIPTION, Connect

H100 = Want(gpus=(("H100", 0),))


def test_the_environment_of_the_fake_is_all_that_is_needed(cloud: FakeAzure, tmp_path: Path) -> None:
    prefix = "SPOTLAUNCH_AZURE_"
    values = {k.removeprefix(prefix).lower(): v for k, v in cloud.environment(cloud.url).items()}
    assert values.keys() <= SETTINGS.keys()
    provider = connect(owner="me", folder=tmp_path / "azure", settings=Settings(provider="azure", values=values))
    assert len(provider.offers(H100)) > 100
    assert NO_SUBSCRIPTION in cloud.called("/skus$")[0].path


def test_connecting_calls_nobody_and_writes_nothing(cloud: FakeAzure, connect: Connect, tmp_path: Path) -> None:
    connect()
    assert cloud.calls == [] and not (tmp_path / "azure").exists()


def test_addresses_may_be_written_with_what_comes_after_them(cloud: FakeAzure, connect: Connect) -> None:
    provider = connect(endpoint=f"{cloud.url}/subscriptions/", prices_endpoint=f"{cloud.url}/api/retail/prices")
    assert len(provider.offers(H100)) > 100


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"endpoint": "http://127.0.0.1:9", "auth": "none"}, "endpoint is an address of this computer, but prices_"),
        (
            {"endpoint": "http://127.0.0.1:9", "prices_endpoint": "https://prices.azure.com", "auth": "none"},
            "endpoint is an address of this computer, but prices_endpoint is not",
        ),
        (
            {"endpoint": "https://management.azure.com", "prices_endpoint": "http://127.0.0.1:9"},
            "prices_endpoint is an address of this computer, but endpoint is not",
        ),
        ({"endpoint": "http://127.0.0.1:9", "prices_endpoint": "http://127.0.0.1:9"}, "sent in the clear"),
        ({"endpoint": "http://example.com"}, "plain http"),
        ({"prices_endpoint": "http://example.com"}, "plain http"),
        ({"auth": "none"}, "auth is none"),
        ({"auth": "maybe"}, "auth is 'maybe'"),
        ({"regions": "eastus, x'; drop"}, "regions has"),
        ({"image": "ubuntu"}, "image is 'ubuntu', which is no image"),
        ({"grid_image": "a:b:c"}, "grid_image is 'a:b:c'"),
        ({"disk_type": "fast"}, "disk_type is 'fast'"),
        ({"subnets": "eastus"}, "subnets has 'eastus'"),
    ],
)
def test_settings_that_cannot_be_meant_are_told_at_once(tmp_path: Path, values: dict[str, str], says: str) -> None:
    with pytest.raises(errors.UsageError, match=says) as caught:
        connect(owner="me", folder=tmp_path, settings=Settings(provider="azure", values=values))
    assert caught.value.hint


def test_with_only_the_prices_on_this_computer_nobody_real_is_asked(
    cloud: FakeAzure, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Good credentials are around, and are left alone.
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "marker")
    for auth in ("", "none"):
        provider = connect(endpoint="", auth=auth, subscription_id=SUBSCRIPTION)
        assert "prices_endpoint is an address of this computer" in provider.traits.prices_only
        assert {o.source for o in provider.offers(H100)} == {"public feed: retail prices"}
    assert not [c for c in cloud.calls if c.path != "/api/retail/prices"]


def test_neither_account_nor_secret_shows_in_offers_errors_or_reprs(
    cloud: FakeAzure, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hush-marker-secret")
    provider = connect()
    said = [repr(provider.offers(H100)), repr(vars(provider)), repr(vars(provider._asking)), repr(provider.traits)]
    cloud.fail("forbidden", path="/skus$")
    with pytest.raises(errors.NotAuthorized) as caught:
        connect(regions="eastus2,westus2,westus3").offers(H100)
    said += [repr(caught.value), caught.value.hint, repr(provider._asking._access)]
    for word in (SUBSCRIPTION, "hush-marker-secret", "deadbeef", "example.com"):
        assert word not in " ".join(said)
