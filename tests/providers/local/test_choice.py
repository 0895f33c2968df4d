from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch_providers.local import connect
from spotlaunch_providers.local.choice import BUILT_IN, chosen, remember


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "providers" / "local"


def test_with_nothing_said_the_built_in_market_holds(folder: Path) -> None:
    assert chosen(folder) == BUILT_IN


def test_a_market_file_in_the_clouds_own_folder_comes_before_the_built_in_one(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "market.yaml").touch()
    assert chosen(folder) == folder / "market.yaml"


def test_what_was_said_holds_for_every_shell_until_something_else_is_said(folder: Path) -> None:
    remember(folder, "/markets/a.yaml")
    remember(folder, "")
    assert chosen(folder) == Path("/markets/a.yaml")
    remember(folder, "/markets/b.yaml")
    assert chosen(folder) == Path("/markets/b.yaml")


def test_default_goes_back_to_the_folders_own_market(folder: Path) -> None:
    remember(folder, "/markets/a.yaml")
    remember(folder, "default")
    assert chosen(folder) == BUILT_IN
    remember(folder, "default")


def test_a_relative_path_is_kept_as_seen_from_where_it_was_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    remember(folder, "m.yaml")
    monkeypatch.chdir("/")
    assert chosen(folder) == tmp_path / "m.yaml"


def test_connecting_keeps_what_the_setting_says(folder: Path, tmp_path: Path) -> None:
    market = tmp_path / "m.yaml"
    market.write_text("pools: [{name: only, price_usd_hour: 1, notice: 77s}]")
    told = Settings(provider="local", values={"market": str(market)})
    assert connect(owner="me", folder=folder, settings=told).traits.notice_s == 77
    assert connect(owner="me", folder=folder, settings=Settings(provider="local")).traits.notice_s == 77
    assert (folder / "market.path").stat().st_mode & 0o777 == 0o600


def test_connecting_without_a_setting_touches_nothing(folder: Path) -> None:
    assert connect(owner="me", folder=folder, settings=Settings(provider="local")).list_machines() == []
    assert not folder.exists()
