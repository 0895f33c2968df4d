"""Deadlines at the command line: what is refused, and how a job with one is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch import registry
from spotlaunch.core.facts import Offer
from spotlaunch.home import Home
from spotlaunch.storage.store import open_store
from tests.cli.conftest import NOW, Cli
from tests.core.worlds import CLOUD, PAID_OFFER, an_offer
from tests.storage.samples import a_job, an_event
from tests.watchdog.ground import Cloud


class Market(Cloud):
    """Sells spot and on-demand, seen just now."""

    sold: tuple[Offer, ...] = (an_offer(), PAID_OFFER)

    def offers(self, want: Any) -> Any:
        return [replace(o, seen_at=time.time()) for o in self.sold]


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> Market:
    made = Market("cloud", CLOUD)

    class Module:
        connect: Callable[..., Cloud] = staticmethod(lambda **_: made)

    monkeypatch.setattr(registry, "BUILT_IN", {"cloud": "cloud"})
    monkeypatch.setattr(registry, "import_module", lambda name: Module)
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    return made


@pytest.fixture
def submit(cli: Cli, tmp_path: Path) -> Callable[..., Any]:
    def run(text: str, *options: str) -> Any:
        file = tmp_path / "job.yaml"
        file.write_text(f"run: 'true'\ncheckpoint: {{store: s3://bucket/x}}\n{text}\n")
        return cli("submit", file, "--dry-run", *options)

    return run


@pytest.mark.usefixtures("market")
def test_a_deadline_that_not_even_on_demand_meets_is_refused_with_the_earliest_one(submit: Callable[..., Any]) -> None:
    run = submit("deadline: 5h\nwork: 4h58m")
    assert run.code == 2
    assert "job.yaml:3:1: deadline: it cannot be met even on on-demand from now on: 4h58m of work" in run.err
    assert "hint: the earliest that can be promised is in 5h7m, at 20" in run.err


@pytest.mark.usefixtures("market")
def test_one_that_can_be_met_is_shown_with_what_is_tried_first(submit: Callable[..., Any]) -> None:
    run = submit("deadline: 60h\nwork: 40h")
    assert run.code == 0
    assert "deadline: in 2d12h, 1d16h of work, policy slack" in run.err


@pytest.mark.usefixtures("market")
def test_a_deadline_without_work_is_warned_of(submit: Callable[..., Any]) -> None:
    run = submit("deadline: 60h")
    assert run.code == 0
    assert "there is a deadline and no `work`: it runs on-demand until its progress tells" in run.err


def test_where_no_on_demand_fits_no_deadline_is_promised(market: Market, submit: Callable[..., Any]) -> None:
    market.sold = (an_offer(),)
    run = submit("deadline: 60h\nwork: 4h")
    assert run.code == 2
    assert "deadline: it cannot be promised: no on-demand offer fits the job file" in run.err
    assert submit("deadline: 60h\nwork: 4h\npolicy: spot").code == 0


@pytest.mark.usefixtures("market")
def test_a_price_to_wait_for_and_a_deadline_exclude_each_other(submit: Callable[..., Any]) -> None:
    run = submit("deadline: 60h\nwork: 4h", "--when", "price_usd_hour < 0.50")
    assert run.code == 2
    assert "--when does not go with a deadline or a policy" in run.err


def test_status_tells_how_a_job_stands_to_its_deadline_and_what_its_policy_does(cli: Cli) -> None:
    store = open_store(Home.find())
    job = a_job(submitted_at=NOW, deadline_at=NOW + 10 * 3600, decision="waiting for spot")
    store.add_job(replace(job, spec=replace(job.spec, work_s=4 * 3600.0), done_s=3600.0), an_event())
    store.close()
    out = cli("status", "digits").out
    assert "in 10h00m; 3h00m of work left, done at " in out
    assert "7h00m to spare\npolicy    slack: waiting for spot" in out
    told = cli("status", "digits", "--json").json["job"]
    assert (told["policy"], told["decision"], told["work_left_s"]) == ("slack", "waiting for spot", 3 * 3600.0)
