"""The plan of `submit`: what offers really cost, and who was not asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from time import time
from typing import Any

import pytest

from spotlaunch import registry
from spotlaunch.core.plan import AddMachine
from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore
from spotlaunch.storage.unusable import read_unusable
from tests.cli.conftest import Cli
from tests.core.worlds import CLOUD, a_machine, a_pool, an_offer
from tests.watchdog.ground import Cloud

FLAKY = an_offer("0.90", a_pool(zone="flaky"), interruptions_per_hour=1.0)
STEADY = an_offer("1.00", a_pool(zone="steady"), interruptions_per_hour=0.01)


class Market(Cloud):
    """Sells the two above, seen just now."""

    def offers(self, want: Any) -> Any:
        self._called("offers")
        return [replace(o, seen_at=time()) for o in (FLAKY, STEADY)]


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Of two clouds the one that only tells prices; the other is a `Market`."""
    window = Cloud("window", replace(CLOUD, prices_only="no credentials: set some"))
    made = {"cloud": Market(), "window": window}

    def module(name: str) -> Any:
        class Module:
            connect: Callable[..., Cloud] = staticmethod(lambda **_: made[name])

        return Module

    monkeypatch.setattr(registry, "BUILT_IN", {name: name for name in made})
    monkeypatch.setattr(registry, "import_module", module)
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    return window


@pytest.fixture
def job(tmp_path: Path) -> Path:
    file = tmp_path / "job.yaml"
    file.write_text("name: digits\nrun: 'true'\ncheckpoint: {store: s3://bucket/x}\n")
    return file


@pytest.mark.usefixtures("window")
def test_the_plan_tells_what_a_useful_hour_costs_and_goes_by_it(cli: Cli, store: SqliteStore, job: Path) -> None:
    plan = cli("submit", job, "--dry-run", "--json").json["plan"]
    assert [o["zone"] for o in plan["offers"]] == ["steady", "flaky"]
    costs = [o["effective_usd_hour"] for o in plan["offers"]]
    assert costs == sorted(costs)
    assert plan["offers"][1]["price_usd_hour"] < plan["offers"][0]["price_usd_hour"] < costs[0]
    shown = cli("submit", job, "--dry-run").err
    assert "useful $/h" in shown
    assert f"  {costs[0]:.2f}  " in shown


def test_one_that_only_tells_prices_is_not_asked_and_the_plan_says_why(
    cli: Cli, store: SqliteStore, job: Path, window: Cloud
) -> None:
    plan = cli("submit", job, "--dry-run", "--json").json["plan"]
    assert plan["failures"] == {"window": "no credentials: set some"}
    assert window.calls == []
    assert "no offers from window: no credentials: set some" in cli("submit", job, "--dry-run").err


@pytest.mark.usefixtures("window")
def test_what_the_book_has_lived_counts_in_the_plan(cli: Cli, store: SqliteStore, job: Path) -> None:
    lost = [
        a_machine(n, pool=STEADY.pool, state="ended", ended_at=a_machine().up_at + 60.0, outcome="preempted")  # type: ignore[operator]
        for n in range(1, 40)
    ]
    store.apply([AddMachine(machine=m) for m in lost])
    plan = cli("submit", job, "--dry-run", "--json").json["plan"]
    assert [o["zone"] for o in plan["offers"]] == ["flaky", "steady"]


def test_a_cost_beyond_reason_is_not_written_out() -> None:
    from spotlaunch.cli.plan import _row
    from spotlaunch.core.plan import Asked
    from spotlaunch.core.rank import Ranking
    from spotlaunch.submission import Preview

    nothing = Preview(
        asked=Asked(offers=()), ranking=Ranking(candidates=(), turned_down=()), first=None, spot_first=False
    )
    assert ">9999" in _row(FLAKY, Decimal("1e9"), nothing)


# -- what a person should know before it goes anywhere ---------------------------------------------------


def sells(monkeypatch: pytest.MonkeyPatch, **traits: Any) -> Market:
    """The only cloud there is, and how it differs from others."""
    cloud = Market("cloud", replace(CLOUD, **traits))
    module = type("Module", (), {"connect": staticmethod(lambda **_: cloud)})
    monkeypatch.setattr(registry, "BUILT_IN", {"cloud": "cloud"})
    monkeypatch.setattr(registry, "import_module", lambda name: module)
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    return cloud


