"""`spotlaunch estimate FILE`: what the job will cost and when it will be done, under each policy."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.cli.forecast import HEAD, about, forecast, forecast_json, policies_to_show, remarks, rows, work_of_job
from spotlaunch.cli.simulate import named_policies, show_progress
from spotlaunch.cli.submit import look, pairs
from spotlaunch.home import Home
from spotlaunch.registry import provider_names
from spotlaunch.storage.jobfile import load_job
from spotlaunch.submission import refuse_deadline, refuse_impossible, refuse_limits


def run(file: Path, *, policies: Sequence[str], runs: int | None, seed: int, env: list[str], as_json: bool) -> int:
    """Estimate the job of ``file``. Nothing is written down but the prices that were seen. Returns 0.

    Raises `BadFile`, `UsageError` where nobody knows how much it computes or a policy cannot be meant, and
    `SpotlaunchError` where it could not be submitted either.
    """
    asked = named_policies(policies) if policies else []
    spec = load_job(file, names=provider_names(), env=os.environ, overrides={"env": pairs(env)})
    deadline = spec.deadline_s is not None or spec.deadline_at is not None
    shown = policies_to_show(spec, deadline=deadline, asked=asked)
    home = Home.find()
    with open_book(home) as store:
        work = work_of_job(spec, store.jobs())
        spec = replace(spec, work_s=work.seconds)
        found, missing = look(home, store, spec, None)
        refuse_limits(spec, found)
        refuse_deadline(found, file, now=time.time())
        refuse_impossible(found)
    made = forecast(spec, work, found, shown, runs=runs, seed=seed, progress=show_progress)
    failures = {**found.asked.failures, **missing}
    if as_json:
        render.as_json({"name": spec.name, **forecast_json(made), "failures": failures})
        return 0
    render.say(f"{spec.name}: {about(made)}")
    for name, why in failures.items():
        render.say(f"no offers from {name}: {why}")
    render.table(HEAD, rows(made))
    for text in remarks(made, spec):
        render.say(text)
    return 0
