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
from spotlaunch.storage.store import SqliteStore
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