def a_file(job: Path, more: str, *, store: str = "s3://bucket/x") -> Path:
    job.write_text(f"name: digits\nrun: 'true'\ncheckpoint: {{store: {store}}}\n{more}\n")
    return job


def cautions(cli: Cli, job: Path) -> dict[str, Any]:
    return {c["about"]: c for c in cli("submit", job, "--dry-run", "--json").json["plan"]["cautions"]}


def test_the_plan_says_where_hosts_are_strangers_and_names_the_secrets_that_go_there(
    cli: Cli, store: SqliteStore, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sells(monkeypatch, strangers=True)
    monkeypatch.setenv("WANDB_API_KEY", "hush-hush-hush")
    a_file(job, "secrets: [WANDB_API_KEY]")
    done = cli("submit", job, "--dry-run")
    assert (
        "warning: cloud: its hosts are strangers: whatever is sent there counts as published, also the values of "
        "WANDB_API_KEY\nhint: keep such jobs away with where.providers or where.exclude" in done.err
    )
    assert "hush" not in done.err
    assert cautions(cli, job)["strangers"]["providers"] == ["cloud"]


def test_nobody_is_called_a_stranger_who_is_none(
    cli: Cli, store: SqliteStore, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sells(monkeypatch)
    assert "strangers" not in cautions(cli, job)


def test_a_folder_of_this_computer_is_told_with_who_falls_away_and_how_to_set_a_bucket(
    cli: Cli, store: SqliteStore, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sells(monkeypatch)
    a_file(job, "", store="file:///tmp/checkpoints")
    done = cli("submit", job, "--dry-run")
    assert done.code == 1
    assert "the store is a folder of this computer, which machines of cloud cannot see: none is used" in done.err
    assert "hint: set checkpoint.store to a bucket" in done.err


def test_an_endpoint_of_this_computer_is_told(
    cli: Cli, store: SqliteStore, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sells(monkeypatch)
    a_file(job, "", store='{url: "s3://bucket/x", endpoint: "http://127.0.0.1:9"}')
    assert "http://127.0.0.1:9 is this computer's" in cautions(cli, job)["store"]["text"]
    sells(monkeypatch, shares_disk=True)
    assert cautions(cli, job) == {}, "its machines are on this computer"


def test_the_plan_says_what_machines_may_open_in_the_store(
    cli: Cli, store: SqliteStore, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sells(monkeypatch)
    told = cautions(cli, job)["pass"]["text"]
    assert told.startswith("s3://bucket/x: ")
    assert told in cli("submit", job, "--dry-run").err


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("{cost_usd: 0.05}", "limits.cost_usd ($0.05) would carry none of 2 offers that fit through its start"),
        ("{runtime: 2m}", "limits.runtime (120 s of machine time) is over before any of 2 offers"),
        ("{price_usd_hour: 0.50}", "limits.price_usd_hour ($0.50) is under every price: of 2 offers that would fit"),
    ],
)
@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry run", "submit"])
def test_limits_that_cannot_be_met_are_refused_before_anything_is_written(
    cli: Cli,
    store: SqliteStore,
    job: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    limits: str,
    says: str,
    dry: list[str],
) -> None:
    sells(monkeypatch, shares_disk=True)
    folder = tmp_path / "checkpoints"
    a_file(job, f"limits: {limits}", store=folder.as_uri())
    done = cli("submit", job, *dry)
    assert done.code == 1
    assert f"error: {says}" in done.err
    assert "\nhint: raise limits." in done.err
    assert store.jobs() == []
    assert not folder.exists()


def test_who_could_not_be_connected_is_noted_for_status(cli: Cli, store: SqliteStore, job: Path, window: Cloud) -> None:
    cli("submit", job, "--dry-run")
    (noted,) = read_unusable(Home.find())
    assert (noted.provider, noted.error, noted.reason) == ("window", "NotAuthorized", "no credentials: set some")
