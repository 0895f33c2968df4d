"""A forecast: what `estimate` and `submit --dry-run` say of a job's cost and end, as text and as JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from spotlaunch.cli import render
from spotlaunch.core.book import Job
from spotlaunch.core.policy import DEFAULT, POLICIES, PROMISE_DEADLINES
from spotlaunch.core.spec import Spec
from spotlaunch.core.units import write_about
from spotlaunch.core.worked import work_left_s
from spotlaunch.errors import UsageError
from spotlaunch.simulate.estimate import Outcome, Question, estimate, question_of
from spotlaunch.submission import Preview

HEAD = render.columns(
    "policy", ">expected $", ">5-95% $", ">of on-demand, %", "expected end", ">in hours", ">5-95% h", ">in time, %",
    ">interruptions", "",
)  # fmt: skip

# So many runs of 100 that all went well leave room for as many of these that would not (rule of three).
_UNSEEN = 3

# From here on cents are more than is known.
_WHOLE_USD = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """How much a job computes in seconds, and the name of the job of the book that told it; empty: its file says so."""

    seconds: float
    told_by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What was asked, and what becomes of it under each policy. ``chosen``: the policy that the job file means."""

    question: Question
    work: Work
    chosen: str
    outcomes: tuple[Outcome, ...]
    runs: int
    seed: int
    now: float

    def of(self, policy: str) -> Outcome | None:
        """The outcome under a policy, if it was asked about."""
        return next((o for o in self.outcomes if o.policy == policy), None)


def work_of_job(spec: Spec, jobs: Sequence[Job]) -> Work:
    """How much the job computes: as its file says, else as the newest job of its name was seen to take.

    Raises `UsageError` where nobody knows.
    """
    if spec.work_s is not None:
        return Work(seconds=spec.work_s)
    for job in sorted(jobs, key=lambda j: j.submitted_at, reverse=True):
        if not re.fullmatch(rf"{re.escape(spec.name)}(-\d+)?", job.name):
            continue
        fresh = replace(job, done_s=0.0, done_step=0, spec=replace(job.spec, work_s=None))
        whole_s = work_left_s(fresh) or (job.done_s if job.state == "finished" else 0.0)
        if whole_s > 0:
            return Work(seconds=whole_s, told_by=job.name)
    raise UsageError(
        "an estimate needs to know how much the job computes, and its file has no `work`",
        hint="write how long it would compute if nothing ever disturbed it, like `work: 40h`; a job of the same name "
        "that told its progress as it ran would do, too",
    )


def chosen_policy(spec: Spec) -> str:
    """What decides for the job. Without a deadline the default is the patient rule, like all that use both markets."""
    return spec.policy or (DEFAULT if spec.market == "auto" else spec.market)


def policies_to_show(spec: Spec, *, deadline: bool, asked: Sequence[str] = ()) -> list[str]:
    """All that differ, or those that were asked for. Raises `UsageError` for those that the job file rules out."""
    if spec.market != "auto":
        others = [name for name in asked if name != spec.market]
        if others:
            raise UsageError(
                f"--policy {others[0]}: `market: {spec.market}` in the job file leaves nothing to decide",
                hint="leave out `market` in the job file, or --policy",
            )
        return [spec.market]
    if asked:
        return list(dict.fromkeys(asked))
    shown = POLICIES if deadline else ("on-demand", "spot", chosen_policy(spec))
    return list(dict.fromkeys(shown))


def forecast(
    spec: Spec,
    work: Work,
    found: Preview,
    policies: Sequence[str],
    *,
    runs: int | None = None,
    seed: int = 1,
    progress: Callable[[float], None] = lambda share: None,
) -> Forecast:
    """Ask the policies. ``found``: what the market has for the job. Raises `UsageError` where it would not begin."""
    if found.held or found.standing is None:
        raise UsageError("how long the job would be held is not known", hint="leave out --when")
    question = question_of(spec, work.seconds, found.standing, found.learned, now=found.now)
    runs = question.usual_runs if runs is None else runs
    return Forecast(
        question=question,
        work=work,
        chosen=chosen_policy(spec),
        outcomes=estimate(question, policies, runs=runs, seed=seed, progress=progress),
        runs=runs,
        seed=seed,
        now=found.now,
    )


# -- for a person --------------------------------------------------------------------------------------


def about(f: Forecast) -> str:
    """What was estimated, in one line."""
    q = f.question
    told = f", as {f.work.told_by} took" if f.work.told_by else ""
    until = (
        "no deadline"
        if math.isinf(q.deadline_s)
        else f"{write_about(60 * math.ceil(q.deadline_s / 60))} until the deadline"
    )
    pools = f"{len(q.prospects)} spot pool{'' if len(q.prospects) == 1 else 's'}"
    if q.pools > len(q.prospects):
        pools = f"the best {len(q.prospects)} of {q.pools} spot pools"
    return f"{write_about(f.work.seconds)} of work{told}, {until}; {f.runs} runs (seed {f.seed}) over {pools}"


def show_brief(spec: Spec, jobs: Sequence[Job], found: Preview) -> None:
    """For `submit --dry-run`, on stderr: the job's own policy and on-demand. Never fails: it says why there is none."""
    try:
        f = _brief(spec, jobs, found)
    except UsageError as e:
        render.say(f"no estimate: {e.message}\nhint: {e.hint}")
        return
    render.say(f"estimate: {about(f)}; `spotlaunch estimate` compares all policies")
    render.say(render.plain_table(HEAD, [[cell or "-" for cell in row] for row in rows(f)], indent="  "))
    for text in remarks(f, spec):
        render.say(f"  {text}")


