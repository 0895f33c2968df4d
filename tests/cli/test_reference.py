"""docs/reference.md against the program. Run this file as a program to paste the present ``--help`` into it."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from spotlaunch.__main__ import run
from spotlaunch.cli import billing, overview, pricetable, statstable
from spotlaunch.cli.alert import alert_json
from spotlaunch.cli.cautions import Caution
from spotlaunch.cli.check import _provider_row as provider_row
from spotlaunch.cli.checkpoints import _json as checkpoint_json
from spotlaunch.cli.events import event_json
from spotlaunch.cli.forecast import Forecast, Work, forecast_json, outcome_json
from spotlaunch.cli.gc import Ended, silent_json, standing_json
from spotlaunch.cli.gpus import cheapest_json, line_json
from spotlaunch.cli.history import point_json
from spotlaunch.cli.listings import Silent
from spotlaunch.cli.plan import plan_json
from spotlaunch.cli.reconcile import compared_json
from spotlaunch.cli.rehearse import rehearsal_json, seen_attempt_json
from spotlaunch.cli.simulate import Asked as Simulated
from spotlaunch.cli.simulate import comparison_json, policy_json
from spotlaunch.core.account import Line
from spotlaunch.core.answers import Answer
from spotlaunch.core.book import JobState, MachineState, Outcome
from spotlaunch.core.condition import parse_alert
from spotlaunch.core.facts import Finding
from spotlaunch.core.gpulist import gpu_list
from spotlaunch.core.ledger import Bill
from spotlaunch.core.lessons import NOTHING_LEARNED, Lesson
from spotlaunch.core.observed import Seen, SeenAttempt
from spotlaunch.core.plan import Asked
from spotlaunch.core.poolstats import place_stats, pool_stats
from spotlaunch.core.pricecurve import Low
from spotlaunch.core.pricelist import Terms, Wish, price_list
from spotlaunch.core.rank import Ranking
from spotlaunch.core.reconcile import Reconciled
from spotlaunch.core.remarks import Remark
from spotlaunch.core.strays import Standing
from spotlaunch.core.totals import Totals
from spotlaunch.core.verdict import Measures, Verdict
from spotlaunch.core.wire import PHASES
from spotlaunch.market.accounts import Account
from spotlaunch.rehearsing.rehearsal import Options
from spotlaunch.simulate.compare import Comparison
from spotlaunch.simulate.compare import Job as SimulatedJob
from spotlaunch.simulate.estimate import estimate
from spotlaunch.simulate.replay import Task
from spotlaunch.simulate.traces import Traces
from spotlaunch.storage.listing import Listing
from spotlaunch.submission import Preview
from tests.core.worlds import a_pool, an_offer
from tests.simulate.prospects import a_question
from tests.storage.samples import a_job, a_machine, a_refusal, an_attempt, an_event

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "reference.md"
_BLOCK = re.compile(r"<!-- help:(\w+) -->\n(?:```text\n.*?\n```\n)?", re.DOTALL)

LISTING = Listing(key="k", manifest="m", number=1, epoch=1, step=1, size=1, files=1, at=1.0)
LINE = overview.JobLine(job=a_job(), machine=None, attempt=None, bill=Bill())
OFFER = an_offer(pool=a_pool())
RANKING = Ranking(candidates=(OFFER,), turned_down=(), effective_usd_hour=(Decimal("1.08"),))
PREVIEW = Preview(asked=Asked(offers=(OFFER,)), ranking=RANKING, first=OFFER, spot_first=False)
STANDING = Standing(
    provider="one", verdict="kept", reason="r", launch_key="k", instance_id="i", since=None, price_usd_hour=None
)
NOTHING_SEEN = Seen(kills=1, notices=True, grace_s=1.0, longest_s=1.0)
NO_VERDICT = Verdict(remarks=(), measures=Measures())
A_LINE = Line(machine=a_machine(), attempt=None, spans=(), totals=Totals())


def _only_of_lines(line: dict[str, Any]) -> dict[str, Any]:
    """What a line has beside what rows have."""
    return {key: value for key, value in line.items() if key not in billing.totals_json(Totals())}


PLAN = plan_json(a_job().spec, PREVIEW, {})
ROW = price_list([an_offer(gpu="H100", gpu_count=1)], Wish(), Terms())[0]
SIMULATED = SimulatedJob(share=0.5, finished_s=1.0, done=True, late=False, preemptions=0, starts=1)
COMPARISON = comparison_json(
    Simulated(traces=(), work_hours=1, deadline_hours=2, overhead_hours=0, od_price=1, spot_price="1"),
    Traces(files=(), tick_s=600, up=(b"1",)),
    Task(work_s=1, deadline_s=2, overhead_s=0, tick_s=1, on_demand_usd_hour=1, spot_usd_hour=(1,)),
    Comparison(starts=(0,), optimum=(0.5,), jobs={"spot": (SIMULATED,)}),
    exact=True,
)
QUESTION = a_question()
FORECAST = Forecast(
    question=QUESTION,
    work=Work(seconds=1.0),
    chosen="spot",
    outcomes=estimate(QUESTION, ["spot"], runs=1),
    runs=1,
    seed=1,
    now=0.0,
)
LESSON = Lesson(pool=a_pool(), week={1: (1.0, 0.0)})
POOL_STATS = pool_stats([LESSON], [], NOTHING_LEARNED, now=0.0, offers={}, on_sale={})
SECTIONS: list[tuple[str, Callable[[], dict[str, Any]]]] = [
    ("A job", lambda: overview.job_json(LINE, 0.0)),
    ("An attempt", lambda: overview.attempt_json(an_attempt())),
    ("A machine", lambda: overview.machine_json(a_machine(), 0.0)),
    ("Who is resting", lambda: overview.refusal_json(a_refusal(), 0.0)),
    ("An offer", lambda: pricetable.offer_json(ROW, 0.0)),
    ("What a provider said", lambda: pricetable.provider_json(Answer(provider="one", asked_at=0.0), 0.0)),
    ("`events --json`", lambda: event_json(1, an_event())),
    ("`checkpoints --json`", lambda: checkpoint_json(LISTING)),
    ("`check --json`", lambda: provider_row(Account(provider="aws"))),
    ("`rehearse --json`", lambda: rehearsal_json(a_job().spec, Options(), NOTHING_SEEN, NO_VERDICT, [])),
    ("A finding of a rehearsal", lambda: asdict(Remark(check="start", level="ok", text="t"))),
    ("What a rehearsal measured", lambda: asdict(Measures())),
    ("An attempt of a rehearsal", lambda: seen_attempt_json(SeenAttempt(run=1, number=1))),
    ("A finding", lambda: asdict(Finding(kind="quota", name="n", ok=True, detail="d"))),
    ("`prices --alert --json`", lambda: {"text": "", **alert_json(parse_alert("H100 < 2"), ROW, 0.0)}),
    ("A point", lambda: point_json(0.0, Low(price_usd_gpu_hour=Decimal(1), pool=a_pool()))),
    ("A pool and what was learned of it", lambda: statstable.pool_json(POOL_STATS[0])),
    ("A week of a region", lambda: statstable.place_json(place_stats([LESSON], NOTHING_LEARNED)[0])),
    ("A GPU", lambda: line_json(gpu_list([])[0], 0.0)),
    ("The cheapest of a GPU", lambda: cheapest_json(an_offer(), 0.0)),
    ("A plan", lambda: PLAN),
    ("A row of an account", lambda: billing.row_json((), [])),
    ("A line of an account", lambda: _only_of_lines(billing.machine_json(A_LINE))),
    ("A machine and its bill", lambda: compared_json(Reconciled(line=A_LINE, billed=None, agrees=True))),
    ("A caution", lambda: Caution(about="store", text="t").json),
    ("`simulate --json`", lambda: COMPARISON),
    ("`estimate --json`", lambda: {"name": "", "failures": {}, **forecast_json(FORECAST)}),
    ("An estimate under one policy", lambda: outcome_json(FORECAST, FORECAST.outcomes[0])),
    ("A policy over many jobs", lambda: policy_json("spot", [SIMULATED], [0.5])),
    ("A machine and its verdict", lambda: standing_json(STANDING, Ended())),
    ("A silent provider", lambda: silent_json(Silent(provider="one", reason="r"), [])),
    ("An offer of a plan", lambda: PLAN["offers"][0]),
]


def help_of(command: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        run([] if command == "spotlaunch" else [command, "--help"])
    return out.getvalue().strip()


def with_help(page: str) -> str:
    return _BLOCK.sub(lambda m: f"<!-- help:{m[1]} -->\n```text\n{help_of(m[1])}\n```\n", page)


def section(title: str) -> str:
    after = PAGE.read_text().split(f"# {title}\n", 1)[1]
    return re.split(r"^##", after, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(title: str) -> list[str]:
    rows = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [word for row in rows for word in re.findall(r"`([\w-]+)`", row.split("|")[1])]


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_help_of_every_command_is_pasted() -> None:
    page = PAGE.read_text()
    assert with_help(page) == page, "run: python -m tests.cli.test_reference"
    commands = re.findall(r"^  (\w+) +[A-Z]", help_of("spotlaunch").split("Commands:\n")[1], re.MULTILINE)
    assert [m[1] for m in _BLOCK.finditer(page)] == ["spotlaunch", *commands]


@pytest.mark.parametrize(("title", "made"), SECTIONS, ids=[t for t, _ in SECTIONS])
def test_every_key_of_the_json_is_described(title: str, made: Callable[[], dict[str, Any]]) -> None:
    assert sorted(first_column(title)) == sorted(made())


def test_every_state_phase_and_outcome_is_described() -> None:
    assert first_column("States of a job") == list(get_args(JobState))
    for word in (*get_args(MachineState), *get_args(Outcome), *PHASES):
        assert f"`{word}`" in section("An attempt") + section("A machine")


def test_every_kind_of_event_is_described() -> None:
    told = re.compile(r"""(?:\.tell\(\s*[\w.]+,|_event\(\s*call,\s*now,|kind=)\s*"([a-z_]+)",""")
    sources = [p for room in ("core", "watchdog", "cli") for p in (ROOT / "spotlaunch" / room).glob("*.py")]
    kinds = {kind for p in [*sources, ROOT / "spotlaunch" / "submission.py"] for kind in told.findall(p.read_text())}
    kinds -= {"leave", "proceed", "risk"}  # what is asked of an agent
    assert kinds - set(first_column("Events")) == set()
    assert len(kinds) > 10


if __name__ == "__main__":
    PAGE.write_text(with_help(PAGE.read_text()))
