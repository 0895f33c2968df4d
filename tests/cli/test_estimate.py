"""`estimate` and what `submit --dry-run` says of it, over a market that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from time import time
from typing import Any

import pytest

from spotlaunch import registry
from spotlaunch.core.facts import Offer
from spotlaunch.core.plan import AddMachine
from spotlaunch.core.policy import POLICIES
from spotlaunch.simulate.estimate import estimate
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.core.worlds import CLOUD, PAID, a_machine, a_pool, an_offer
from tests.simulate.prospects import a_question
from tests.storage.samples import a_job, an_event
from tests.watchdog.ground import Cloud

SPOT = an_offer("1.00", a_pool(zone="a"), interruptions_per_hour=0.05)
OTHER = an_offer("1.10", a_pool(zone="b"), interruptions_per_hour=0.05)
ON_DEMAND = an_offer("3.00", PAID)
WITH_DEADLINE = "deadline: 12h\nwork: 8h\n"


class Market(Cloud):
    """Sells what it is given, seen just now, and counts how often it is asked."""

    sells: Sequence[Offer] = (SPOT, OTHER, ON_DEMAND)

    def offers(self, want: Any) -> Any:
        self._called("offers")
        return [replace(o, seen_at=time()) for o in self.sells if o.pool.market in want.markets]


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> Market:
    made = Market("cloud", CLOUD)
    module = type("Module", (), {"connect": staticmethod(lambda **_: made)})
    monkeypatch.setattr(registry, "BUILT_IN", {"cloud": "cloud"})
    monkeypatch.setattr(registry, "import_module", lambda name: module)
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    return made


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return a_file(tmp_path / "job.yaml", WITH_DEADLINE)


def a_file(path: Path, more: str) -> Path:
    path.write_text(f"name: digits\nrun: 'true'\ncheckpoint: {{store: s3://bucket/x}}\n{more}")
    return path


def by_policy(told: Any) -> dict[str, Any]:
    return {p["policy"]: p for p in told["policies"]}


@pytest.mark.usefixtures("market", "store")
def test_every_policy_has_a_row_and_that_of_the_job_file_is_marked(cli: Cli, job: Path) -> None:
    done = cli("estimate", job, "--runs", "20")
    assert done.code == 0
    head, *rows = done.out.splitlines()
    assert head.split("  ")[0] == "policy"
    assert [row.split()[0] for row in rows] == list(POLICIES)
    assert [row.split()[0] for row in rows if "<- the job file's" in row] == ["slack"]
    assert "8h of work, 12h until the deadline; 20 runs (seed 1) over 2 spot pools" in done.err
    assert "prices are taken to stay as they are now" in done.err
    named = cli("estimate", a_file(job, WITH_DEADLINE + "policy: greedy\n"), "--runs", "5").out.splitlines()
    assert [row.split()[0] for row in named if "<- the job file's" in row] == ["greedy"]


@pytest.mark.usefixtures("store")
def test_the_market_is_asked_once(cli: Cli, job: Path, market: Market) -> None:
    cli("estimate", job, "--runs", "2")
    assert market.calls.count("offers") == 1


@pytest.mark.usefixtures("market", "store")
def test_json_holds_costs_ranges_ends_and_chances_in_order(cli: Cli, job: Path) -> None:
    told = cli("estimate", job, "--runs", "40", "--json").json
    assert (told["name"], told["policy"], told["work_hours"]) == ("digits", "slack", 8)
    assert (told["runs"], told["seed"], told["deadline_hours"]) == (40, 1, 12)
    assert [p["pool"] for p in told["pools"]] == [str(SPOT.pool), str(OTHER.pool)]
    assert (told["on_demand_pool"], told["on_demand_usd_hour"]) == (str(PAID), 3)
    policies = by_policy(told)
    for p in policies.values():
        assert p["p5_cost_usd"] <= p["p95_cost_usd"]
        assert p["p5_hours"] <= p["p95_hours"]
        assert p["in_time"] == 1 or not p["promises_deadlines"]
    assert policies["on-demand"]["of_on_demand"] == pytest.approx(1, abs=0.001)
    assert policies["slack"]["mean_cost_usd"] < policies["on-demand"]["mean_cost_usd"]
    assert [name for name, p in policies.items() if p["chosen"]] == ["slack"]


@pytest.mark.usefixtures("market", "store")
def test_a_seed_says_the_same_again(cli: Cli, job: Path, market: Market) -> None:
    market.sells = [replace(o, interruptions_per_hour=1.0) for o in (SPOT, OTHER)] + [ON_DEMAND]
    a_file(job, "work: 8h\n")
    first, again, other = (
        by_policy(cli("estimate", job, "--runs", "5", "--seed", seed, "--json").json) for seed in ("7", "7", "8")
    )
    assert first == again != other


@pytest.mark.usefixtures("market", "store")
def test_policies_asked_for_are_shown_and_no_other(cli: Cli, job: Path) -> None:
    told = cli("estimate", job, "--runs", "2", "--policy", "spot", "--policy", "greedy", "--json").json
    assert list(by_policy(told)) == ["spot", "greedy"]
    done = cli("estimate", job, "--policy", "gredy")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --policy: no policy is called 'gredy'\nhint: did you mean greedy?\n"


@pytest.mark.usefixtures("market", "store")
def test_without_a_deadline_there_are_costs_and_ends_and_no_chance(cli: Cli, job: Path) -> None:
    a_file(job, "work: 8h\n")
    told = cli("estimate", job, "--runs", "5", "--json").json
    assert told["deadline_hours"] is None
    assert list(by_policy(told)) == ["on-demand", "spot", "slack"]
    assert {p["in_time"] for p in told["policies"]} == {None}
    assert "no deadline: slack is spot, and on-demand after 20m without it" in cli("estimate", job, "--runs", "2").err


@pytest.mark.usefixtures("market", "store")
def test_a_market_named_in_the_job_file_leaves_one_policy(cli: Cli, job: Path) -> None:
    for name in ("spot", "on-demand"):
        a_file(job, f"work: 8h\nmarket: {name}\n")
        assert list(by_policy(cli("estimate", job, "--runs", "2", "--json").json)) == [name]
        done = cli("estimate", job, "--policy", "slack")
        assert done.code == 2
        assert f"`market: {name}` in the job file leaves nothing to decide\nhint: leave out `market`" in done.err


# -- how much work -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("market", "store")
def test_a_job_file_without_work_is_told_what_to_write(cli: Cli, job: Path) -> None:
    done = cli("estimate", a_file(job, ""))
    assert (done.code, done.out) == (2, "")
    assert "error: an estimate needs to know how much the job computes, and its file has no `work`\nhint: " in done.err
    assert "`work: 40h`" in done.err


@pytest.mark.usefixtures("market")
def test_what_the_newest_job_of_the_name_took_is_known(cli: Cli, job: Path, store: SqliteStore) -> None:
    for name, submitted_at, step_s in (("digits", 1.0, 9.0), ("digits-2", 2.0, 18.0), ("digits-old", 3.0, 99.0)):
        seen = {"submitted_at": submitted_at, "total_steps": 1000, "step_s": step_s, "done_step": 400, "done_s": 1.0}
        store.add_job(a_job(name=name, spec=replace(a_job().spec, name=name), **seen), an_event(job=name))
    told = cli("estimate", a_file(job, ""), "--runs", "2", "--json").json
    assert (told["work_hours"], told["work_told_by"]) == (5, "digits-2")
    assert "5h of work, as digits-2 took, no deadline" in cli("estimate", job, "--runs", "2").err
    assert cli("estimate", a_file(job, "work: 1h\n"), "--runs", "2", "--json").json["work_told_by"] is None


# -- what is known of the market -----------------------------------------------------------------------


@pytest.mark.usefixtures("market")
def test_what_the_book_has_lived_through_counts(cli: Cli, job: Path, store: SqliteStore) -> None:
    calm = cli("estimate", job, "--runs", "20", "--json").json
    lost = [
        a_machine(n, pool=o.pool, state="ended", ended_at=a_machine().up_at + 600.0, outcome="preempted")  # type: ignore[operator]
        for o in (SPOT, OTHER)
        for n in range(1 if o is SPOT else 101, 40 if o is SPOT else 140)
    ]
    store.apply([AddMachine(machine=m) for m in lost])
    stormy = cli("estimate", job, "--runs", "20", "--json").json
    assert stormy["pools"][0]["interruptions_per_hour"] > 10 * calm["pools"][0]["interruptions_per_hour"]
    assert by_policy(stormy)["slack"]["interruptions"] > by_policy(calm)["slack"]["interruptions"]


@pytest.mark.usefixtures("store")
def test_where_no_on_demand_can_be_had_that_is_said(cli: Cli, job: Path, market: Market) -> None:
    market.sells = [SPOT]
    done = cli("estimate", a_file(job, "work: 8h\n"), "--runs", "2")
    assert done.code == 0
    assert "no on-demand machine can be had now; $3.00/h is a guess" in done.err


@pytest.mark.usefixtures("store")
def test_without_any_spot_the_job_is_on_demand(cli: Cli, job: Path, market: Market) -> None:
    market.sells = [ON_DEMAND]
    done = cli("estimate", job, "--runs", "2")
    assert "no spot pool fits the job" in done.err
    told = by_policy(cli("estimate", job, "--runs", "2", "--json").json)
    for key in ("mean_cost_usd", "mean_hours"):
        assert told["slack"][key] == told["on-demand"][key], "it does not wait for what never comes"
    assert (told["slack"]["on_demand_share"], told["spot"]["unfinished"]) == (1, 1)
    assert told["spot"]["p95_hours"] is None
    assert "not in sight" in next(row for row in done.out.splitlines() if row.startswith("spot"))


@pytest.mark.usefixtures("market", "store")
def test_a_limit_that_may_end_the_job_is_told(cli: Cli, job: Path) -> None:
    dear = a_file(job, WITH_DEADLINE + "limits: {cost_usd: 4}\n")
    assert "limits.cost_usd ($4) may end the job before it is done" in cli("estimate", dear, "--runs", "5").err
    fine = a_file(job, WITH_DEADLINE + "limits: {cost_usd: 400}\n")
    assert "limits.cost_usd" not in cli("estimate", fine, "--runs", "5").err


@pytest.mark.usefixtures("market", "store")
def test_what_could_not_be_submitted_is_not_estimated(cli: Cli, job: Path) -> None:
    done = cli("estimate", a_file(job, "work: 8h\ndeadline: 8h2m\n"))
    assert done.code == 2
    assert "it cannot be met even on on-demand" in done.err
    assert cli("estimate", a_file(job, "work: 8h\nresources: {gpu: H100}\n")).code == 1


# -- submit --dry-run ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("market", "store")
def test_a_dry_run_tells_of_the_jobs_policy_and_of_on_demand(
    cli: Cli, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotlaunch.simulate.estimate.USUAL_RUNS", 50)
    done = cli("submit", job, "--dry-run")
    assert (done.code, done.out) == (0, "")
    after = done.err.split("estimate: ", 1)[1].splitlines()
    assert [row.split()[0] for row in after[2:4]] == ["slack", "on-demand"]
    told = cli("submit", job, "--dry-run", "--json").json
    assert told["no_estimate"] is None
    assert list(by_policy(told["estimate"])) == ["slack", "on-demand"]
    whole = by_policy(cli("estimate", job, "--json").json)
    assert by_policy(told["estimate"]) == {name: whole[name] for name in ("slack", "on-demand")}


@pytest.mark.usefixtures("market", "store")
@pytest.mark.parametrize("options", [[], ["--when", "price_usd_hour < 0.01"]], ids=["no work", "held"])
def test_a_dry_run_says_why_there_is_no_estimate_and_does_not_fail(cli: Cli, job: Path, options: list[str]) -> None:
    a_file(job, "work: 8h\n" if options else "")
    done = cli("submit", job, "--dry-run", *options)
    assert done.code == 0
    assert "no estimate: " in done.err
    told = cli("submit", job, "--dry-run", "--json", *options).json
    assert told["estimate"] is None
    assert told["no_estimate"] in done.err


def test_costs_are_rounded_for_people() -> None:
    from spotlaunch.cli.forecast import _usd

    assert [_usd(Decimal(text)) for text in ("0.0312", "9.876", "1234.5678")] == ["0.03", "9.88", "1235"]


@pytest.mark.parametrize(
    ("policy", "in_time", "runs", "says"),
    [
        ("slack", 1.0, 200, "100"),
        ("spot", 1.0, 200, ">98"),
        ("spot", 1.0, 1, ">0"),
        ("spot", 0.999, 2000, "99"),
        ("spot", 0.5, 200, "50"),
        ("spot", 0.0, 200, "<2"),
        ("spot", None, 200, ""),
    ],
)
def test_only_what_is_promised_is_said_to_be_certain(policy: str, in_time: float | None, runs: int, says: str) -> None:
    from spotlaunch.cli.forecast import _in_time

    (outcome,) = estimate(a_question(), [policy], runs=1)
    assert _in_time(replace(outcome, in_time=in_time), runs) == says