def brief_json(spec: Spec, jobs: Sequence[Job], found: Preview) -> dict[str, Any]:
    """The same for scripts; `no_estimate` says why there is none."""
    try:
        return {"estimate": forecast_json(_brief(spec, jobs, found)), "no_estimate": None}
    except UsageError as e:
        return {"estimate": None, "no_estimate": e.message}


def _brief(spec: Spec, jobs: Sequence[Job], found: Preview) -> Forecast:
    own = chosen_policy(spec)
    names = [own, "on-demand"] if spec.market == "auto" else [own]
    return forecast(spec, work_of_job(spec, jobs), found, list(dict.fromkeys(names)))


def rows(f: Forecast) -> list[list[str]]:
    """A row for each policy, under `HEAD`."""
    return [_row(f, o) for o in f.outcomes]


def remarks(f: Forecast, spec: Spec) -> list[str]:
    """What the table does not show."""
    q, told = f.question, ["prices are taken to stay as they are now, and disks are left out"]
    if not q.prospects:
        told.append("no spot pool fits the job")
    if q.on_demand is None and f.chosen != "spot":
        told.append(f"no on-demand machine can be had now; ${q.on_demand_usd_hour:.2f}/h is a guess")
    if math.isinf(q.deadline_s) and f.chosen not in ("spot", "on-demand"):
        patience = write_about(q.patience_s)
        told.append(f"no deadline: {f.chosen} is spot, and on-demand after {patience} without it (fallback.patience)")
    for o in f.outcomes:
        if o.unfinished:
            told.append(
                f"{o.policy}: {100 * o.unfinished:.0f}% of runs had no end in sight; counted as far as followed"
            )
    chosen, limit = f.of(f.chosen), spec.limits.cost_usd
    if chosen is not None and limit is not None and chosen.cost_p95_usd > limit:
        told.append(f"limits.cost_usd (${limit}) may end the job before it is done")
    return told


def _row(f: Forecast, o: Outcome) -> list[str]:
    span = o.finish_s
    end = "not in sight" if span.mean is None else f"{datetime.fromtimestamp(f.now + span.mean):%a %d %b %H:%M}"
    notes = {"<- the job file's": o.policy == f.chosen, "ours": o.policy == DEFAULT}
    return [
        o.policy,
        _usd(o.cost_mean_usd),
        f"{_usd(o.cost_p5_usd)}-{_usd(o.cost_p95_usd)}",
        f"{100 * _of_on_demand(f, o):.0f}",
        end,
        _hours(span.mean),
        f"{_hours(span.p5)}-{_hours(span.p95)}",
        _in_time(o, f.runs),
        f"{o.interruptions:.1f}",
        ", ".join(text for text, holds in notes.items() if holds),
    ]


def _in_time(o: Outcome, runs: int) -> str:
    """The chance in percent: nothing is certain that was seen in so many runs, but what is promised."""
    if o.in_time is None:
        return ""
    unseen = min(100, math.ceil(100 * _UNSEEN / runs))
    if o.in_time == 1 and o.policy not in PROMISE_DEADLINES:
        return f">{100 - unseen}"
    if o.in_time == 0:
        return f"<{unseen}"
    return f"{min(99, max(1, 100 * o.in_time)) if o.in_time < 1 else 100:.0f}"


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds / 3600:.1f}" if seconds >= 3600 else f"{seconds / 3600:.2f}"


def _usd(amount: Decimal) -> str:
    return f"{amount:.0f}" if amount >= _WHOLE_USD else f"{amount:.2f}"


def _of_on_demand(f: Forecast, o: Outcome) -> float:
    """What it costs as a share of what on-demand from the first second does, as far as that is known."""
    q = f.question
    usd = q.on_demand_usd_hour * (q.work_s + q.start_s) / 3600
    return float(o.cost_mean_usd) / usd if usd else 0.0


# -- for scripts: keys are stable, see docs/reference.md -------------------------------------------------


def forecast_json(f: Forecast) -> dict[str, Any]:
    """All of it."""
    q = f.question
    return {
        "work_hours": f.work.seconds / 3600,
        "work_told_by": f.work.told_by or None,
        "deadline_hours": None if math.isinf(q.deadline_s) else q.deadline_s / 3600,
        "policy": f.chosen,
        "on_demand_usd_hour": q.on_demand_usd_hour,
        "on_demand_pool": None if q.on_demand is None else str(q.on_demand.pool),
        "on_demand_start_s": q.start_s,
        "pools": [
            {
                "pool": str(p.pool),
                "price_usd_hour": p.view.price_usd_hour,
                "interruptions_per_hour": p.belief.interruptions / p.belief.hours,
                "launch_chance": p.chance,
                "start_s": p.view.start_s,
                "move_usd": p.egress_usd,
            }
            for p in q.prospects
        ],
        "pools_left_out": q.pools - len(q.prospects),
        "tick_s": q.tick_s,
        "runs": f.runs,
        "seed": f.seed,
        "at": f.now,
        "policies": [outcome_json(f, o) for o in f.outcomes],
    }


def outcome_json(f: Forecast, o: Outcome) -> dict[str, Any]:
    """One policy."""
    span = o.finish_s
    return {
        "policy": o.policy,
        "chosen": o.policy == f.chosen,
        "promises_deadlines": o.policy in PROMISE_DEADLINES,
        "mean_cost_usd": o.cost_mean_usd,
        "p5_cost_usd": o.cost_p5_usd,
        "p95_cost_usd": o.cost_p95_usd,
        "of_on_demand": round(_of_on_demand(f, o), 4),
        "mean_hours": _told_hours(span.mean),
        "p5_hours": _told_hours(span.p5),
        "p95_hours": _told_hours(span.p95),
        "in_time": o.in_time,
        "unfinished": o.unfinished,
        "interruptions": o.interruptions,
        "on_demand_share": round(o.paid_share, 4),
    }


def _told_hours(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 3600, 4)
