"""`check`: a row for each provider and store, what was found out about accounts, and one exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.facts import Finding, Offer, SeenMachine, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized
from tests.cli.conftest import Cli
from tests.core.worlds import CLOUD, an_offer

KEY = Finding(kind="credentials", name="api key", ok=False, detail="in no variable", hint="set CLOUD_API_KEY")
QUOTA = Finding(kind="quota", name="spot GPUs", ok=True, detail="8 in us-1")


class Cloud:
    def __init__(self, name: str, traits: Any = CLOUD) -> None:
        self.name = name
        self.traits = traits

    def offers(self, want: Want) -> Sequence[Offer]:
        return [an_offer()]

    def list_machines(self) -> Sequence[SeenMachine]:
        if self.traits.prices_only:
            raise AssertionError("asked for machines, of which it has none")
        return []


class Registry:
    """Providers by name, in the place of the real ones."""

    def __init__(self) -> None:
        self.clouds: dict[str, Cloud | Exception] = {}
        self.findings: dict[str, list[Finding]] = {}

    def names(self) -> list[str]:
        return list(self.clouds)

    def connect(self, name: str, *, owner: str, folder: Path, settings: Settings) -> Cloud:
        assert settings.provider == name
        found = self.clouds[name]
        if isinstance(found, Exception):
            raise found
        return found

    def examine(self, name: str, *, settings: Settings) -> Sequence[Finding]:
        return self.findings.get(name, [])


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()
    made.clouds["one"] = Cloud("one")
    monkeypatch.setattr("spotlaunch.cli.check.provider_names", made.names)
    monkeypatch.setattr("spotlaunch.cli.market.provider_names", made.names)
    monkeypatch.setattr("spotlaunch.cli.check.connect", made.connect)
    monkeypatch.setattr("spotlaunch.cli.check.examine", made.examine)
    monkeypatch.setattr("spotlaunch.cli.check.settings_of", lambda home, name: Settings(provider=name))
    return made


def by_name(done: Any) -> dict[str, Any]:
    return {r["name"]: r for r in done.json}


def test_a_provider_that_can_launch_and_a_good_store_are_enough(cli: Cli, registry: Registry) -> None:
    registry.clouds["two"] = NotAuthorized("no key", hint="make one")
    done = cli("check", "--json")
    assert done.code == 0
    assert [(r["what"], r["usable"], r["verdict"]) for r in done.json] == [
        ("provider", True, "yes"),
        ("provider", False, "bad"),
        ("store", True, "yes"),
    ]
    assert (by_name(done)["two"]["detail"], by_name(done)["two"]["hint"]) == ("no key", "make one")


def test_prices_alone_are_not_enough_for_jobs(cli: Cli, registry: Registry) -> None:
    registry.clouds = {"one": Cloud("one", replace(CLOUD, prices_only="there are no credentials"))}
    done = cli("check", "--json")
    assert done.code == 1
    row = done.json[0]
    assert (row["usable"], row["verdict"], row["prices_only"]) == (False, "prices only", "there are no credentials")
    assert row["detail"] == "1 offers; nothing can be launched: there are no credentials"


def test_what_was_found_out_is_told_with_what_to_do(cli: Cli, registry: Registry) -> None:
    registry.findings["one"] = [KEY, QUOTA]
    done = cli("check")
    assert done.code == 0
    lines = done.out.splitlines()
    assert any(line.split()[:2] == ["one", "credentials"] and "in no variable" in line for line in lines)
    assert any(line.split()[:2] == ["one", "quota"] and "8 in us-1" in line for line in lines)
    assert "hint: one: api key: set CLOUD_API_KEY" in done.err


def test_the_json_of_a_finding_has_stable_keys(cli: Cli, registry: Registry) -> None:
    registry.findings["one"] = [KEY]
    assert cli("check", "--json").json[0]["findings"] == [
        {
            "kind": "credentials",
            "name": "api key",
            "ok": False,
            "detail": "in no variable",
            "hint": "set CLOUD_API_KEY",
        }
    ]


def test_only_named_providers_are_asked(cli: Cli, registry: Registry) -> None:
    registry.clouds |= {"two": Cloud("two"), "three": NotAuthorized("asked")}
    done = cli("check", "--provider", "two", "--provider", "one", "--json")
    assert [r["name"] for r in done.json if r["what"] == "provider"] == ["two", "one"]


def test_a_provider_that_there_is_not_is_wrong_use(cli: Cli, registry: Registry) -> None:
    done = cli("check", "--provider", "onee")
    assert (done.code, done.out) == (2, "")
    assert "no provider is called 'onee'" in done.err
    assert "did you mean one?" in done.err


def test_a_store_that_is_bad_fails_the_check(cli: Cli, registry: Registry) -> None:
    done = cli("check", "--store", "ftp://nowhere", "--json")
    assert done.code == 1
    assert by_name(done)["ftp://nowhere"]["verdict"] == "bad"


def test_a_clouds_words_cannot_steer_the_terminal(cli: Cli, registry: Registry) -> None:
    registry.clouds["two"] = NotAuthorized("no\x1b[2Jkey", hint="make\x1b[2J one")
    done = cli("check")
    assert "\x1b" not in done.out + done.err


def test_a_mistake_in_config_yaml_is_told_with_its_line(cli: Cli, own_home: Path) -> None:
    home = own_home / ".spotlaunch"
    home.mkdir()
    (home / "config.yaml").write_text("providers:\n  local: {markt: x}\n")
    done = cli("check")
    assert done.code == 2
    assert "config.yaml:2:11: providers.local.markt" in done.err


def test_the_rehearsal_alone_is_usable(cli: Cli) -> None:
    done = cli("check", "--provider", "local", "--json")
    assert done.code == 0
    assert done.json[0]["usable"] is True
    assert "a rehearsal" in done.json[0]["detail"]


def test_strangers_hosts_are_told_with_the_secrets_that_the_job_file_names(
    cli: Cli, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.clouds = {"one": Cloud("one", replace(CLOUD, strangers=True))}
    row = cli("check", "--json").json[0]
    assert row["strangers"] is True
    assert row["detail"].endswith("its hosts are strangers: whatever is sent there counts as published")
    monkeypatch.setenv("HF_TOKEN", "hush-hush-hush")
    file = tmp_path / "job.yaml"
    file.write_text("run: x\nsecrets: [HF_TOKEN]\n")
    assert cli("check", file, "--json").json[0]["detail"].endswith("also the values of HF_TOKEN")


def test_a_folder_as_the_store_is_told_with_who_cannot_use_it(cli: Cli, registry: Registry) -> None:
    registry.clouds["here"] = Cloud("here", replace(CLOUD, shares_disk=True))
    store = cli("check", "--json").json[-1]
    assert store["usable"] is True
    assert store["detail"].endswith("only machines on it can use it, and those of one cannot")
    assert "set checkpoint.store to a bucket" in store["hint"]


def test_what_machines_may_open_is_told_of_a_bucket(
    cli: Cli, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotlaunch.cli.check.open_blobs", lambda url, **_: None)
    monkeypatch.setattr("spotlaunch.cli.check.prove_create_only", lambda blobs: None)
    monkeypatch.setattr("spotlaunch.storage.passes.opens", lambda ref, told: f"only {ref.url}/jobs/<job>")
    detail = cli("check", "--store", "s3://bucket", "--json").json[-1]["detail"]
    assert detail.endswith("; only s3://bucket/jobs/<job>")


def test_a_providers_name_in_the_place_of_the_file_means_that_provider(
    cli: Cli, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.clouds["two"] = Cloud("two")
    assert [r["name"] for r in cli("check", "two", "--json").json if r["what"] == "provider"] == ["two"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two").write_text("run: x\nwhere: {providers: [one]}\n")
    assert [r["name"] for r in cli("check", "two", "--json").json if r["what"] == "provider"] == ["one"], "it is a file"
